// What a logger counts and times: exact at every moment, told in JSON and to Prometheus, begun anew, reported.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cairn/all.hpp>
#include <cairn/testing.hpp>
#include <condition_variable>
#include <future>
#include <mutex>
#include <thread>

#include "support/gate_sink.hpp"
#include "support/in_child.hpp"
#include "support/metrics_support.hpp"

namespace {

using cairn::MetricsSnapshot;
using cairn::SinkCounts;
using cairn::testing::expect_both_texts_say_the_same;
using cairn::testing::expect_sums_hold;
using cairn::testing::GateSink;
using cairn::testing::in_child;
using namespace std::chrono_literals;

/// A clock that stands still until it is told to go.
struct ManualClock final : cairn::Clock {
  cairn::Timestamp now() noexcept override { return cairn::Timestamp(1'769'879'109s + time.load()); }
  std::chrono::nanoseconds steady() noexcept override { return 1h + time.load(); }
  std::atomic<std::chrono::nanoseconds> time{};
};

/// Takes some, fails on some, throws on some; counts what it took.
struct FickleSink final : cairn::Sink {
  cairn::EmitResult emit(std::span<const cairn::Event> events) override {
    const std::uint64_t call = calls++;
    if (call % 7 == 3) throw std::runtime_error("not this one");
    const std::size_t takes = call % 5 == 1 ? events.size() / 2 : events.size();
    took += takes;
    return {takes, takes * 10,
            takes == events.size() ? std::error_code() : std::make_error_code(std::errc::broken_pipe)};
  }
  std::uint64_t calls = 0;
  std::atomic<std::uint64_t> took{0};
};

cairn::Configuration quiet() {
  cairn::Configuration config;
  config.verbose().on_internal_error([](std::string_view) {});
  return config;
}

constexpr int producers = 3;
constexpr int each = 8'000;

/// Producers log, while snapshots are taken as fast as they come; gives how many.
std::size_t watch_while_producers_log(const cairn::Logger& log, bool with_resets = false) {
  std::atomic<int> running{producers};
  std::vector<std::thread> threads;
  for (int thread = 0; thread < producers; ++thread) {
    threads.emplace_back([&, thread] {
      for (int number = 0; number < each; ++number) log.information("{Thread} {Number}", thread, number);
      --running;
    });
  }
  std::size_t snapshots = 0;
  while (running != 0) {
    expect_sums_hold(log.metrics());
    ++snapshots;
    if (with_resets && snapshots % 16 == 0) log.reset_metrics();
  }
  for (std::thread& thread : threads) thread.join();
  return snapshots;
}

bool not_every_third(const cairn::Event& event) { return event.property("Number")->as_int64().value() % 3 != 0; }

TEST(Ledger, of_synchronous_sinks_is_exact_in_every_snapshot_under_load) {
  auto fickle = std::make_shared<FickleSink>();
  auto alone = std::make_shared<FickleSink>();
  const auto log = quiet()
                       .filter_by(&not_every_third)
                       .write_to(fickle, "fickle")
                       .with_fallback(cairn::SinkSpec::null().with_name("behind"))
                       .write_to(alone, "alone")
                       .create_logger();
  EXPECT_GT(watch_while_producers_log(log), 0U);
  const MetricsSnapshot now = log.metrics();
  expect_sums_hold(now);
  EXPECT_EQ(now.logger.captured, producers * each);
  EXPECT_EQ(now.logger.filtered, producers * 2667U);
  EXPECT_EQ(now.logger.in_lane, 0U);
  EXPECT_EQ(now.sink("fickle")->accepted, now.logger.dispatched);
  EXPECT_EQ(now.sink("fickle")->emitted, fickle->took.load());
  EXPECT_EQ(now.sink("fickle")->bytes_written, fickle->took.load() * 10);
  EXPECT_EQ(now.sink("fickle")->diverted, now.sink("behind")->accepted);
  EXPECT_EQ(now.sink("fickle")->pending, 0U);
  EXPECT_EQ(now.sink("alone")->failed.at("sink_threw"), (now.logger.dispatched + 3) / 7);
  EXPECT_GT(now.sink("alone")->failed.at("closed_pipe"), 0U);
}

TEST(Ledger, of_queued_sinks_is_exact_in_every_snapshot_under_load) {
  auto fickle = std::make_shared<FickleSink>();
  const auto log = quiet()
                       .filter_by(&not_every_third)
                       .write_to(fickle, "fickle")
                       .with_queue({.max_size = 256, .batch_size = 8})
                       .with_fallback(cairn::SinkSpec::null().with_name("behind"))
                       .write_to_null()
                       .with_queue({.overflow = cairn::Overflow::block})
                       .create_logger();
  EXPECT_GT(watch_while_producers_log(log), 0U);
  ASSERT_EQ(log.flush().status, cairn::FlushStatus::ok);
  const MetricsSnapshot now = log.metrics();
  expect_sums_hold(now);
  EXPECT_EQ(now.logger.captured, producers * each);
  EXPECT_EQ(now.sink("fickle")->emitted + now.sink("fickle")->self_events, fickle->took.load());
  EXPECT_EQ(now.sink("fickle")->diverted, now.sink("behind")->accepted);
  EXPECT_EQ(now.sink("null")->emitted, now.logger.dispatched);
}

TEST(Ledger, of_both_deliveries_mixed_is_exact_in_every_snapshot_under_load_and_across_resets) {
  const auto log = quiet()
                       .write_to(std::make_shared<FickleSink>(), "queued")
                       .with_queue({.max_size = 64, .batch_size = 8})
                       .write_to(std::make_shared<FickleSink>(), "synchronous")
                       .create_logger();
  EXPECT_GT(watch_while_producers_log(log, true), 0U);
  ASSERT_EQ(log.flush().status, cairn::FlushStatus::ok);
  expect_sums_hold(log.metrics());
  EXPECT_LE(log.metrics().logger.captured, producers * each);
}

TEST(Ledger, an_event_inside_a_synchronous_sink_is_pending) {
  auto gate = std::make_shared<GateSink>();
  const auto log = quiet().write_to(gate, "gate").create_logger();
  std::thread caller([&] { log.information("in there"); });
  gate->wait_inside();
  const MetricsSnapshot during = log.metrics();
  expect_sums_hold(during);
  EXPECT_EQ(during.logger.dispatched, 1U);
  EXPECT_EQ(during.sinks[0].accepted, 1U);
  EXPECT_EQ(during.sinks[0].pending, 1U);
  EXPECT_EQ(during.sinks[0].emitted, 0U);
  gate->open();
  caller.join();
  EXPECT_EQ(log.metrics().sinks[0].pending, 0U);
  EXPECT_EQ(log.metrics().sinks[0].emitted, 1U);
}

TEST(Ledger, an_event_at_a_filter_is_on_its_way) {
  std::promise<void> inside;
  std::promise<void> go;
  const auto log = quiet()
                       .filter_by([&](const cairn::Event&) {
                         inside.set_value();
                         go.get_future().wait();
                         return false;
                       })
                       .write_to_null()
                       .create_logger();
  std::thread caller([&] { log.information("stopped"); });
  inside.get_future().wait();
  const MetricsSnapshot during = log.metrics();
  expect_sums_hold(during);
  EXPECT_EQ(during.logger.captured, 1U);
  EXPECT_EQ(during.logger.in_lane, 1U);
  go.set_value();
  caller.join();
  EXPECT_EQ(log.metrics().logger.in_lane, 0U);
  EXPECT_EQ(log.metrics().logger.filtered, 1U);
}

TEST(Ledger, is_that_of_a_while_ago_and_says_so_while_a_filter_hangs_on_the_dispatcher) {
  std::promise<void> inside;
  std::promise<void> go;
  std::atomic<bool> hang{false};
  const auto log = quiet()
                       .filter_by([&](const cairn::Event&) {
                         if (hang.exchange(false)) {
                           inside.set_value();
                           go.get_future().wait();
                         }
                         return true;
                       })
                       .write_to_null()
                       .with_queue()
                       .create_logger();
  log.information("before");
  ASSERT_EQ(log.flush().status, cairn::FlushStatus::ok);
  ASSERT_EQ(log.metrics().logger.captured, 1U);
  hang = true;
  log.information("hangs");
  inside.get_future().wait();
  const MetricsSnapshot during = log.metrics();
  EXPECT_TRUE(during.logger.stalled);
  EXPECT_EQ(during.logger.captured, 1U);
  expect_sums_hold(during);
  go.set_value();
  ASSERT_EQ(log.flush().status, cairn::FlushStatus::ok);
  EXPECT_FALSE(log.metrics().logger.stalled);
  EXPECT_EQ(log.metrics().logger.captured, 2U);
}

TEST(Ledger, in_a_forked_child_holds_and_goes_on_whatever_the_parents_threads_were_doing) {
  const auto log = quiet()
                       .filter_by([](const cairn::Event&) { return true; })
                       .write_to(std::make_shared<FickleSink>(), "fickle")
                       .create_logger();
  std::atomic<bool> done{false};
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 3; ++thread) {
    threads.emplace_back([&] {
      while (!done) log.information("{Number}", 1);
    });
  }
  for (int i = 0; i < 100; ++i) {
    const int wrong = in_child([&] {
      const auto holds = [&](std::uint64_t more) {
        const MetricsSnapshot now = log.metrics();
        const SinkCounts& sink = now.sinks[0];
        return now.logger.captured == now.logger.dispatched && now.logger.in_lane == 0 && sink.pending == 0 &&
               sink.accepted == sink.emitted + sink.failed_total() && more <= now.logger.captured;
      };
      if (!holds(0)) return 1;
      for (int k = 0; k < 20; ++k) log.information("{Number}", 2);
      return holds(20) ? 0 : 2;
    });
    ASSERT_EQ(wrong, 0);
  }
  done = true;
  for (std::thread& thread : threads) thread.join();
  expect_sums_hold(log.metrics());
}

TEST(Times, of_a_queued_event_are_from_its_call_to_the_end_of_emit) {
  ManualClock clock;
  auto gate = std::make_shared<GateSink>();
  const auto log = quiet().use_clock(clock).with_metrics().write_to(gate, "gate").with_queue().create_logger();
  log.information("first");
  gate->wait_inside();
  clock.time = 2s;
  log.information("second");
  clock.time = 5s;
  gate->open();
  ASSERT_EQ(log.flush().status, cairn::FlushStatus::ok);
  const SinkCounts sink = log.metrics().sinks[0];
  EXPECT_EQ(sink.latency_count, 2U);
  EXPECT_DOUBLE_EQ(sink.latency_max_us, 5e6) << "the first: until the gate opened";
  EXPECT_DOUBLE_EQ(sink.latency_sum_us, 8e6);
  EXPECT_NEAR(sink.latency_p50_us, 3e6, 3e6 / 128) << "the second waited in the queue";
  EXPECT_EQ(sink.emit_count, 2U);
  EXPECT_DOUBLE_EQ(sink.emit_max_us, 5e6);
  EXPECT_DOUBLE_EQ(sink.emit_sum_us, 5e6) << "for the second the sink took no time";
}

TEST(Times, of_a_synchronous_sink_are_of_a_sample_that_stands_for_all) {
  const auto log = quiet().write_to_null().create_logger();
  for (int i = 0; i < 1000; ++i) log.information("one");
  EXPECT_EQ(log.metrics().sinks[0].latency_count, 1000U) << "the first 1024 are all timed";
  for (int i = 0; i < 99'000; ++i) log.information("one");
  const SinkCounts sink = log.metrics().sinks[0];
  EXPECT_GE(sink.latency_count, 100'000U - 512U);
  EXPECT_LE(sink.latency_count, 100'000U);
  EXPECT_EQ(sink.latency_count, sink.emit_count);
  EXPECT_GE(sink.latency_p50_us, sink.emit_p50_us);
}

TEST(Times, are_not_taken_of_the_events_that_tell_of_gaps) {
  auto gate = std::make_shared<GateSink>();
  const auto log = quiet().write_to(gate, "gate").with_queue({.max_size = 4}).create_logger();
  log.information("first");
  gate->wait_inside();
  for (int i = 0; i < 100; ++i) log.information("{Number}", i);
  while (log.metrics().sinks[0].dropped_total() != 96) std::this_thread::yield();
  gate->open();
  ASSERT_EQ(log.flush().status, cairn::FlushStatus::ok);
  const SinkCounts sink = log.metrics().sinks[0];
  EXPECT_EQ(sink.self_events, 1U);
  EXPECT_EQ(sink.emitted, 5U) << "they evict nothing";
  EXPECT_EQ(sink.latency_count, 5U);
}

TEST(Gaps, are_announced_once_a_second_at_most) {
  auto gate = std::make_shared<GateSink>(true);
  const auto log = quiet().write_to(gate, "gate").with_queue({.max_size = 1, .batch_size = 1}).create_logger();
  const auto begun = std::chrono::steady_clock::now();
  while (gate->gaps().size() < 2) log.information("{Number}", 1);
  const auto seconds = (std::chrono::steady_clock::now() - begun) / 1s;
  EXPECT_LE(gate->gaps().size(), 1U + static_cast<std::size_t>(seconds));
  ASSERT_EQ(log.flush().status, cairn::FlushStatus::ok);
  const MetricsSnapshot now = log.metrics();
  expect_sums_hold(now);
  EXPECT_EQ(now.sinks[0].emitted, gate->kept().size());
  EXPECT_EQ(now.sinks[0].self_events, gate->gaps().size());
}

TEST(TopTalkersOfALogger, are_its_most_frequent_templates) {
  for (const bool queued : {true, false}) {
    auto config = quiet();
    auto sink =
        config.filter_by([](const cairn::Event& e) { return e.level() != cairn::Level::debug; }).write_to_null();
    if (queued) sink.with_queue({.overflow = cairn::Overflow::block});
    const auto log = config.create_logger();
    for (int i = 0; i < 300; ++i) {
      log.information("often {N}", i);
      if (i % 3 == 0) log.warning("seldom {N}", i);
      log.debug("filtered {N}", i);
    }
    log.information(cairn::dynamic_template("made {N} at run time"), 1);
    ASSERT_EQ(log.flush().status, cairn::FlushStatus::ok);
    const auto top = log.metrics().top_talkers;
    ASSERT_EQ(top.size(), 3U) << queued;
    EXPECT_EQ(top[0].text, "often {N}");
    EXPECT_EQ(top[0].event_id, cairn::event_id("often {N}"));
    EXPECT_EQ(top[0].count, 300U);
    EXPECT_EQ(top[1].text, "seldom {N}");
    EXPECT_EQ(top[1].count, 100U);
    EXPECT_EQ(top[2].text, "made {N} at run time");
    EXPECT_EQ(top[2].count, 1U);
  }
}

TEST(WithMetrics, false_switches_off_times_and_top_talkers_and_nothing_else) {
  const auto log = quiet().with_metrics(false).write_to_null().with_queue().create_logger();
  for (int i = 0; i < 10; ++i) log.information("{Number}", i);
  ASSERT_EQ(log.flush().status, cairn::FlushStatus::ok);
  const MetricsSnapshot now = log.metrics();
  expect_sums_hold(now);
  EXPECT_EQ(now.logger.captured, 10U);
  EXPECT_EQ(now.sinks[0].emitted, 10U);
  EXPECT_GT(now.sinks[0].high_water, 0U);
  EXPECT_EQ(now.sinks[0].latency_count, 0U);
  EXPECT_EQ(now.sinks[0].emit_count, 0U);
  EXPECT_TRUE(now.top_talkers.empty());
}

TEST(ResetMetrics, makes_a_baseline_at_which_accepted_is_pending) {
  auto gate = std::make_shared<GateSink>();
  const auto log = quiet().write_to(gate, "gate").with_queue({.max_size = 5}).create_logger();
  log.information("first");
  gate->wait_inside();
  for (int i = 0; i < 100; ++i) log.information("{Number}", i);
  while (log.metrics().sinks[0].dropped_total() != 95) std::this_thread::yield();
  log.reset_metrics();
  const MetricsSnapshot fresh = log.metrics();
  expect_sums_hold(fresh);
  EXPECT_EQ(fresh.logger.captured, 0U);
  EXPECT_EQ(fresh.sinks[0].accepted, 6U);
  EXPECT_EQ(fresh.sinks[0].pending, 6U);
  EXPECT_TRUE(fresh.sinks[0].dropped.empty());
  EXPECT_EQ(fresh.sinks[0].high_water, 5U);
  EXPECT_TRUE(fresh.top_talkers.empty());
  gate->open();
  ASSERT_EQ(log.flush().status, cairn::FlushStatus::ok);
  const MetricsSnapshot after = log.metrics();
  expect_sums_hold(after);
  EXPECT_EQ(after.sinks[0].emitted, 6U);
  EXPECT_EQ(after.sinks[0].pending, 0U);
  EXPECT_EQ(after.sinks[0].latency_count, 6U);
}

TEST(ResetMetrics, leaves_no_sampled_call_that_stands_for_those_before) {
  const auto log = quiet().write_to_null().create_logger();
  for (int i = 0; i < 5000; ++i) log.information("before");  // by now one in some hundreds is looked at
  for (int reset = 0; reset < 400; ++reset) {
    log.reset_metrics();
    for (int i = 0; i < 10; ++i) log.information("{Number}", i);
    const MetricsSnapshot now = log.metrics();
    ASSERT_EQ(now.sinks[0].emitted, 10U);
    ASSERT_EQ(now.sinks[0].latency_count, 10U);
    ASSERT_EQ(now.sinks[0].emit_count, 10U);
    ASSERT_EQ(now.top_talkers.size(), 1U);
    ASSERT_EQ(now.top_talkers[0].count, 10U);
  }
}

TEST(ResetMetrics, shows_an_error_of_the_same_moment_and_words_that_comes_after) {
  struct Down final : cairn::Sink {
    cairn::EmitResult emit(std::span<const cairn::Event>) override { throw std::runtime_error("down"); }
  };
  ManualClock clock;
  const auto log = quiet().use_clock(clock).write_to(std::make_shared<Down>(), "down").create_logger();
  log.information("before");
  log.reset_metrics();
  EXPECT_EQ(log.metrics().sinks[0].last_error, "");
  EXPECT_FALSE(log.metrics().sinks[0].last_error_time);
  log.information("after");
  EXPECT_EQ(log.metrics().sinks[0].last_error, "down");
  EXPECT_EQ(log.metrics().sinks[0].last_error_time, clock.now());
}

TEST(Texts, of_a_logger_say_the_same) {
  const auto log = quiet()
                       .write_to(std::make_shared<FickleSink>(), "fickle \"one\"")
                       .with_queue({.batch_size = 1})
                       .write_to_null()
                       .create_logger();
  for (int i = 0; i < 50; ++i) log.information("{Number} \"quoted\"", i);
  ASSERT_EQ(log.flush().status, cairn::FlushStatus::ok);
  const MetricsSnapshot now = log.metrics();
  EXPECT_TRUE(now.sinks[0].last_error_time);
  expect_both_texts_say_the_same(now);
}

TEST(PeriodicMetrics, are_logged_until_the_logger_closes) {
  auto sink = std::make_shared<GateSink>(true);
  sink->keep_messages = true;
  const auto log = quiet().periodic_metrics(1ms).write_to(sink, "all").with_queue().create_logger();
  log.information("one");
  const auto reports = [&] {
    std::vector<std::string> found;
    for (const auto& kept : sink->kept()) {
      if (kept.source == "Cairn.Metrics") found.push_back(kept.message);
    }
    return found;
  };
  while (reports().size() < 3) std::this_thread::yield();
  EXPECT_THAT(reports().back(), testing::HasSubstr("captured"));
  EXPECT_THAT(reports().back(), testing::HasSubstr("\"Name\":\"all\""));
  log.close();
  const MetricsSnapshot now = log.metrics();
  expect_sums_hold(now);
  EXPECT_EQ(now.logger.captured, reports().size() + 1) << "they are events like any other";
}

/// Told of slow sinks; waits for it.
struct Told {
  void operator()(const cairn::SlowSink& slow) {
    const std::lock_guard lock(mutex);
    EXPECT_EQ(slow.sink, "gate");
    latencies.push_back(slow.latency);
    thread = std::this_thread::get_id();
    changed.notify_all();
  }
  std::chrono::nanoseconds wait() {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return !latencies.empty(); });
    return latencies.front();
  }
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::chrono::nanoseconds> latencies;
  std::thread::id thread;
};

TEST(OnSlow, is_told_of_a_latency_over_the_limit_on_a_thread_of_its_own) {
  ManualClock clock;
  auto gate = std::make_shared<GateSink>();
  Told told;
  const auto log = quiet()
                       .use_clock(clock)
                       .with_metrics(false)
                       .write_to(gate, "gate")
                       .with_queue({.batch_size = 1, .on_slow = std::ref(told), .slow_after = 500ms})
                       .create_logger();
  const auto begun = std::chrono::steady_clock::now();
  for (int i = 0; i < 20; ++i) log.information("{Number}", i);
  gate->wait_inside();
  clock.time = 499ms;
  gate->open();
  ASSERT_EQ(log.flush().status, cairn::FlushStatus::ok);
  gate->shut();
  for (int i = 0; i < 20; ++i) log.information("{Number}", i);
  gate->wait_inside();
  clock.time = 1100ms;
  gate->open();
  EXPECT_GE(told.wait(), 500ms) << "and none of 499";
  ASSERT_EQ(log.flush().status, cairn::FlushStatus::ok);
  const std::lock_guard lock(told.mutex);
  EXPECT_NE(told.thread, std::this_thread::get_id());
  const auto seconds = (std::chrono::steady_clock::now() - begun) / 1s;
  EXPECT_LE(told.latencies.size(), 1U + static_cast<std::size_t>(seconds)) << "20 were slow; once a second at most";
}

TEST(OnSlow, is_told_of_a_sink_that_does_not_come_back_when_more_comes) {
  ManualClock clock;
  auto gate = std::make_shared<GateSink>();
  Told told;
  const auto log = quiet()
                       .use_clock(clock)
                       .write_to(gate, "gate")
                       .with_queue({.on_slow = std::ref(told), .slow_after = 2s})
                       .create_logger();
  log.information("hangs");
  gate->wait_inside();
  EXPECT_FALSE(log.metrics().sinks[0].stalled);
  clock.time = 3s;
  EXPECT_TRUE(log.metrics().sinks[0].stalled);
  log.information("more");
  EXPECT_EQ(told.wait(), 3s);
  gate->open();
  ASSERT_EQ(log.flush().status, cairn::FlushStatus::ok);
  EXPECT_FALSE(log.metrics().sinks[0].stalled);
}

TEST(Configured, refuses_times_that_make_no_sense) {
  const auto made =
      cairn::Configuration{}.periodic_metrics(0s).write_to_null().with_queue({.slow_after = -1ns}).try_create_logger();
  ASSERT_TRUE(std::holds_alternative<cairn::ConfigurationError>(made));
  EXPECT_THAT(std::get<cairn::ConfigurationError>(made).problems(),
              testing::UnorderedElementsAre(testing::HasSubstr("periodic_metrics: 0 ns"),
                                            testing::HasSubstr("slow_after: -1 ns")));
}

}  // namespace
