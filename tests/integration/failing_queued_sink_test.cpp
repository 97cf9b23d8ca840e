// Queued sinks that die, throw or fail for a while: what is counted, who is told, and where the events go.
#include <gtest/gtest.h>
#include <pthread.h>

#include <atomic>
#include <cairn/all.hpp>
#include <chrono>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "support/metrics_support.hpp"
#include "support/queue_tests.hpp"

namespace {

using cairn::testing::expect_sums_hold;
using cairn::testing::quiet;
using cairn::testing::storm;
using namespace std::chrono_literals;

struct DyingSink final : cairn::Sink {
  cairn::EmitResult emit(std::span<const cairn::Event> events) override {
    if (deaths_left-- > 0) pthread_exit(nullptr);
    emitted += events.size();
    return cairn::EmitResult::all(events);
  }
  std::atomic<int> deaths_left{1};
  std::atomic<std::size_t> emitted{0};
};

TEST(Worker, that_dies_is_started_again_and_counted) {
  auto sink = std::make_shared<DyingSink>();
  const auto log = quiet().write_to(sink, "dying").with_queue().create_logger();
  storm(log, 1, 1);
  ASSERT_EQ(log.flush().status, cairn::FlushStatus::ok);
  storm(log, 1, 100);
  ASSERT_EQ(log.flush().status, cairn::FlushStatus::ok);
  const cairn::MetricsSnapshot now = log.metrics();
  expect_sums_hold(now);
  EXPECT_EQ(now.sinks[0].worker_restarts, 1U);
  EXPECT_EQ(now.sinks[0].failed.at("worker_died"), 1U);
  EXPECT_EQ(sink->emitted, 100U);
  EXPECT_TRUE(now.sinks[0].worker_alive);
}

struct ThrowingSink final : cairn::Sink {
  cairn::EmitResult emit(std::span<const cairn::Event>) override { throw std::runtime_error("no today"); }
};

TEST(Callbacks, on_error_is_told_what_went_wrong) {
  std::promise<std::string> error;
  std::atomic<bool> first{true};
  const auto log = quiet()
                       .write_to(std::make_shared<ThrowingSink>(), "bad")
                       .with_queue({.on_error =
                                        [&](std::string_view sink, std::string_view what) {
                                          if (first.exchange(false))
                                            error.set_value(std::string(sink) + ": " + std::string(what));
                                        }})
                       .create_logger();
  storm(log, 1, 1);
  EXPECT_EQ(error.get_future().get(), "bad: no today");
  (void)log.flush();
  EXPECT_EQ(log.metrics().sinks[0].failed.at("sink_threw"), 1U);
}

TEST(Callbacks, on_error_is_told_off_the_callers_thread_and_at_most_once_a_second) {
  std::atomic<std::size_t> told{0};
  std::atomic<bool> told_by_caller{false};
  const auto caller = std::this_thread::get_id();
  const auto log = quiet()
                       .write_to(std::make_shared<ThrowingSink>(), "bad")
                       .with_queue({.on_error =
                                        [&](std::string_view, std::string_view) {
                                          if (std::this_thread::get_id() == caller) told_by_caller = true;
                                          ++told;
                                        }})
                       .create_logger();
  const auto begun = std::chrono::steady_clock::now();
  std::uint64_t failures = 0;
  for (; told < 2; ++failures) {  // each a batch of its own
    log.information("{Number}", failures);
    (void)log.flush();
  }
  const auto seconds = static_cast<std::size_t>((std::chrono::steady_clock::now() - begun) / 1s);
  EXPECT_LE(told, 1 + seconds) << "at most once a second";
  EXPECT_FALSE(told_by_caller);
  EXPECT_EQ(log.metrics().sinks[0].failed.at("sink_threw"), failures);
  EXPECT_GT(failures, 10U);
  (void)log.close();
}

TEST(Fallback, gets_what_the_queued_sink_failed_on_in_order_and_marked) {
  auto memory = std::make_shared<cairn::MemorySink>();
  std::atomic<std::size_t> told{0};
  const auto log = quiet()
                       .write_to(std::make_shared<ThrowingSink>(), "bad")
                       .with_queue()
                       .with_fallback(cairn::SinkSpec::sink(memory, "good").with_queue(),
                                      [&](std::size_t events, std::string_view) { told += events; })
                       .create_logger();
  storm(log, 1, 1000);
  ASSERT_EQ(log.flush().status, cairn::FlushStatus::ok);
  const auto events = memory->events();
  ASSERT_EQ(events.size(), 1000U);
  for (std::size_t i = 0; i < events.size(); ++i) {
    ASSERT_EQ(events[i]->property("Number")->as_int64(), static_cast<std::int64_t>(i));
    ASSERT_EQ(events[i]->property("FallbackFrom")->as_string(), "bad");
  }
  EXPECT_EQ(told, 1000U);
  const cairn::MetricsSnapshot now = log.metrics();
  expect_sums_hold(now);
  EXPECT_EQ(now.sinks[0].diverted, 1000U);
  EXPECT_EQ(now.sinks[1].emitted, 1000U);
}

struct HealingSink final : cairn::Sink {
  cairn::EmitResult emit(std::span<const cairn::Event> events) override {
    if (++attempts == 1) return {.emitted = 1, .error = std::make_error_code(std::errc::no_space_on_device)};
    for (const cairn::Event& event : events) numbers.push_back(event.property("Number")->as_int64().value());
    return cairn::EmitResult::all(events);
  }
  int attempts = 0;
  std::vector<std::int64_t> numbers;
};

TEST(StorageErrors, keep_the_batch_and_try_again) {
  auto sink = std::make_shared<HealingSink>();
  const auto log = quiet().write_to(sink, "healing").with_queue().create_logger();
  storm(log, 1, 1);
  storm(log, 1, 10);
  ASSERT_EQ(log.flush().status, cairn::FlushStatus::ok);
  const cairn::SinkCounts counts = log.metrics().sinks[0];
  EXPECT_EQ(counts.emitted, 11U);
  EXPECT_EQ(counts.failed_total(), 0U);
  EXPECT_EQ(sink->numbers.back(), 9);
}

}  // namespace
