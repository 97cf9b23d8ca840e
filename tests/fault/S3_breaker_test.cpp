// S1, S3: errors of storage behind a circuit breaker. A full disk is waited for and no failure; an I/O error is one. In
// neither case is anything lost.
#include <gtest/gtest.h>

#include <cairn/all.hpp>
#include <system_error>

#include "support/scripted_sink.hpp"

namespace {

using namespace std::chrono_literals;
using cairn::CircuitState;
using cairn::testing::comes_true;
using cairn::testing::range;
using cairn::testing::ScriptedSink;
using cairn::testing::TurnedClock;

struct Storage : testing::Test {
  TurnedClock clock;  // before what uses it
  std::shared_ptr<ScriptedSink> sink = std::make_shared<ScriptedSink>();
  cairn::Logger log = [this] {
    cairn::Configuration config;
    config.use_clock(clock).on_internal_error([](std::string_view) {});
    config.write_to(sink, "sink")
        .with_queue()
        .with_circuit_breaker({.failures = 3, .timeout = 1s, .max_timeout = 1s, .jitter = 0});
    return config.create_logger();
  }();
  void TearDown() override { (void)log.close(); }  // before the clock goes
  void log_some() const {
    for (std::int64_t i = 0; i < 100; ++i) log.information("{Number}", i);
  }
  [[nodiscard]] cairn::CircuitBreakerStats stats() const { return log.circuit_breaker("sink")->stats(); }
  void expect_all_arrive() const {
    ASSERT_EQ(log.flush().status, cairn::FlushStatus::ok);
    EXPECT_EQ(sink->numbers(), range(0, 100));
    EXPECT_EQ(log.metrics().sink("sink")->emitted, 100U);
  }
};
using S1Breaker = Storage;
using S3Breaker = Storage;

TEST_F(S1Breaker, takes_a_full_disk_for_no_failure_and_its_events_wait) {
  sink->fail_with(std::errc::no_space_on_device);
  log_some();
  ASSERT_TRUE(comes_true([&] { return stats().cancelled >= 10; }));
  EXPECT_EQ(stats().state, CircuitState::closed);
  EXPECT_EQ(stats().failures, 0U);
  sink->heal();
  expect_all_arrive();
}

TEST_F(S1Breaker, half_open_waits_for_a_full_disk_with_its_probe) {
  sink->break_down();
  log_some();
  ASSERT_TRUE(comes_true([&] { return stats().state == CircuitState::open; }));
  sink->heal();
  sink->fail_with(std::errc::no_space_on_device);
  clock.turn(1s);
  ASSERT_TRUE(comes_true([&] { return stats().cancelled >= 3; }));
  EXPECT_EQ(stats().state, CircuitState::half_open);
  EXPECT_LE(sink->sizes().back(), 10U);
  sink->heal();
  expect_all_arrive();
  EXPECT_EQ(stats().state, CircuitState::closed);
}

TEST_F(S3Breaker, takes_an_io_error_for_a_failure_and_tries_again_in_its_time) {
  sink->fail_with(std::errc::io_error);
  log_some();
  ASSERT_TRUE(comes_true([&] { return stats().state == CircuitState::open; }));
  EXPECT_EQ(stats().failures, 3U);
  clock.turn(1s);
  ASSERT_TRUE(comes_true([&] { return stats().failures == 4; })) << "the probe";
  sink->heal();
  clock.turn(1s);
  expect_all_arrive();
}

TEST_F(S3Breaker, that_is_disabled_keeps_what_met_an_io_error_as_a_sink_without_one_does) {
  log.circuit_breaker("sink")->disable();
  sink->fail_with(std::errc::io_error);
  log_some();
  ASSERT_TRUE(comes_true([&] { return stats().failures >= 3; }));
  EXPECT_EQ(log.metrics().sink("sink")->failed_total(), 0U);
  sink->heal();
  expect_all_arrive();
}

}  // namespace
