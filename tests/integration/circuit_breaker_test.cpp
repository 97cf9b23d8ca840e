// Circuit breakers of sinks, queued and synchronous, and where the events go that they keep from their sink.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cairn/all.hpp>
#include <cairn/testing.hpp>
#include <future>
#include <optional>
#include <random>
#include <thread>

#include "support/scripted_sink.hpp"

namespace {

using namespace std::chrono_literals;
using cairn::CircuitState;
using cairn::testing::comes_true;
using cairn::testing::range;
using cairn::testing::ScriptedSink;
using cairn::testing::TurnedClock;
using testing::ElementsAre;
using testing::HasSubstr;

void expect_sums_hold(const cairn::MetricsSnapshot& now) {
  EXPECT_EQ(now.logger.captured,
            now.logger.dispatched + now.logger.filtered + now.logger.dropped_total() + now.logger.in_lane);
  for (const cairn::SinkCounts& sink : now.sinks) {
    EXPECT_EQ(sink.accepted, sink.emitted + sink.diverted + sink.dropped_total() + sink.failed_total() + sink.pending)
        << sink.name;
  }
}

/// Without the events that tell of a breaker.
std::vector<cairn::OwnedEvent> numbered(const cairn::MemorySink& sink) {
  std::vector<cairn::OwnedEvent> events = sink.events();
  std::erase_if(events, [](const cairn::OwnedEvent& event) { return event->source() == "Cairn"; });
  return events;
}
std::vector<std::int64_t> numbers_of(const cairn::MemorySink& sink) {
  std::vector<std::int64_t> numbers;
  for (const cairn::OwnedEvent& event : numbered(sink))
    numbers.push_back(event->property("Number")->as_int64().value());
  return numbers;
}

struct Breaker : testing::Test {
  TurnedClock clock;
  std::shared_ptr<ScriptedSink> sink = std::make_shared<ScriptedSink>();
  std::shared_ptr<cairn::MemorySink> fallback = std::make_shared<cairn::MemorySink>();
  std::mutex mutex;
  std::vector<std::string> said;
  cairn::Configuration config = [this] {
    cairn::Configuration fresh;
    fresh.verbose().use_clock(clock).on_internal_error([this](std::string_view message) {
      const std::lock_guard lock(mutex);
      said.emplace_back(message);
    });
    return fresh;
  }();
  std::int64_t next = 0;
  std::vector<cairn::Logger> loggers;  // closed before the clock goes

  cairn::Logger make(cairn::Configuration& from) { return loggers.emplace_back(from.create_logger()); }
  void TearDown() override {
    for (const cairn::Logger& log : loggers) (void)log.close();
  }

