// P8: what a forked child is asked for is what it did itself: its account begins at 0, whatever the parent had counted.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cairn/all.hpp>
#include <stdexcept>
#include <thread>

#include "support/gate_sink.hpp"
#include "support/in_child.hpp"
#include "support/log_folder.hpp"
#include "support/metrics_support.hpp"
#include "support/sanitizers.hpp"

namespace {

using cairn::MetricsSnapshot;
using cairn::SinkCounts;
using cairn::testing::ends_in_a_child;
using cairn::testing::expect_sums_hold;
using cairn::testing::LogFolder;

/// Fails on every second call.
struct HalfBroken final : cairn::Sink {
  std::shared_ptr<cairn::SinkCounters> counters() noexcept override { return counters_; }
  cairn::EmitResult emit(std::span<const cairn::Event> events) override {
    counters_->add(0);
    if (++calls % 2 == 0) throw std::runtime_error("not this one");
    return cairn::EmitResult::all(events, 10);
  }
  std::uint64_t calls = 0;
  std::shared_ptr<cairn::SinkCounters> counters_ = cairn::SinkCounters::named({"calls"});
};

cairn::Configuration quiet() {
  cairn::Configuration config;
  config.verbose()
      .on_internal_error([](std::string_view) {})
      .filter_by([](const cairn::Event& e) {
        const auto number = e.property("Number");
        return !number || number->as_int64().value_or(0) % 5 != 4;
      })
      .enrich_with([](cairn::EventBuilder& e) {
        if (const auto number = e.event().property("Number"); number && number->as_int64() == 3)
          throw std::runtime_error("no");
      });
  return config;
}

void make_it_count_something_of_everything(const cairn::Logger& log) {
  for (int i = 0; i < 20; ++i) log.information("{Number}", i);
  log.information(cairn::dynamic_template(std::string("{A} {B} {C:zzz}")), 1);
  log.information("{Long}", std::string(100'000, 'x'));
  std::vector<cairn::ContextScope> scopes;
  const std::string large(5000, 'y');
  const auto cut = cairn::LogContext::push("TooLarge", large);
  log.information("with {Context}", 1);
}

bool is_zero(const cairn::CircuitBreakerStats& breaker) {
  return breaker.successes + breaker.failures + breaker.slow + breaker.refused + breaker.cancelled + breaker.late +
                 breaker.opened + breaker.transitions + breaker.listener_errors ==
             0 &&
         breaker.by_cause == decltype(breaker.by_cause)() && !breaker.last_failure && !breaker.last_transition;
}

/// Every number that a snapshot has is 0, but for what this process has of its own.
bool is_zero(const MetricsSnapshot& now) {
  const auto& l = now.logger;
  if (l.captured + l.dispatched + l.filtered + l.in_lane + l.truncated + l.duplicate_properties + l.enricher_errors +
          l.filter_errors + l.ignored_formats + l.mismatched_arguments + l.context_cut !=
      0)
    return false;
  if (!l.dropped.empty() || !l.rejected.empty() || !now.top_talkers.empty()) return false;
  if (now.memory.exceeded != 0) return false;
  for (const SinkCounts& sink : now.sinks) {
    if (sink.accepted + sink.emitted + sink.diverted + sink.pending + sink.bytes_written + sink.self_events +
            sink.latency_count + sink.emit_count + sink.queue_depth + sink.high_water + sink.worker_restarts !=
        0)
      return false;
    if (!sink.dropped.empty() || !sink.failed.empty() || sink.last_error_time || !sink.last_error.empty()) return false;
    for (const auto& [name, count] : sink.counters) {
      if (count != 0) return false;
    }
    if (sink.breaker && !is_zero(*sink.breaker)) return false;
  }
  return true;
}

bool counts_from_there(const cairn::Logger& log) {
  const std::string before = log.metrics().to_json();
  if (!is_zero(log.metrics())) {
    std::fprintf(stderr, "in the child: %s\n", before.c_str());
    return false;
  }
  for (int i = 0; i < 3; ++i) log.information("{Number}", i);
  if (log.flush().status != cairn::FlushStatus::ok) return false;
  const MetricsSnapshot now = log.metrics();
  expect_sums_hold(now);
  const bool right = now.logger.captured == 3 && now.logger.dispatched == 3 && now.sinks[0].accepted == 3 &&
                     now.sinks[0].emitted + now.sinks[0].failed_total() + now.sinks[0].diverted == 3 &&
                     now.top_talkers.size() == 1 && now.top_talkers[0].count == 3;
  if (!right) std::fprintf(stderr, "after three: %s\n", now.to_json().c_str());
  return right && !testing::Test::HasFailure();
}

struct P8ChildLedger : testing::Test {
  LogFolder folder;
};

TEST_F(P8ChildLedger, of_synchronous_sinks_begins_at_zero) {
  folder.write("app.clef", "torn");
  auto log = quiet()
                 .write_to(std::make_shared<HalfBroken>(), "half")
                 .write_to_file(folder.path("app.clef"), {.max_file_bytes = 1000})
                 .create_logger();
  make_it_count_something_of_everything(log);
  const MetricsSnapshot before = log.metrics();
  ASSERT_GT(before.logger.captured, 20U);
  ASSERT_GT(before.logger.context_cut, 0U);
  ASSERT_GT(before.sinks[0].failed_total(), 0U);
  ASSERT_GT(before.sinks[1].counters.at("rolls"), 0U);
  EXPECT_TRUE(ends_in_a_child([&] { return counts_from_there(log); }));
  EXPECT_EQ(log.metrics().logger.captured, before.logger.captured) << "the parent's is as it was";
  EXPECT_EQ(log.metrics().sinks[1].counters, before.sinks[1].counters);
}

TEST_F(P8ChildLedger, of_breakers_begins_at_zero_and_they_stand_as_they_stood) {
  if (cairn::testing::under_thread_sanitizer) GTEST_SKIP() << "it lets no child of several threads start one";
  auto log = quiet()
                 .write_to(std::make_shared<HalfBroken>(), "half")
                 .with_circuit_breaker({.failures = 1000})
                 .with_fallback(cairn::SinkSpec::null().with_name("behind"))
                 .create_logger();
  make_it_count_something_of_everything(log);
  cairn::CircuitBreaker breaker({.failures = 1});
  breaker.attempt().succeeded();
  breaker.attempt().failed();
  ASSERT_FALSE(breaker.attempt());
  ASSERT_FALSE(is_zero(*log.metrics().sinks[0].breaker));
  EXPECT_TRUE(ends_in_a_child([&] {
    return is_zero(breaker.stats()) && breaker.state() == cairn::CircuitState::open && !breaker.attempt() &&
           breaker.stats().refused == 1 && counts_from_there(log);
  }));
  EXPECT_EQ(breaker.stats().failures, 1U);
}

TEST_F(P8ChildLedger, of_queued_sinks_begins_at_zero) {
  if (cairn::testing::children_of_threads_hang) GTEST_SKIP() << "a child may hang in the sanitizer itself";
  auto log = quiet()
                 .write_to(std::make_shared<HalfBroken>(), "half")
                 .with_queue({.max_size = 4, .batch_size = 2})
                 .with_fallback(cairn::SinkSpec::null().with_name("behind"))
                 .write_to_file(folder.path("app.clef"))
                 .with_queue()
                 .create_logger();
  make_it_count_something_of_everything(log);
  ASSERT_EQ(log.flush().status, cairn::FlushStatus::ok);
  const MetricsSnapshot before = log.metrics();
  ASSERT_GT(before.logger.captured, 20U);
  EXPECT_TRUE(ends_in_a_child([&] { return counts_from_there(log); }));
  EXPECT_EQ(log.metrics().logger.captured, before.logger.captured);
}

TEST_F(P8ChildLedger, has_nothing_of_threads_that_ended_before_the_fork) {
  if (cairn::testing::children_of_threads_hang) GTEST_SKIP() << "a child may hang in the sanitizer itself";
  auto log = quiet().write_to(std::make_shared<HalfBroken>(), "half").with_queue().create_logger();
  std::thread([&] {
    for (int i = 0; i < 10; ++i) log.information("{Number}", i);
  }).join();
  ASSERT_EQ(log.flush().status, cairn::FlushStatus::ok);
  ASSERT_EQ(log.metrics().logger.captured, 10U);
  EXPECT_TRUE(ends_in_a_child([&] { return counts_from_there(log); }));
}

TEST_F(P8ChildLedger, waits_for_no_room_that_the_parent_waited_for) {
  if (cairn::testing::children_of_threads_hang) GTEST_SKIP() << "a child may hang in the sanitizer itself";
  const auto gate = std::make_shared<cairn::testing::GateSink>();
  auto log = cairn::Configuration{}
                 .write_to(gate, "gate")
                 .with_queue({.overflow = cairn::Overflow::block, .block_timeout = std::chrono::hours(1)})
                 .with_memory_limit(4096)
                 .create_logger();
  const std::string text(200, 'x');
  std::thread waiting([&] {
    for (int i = 0; i < 100; ++i) log.information("{Number} {Text}", i, text);
  });
  (void)gate->wait_inside();
  while (log.metrics().sinks[0].memory_bytes < 4096 - 500) std::this_thread::yield();
  EXPECT_TRUE(ends_in_a_child([&] {
    if (log.flush(std::chrono::hours(1)).status != cairn::FlushStatus::ok || log.metrics().logger.captured != 0)
      return false;
    // As much as there was in the parent, and its sink stands still there.
    for (int i = 0; i < 10; ++i) log.information("{Number} {Text}", i, text);
    return log.metrics().logger.captured == 10;
  }));
  gate->open();
  waiting.join();
  ASSERT_EQ(log.flush().status, cairn::FlushStatus::ok);
  EXPECT_EQ(log.metrics().sinks[0].emitted, 100U);
}

TEST_F(P8ChildLedger, knows_nothing_of_a_reset_that_the_parent_made) {
  auto log = quiet().write_to(std::make_shared<HalfBroken>(), "half").create_logger();
  make_it_count_something_of_everything(log);
  log.reset_metrics();
  log.information("one more");
  EXPECT_TRUE(ends_in_a_child([&] { return counts_from_there(log); }));
  EXPECT_EQ(log.metrics().logger.captured, 1U);
}

TEST_F(P8ChildLedger, takes_its_first_events_into_the_sample_however_many_the_parent_had) {
  auto log = quiet().write_to_null().create_logger();
  for (int i = 0; i < 2000; ++i) log.information("{Number}", 1);  // the parent's sample has become thin
  EXPECT_TRUE(ends_in_a_child([&] {
    for (int i = 0; i < 3; ++i) log.information("{Number}", 1);
    const MetricsSnapshot now = log.metrics();
    return now.top_talkers.size() == 1 && now.top_talkers[0].count == 3 && now.sinks[0].emit_count == 3;
  }));
}

TEST_F(P8ChildLedger, knows_nothing_of_calls_that_were_refused) {
  auto log = quiet().write_to_null().create_logger();
  (void)log.shutdown(cairn::ShutdownStrategy::immediate());
  log.information("too late");
  ASSERT_EQ(log.metrics().logger.rejected.at("after_shutdown"), 1U);
  EXPECT_TRUE(ends_in_a_child([&] {
    if (!is_zero(log.metrics())) return false;
    log.information("too late here, too");
    return log.metrics().logger.rejected.at("after_shutdown") == 1;
  }));
}

/// Logs three events, and one in which it forks; gives what both see then.
template <class Check>
void fork_in_an_event(const cairn::Logger& log, pid_t& child, Check right) {
  child = 0;
  for (int i = 0; i < 3; ++i) log.information("first");
  child = -1;
  log.information("and then a fork");
  if (child == 0) {
    const MetricsSnapshot now = log.metrics();
    const bool is_right = right(now);
    if (!is_right) std::fprintf(stderr, "in the child: %s\n", now.to_json().c_str());
    ::_exit(is_right ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(log.metrics().logger.captured, 4U);
  expect_sums_hold(log.metrics());
}

TEST_F(P8ChildLedger, of_a_sink_that_forks_has_the_delivery_that_it_is_in) {
  pid_t child = 0;
  auto log = quiet()
                 .write_to_null()
                 .with_name("before")
                 .write_to_callback([&child](const cairn::Event&) {
                   if (child == -1) child = ::fork();
                 })
                 .with_name("forking")
                 .write_to_null()
                 .with_name("behind")
                 .create_logger();
  fork_in_an_event(log, child, [](const MetricsSnapshot& now) {
    return now.logger.captured == 0 && now.logger.in_lane == 0 && now.sink("before")->accepted == 0 &&
           now.sink("forking")->accepted == 1 && now.sink("forking")->emitted == 1 &&
           now.sink("forking")->pending == 0 && now.sink("behind")->emitted == 1;
  });
}

TEST_F(P8ChildLedger, of_an_enricher_that_forks_has_the_event_that_it_is_in) {
  pid_t child = 0;
  auto log = quiet()
                 .enrich_with([&child](cairn::EventBuilder&) {
                   if (child == -1) child = ::fork();
                 })
                 .write_to_null()
                 .create_logger();
  fork_in_an_event(log, child, [](const MetricsSnapshot& now) {
    return now.logger.captured == 1 && now.logger.dispatched == 1 && now.logger.in_lane == 0 &&
           now.sinks[0].emitted == 1;
  });
}

TEST_F(P8ChildLedger, is_its_own_while_the_parents_threads_log) {
  auto log = quiet().write_to(std::make_shared<HalfBroken>(), "half").write_to_null().create_logger();
  std::atomic<bool> done{false};
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 3; ++thread) {
    threads.emplace_back([&] {
      while (!done) log.information("{Number}", 1);
    });
  }
  for (int i = 0; i < 30; ++i) ASSERT_TRUE(ends_in_a_child([&] { return counts_from_there(log); })) << i;
  done = true;
  for (std::thread& thread : threads) thread.join();
  expect_sums_hold(log.metrics());
}

}  // namespace
