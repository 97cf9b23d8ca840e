// The longest time there is means "never", or "for ever", wherever an option or a call takes one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cairn/all.hpp>
#include <cairn/testing.hpp>
#include <thread>

#include "support/gate_sink.hpp"
#include "support/in_child.hpp"
#include "support/log_folder.hpp"
#include "support/scripted_sink.hpp"

namespace {

using namespace std::chrono_literals;
using cairn::Overflow;
using cairn::testing::comes_true;
using cairn::testing::ends_in_a_child;
using cairn::testing::GateSink;
using cairn::testing::LogFolder;
using cairn::testing::range;
using cairn::testing::ScriptedSink;
using testing::IsEmpty;

constexpr auto for_ever = std::chrono::nanoseconds::max();

cairn::Configuration quiet() {
  cairn::Configuration config;
  config.on_internal_error([](std::string_view) {});
  return config;
}

// In a process of its own: a worker that does not let its lock go would hold up the others of the program, and its end.
TEST(EndlessTimes, a_flush_interval_of_them_delivers_and_flushes_nothing_unasked) {
  EXPECT_TRUE(ends_in_a_child([] {
    const auto sink = std::make_shared<ScriptedSink>();
    const auto other = std::make_shared<ScriptedSink>();
    const auto beside = quiet().write_to(other, "other").with_queue().create_logger();
    const auto log = quiet().write_to(sink, "sink").with_queue({.flush_interval = for_ever}).create_logger();
    for (std::int64_t i = 0; i < 10; ++i) {
      log.information("{Number}", i);
      beside.information("{Number}", i);
      if (!comes_true([&] { return sink->numbers() == range(0, i + 1) && other->numbers() == range(0, i + 1); }))
        return false;
    }
    const bool flushed_unasked = !comes_true([&] { return other->flushes != 0; }) || sink->flushes != 0;
    return !flushed_unasked && log.flush().status == cairn::FlushStatus::ok && sink->flushes != 0 &&
           log.shutdown(cairn::ShutdownStrategy::graceful()).status == cairn::ShutdownStatus::completed;
  }));
}

/// Callers bring more than there is room for to a sink that takes its time.
void expect_that_callers_wait(bool by_callers) {
  const auto sink = std::make_shared<ScriptedSink>();
  sink->in_emit = [](const auto& numbers) { std::this_thread::sleep_for(numbers.size() * 200us); };
  auto config = quiet();
  config.write_to(sink, "sink")
      .with_queue({.max_size = 8, .batch_size = 4, .overflow = Overflow::block, .block_timeout = for_ever});
  if (by_callers) config.write_to_null();
  const auto log = config.create_logger();
  for (int i = 0; i < 200; ++i) log.information("{Number}", i);
  EXPECT_EQ(log.flush(for_ever).status, cairn::FlushStatus::ok);
  EXPECT_EQ(sink->numbers(), range(0, 200));
  const auto now = log.metrics();
  EXPECT_THAT(now.logger.rejected, IsEmpty());
  EXPECT_THAT(now.sink("sink")->dropped, IsEmpty());
}

TEST(EndlessTimes, a_block_timeout_of_them_waits_for_room_in_the_lanes) { expect_that_callers_wait(false); }
TEST(EndlessTimes, a_block_timeout_of_them_waits_for_room_in_the_queue) { expect_that_callers_wait(true); }

TEST(EndlessTimes, a_block_timeout_of_them_waits_for_bytes) {
  for (const bool by_callers : {false, true}) {
    const auto sink = std::make_shared<ScriptedSink>();
    sink->in_emit = [](const auto& numbers) { std::this_thread::sleep_for(numbers.size() * 200us); };
    auto config = quiet();
    config.write_to(sink, "sink")
        .with_queue({.batch_size = 4, .overflow = Overflow::block, .block_timeout = for_ever})
        .with_memory_limit(4096);
    if (by_callers) config.write_to_null();
    const auto log = config.create_logger();
    const std::string text(1000, 'x');
    for (int i = 0; i < 100; ++i) log.information("{Number} {Text}", i, text);
    EXPECT_EQ(log.flush(for_ever).status, cairn::FlushStatus::ok);
    EXPECT_EQ(sink->numbers(), range(0, 100));
  }
}

TEST(EndlessTimes, of_what_is_slow_make_nothing_slow) {
  const auto gate = std::make_shared<GateSink>();
  std::atomic<int> told{0};
  const auto log = quiet()
                       .write_to(gate, "gate")
                       .with_queue({.on_slow = [&](const cairn::SlowSink&) { ++told; }, .slow_after = for_ever})
                       .create_logger();
  log.information("{Number}", 1);
  (void)gate->wait_inside();
  log.information("{Number}", 2);
  EXPECT_FALSE(log.metrics().sink("gate")->stalled);
  gate->open();
  EXPECT_EQ(log.flush().status, cairn::FlushStatus::ok);
  (void)log.close();
  EXPECT_EQ(told, 0);
}

TEST(EndlessTimes, are_taken_by_whatever_else_takes_a_time) {
  const LogFolder folder;
  std::atomic<int> handled{0};
  auto config = quiet();
  config.periodic_metrics(for_ever).with_shutdown_timeout(for_ever);
  config.on_shutdown([&] { ++handled; }, {.timeout = for_ever});
  config.write_to_file(folder.path("app.log"), {.retain_files = 2, .retain_age = std::chrono::seconds::max()});
  const auto sink = std::make_shared<ScriptedSink>();
  config.write_to(sink, "sink").with_queue();
  const auto log = config.create_logger();
  {
    const auto scope = cairn::LogContext::push("Kept", 1, for_ever);
    log.information("{Number}", 1);
  }
  EXPECT_EQ(log.flush(for_ever).status, cairn::FlushStatus::ok);
  EXPECT_EQ(log.reopen(for_ever).status, cairn::FlushStatus::ok);
  EXPECT_EQ(log.shutdown(cairn::ShutdownStrategy::graceful(for_ever)).status, cairn::ShutdownStatus::completed);
  EXPECT_EQ(handled, 1);
  EXPECT_EQ(sink->numbers(), range(1, 2));
}

}  // namespace
