// A flow of few events: the dispatcher makes long pauses then, and is woken when it was wrong about the flow.
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "cairn/cairn.hpp"
#include "cairn/configuration.hpp"
#include "dispatch/thread_lane.hpp"

namespace {

using namespace std::chrono_literals;

/// Logs an event each few milliseconds until the dispatcher counts on no more than that.
bool dozes_off(const cairn::Logger& log) {
  const auto deadline = std::chrono::steady_clock::now() + 30s;
  while (!cairn::detail::caller_hints.dispatcher_dozes.load()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    log.information("One of few");
    const auto next = std::chrono::steady_clock::now() + 5ms;
    while (!cairn::detail::caller_hints.dispatcher_dozes.load() && std::chrono::steady_clock::now() < next)
      std::this_thread::sleep_for(200us);
  }
  return true;
}

TEST(SlowFlow, ends_when_a_call_fills_a_block) {
  const auto log = cairn::Configuration{}.write_to_null().with_queue().create_logger();
  ASSERT_TRUE(dozes_off(log));
  for (int i = 0; i < 2000; ++i) log.information("{Number} {Twice} {Half}", i, 2 * i, 0.5 * i);
  EXPECT_FALSE(cairn::detail::caller_hints.dispatcher_dozes.load());
}

TEST(SlowFlow, ends_when_a_flush_waits) {
  const auto log = cairn::Configuration{}.write_to_null().with_queue().create_logger();
  ASSERT_TRUE(dozes_off(log));
  EXPECT_EQ(log.flush().status, cairn::FlushStatus::ok);
  EXPECT_EQ(log.metrics().sinks.at(0).pending, 0u);
}

}  // namespace
