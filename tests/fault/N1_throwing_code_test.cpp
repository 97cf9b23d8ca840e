// N1, N4: sinks, and whatever else of the program's own stands in the way of an event, throw everything from
// everywhere, or log themselves. Nothing reaches the caller, neighbours get every event, every event has one end.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cairn/all.hpp>
#include <functional>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/scripted_sink.hpp"

namespace {

struct Ugly {};

/// Throws what it is told to from where it is told to.
struct Throwing final : cairn::Sink {
  std::function<void()> in_emit = [] {};
  std::function<void()> in_flush = [] {};
  std::function<void()> in_reopen = [] {};
  cairn::EmitResult emit(std::span<const cairn::Event> events) override {
    in_emit();
    return cairn::EmitResult::all(events);
  }
  std::error_code flush(std::chrono::steady_clock::time_point) override {
    in_flush();
    return {};
  }
  std::error_code reopen() override {
    in_reopen();
    return {};
  }
};

const std::vector<std::function<void()>> throwers{[] { throw std::runtime_error("disk on fire"); },
                                                  [] { throw 42; },
                                                  [] { throw Ugly{}; },
                                                  [] { throw std::bad_alloc(); },
                                                  [] { throw std::string("\x1b[2J"); },
                                                  [] { std::rethrow_exception(std::make_exception_ptr("text")); }};

struct Fixture : testing::Test {
  std::shared_ptr<Throwing> sink = std::make_shared<Throwing>();
  std::shared_ptr<cairn::MemorySink> before = std::make_shared<cairn::MemorySink>();
  std::shared_ptr<cairn::MemorySink> after = std::make_shared<cairn::MemorySink>();
  std::vector<std::string> said;
  cairn::Configuration config = [this] {
    cairn::Configuration made;
    made.write_to(before, "before");
    made.write_to(sink, "bad");
    made.write_to(after, "after");
    made.on_internal_error([this](std::string_view message) { said.emplace_back(message); });
    return made;
  }();

