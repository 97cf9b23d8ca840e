// A shutdown beside a breaker that is open: no event waits for the end of a wait that comes after the end of all.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cairn/all.hpp>
#include <chrono>
#include <limits>
#include <memory>
#include <stdexcept>
#include <thread>

namespace {

using cairn::CircuitState;
using cairn::ShutdownStatus;
using cairn::ShutdownStrategy;
using namespace std::chrono_literals;

constexpr int count = 1000;

/// Throws, until it is told how many calls from now on still fail.
struct Failing : cairn::Sink {
  std::atomic<int> failures{std::numeric_limits<int>::max()};
  std::atomic<int> calls{0};
  std::atomic<std::size_t> largest{0};
  cairn::EmitResult emit(std::span<const cairn::Event> events) override {
    ++calls;
    largest = std::max(largest.load(), events.size());
    if (failures-- > 0) throw std::runtime_error("no");
    return cairn::EmitResult::all(events);
  }
};

struct Opened {
  std::shared_ptr<Failing> sink = std::make_shared<Failing>();
  cairn::Logger log = cairn::Configuration{}
                          .on_internal_error([](std::string_view) {})
                          .write_to(sink, "failing")
                          .with_queue()
                          .with_circuit_breaker({.failures = 1, .timeout = 1h, .max_timeout = 1h})
                          .create_logger();

  /// With `count` events in its queue and an hour to wait.
  Opened() {
    for (int i = 0; i < count; ++i) log.information("{N}", i);
    while (breaker().state() != CircuitState::open || log.metrics().sink("failing")->pending != count)
      std::this_thread::yield();
    sink->calls = 0;
    sink->largest = 0;
  }
  [[nodiscard]] cairn::CircuitBreaker& breaker() const { return *log.circuit_breaker("failing"); }
};

class ShutdownBesideAnOpenBreaker : public testing::TestWithParam<ShutdownStrategy> {};
INSTANTIATE_TEST_SUITE_P(Strategies, ShutdownBesideAnOpenBreaker,
                         testing::Values(ShutdownStrategy::flush_pending(), ShutdownStrategy::graceful(1min)),
                         [](const auto& strategy) {
                           return strategy.param.kind() == ShutdownStrategy::Kind::graceful ? "graceful"
                                                                                            : "flush_pending";
                         });

TEST_P(ShutdownBesideAnOpenBreaker, delivers_everything_to_a_sink_that_is_well_again) {
  const Opened opened;
  opened.sink->failures = 0;
  const auto report = opened.log.shutdown(GetParam());
  EXPECT_EQ(report.status, ShutdownStatus::completed);
  EXPECT_EQ(report.sink("failing")->emitted, std::uint64_t{count});
}

TEST(OpenBreakerAtShutdown, is_tried_again_as_long_as_there_is_time_by_a_graceful_one) {
  const Opened opened;
  opened.sink->failures = 3;
  const auto report = opened.log.shutdown(ShutdownStrategy::graceful(1min));
  EXPECT_EQ(report.status, ShutdownStatus::completed);
  EXPECT_EQ(report.sink("failing")->emitted, std::uint64_t{count});
}

TEST(OpenBreakerAtShutdown, is_left_in_peace_longer_after_each_failure_by_a_graceful_one) {
  const Opened opened;
  const auto report = opened.log.shutdown(ShutdownStrategy::graceful(1s));
  EXPECT_EQ(report.status, ShutdownStatus::timed_out);
  EXPECT_GE(opened.sink->calls, 2);
  EXPECT_LE(opened.sink->calls, 9) << "one more than pauses of 10, 20, 40, 80, 160, 250 and 250 ms let through";
}

TEST(OpenBreakerAtShutdown, has_one_probe_where_what_is_pending_is_flushed) {
  const Opened opened;
  const auto report = opened.log.shutdown(ShutdownStrategy::flush_pending());
  const auto& sink = *report.sink("failing");
  EXPECT_FALSE(sink.timed_out) << "it waits for nothing";
  EXPECT_EQ(opened.sink->calls, 1);
  EXPECT_LE(opened.sink->largest, 10U) << "a probe";
  ASSERT_TRUE(sink.dropped.contains("circuit_open"));
  std::uint64_t failed = 0;
  for (const auto& [reason, events] : sink.failed) failed += events;
  EXPECT_EQ(failed + sink.dropped.at("circuit_open"), std::uint64_t{count});
}

TEST(OpenBreakerAtShutdown, is_left_alone_that_was_opened_by_hand) {
  const Opened opened;
  opened.breaker().open();
  opened.sink->failures = 0;
  const auto report = opened.log.shutdown(ShutdownStrategy::flush_pending());
  EXPECT_EQ(opened.sink->calls, 0);
  EXPECT_EQ(report.sink("failing")->dropped.at("circuit_open"), std::uint64_t{count});
}

}  // namespace
