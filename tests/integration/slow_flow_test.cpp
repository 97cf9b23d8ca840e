// A flow of few events: the dispatcher makes long pauses then, and is woken when it was wrong about the flow.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>

#include "cairn/cairn.hpp"
#include "cairn/configuration.hpp"
#include "dispatch/thread_lane.hpp"

namespace {

using namespace std::chrono_literals;
using Steady = std::chrono::steady_clock;
using cairn::detail::caller_hints;
using cairn::detail::CallerHints;

bool dozes() { return caller_hints.dispatcher_rests.load() == CallerHints::dozing; }

/// Logs an event each few milliseconds until the dispatcher counts on no more than that.
bool dozes_off(const cairn::Logger& log) {
  const auto deadline = Steady::now() + 30s;
  while (!dozes()) {
    if (Steady::now() > deadline) return false;
    log.information("One of few");
    const auto next = Steady::now() + 5ms;
    while (!dozes() && Steady::now() < next) std::this_thread::sleep_for(200us);
  }
  return true;
}

/// Whether `calls` wake it, where a gap of `longest` ticks is none. Asked again where a new pause began meanwhile,
/// which shows by its own gap.
template <class Calls>
bool wakes(const cairn::Logger& log, std::uint64_t longest, Calls&& calls) {
  bool woken = false;
  do {
    if (!dozes_off(log)) return false;
    caller_hints.longest_gap.store(longest);
    calls();
    woken = !dozes();
  } while (!woken && caller_hints.longest_gap.load() != longest);
  return woken;
}

TEST(SlowFlow, ends_when_a_call_fills_a_block) {
  const auto log = cairn::Configuration{}.write_to_null().with_queue().create_logger();
  EXPECT_TRUE(wakes(log, INT64_MAX, [&] {  // this thread may be slow
    for (int i = 0; i < 2000; ++i) log.information("{Number} {Twice} {Half}", i, 2 * i, 0.5 * i);
  }));
}

TEST(SlowFlow, ends_when_a_flush_waits) {
  const auto log = cairn::Configuration{}.write_to_null().with_queue().create_logger();
  ASSERT_TRUE(dozes_off(log));
  EXPECT_EQ(log.flush().status, cairn::FlushStatus::ok);
  EXPECT_EQ(log.metrics().sinks.at(0).pending, 0u);
}

TEST(SlowFlow, ends_with_a_call_after_a_longer_gap_and_with_no_other) {
  const auto log = cairn::Configuration{}.write_to_null().with_queue().create_logger();
  std::uint64_t before = 0;
  std::uint64_t after = 0;
  do {  // until the pause did not end by itself in between
    ASSERT_TRUE(dozes_off(log));
    caller_hints.longest_gap.store(INT64_MAX);
    before = caller_hints.newest_call.load();
    log.information("One of few");
    after = caller_hints.newest_call.load();
  } while (!dozes());
  EXPECT_GT(after, before) << "the next gap begins with this call";
  EXPECT_TRUE(wakes(log, 0, [&] { log.information("One more"); }));
}

TEST(SlowFlow, delivers_at_once_what_comes_after_a_silence) {
  std::atomic<Steady::rep> came{0};
  const auto log = cairn::Configuration{}
                       .write_to_callback([&](const cairn::Event&) {
                         came = Steady::now().time_since_epoch().count();
                         came.notify_all();
                       })
                       .with_queue()
                       .create_logger();
  auto shortest = Steady::duration::max();
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(dozes_off(log));
    std::this_thread::sleep_for(16ms);  // the silence, of the 32 that it dozes
    const auto called = Steady::now();
    came = 0;
    log.information("After a silence");
    for (auto last = came.load(); Steady::duration(last) < called.time_since_epoch(); last = came.load())
      came.wait(last);
    shortest = std::min(shortest, Steady::time_point(Steady::duration(came.load())) - called);
  }
  EXPECT_LT(shortest, 5ms);
}

TEST(SlowFlow, makes_no_pause_that_is_long_for_a_sink) {
  const auto log = cairn::Configuration{}.write_to_null().with_queue({.flush_interval = 36ms}).create_logger();
  const auto begun = Steady::now();
  int looks = 0;
  while (looks < 5 && Steady::now() - begun < 30s) {  // each comes after the one before
    ASSERT_TRUE(dozes_off(log));
    const auto dozed = Steady::now();
    while (dozes() && Steady::now() - dozed < 30s) std::this_thread::sleep_for(200us);
    if (Steady::now() - dozed < 20ms) ++looks;
  }
  EXPECT_EQ(looks, 5);
}

}  // namespace