  /// captured = dispatched + filtered, and of each sink accepted = emitted + diverted + failed.
  static void expect_ledger(const cairn::Logger& log) {
    const auto metrics = log.metrics();
    EXPECT_EQ(metrics.logger.captured, metrics.logger.dispatched + metrics.logger.filtered);
    for (const auto& counts : metrics.sinks)
      EXPECT_EQ(counts.accepted, counts.emitted + counts.diverted + counts.failed_total()) << counts.name;
  }
};
using N1ThrowingCode = Fixture;
using N4Recursion = Fixture;

TEST_F(N1ThrowingCode, in_a_sink_costs_its_neighbours_nothing_whatever_is_thrown) {
  const auto log = config.create_logger();
  std::size_t count = 0;
  for (const auto& thrower : throwers) {
    sink->in_emit = thrower;
    EXPECT_NO_THROW(log.information("{N}", ++count));
  }
  EXPECT_EQ(before->size(), count);
  EXPECT_EQ(after->size(), count);
  EXPECT_EQ(log.metrics().sink("bad")->failed.at("sink_threw"), count);
  EXPECT_TRUE(log.metrics().sink("bad")->last_error_time.has_value());
  EXPECT_THAT(said, testing::ElementsAre("sink bad failed (sink_threw): disk on fire")) << "one message a second";
  expect_ledger(log);
}

TEST_F(N1ThrowingCode, in_a_sinks_flush_is_a_failed_flush_of_that_sink) {
  const auto log = config.create_logger();
  for (const auto& thrower : throwers) {
    sink->in_flush = thrower;
    const cairn::FlushResult result = log.flush();
    EXPECT_EQ(result.status, cairn::FlushStatus::failed);
    ASSERT_EQ(result.sinks.size(), 3U);
    EXPECT_EQ(result.sinks[0].status, cairn::FlushStatus::ok);
    EXPECT_EQ(result.sinks[1].status, cairn::FlushStatus::failed);
    EXPECT_FALSE(result.sinks[1].error.empty());
    EXPECT_EQ(result.sinks[2].status, cairn::FlushStatus::ok);
  }
}

TEST_F(N1ThrowingCode, in_a_queued_sinks_flush_is_told_though_nobody_asked_for_it) {
  std::mutex mutex;
  std::vector<std::string> errors;
  cairn::Configuration mine;
  mine.on_internal_error([&](std::string_view message) {
    const std::lock_guard lock(mutex);
    said.emplace_back(message);
  });
  const auto on_error = [&](std::string_view name, std::string_view what) {
    const std::lock_guard lock(mutex);
    errors.push_back(std::string(name) + ": " + std::string(what));
  };
  mine.write_to(sink, "bad").with_queue({.flush_interval = std::chrono::milliseconds(1), .on_error = on_error});
  sink->in_flush = throwers[0];
  const auto log = mine.create_logger();
  log.information("x");
  EXPECT_TRUE(cairn::testing::comes_true([&] {
    const std::lock_guard lock(mutex);
    return !said.empty() && !errors.empty();
  }));
  (void)log.close();
  const std::lock_guard lock(mutex);
  EXPECT_THAT(said, testing::Contains("sink bad could not be flushed: disk on fire"));
  EXPECT_THAT(errors, testing::Contains("bad: disk on fire"));
  EXPECT_EQ(log.metrics().sink("bad")->last_error, "disk on fire");
}

TEST_F(N1ThrowingCode, in_a_filter_of_a_sink_costs_the_event_nothing) {
  for (const auto& thrower : throwers) {
    auto kept = std::make_shared<cairn::MemorySink>();
    cairn::Configuration mine;
    mine.on_internal_error([](std::string_view) {});
    mine.write_to(kept, "kept").with_filter([&](const cairn::Event&) {
      thrower();
      return false;
    });
    const auto log = mine.create_logger();
    EXPECT_NO_THROW(log.information("x"));
    EXPECT_EQ(kept->size(), 1U) << "a filter that cannot say lets pass";
    expect_ledger(log);
  }
}

TEST_F(N1ThrowingCode, in_enrichers_and_filters_costs_the_event_nothing) {
  for (const auto& thrower : throwers) {
    auto kept = std::make_shared<cairn::MemorySink>();
    cairn::Configuration mine;
    mine.on_internal_error([](std::string_view) {});
    mine.enrich_with([&](cairn::EventBuilder& event) {
      event.add("Before", 1);
      thrower();
    });
    mine.filter_by([&](const cairn::Event&) {
      thrower();
      return false;
    });
    mine.write_to(kept, "kept");
    const auto log = mine.create_logger();
    EXPECT_NO_THROW(log.information("x"));
    ASSERT_EQ(kept->size(), 1U);
    EXPECT_EQ(kept->events()[0]->property("Before")->as_int64(), 1) << "what it added before stays";
    EXPECT_EQ(log.metrics().logger.enricher_errors, 1U);
    EXPECT_EQ(log.metrics().logger.filter_errors, 1U);
    expect_ledger(log);
  }
}

TEST_F(N1ThrowingCode, in_what_is_told_of_errors_and_fallbacks_costs_nothing) {
  for (const auto& thrower : throwers) {
    auto fallback = std::make_shared<cairn::MemorySink>();
    auto next = std::make_shared<cairn::MemorySink>();
    auto bad = std::make_shared<Throwing>();
    bad->in_emit = [] { throw std::runtime_error("no"); };
    cairn::Configuration mine;
    mine.on_internal_error([&](std::string_view) { thrower(); });
    mine.write_to(bad, "bad")
        .with_fallback(cairn::SinkSpec::sink(fallback, "fallback"), [&](std::size_t, std::string_view) { thrower(); });
    mine.write_to(next, "next");
    const auto log = mine.create_logger();
    EXPECT_NO_THROW(log.information("x"));
    EXPECT_EQ(fallback->size(), 1U);
    EXPECT_EQ(next->size(), 1U);
    EXPECT_EQ(log.metrics().sink("bad")->diverted, 1U);
    expect_ledger(log);
  }
}

TEST_F(N1ThrowingCode, while_its_logger_closes_lets_the_others_close) {
  auto log = config.create_logger();
  log.information("x");
  sink->in_flush = [] { throw 42; };
  const cairn::FlushResult result = log.close();
  EXPECT_EQ(result.status, cairn::FlushStatus::failed);
  EXPECT_EQ(result.sinks[0].status, cairn::FlushStatus::ok);
  EXPECT_EQ(result.sinks[2].status, cairn::FlushStatus::ok);
  log.information("after");
  EXPECT_EQ(log.metrics().logger.rejected.at("after_shutdown"), 1U);
}

TEST_F(N4Recursion, of_a_sink_into_its_own_logger_is_refused_and_counted) {
  cairn::Logger log;
  sink->in_emit = [&] {
    log.information("from the sink");
    throw std::runtime_error("and then it throws");
  };
  log = config.create_logger();
  log.information("x");
  EXPECT_THAT(before->messages(), testing::ElementsAre("x"));
  EXPECT_THAT(after->messages(), testing::ElementsAre("x"));
  EXPECT_EQ(log.metrics().logger.rejected.at("reentrant"), 1U);
  expect_ledger(log);
  sink->in_emit = [] {};
}

TEST_F(N4Recursion, of_two_loggers_into_each_other_ends) {
  auto kept = std::make_shared<cairn::MemorySink>();
  cairn::Logger first;
  cairn::Logger second;
  cairn::Configuration of_first;
  of_first.on_internal_error([](std::string_view) {});
  of_first.write_to(kept, "kept");
  of_first.write_to_callback([&](const cairn::Event& event) { second.information("on: {Text}", event.message()); });
  cairn::Configuration of_second;
  of_second.on_internal_error([](std::string_view) {});
  of_second.write_to_callback([&](const cairn::Event& event) { first.information("back: {Text}", event.message()); });
  second = of_second.create_logger();
  first = of_first.create_logger();
  first.information("x");
  EXPECT_THAT(kept->messages(), testing::ElementsAre("x"));
  EXPECT_EQ(first.metrics().logger.rejected.at("reentrant"), 1U);
}

}  // namespace