  void log_some(const cairn::Logger& log, int count) {
    for (int i = 0; i < count; ++i) log.information("{Number}", next++);
  }
  static cairn::SinkCounts counts_of(const cairn::Logger& log, std::string_view name) {
    const cairn::MetricsSnapshot now = log.metrics();
    return now.sink(name) != nullptr ? *now.sink(name) : cairn::SinkCounts();
  }
  static CircuitState state_of(const cairn::Logger& log, std::string_view name = "sink") {
    return log.circuit_breaker(name)->state();
  }
  /// Every event logged has come to its end at the sink, or at its fallback.
  bool settles(const cairn::Logger& log) {
    return comes_true([&] {
      const cairn::MetricsSnapshot now = log.metrics();
      const cairn::SinkCounts* first = now.sink("sink");
      const cairn::SinkCounts* behind = now.sink("fallback");
      return first->accepted == static_cast<std::uint64_t>(next) && first->pending == 0 &&
             (behind == nullptr || behind->emitted == first->diverted);
    });
  }
};
using QueuedBreaker = Breaker;
using SynchronousBreaker = Breaker;
using FallbackChain = Breaker;
using BreakerConfiguration = Breaker;

// ---- queued, with a fallback

TEST_F(QueuedBreaker, tries_a_sink_that_is_down_five_times_then_spares_it_and_diverts_everything_in_order) {
  sink->break_down();
  std::atomic<std::size_t> told{0};
  std::atomic<bool> on_the_caller{false};
  config.write_to(sink, "sink")
      .with_queue()
      .with_circuit_breaker()
      .with_fallback(cairn::SinkSpec::sink(fallback, "fallback"),
                     [&, caller = std::this_thread::get_id()](std::size_t events, std::string_view) {
                       told += events;
                       if (std::this_thread::get_id() == caller) on_the_caller = true;
                     });
  const auto log = make(config);
  log_some(log, 2000);
  ASSERT_EQ(log.flush().status, cairn::FlushStatus::ok) << "all of them have come somewhere";
  EXPECT_EQ(sink->calls(), 5U);
  EXPECT_EQ(numbers_of(*fallback), range(0, 2000));
  for (const cairn::OwnedEvent& event : numbered(*fallback))
    ASSERT_EQ(event->property("FallbackFrom")->as_string(), "sink");
  EXPECT_EQ(told, 2000U);
  EXPECT_FALSE(on_the_caller);
  const cairn::MetricsSnapshot now = log.metrics();
  expect_sums_hold(now);
  EXPECT_EQ(now.sink("sink")->diverted, 2000U);
  EXPECT_EQ(now.sink("fallback")->accepted, 2000U);
  ASSERT_TRUE(now.sink("sink")->breaker);
  EXPECT_EQ(now.sink("sink")->breaker->state, CircuitState::open);
  EXPECT_EQ(now.sink("sink")->breaker->failures, 5U);
  EXPECT_EQ(now.sink("sink")->breaker->opened, 1U);
  EXPECT_FALSE(now.sink("fallback")->breaker);
}

TEST_F(QueuedBreaker, keeps_the_order_on_both_sides_of_a_batch_partly_emitted_then_diverted_then_recovered) {
  sink->break_down(37);
  config.write_to(sink, "sink")
      .with_queue()
      .with_circuit_breaker({.failures = 3, .timeout = 1s, .jitter = 0})
      .with_fallback(cairn::SinkSpec::sink(fallback, "fallback").with_queue());
  const auto log = make(config);
  log_some(log, 100);
  ASSERT_TRUE(settles(log));
  EXPECT_EQ(state_of(log), CircuitState::open);
  log_some(log, 100);
  ASSERT_TRUE(settles(log));
  sink->heal();
  log_some(log, 100);
  ASSERT_TRUE(settles(log)) << "it is not tried before its time";
  const std::size_t calls = sink->calls();
  clock.turn(1s);
  log_some(log, 1000);
  ASSERT_TRUE(settles(log));
  ASSERT_NE(log.flush().status, cairn::FlushStatus::timed_out);

  std::vector<std::int64_t> expected = range(0, 37);
  for (const std::int64_t number : range(300, 1300)) expected.push_back(number);
  EXPECT_EQ(sink->numbers(), expected);
  EXPECT_EQ(numbers_of(*fallback), range(37, 300));
  const std::vector<std::size_t> sizes = sink->sizes();
  std::size_t most = 10;
  for (std::size_t i = calls; i < sizes.size(); ++i, most *= 2) EXPECT_LE(sizes[i], most) << "a probe, then by and by";
  EXPECT_EQ(state_of(log), CircuitState::closed);
  const cairn::MetricsSnapshot now = log.metrics();
  expect_sums_hold(now);
  EXPECT_EQ(now.sink("sink")->emitted, 1037U);
  EXPECT_EQ(now.sink("sink")->diverted, 263U);
  EXPECT_EQ(now.sink("fallback")->emitted, 263U);
}

TEST_F(QueuedBreaker, probes_a_sink_that_is_still_down_with_ten_events_at_most_which_are_diverted_in_their_turn) {
  sink->break_down();
  config.write_to(sink, "sink")
      .with_queue()
      .with_circuit_breaker({.failures = 1, .timeout = 1s, .max_timeout = 4s, .jitter = 0})
      .with_fallback(cairn::SinkSpec::sink(fallback, "fallback"));
  const auto log = make(config);
  log_some(log, 50);
  ASSERT_TRUE(settles(log));
  for (const auto wait : {1s, 2s, 4s, 4s}) {
    const std::size_t calls = sink->calls();
    clock.turn(wait - 1ns);
    log_some(log, 50);
    ASSERT_TRUE(settles(log));
    EXPECT_EQ(sink->calls(), calls);
    clock.turn(1ns);
    log_some(log, 50);
    ASSERT_TRUE(settles(log));
    ASSERT_EQ(sink->calls(), calls + 1) << "one probe";
    EXPECT_LE(sink->sizes().back(), 10U);
  }
  EXPECT_EQ(numbers_of(*fallback), range(0, next));
  expect_sums_hold(log.metrics());
}

// ---- queued, without a fallback

TEST_F(QueuedBreaker, without_a_fallback_keeps_what_comes_and_delivers_it_in_order_once_the_sink_is_well) {
  sink->break_down();
  config.write_to(sink, "sink").with_queue().with_circuit_breaker({.failures = 2, .timeout = 1s, .jitter = 0});
  const auto log = make(config);
  log_some(log, 300);
  ASSERT_TRUE(comes_true([&] { return state_of(log) == CircuitState::open; }));
  ASSERT_TRUE(comes_true([&] { return counts_of(log, "sink").pending == 300; }));
  expect_sums_hold(log.metrics());
  const std::size_t calls = sink->calls();
  EXPECT_EQ(calls, 2U);
  const cairn::FlushResult early = log.flush(1ms);
  EXPECT_EQ(early.status, cairn::FlushStatus::timed_out);
  sink->heal();
  clock.turn(1s);
  ASSERT_EQ(log.flush().status, cairn::FlushStatus::ok);
  EXPECT_EQ(sink->numbers(), range(0, 300));
  const std::vector<std::size_t> sizes = sink->sizes();
  std::size_t most = 10;
  for (std::size_t i = calls; i < sizes.size(); ++i, most *= 2) EXPECT_LE(sizes[i], most);
  EXPECT_EQ(counts_of(log, "sink").emitted, 300U);
}

TEST_F(QueuedBreaker, without_a_fallback_drops_the_oldest_of_a_full_queue_and_says_so) {
  config.write_to(sink, "sink").with_queue({.max_size = 50}).with_circuit_breaker();
  const auto log = make(config);
  log.circuit_breaker("sink")->open();
  log_some(log, 1);
  ASSERT_TRUE(comes_true([&] {  // the worker has it in its hands
    const cairn::SinkCounts counts = counts_of(log, "sink");
    return counts.pending == 1 && counts.queue_depth == 0;
  }));
  log_some(log, 500);
  ASSERT_TRUE(comes_true([&] { return counts_of(log, "sink").accepted == 501; }));
  EXPECT_EQ(sink->calls(), 0U);
  EXPECT_EQ(counts_of(log, "sink").queue_depth, 50U);
  EXPECT_EQ(counts_of(log, "sink").dropped.at("queue_full"), 450U);
  log.circuit_breaker("sink")->close();
  ASSERT_EQ(log.flush().status, cairn::FlushStatus::ok) << "closed by hand it goes on at once";
  std::vector<std::int64_t> expected{0};
  for (const std::int64_t number : range(451, 501)) expected.push_back(number);
  EXPECT_EQ(sink->numbers(), expected);
  expect_sums_hold(log.metrics());
}

TEST_F(QueuedBreaker, closed_by_hand_tries_at_once_what_it_kept) {
  cairn::Configuration mine;  // on the machine's clock: nothing else would wake its thread in time
  mine.write_to(sink, "sink").with_queue().with_circuit_breaker();
  mine.on_internal_error([](std::string_view) {});
  const auto log = make(mine);
  log.circuit_breaker("sink")->open();
  log_some(log, 100);
  ASSERT_TRUE(comes_true([&] { return counts_of(log, "sink").breaker->refused != 0; }));
  log.circuit_breaker("sink")->close();
  ASSERT_EQ(log.flush().status, cairn::FlushStatus::ok);
  EXPECT_EQ(sink->numbers(), range(0, 100));
}

/// With the machine's clock, whose times a worker sleeps through.
struct WaitingBreaker : Breaker {
  void make_with(const cairn::CircuitBreakerOptions& options) {
    cairn::Configuration real;
    real.on_internal_error([](std::string_view) {});
    real.write_to(sink, "sink").with_queue().with_circuit_breaker(options);
    log = make(real);
  }
  /// The worker was refused since there were so many refusals, and goes by that.
  bool waits_since(std::uint64_t refused) {
    return comes_true([&] { return log.circuit_breaker("sink")->stats().refused > refused; });
  }
  cairn::Logger log;
};

TEST_F(WaitingBreaker, closed_by_hand_delivers_though_a_listener_hangs) {
  std::promise<void> inside;
  std::promise<void> go_on;
  make_with({.on_transition = [&](const cairn::CircuitTransition& change) {
    if (change.to != CircuitState::forced_open) return;
    inside.set_value();
    go_on.get_future().wait();
  }});
  std::thread hung([&] { log.circuit_breaker("sink")->open(); });
  inside.get_future().wait();
  log_some(log, 3);
  EXPECT_TRUE(waits_since(0));
  log.circuit_breaker("sink")->close();
  EXPECT_TRUE(comes_true([&] { return sink->numbers() == range(0, 3); }));
  go_on.set_value();
  hung.join();
}

TEST_F(WaitingBreaker, goes_on_when_a_probe_of_the_programs_has_ended_and_closed_nothing) {
  make_with(
      {.failures = 1, .timeout = 1ms, .max_timeout = 1ms, .jitter = 0, .successes_to_close = 3, .attempt_timeout = 1h});
  cairn::CircuitBreaker& breaker = *log.circuit_breaker("sink");
  for (const bool good : {false, true}) {
    breaker.attempt().failed();
    std::optional<cairn::CircuitBreaker::Attempt> probe;
    ASSERT_TRUE(comes_true([&] {
      auto attempt = breaker.attempt();
      if (attempt) probe.emplace(std::move(attempt));
      return probe.has_value();
    }));
    ASSERT_TRUE(probe->is_probe());
    const std::uint64_t refused = breaker.stats().refused;
    log_some(log, 1);
    EXPECT_TRUE(waits_since(refused));
    if (good)
      probe->succeeded();
    else
      probe.reset();
    EXPECT_TRUE(comes_true([&] { return sink->numbers() == range(0, next); }));
    breaker.reset();
  }
}

TEST_F(WaitingBreaker, leaves_a_full_disk_a_moment_though_its_own_probe_is_over) {
  std::mutex times_mutex;
  std::vector<std::chrono::steady_clock::time_point> times;
  sink->in_emit = [&](const auto&) {
    const std::lock_guard lock(times_mutex);
    times.push_back(std::chrono::steady_clock::now());
  };
  sink->fail_with(std::errc::no_space_on_device);
  make_with({.failures = 1, .timeout = 1ms, .max_timeout = 1ms, .jitter = 0});
  log.circuit_breaker("sink")->attempt().failed();  // so that the first it tries is a probe
  log_some(log, 1);
  const auto called = [&](std::size_t often) {
    return comes_true([&] {
      const std::lock_guard lock(times_mutex);
      return times.size() >= often;
    });
  };
  ASSERT_TRUE(called(4));
  {
    const std::lock_guard lock(times_mutex);
    EXPECT_GE(times[3] - times[0], 400ms) << "a quarter of a second for each but the first";
  }
  sink->heal();
  EXPECT_TRUE(comes_true([&] { return sink->numbers() == range(0, 1); }));
}

TEST_F(QueuedBreaker, gives_up_what_was_tried_ten_times_in_ten_minutes_and_the_output_says_so) {
  sink->in_emit = [](const std::vector<std::int64_t>& numbers) {
    if (std::find(numbers.begin(), numbers.end(), 5) != numbers.end()) throw std::runtime_error("poison");
  };
  config.write_to(sink, "sink")
      .with_queue()
      .with_circuit_breaker({.failures = 3, .timeout = 1s, .max_timeout = 1s, .jitter = 0});
  const auto log = make(config);
  log.circuit_breaker("sink")->open();
  log_some(log, 100);
  ASSERT_TRUE(comes_true([&] { return counts_of(log, "sink").accepted == 100; }));
  log.circuit_breaker("sink")->close();
  ASSERT_TRUE(comes_true([&] {
    clock.turn(1s);
    return counts_of(log, "sink").pending == 0;
  }));
  const cairn::SinkCounts counts = counts_of(log, "sink");
  EXPECT_GE(clock.steady(), 10min) << "not before";
  EXPECT_GE(counts.breaker->failures, 10U);
  const std::uint64_t lost = counts.dropped.at("retry_expired");
  EXPECT_GE(lost, 1U);
  EXPECT_LE(lost, 10U) << "a probe's";
  EXPECT_EQ(counts.emitted + lost, 100U);
  expect_sums_hold(log.metrics());
  EXPECT_EQ(sink->numbers().back(), 99);
  ASSERT_TRUE(comes_true([&] { return !sink->others().empty(); }));
  EXPECT_THAT(sink->others().front(), HasSubstr(std::to_string(lost) + " retry_expired"));
}

TEST_F(QueuedBreaker, closing_a_logger_drops_what_an_open_one_kept_and_counts_it) {
  config.write_to(sink, "sink").with_queue().with_circuit_breaker();
  const auto log = make(config);
  log.circuit_breaker("sink")->open();
  log_some(log, 100);
  (void)log.shutdown(cairn::ShutdownStrategy::graceful(50ms));
  ASSERT_TRUE(comes_true([&] { return counts_of(log, "sink").pending == 0; }));
  const cairn::MetricsSnapshot now = log.metrics();
  EXPECT_EQ(now.sink("sink")->dropped_total(), 100U);
  expect_sums_hold(now);
  EXPECT_EQ(sink->calls(), 0U);
}

TEST_F(QueuedBreaker, over_a_hundred_outages_loses_nothing_doubles_nothing_and_is_back_half_a_second_after_each) {
  const std::uint64_t seed = std::random_device{}();
  std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
  std::mt19937_64 random(seed);
  const auto below = [&](std::uint64_t end) { return random() % end; };
  config.write_to(sink, "sink").with_queue().with_circuit_breaker({.timeout = 100ms, .max_timeout = 400ms});
  const auto log = make(config);
  std::uint64_t opened = 0;
  for (int outage = 0; outage < 100; ++outage) {
    sink->break_down(below(30));
    const auto end = clock.steady() + 100ms + std::chrono::milliseconds(below(29'900));
    while (clock.steady() < end) {
      log_some(log, static_cast<int>(below(10)));
      clock.turn(std::chrono::milliseconds(1 + below(2000)));
    }
    log_some(log, 30);
    ASSERT_TRUE(comes_true([&] { return counts_of(log, "sink").breaker->state != CircuitState::closed; }));
    sink->heal();
    clock.turn(500ms);  // the longest wait, stretched, and some more
    ASSERT_TRUE(settles(log)) << "seed " << seed << ", outage " << outage;
    ASSERT_EQ(state_of(log), CircuitState::closed);
    ASSERT_GT(counts_of(log, "sink").breaker->opened, opened);
    opened = counts_of(log, "sink").breaker->opened;
  }
  EXPECT_EQ(sink->numbers(), range(0, next)) << "seed " << seed;
  const cairn::MetricsSnapshot now = log.metrics();
  expect_sums_hold(now);
  EXPECT_EQ(now.sink("sink")->emitted, static_cast<std::uint64_t>(next));
}

TEST_F(QueuedBreaker, that_is_open_has_no_attempt_at_the_end_either_and_what_it_kept_is_dropped_for_that_reason) {
  config.write_to(sink, "sink").with_queue().with_circuit_breaker();
  const auto log = make(config);
  log.circuit_breaker("sink")->open();
  log_some(log, 100);
  (void)log.shutdown(cairn::ShutdownStrategy::flush_pending());
  const cairn::MetricsSnapshot now = log.metrics();
  EXPECT_EQ(now.sink("sink")->dropped.at("circuit_open"), 100U);
  EXPECT_EQ(sink->calls(), 0U);
  expect_sums_hold(now);
}

// ---- what counts as a failure

TEST_F(QueuedBreaker, takes_slow_emits_for_failures_and_their_events_for_emitted) {
  sink->in_emit = [&](const std::vector<std::int64_t>&) { clock.turn(200ms); };
  config.write_to(sink, "sink")
      .with_queue({.batch_size = 1})
      .with_circuit_breaker({.failures = 5, .timeout = 5min, .slow_after = 200ms})
      .with_fallback(cairn::SinkSpec::sink(fallback, "fallback"));
  const auto log = make(config);
  log_some(log, 20);
  ASSERT_TRUE(settles(log));
  EXPECT_EQ(sink->numbers(), range(0, 5));
  EXPECT_EQ(numbers_of(*fallback), range(5, 20));
  EXPECT_EQ(counts_of(log, "sink").breaker->slow, 5U);
  EXPECT_EQ(counts_of(log, "sink").emitted, 5U);
}

TEST_F(QueuedBreaker, opens_by_the_share_of_failures_where_it_is_asked_to) {
  int calls = 0;
  sink->in_emit = [&](const std::vector<std::int64_t>&) {
    if (++calls % 2 == 0) throw std::runtime_error("every other time");
  };
  config.write_to(sink, "sink")
      .with_queue({.batch_size = 1})
      .with_circuit_breaker({.failures = 100, .timeout = 5min, .failure_rate = 0.5})
      .with_fallback(cairn::SinkSpec::sink(fallback, "fallback"));
  const auto log = make(config);
  log_some(log, 50);
  ASSERT_TRUE(settles(log));
  EXPECT_EQ(sink->calls(), 10U);
  EXPECT_EQ(sink->numbers(), range(0, 5)) << "each of them at last: what failed is tried again first";
  EXPECT_EQ(numbers_of(*fallback), range(5, 50));
}

TEST_F(QueuedBreaker, disabled_is_as_if_there_were_none) {
  sink->break_down();
  config.write_to(sink, "sink").with_queue({.batch_size = 1}).with_circuit_breaker();
  const auto log = make(config);
  log.circuit_breaker("sink")->disable();
  log_some(log, 20);
  ASSERT_TRUE(settles(log));
  EXPECT_EQ(counts_of(log, "sink").failed.at("sink_threw"), 20U);
  EXPECT_EQ(sink->calls(), 20U);
  EXPECT_EQ(state_of(log), CircuitState::disabled);
}

TEST_F(QueuedBreaker, spares_the_sink_of_flushes_too_while_it_is_open) {
  config.write_to(sink, "sink")
      .with_queue()
      .with_circuit_breaker()
      .with_fallback(cairn::SinkSpec::sink(fallback, "fallback"));
  const auto log = make(config);
  log_some(log, 1);
  ASSERT_EQ(log.flush().status, cairn::FlushStatus::ok);
  const std::size_t flushes = sink->flushes;
  log.circuit_breaker("sink")->open();
  log_some(log, 10);
  EXPECT_EQ(log.flush().status, cairn::FlushStatus::ok) << "it holds nothing back";
  EXPECT_EQ(sink->flushes, flushes);
  log.circuit_breaker("sink")->close();
  EXPECT_EQ(log.flush().status, cairn::FlushStatus::ok);
  EXPECT_EQ(sink->flushes, flushes + 1);
  EXPECT_EQ(numbers_of(*fallback), range(1, 11));
}

TEST_F(QueuedBreaker, says_each_change_to_listeners_and_once_a_second_to_on_internal_error) {
  sink->break_down();
  std::vector<std::string> told;
  config.write_to(sink, "sink")
      .with_queue()
      .with_circuit_breaker({.failures = 1,
                             .on_transition =
                                 [&](const cairn::CircuitTransition& change) {
                                   const std::lock_guard lock(mutex);
                                   told.emplace_back(to_string(change.to));
                                   throw 42;  // caught
                                 }})
      .with_fallback(cairn::SinkSpec::sink(fallback, "fallback"));
  const auto log = make(config);
  log_some(log, 1);
  ASSERT_TRUE(settles(log));
  log.circuit_breaker("sink")->close();
  const std::lock_guard lock(mutex);
  EXPECT_THAT(told, ElementsAre("open", "closed"));
  EXPECT_THAT(said, testing::Contains(HasSubstr("the circuit breaker of sink sink is open (failures), was closed")));
}

// ---- synchronous

TEST_F(SynchronousBreaker, spares_the_sink_and_its_caller_and_diverts_in_order) {
  sink->break_down(3);
  config.write_to(sink, "sink")
      .with_circuit_breaker({.failures = 2, .timeout = 1s, .jitter = 0})
      .with_fallback(cairn::SinkSpec::sink(fallback, "fallback"));
  const auto log = make(config);
  log_some(log, 10);
  EXPECT_EQ(sink->calls(), 5U) << "three taken, two failures";
  EXPECT_EQ(sink->numbers(), range(0, 3));
  EXPECT_EQ(numbers_of(*fallback), range(3, 10));
  sink->heal();
  clock.turn(1s);
  log_some(log, 5);
  EXPECT_EQ(sink->numbers().size(), 8U);
  EXPECT_EQ(numbers_of(*fallback), range(3, 10));
  const cairn::MetricsSnapshot now = log.metrics();
  expect_sums_hold(now);
  EXPECT_EQ(now.sink("sink")->accepted, 15U);
  EXPECT_EQ(now.sink("sink")->diverted, 7U);
  EXPECT_EQ(now.sink("fallback")->accepted, 7U);
}

TEST_F(SynchronousBreaker, without_a_fallback_drops_while_it_is_open_counted_and_warned_of) {
  config.write_to(sink, "sink").with_circuit_breaker({.failures = 1});
  const auto log = make(config);
  EXPECT_THAT(said, ElementsAre(HasSubstr("sink sink: with_circuit_breaker without a queue or a fallback")));
  sink->break_down();
  log_some(log, 10);
  const cairn::MetricsSnapshot now = log.metrics();
  expect_sums_hold(now);
  EXPECT_EQ(now.sink("sink")->failed.at("sink_threw"), 1U);
  EXPECT_EQ(now.sink("sink")->dropped.at("circuit_open"), 9U);
  EXPECT_EQ(now.sink("sink")->breaker->refused, 9U);
  EXPECT_EQ(sink->calls(), 1U);
}

TEST_F(SynchronousBreaker, lets_one_caller_probe_and_keeps_no_other_waiting_for_it) {
  sink->break_down();
  config.write_to(sink, "sink")
      .with_circuit_breaker({.failures = 1, .timeout = 1s, .jitter = 0})
      .with_fallback(cairn::SinkSpec::sink(fallback, "fallback"));
  const auto log = make(config);
  log_some(log, 1);
  sink->heal();
  clock.turn(1s);
  std::promise<void> inside;
  std::promise<void> go_on;
  sink->in_emit = [&](const std::vector<std::int64_t>&) {
    inside.set_value();
    go_on.get_future().wait();
  };
  std::thread prober([&] { log.information("{Number}", 1000); });
  inside.get_future().wait();
  std::vector<std::thread> others;
  for (int t = 0; t < 3; ++t) {
    others.emplace_back([&] {
      for (int i = 0; i < 100; ++i) log.information("{Number}", i);
    });
  }
  for (std::thread& other : others) other.join();  // while the probe is still inside
  EXPECT_EQ(numbers_of(*fallback).size(), 301U);
  go_on.set_value();
  prober.join();
  EXPECT_EQ(sink->numbers(), std::vector<std::int64_t>{1000});
  EXPECT_EQ(state_of(log), CircuitState::closed);
  expect_sums_hold(log.metrics());
}

TEST_F(SynchronousBreaker, is_opened_and_closed_by_hand) {
  config.write_to(sink, "sink").with_circuit_breaker().with_fallback(cairn::SinkSpec::sink(fallback, "fallback"));
  const auto log = make(config);
  ASSERT_NE(log.circuit_breaker("sink"), nullptr);
  EXPECT_EQ(log.circuit_breaker("fallback"), nullptr);
  EXPECT_EQ(log.circuit_breaker("no such sink"), nullptr);
  EXPECT_EQ(cairn::Logger().circuit_breaker("sink"), nullptr);
  log.circuit_breaker("sink")->open();
  log_some(log, 3);
  log.circuit_breaker("sink")->close();
  log_some(log, 3);
  EXPECT_EQ(sink->numbers(), range(3, 6));
  EXPECT_EQ(numbers_of(*fallback), range(0, 3));
  log.circuit_breaker("sink")->reset();
  EXPECT_EQ(counts_of(log, "sink").breaker->successes, 0U);
}

TEST_F(SynchronousBreaker, loses_no_event_whatever_threads_do) {
  std::atomic<int> turn{0};
  sink->in_emit = [&](const std::vector<std::int64_t>&) {
    if (++turn % 16 < 8) throw std::runtime_error("now and then");
    clock.turn(1ms);
  };
  config.write_to(sink, "sink")
      .with_circuit_breaker({.failures = 3, .timeout = 2ms, .max_timeout = 4ms})
      .with_fallback(cairn::SinkSpec::sink(fallback, "fallback"));
  const auto log = make(config);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 5000; ++i) {
        log.information("{Number}", t * 5000 + i);
        if (i % 100 == 0) clock.turn(1ms);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::vector<std::int64_t> all = sink->numbers();
  for (const std::int64_t number : numbers_of(*fallback)) all.push_back(number);
  std::sort(all.begin(), all.end());
  EXPECT_EQ(all, range(0, 20'000));
  const cairn::MetricsSnapshot now = log.metrics();
  expect_sums_hold(now);
  EXPECT_EQ(now.sink("sink")->diverted, now.sink("fallback")->accepted);
  EXPECT_GT(now.sink("sink")->breaker->opened, 1U);
  // In each destination the events of one thread are in their order.
  for (const auto& numbers : {sink->numbers(), numbers_of(*fallback)}) {
    std::vector<std::int64_t> last(4, -1);
    for (const std::int64_t number : numbers) {
      auto& before = last[static_cast<std::size_t>(number / 5000)];
      EXPECT_LT(before, number);
      before = number;
    }
  }
}

// ---- chains

TEST_F(FallbackChain, has_a_breaker_a_link_and_ends_where_one_is_well) {
  auto middle = std::make_shared<ScriptedSink>();
  sink->break_down();
  middle->break_down();
  config.write_to(sink, "sink")
      .with_queue()
      .with_circuit_breaker({.failures = 2})
      .with_fallback(cairn::SinkSpec::sink(middle, "middle")
                         .with_circuit_breaker({.failures = 3})
                         .with_fallback(cairn::SinkSpec::sink(fallback, "last").with_queue()));
  const auto log = make(config);
  log_some(log, 500);
  ASSERT_EQ(log.flush().status, cairn::FlushStatus::ok);
  EXPECT_EQ(numbers_of(*fallback), range(0, 500));
  EXPECT_EQ(numbered(*fallback)[0]->property("FallbackFrom")->as_string(), "middle");
  EXPECT_EQ(sink->calls(), 2U);
  EXPECT_EQ(counts_of(log, "middle").breaker->failures, 3U) << "what tells it of the sink before it is no attempt";
  EXPECT_EQ(state_of(log, "middle"), CircuitState::open);
  const cairn::MetricsSnapshot now = log.metrics();
  expect_sums_hold(now);
  EXPECT_EQ(now.sink("sink")->diverted, now.sink("middle")->accepted);
  EXPECT_EQ(now.sink("middle")->diverted, now.sink("last")->accepted);
  EXPECT_EQ(now.sink("emergency"), nullptr) << "nothing came to it";
}

TEST_F(FallbackChain, ends_at_stderr_with_ten_events_a_second_and_a_count_of_the_others) {
  for (const bool queued : {false, true}) {
    auto last = std::make_shared<ScriptedSink>();
    sink->break_down();
    last->break_down();
    cairn::Configuration mine = config;
    auto spec = cairn::SinkSpec::sink(last, "last");
    if (queued) spec = std::move(spec).with_queue();
    auto first = mine.write_to(sink, "sink").with_fallback(spec);
    const auto log = make(mine);
    next = 0;
    testing::internal::CaptureStderr();
    log_some(log, 25);
    ASSERT_NE(log.flush().status, cairn::FlushStatus::timed_out);
    clock.turn(1s);
    log_some(log, 1);
    ASSERT_NE(log.flush().status, cairn::FlushStatus::timed_out);
    const std::string text = testing::internal::GetCapturedStderr();
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 11);
    EXPECT_THAT(text, testing::StartsWith("cairn: no sink took: "));
    EXPECT_THAT(text, HasSubstr("[INF] 0\n"));
    EXPECT_THAT(text, HasSubstr("[INF] 9\n"));
    EXPECT_THAT(text, testing::EndsWith("[INF] 25\n"));
    const cairn::MetricsSnapshot now = log.metrics();
    expect_sums_hold(now);
    EXPECT_EQ(now.sink("sink")->diverted, 26U);
    EXPECT_EQ(now.sink("last")->accepted, 26U);
    EXPECT_EQ(now.sink("last")->diverted, 26U);
    ASSERT_NE(now.sink("emergency"), nullptr);
    EXPECT_EQ(now.sink("emergency")->accepted, 26U);
    EXPECT_EQ(now.sink("emergency")->emitted, 11U);
    EXPECT_EQ(now.sink("emergency")->dropped.at("rate_limited"), 15U);
    EXPECT_EQ(now.sink("emergency")->bytes_written, text.size());
  }
}

TEST_F(FallbackChain, ends_at_stderr_too_where_the_last_breaker_is_open_and_there_is_no_queue) {
  sink->break_down();
  auto last = std::make_shared<ScriptedSink>();
  config.write_to(sink, "sink")
      .with_fallback(cairn::SinkSpec::sink(last, "last").with_circuit_breaker({.failures = 1, .timeout = 5min}));
  const auto log = make(config);
  log.circuit_breaker("last")->open();
  testing::internal::CaptureStderr();
  log_some(log, 3);
  const std::string text = testing::internal::GetCapturedStderr();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 3);
  EXPECT_EQ(counts_of(log, "last").diverted, 3U);
  expect_sums_hold(log.metrics());
}

TEST_F(FallbackChain, tells_in_the_output_of_the_fallback_what_became_of_the_sink_before_it) {
  for (const bool queued : {false, true}) {
    fallback->clear();
    sink->break_down();
    cairn::Configuration mine = config;
    auto spec = cairn::SinkSpec::sink(fallback, "fallback");
    if (queued) spec = std::move(spec).with_queue();
    mine.write_to(sink, "sink").with_circuit_breaker({.failures = 2, .timeout = 1s, .jitter = 0}).with_fallback(spec);
    const auto log = make(mine);
    next = 0;
    log_some(log, 3);
    sink->heal();
    clock.turn(1s);
    log_some(log, 1);
    ASSERT_EQ(log.flush().status, cairn::FlushStatus::ok) << "what is still to be said is said at a flush at last";
    const std::vector<std::string> expected{"0",
                                            "The circuit breaker of sink is open (failures)",
                                            "1",
                                            "2",
                                            "The circuit breaker of sink is half_open (timeout_over)",
                                            "The circuit breaker of sink is closed (probe_succeeded)"};
    const auto messages = fallback->messages();
    EXPECT_THAT(messages, testing::UnorderedElementsAreArray(expected));
    if (!queued) {  // else before any of its batches
      EXPECT_EQ(messages, expected);
    }
    const cairn::MetricsSnapshot now = log.metrics();
    expect_sums_hold(now);
    EXPECT_EQ(now.sink("fallback")->self_events, 3U) << "in no other count";
    EXPECT_EQ(now.sink("fallback")->accepted, 3U);
    EXPECT_EQ(now.sink("sink")->diverted, 3U);
    EXPECT_THAT(sink->others(), testing::IsEmpty()) << "never to the sink itself";
  }
}

// ---- what is checked

TEST_F(BreakerConfiguration, names_every_option_that_means_nothing_and_its_sink) {
  const auto made = config.write_to_null()
                        .with_name("first")
                        .with_circuit_breaker({.failures = 0, .timeout = 2s, .max_timeout = 1s, .jitter = -0.1})
                        .with_fallback(cairn::SinkSpec::null().with_name("second").with_circuit_breaker(
                            {.successes_to_close = 0, .failure_rate = 1.01, .slow_after = 0ns}))
                        .try_create_logger();
  ASSERT_TRUE(std::holds_alternative<cairn::ConfigurationError>(made));
  EXPECT_THAT(
      std::get<cairn::ConfigurationError>(made).problems(),
      ElementsAre("sink first: with_circuit_breaker: failures: 0; it takes 1 to 1000000",
                  "sink first: with_circuit_breaker: max_timeout: 1000000000 ns is below timeout, 2000000000 ns; it "
                  "takes timeout or more",
                  "sink first: with_circuit_breaker: jitter: -0.100000; it takes 0 to 1",
                  "sink second: with_circuit_breaker: successes_to_close: 0; it takes 1 to 1000000",
                  "sink second: with_circuit_breaker: failure_rate: 1.010000; it takes above 0, to 1",
                  "sink second: with_circuit_breaker: slow_after: 0 ns; it takes a time above 0, to 24 h"));
}

TEST_F(FallbackChain, that_pages_somebody_tells_of_no_breaker_below_its_level) {
  for (const bool queued : {false, true}) {
    const auto down = std::make_shared<ScriptedSink>();
    const auto pager = std::make_shared<cairn::MemorySink>();
    down->break_down();
    cairn::Configuration fresh = config;
    auto first = fresh.write_to(down, "sink");
    first.with_circuit_breaker({.failures = 1})
        .with_fallback(cairn::SinkSpec::sink(pager, "pager").with_min_level(cairn::Level::fatal));
    if (queued) first.with_queue();
    const auto log = make(fresh);
    log_some(log, 10);
    log.fatal("wake up");
    ASSERT_EQ(log.flush().status, cairn::FlushStatus::ok);
    EXPECT_THAT(pager->messages(), ElementsAre("wake up"));
    const cairn::SinkCounts counts = counts_of(log, "pager");
    EXPECT_EQ(counts.accepted, 1U);
    EXPECT_EQ(counts.self_events, 0U);
  }
}

TEST_F(BreakerConfiguration, warns_of_a_fallback_that_turns_events_away) {
  cairn::Configuration by_level = config;
  by_level.write_to(sink, "sink")
      .with_fallback(cairn::SinkSpec::sink(fallback, "pager").with_min_level(cairn::Level::fatal));
  (void)make(by_level);
  EXPECT_THAT(said, ElementsAre(HasSubstr("sink pager: with_min_level of a fallback")));
  said.clear();
  cairn::Configuration by_filter = config;
  by_filter.write_to(sink, "sink")
      .with_fallback(cairn::SinkSpec::sink(fallback, "some").with_filter([](const cairn::Event&) { return false; }));
  (void)make(by_filter);
  EXPECT_THAT(said, ElementsAre(HasSubstr("sink some: with_filter of a fallback")));
}

TEST_F(BreakerConfiguration, warns_of_nothing_where_a_queue_or_a_fallback_takes_what_comes) {
  config.write_to_null().with_circuit_breaker().with_queue();
  config.write_to_null().with_circuit_breaker().with_fallback(cairn::SinkSpec::null().with_circuit_breaker());
  config.write_to_null();
  (void)make(config);
  EXPECT_THAT(said, testing::IsEmpty());
}

}  // namespace
