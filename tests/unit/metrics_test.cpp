// Metrics on its own: the sums, a reset, the two texts. What a logger counts is in integration/metrics_test.cpp.
#include <gtest/gtest.h>

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cairn/metrics.hpp>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "support/metrics_support.hpp"

namespace {

using cairn::Metrics;
using cairn::MetricsSnapshot;
using cairn::SinkCounts;
using cairn::testing::expect_both_texts_say_the_same;
using cairn::testing::expect_sums_hold;
using namespace std::chrono_literals;

struct ManualClock final : cairn::Clock {
  cairn::Timestamp now() noexcept override { return cairn::Timestamp(1'769'879'109'123'456'789ns + time); }
  std::chrono::nanoseconds steady() noexcept override { return time; }
  std::chrono::nanoseconds time{};
};

/// One of everything.
MetricsSnapshot full_snapshot() {
  ManualClock clock;
  Metrics metrics(clock);
  metrics.capture(10);
  metrics.dispatch(5);
  metrics.filter(2);
  metrics.drop("lane_overrun", 1);
  metrics.reject("after_shutdown", 4);
  auto& sink = metrics.sink("file:C:\\logs\n\"app\" \xC3\xA9\xFF.clef");
  sink.accept(9);
  sink.emit(3, 12'345);
  sink.divert(1);
  sink.drop("queue_full", 2);
  sink.fail("sink_threw", 1, "disk \"/\" on\nfire");
  sink.count("reconnects \"now\"", 3);
  sink.count("idle\nrounds", 0);
  sink.queue(2, 256);
  for (int i = 1; i <= 1000; ++i) sink.record_latency(std::chrono::microseconds(i));
  sink.record_emit(1'234'567ns);
  (void)metrics.sink("idle");
  metrics.talk("User {User} said \"hello\"", 7);
  metrics.talk("Line\nbreak {N}", 3);
  clock.time += 2s;
  MetricsSnapshot snapshot = metrics.snapshot();
  snapshot.sinks[0].breaker_state = "half_open";
  snapshot.logger.truncated = (1ULL << 53) + 1;
  snapshot.logger.stalled = true;
  snapshot.memory = {.used_bytes = 1001, .peak_bytes = 2002, .max_bytes = 3003, .exceeded = 4};
  return snapshot;
}

TEST(Metrics, hold_both_sums_in_every_snapshot_while_threads_record) {
  Metrics metrics;
  std::atomic<bool> done{false};
  std::vector<std::thread> recorders;
  for (int thread = 0; thread < 3; ++thread) {
    recorders.emplace_back([&, thread] {
      auto& sink = metrics.sink(thread == 2 ? "b" : "a");
      for (int i = 0; i < 20'000; ++i) {
        metrics.capture();
        i % 10 == 0 ? metrics.filter() : metrics.dispatch();
        sink.accept();
        switch (i % 4) {
          case 0: sink.emit(1, 10); break;
          case 1: sink.divert(); break;
          case 2: sink.drop("queue_full"); break;
          default: sink.fail("io_error");
        }
      }
    });
  }
  std::thread watcher([&] {
    while (!done) expect_sums_hold(metrics.snapshot());
  });
  for (std::thread& recorder : recorders) recorder.join();
  done = true;
  watcher.join();
  const MetricsSnapshot last = metrics.snapshot();
  expect_sums_hold(last);
  EXPECT_EQ(last.logger.captured, 60'000U);
  EXPECT_EQ(last.logger.filtered, 6'000U);
  EXPECT_EQ(last.sink("a")->accepted, 40'000U);
  EXPECT_EQ(last.sink("a")->emitted, 10'000U);
  EXPECT_EQ(last.sink("a")->dropped.at("queue_full"), 10'000U);
  EXPECT_EQ(last.sink("b")->failed.at("io_error"), 5'000U);
  EXPECT_EQ(last.sink("b")->pending, 0U);
}

TEST(Metrics, count_what_is_pending_on_its_own) {
  Metrics metrics;
  metrics.sink("a").accept(5);
  metrics.sink("a").emit(2);
  metrics.capture(3);
  EXPECT_EQ(metrics.snapshot().sink("a")->pending, 3U);
  EXPECT_EQ(metrics.snapshot().logger.in_lane, 3U);
  EXPECT_EQ(metrics.snapshot().sink("no such"), nullptr);
}

TEST(Metrics, after_a_reset_accepted_is_what_is_pending_and_all_else_is_zero) {
  ManualClock clock;
  Metrics metrics(clock);
  auto& sink = metrics.sink("a");
  metrics.capture(10);
  metrics.dispatch(6);
  metrics.drop("oom");
  metrics.reject("reentrant");
  sink.accept(6);
  sink.emit(2, 100);
  sink.fail("io_error", 1, "no");
  sink.queue(4, 400);
  sink.queue(3, 300);
  sink.record_latency(1ms);
  metrics.talk("template");
  clock.time += 5s;
  metrics.reset();
  const MetricsSnapshot now = metrics.snapshot();
  expect_sums_hold(now);
  EXPECT_EQ(now.logger.captured, 3U);
  EXPECT_EQ(now.logger.in_lane, 3U);
  EXPECT_EQ(now.logger.dispatched, 0U);
  EXPECT_TRUE(now.logger.dropped.empty());
  EXPECT_TRUE(now.logger.rejected.empty());
  EXPECT_EQ(now.sinks[0].accepted, 3U);
  EXPECT_EQ(now.sinks[0].pending, 3U);
  EXPECT_EQ(now.sinks[0].emitted, 0U);
  EXPECT_EQ(now.sinks[0].bytes_written, 0U);
  EXPECT_EQ(now.sinks[0].latency_count, 0U);
  EXPECT_EQ(now.sinks[0].high_water, 3U) << "what is there now";
  EXPECT_TRUE(now.sinks[0].failed.empty());
  EXPECT_TRUE(now.sinks[0].last_error.empty());
  EXPECT_FALSE(now.sinks[0].last_error_time);
  EXPECT_TRUE(now.top_talkers.empty());

  sink.emit(1, 7);
  sink.fail("io_error", 2, "again");
  clock.time += 2s;
  const MetricsSnapshot later = metrics.snapshot();
  expect_sums_hold(later);
  EXPECT_EQ(later.sinks[0].emitted, 1U);
  EXPECT_EQ(later.sinks[0].bytes_written, 7U);
  EXPECT_EQ(later.sinks[0].failed.at("io_error"), 2U);
  EXPECT_EQ(later.sinks[0].pending, 0U);
  EXPECT_EQ(later.sinks[0].last_error, "again");
  EXPECT_DOUBLE_EQ(later.sinks[0].throughput, 0.5);
}

TEST(Metrics, show_an_error_after_a_reset_though_the_clock_stands_still) {
  ManualClock clock;
  cairn::Metrics metrics(clock);
  auto& sink = metrics.sink("app");
  sink.accept(2);
  sink.fail("io_error", 1, "down");
  metrics.reset();
  EXPECT_EQ(metrics.snapshot().sinks[0].last_error, "");
  sink.fail("io_error", 1, "down");
  EXPECT_EQ(metrics.snapshot().sinks[0].last_error, "down");
}

TEST(Metrics, throughput_is_since_the_snapshot_before_over_a_second_at_least) {
  ManualClock clock;
  Metrics metrics(clock);
  auto& sink = metrics.sink("a");
  sink.accept(1000);
  EXPECT_DOUBLE_EQ(metrics.snapshot().sinks[0].throughput, 0) << "no time has passed";
  sink.emit(100);
  clock.time += 4s;
  EXPECT_DOUBLE_EQ(metrics.snapshot().sinks[0].throughput, 25);
  sink.emit(300);
  clock.time += 500ms;
  EXPECT_DOUBLE_EQ(metrics.snapshot().sinks[0].throughput, 400 / 4.5) << "half a second says too little";
  clock.time += 500ms;
  EXPECT_DOUBLE_EQ(metrics.snapshot().sinks[0].throughput, 300);
}

TEST(Metrics, a_latency_is_shown_by_its_percentiles) {
  const MetricsSnapshot snapshot = full_snapshot();
  const SinkCounts& sink = snapshot.sinks[0];
  EXPECT_EQ(sink.latency_count, 1000U);
  EXPECT_NEAR(sink.latency_p50_us, 500, 500 / 128.0);
  EXPECT_NEAR(sink.latency_p95_us, 950, 950 / 128.0);
  EXPECT_NEAR(sink.latency_p99_us, 990, 990 / 128.0);
  EXPECT_NEAR(sink.latency_p999_us, 999, 999 / 128.0);
  EXPECT_DOUBLE_EQ(sink.latency_max_us, 1000);
  EXPECT_DOUBLE_EQ(sink.latency_sum_us, 500'500);
  EXPECT_EQ(sink.emit_count, 1U);
  EXPECT_DOUBLE_EQ(sink.emit_max_us, 1234.567);
}

TEST(MetricsJson, has_every_key_of_the_schema_whatever_was_counted) {
  const auto shape_of = [](const MetricsSnapshot& snapshot) {
    const auto json = nlohmann::json::parse(snapshot.to_json());
    std::vector<std::string> keys;
    for (const auto& [key, value] : json.items()) keys.push_back(key);
    for (const auto& [key, value] : json.at("logger").items()) keys.push_back("logger." + key);
    for (const auto& [key, value] : json.at("memory").items()) keys.push_back("memory." + key);
    for (const auto& [key, value] : json.at("sinks").at(0).items()) keys.push_back("sink." + key);
    return keys;
  };
  Metrics empty;
  (void)empty.sink("idle");
  EXPECT_EQ(shape_of(empty.snapshot()), shape_of(full_snapshot()));
  EXPECT_EQ(shape_of(empty.snapshot()), (std::vector<std::string>{"logger",
                                                                  "memory",
                                                                  "schema",
                                                                  "sinks",
                                                                  "time",
                                                                  "top_talkers",
                                                                  "logger.captured",
                                                                  "logger.context_cut",
                                                                  "logger.crash_ring",
                                                                  "logger.dispatched",
                                                                  "logger.dropped",
                                                                  "logger.duplicate_properties",
                                                                  "logger.enricher_errors",
                                                                  "logger.filter_errors",
                                                                  "logger.filtered",
                                                                  "logger.ignored_formats",
                                                                  "logger.in_lane",
                                                                  "logger.mismatched_arguments",
                                                                  "logger.recovered",
                                                                  "logger.rejected",
                                                                  "logger.ring_left_out",
                                                                  "logger.ring_overwritten",
                                                                  "logger.stalled",
                                                                  "logger.truncated",
                                                                  "memory.exceeded",
                                                                  "memory.max_bytes",
                                                                  "memory.peak_bytes",
                                                                  "memory.used_bytes",
                                                                  "sink.accepted",
                                                                  "sink.breaker_state",
                                                                  "sink.bytes_written",
                                                                  "sink.counters",
                                                                  "sink.diverted",
                                                                  "sink.dropped",
                                                                  "sink.emit_count",
                                                                  "sink.emit_max_us",
                                                                  "sink.emit_p50_us",
                                                                  "sink.emit_p95_us",
                                                                  "sink.emit_p999_us",
                                                                  "sink.emit_p99_us",
                                                                  "sink.emit_sum_us",
                                                                  "sink.emitted",
                                                                  "sink.failed",
                                                                  "sink.high_water",
                                                                  "sink.last_error",
                                                                  "sink.last_error_time",
                                                                  "sink.latency_count",
                                                                  "sink.latency_max_us",
                                                                  "sink.latency_p50_us",
                                                                  "sink.latency_p95_us",
                                                                  "sink.latency_p999_us",
                                                                  "sink.latency_p99_us",
                                                                  "sink.latency_sum_us",
                                                                  "sink.memory_bytes",
                                                                  "sink.name",
                                                                  "sink.pending",
                                                                  "sink.queue_depth",
                                                                  "sink.queued",
                                                                  "sink.self_events",
                                                                  "sink.stalled",
                                                                  "sink.throughput",
                                                                  "sink.worker_alive",
                                                                  "sink.worker_restarts"}))
      << "the schema is stable: docs/metrics.md";
}

TEST(MetricsJson, says_what_was_counted) {
  const auto json = nlohmann::json::parse(full_snapshot().to_json());
  EXPECT_EQ(json["schema"], 1);
  EXPECT_EQ(json["time"], "2026-01-31T17:05:11.123456789Z");
  EXPECT_EQ(json["logger"]["captured"], 10);
  EXPECT_EQ(json["logger"]["dropped"]["lane_overrun"], 1);
  EXPECT_EQ(json["logger"]["rejected"]["after_shutdown"], 4);
  EXPECT_EQ(json["logger"]["truncated"].get<std::uint64_t>(), (1ULL << 53) + 1);
  EXPECT_EQ(json["memory"]["used_bytes"], 1001);
  EXPECT_EQ(json["memory"]["peak_bytes"], 2002);
  EXPECT_EQ(json["memory"]["max_bytes"], 3003);
  EXPECT_EQ(json["memory"]["exceeded"], 4);
  const auto& sink = json["sinks"][0];
  EXPECT_EQ(sink["name"], "file:C:\\logs\n\"app\" \xC3\xA9\xEF\xBF\xBD.clef");
  EXPECT_EQ(sink["pending"], 2);
  EXPECT_EQ(sink["dropped"]["queue_full"], 2);
  EXPECT_EQ(sink["failed"]["sink_threw"], 1);
  EXPECT_EQ(sink["counters"]["reconnects \"now\""], 3);
  EXPECT_EQ(sink["counters"]["idle\nrounds"], 0);
  EXPECT_TRUE(json["sinks"][1]["counters"].empty());
  EXPECT_EQ(sink["latency_max_us"], 1000);
  EXPECT_EQ(sink["emit_max_us"], 1234.567);
  EXPECT_EQ(sink["breaker_state"], "half_open");
  EXPECT_EQ(sink["last_error"], "disk \"/\" on\nfire");
  EXPECT_EQ(sink["last_error_time"], "2026-01-31T17:05:09.123456789Z");
  EXPECT_EQ(sink["throughput"], 1.5);
  EXPECT_TRUE(json["sinks"][1]["last_error"].is_null());
  EXPECT_EQ(json["top_talkers"][0]["count"], 7);
  EXPECT_EQ(json["top_talkers"][0]["template"], "User {User} said \"hello\"");
  EXPECT_EQ(json["top_talkers"][0]["event_id"].get<std::string>().size(), 8U);
}

TEST(MetricsPrometheus, has_every_metric_of_the_json_with_the_same_value_and_no_other) {
  expect_both_texts_say_the_same(full_snapshot());
  expect_both_texts_say_the_same(MetricsSnapshot());
}

TEST(MetricsPrometheus, passes_promtool) {
  if (std::system("command -v promtool >/dev/null 2>&1") != 0) GTEST_SKIP() << "no promtool: apt install prometheus";
  const std::string path = ::testing::TempDir() + "cairn_metrics_" + std::to_string(::getpid()) + ".prom";
  const auto check = [&](const std::string& page) {
    std::ofstream(path) << page;
    std::string said;
    FILE* pipe = ::popen(("promtool check metrics <" + path + " 2>&1").c_str(), "r");
    for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe)) said += static_cast<char>(c);
    const int status = ::pclose(pipe);
    std::remove(path.c_str());
    return std::to_string(WEXITSTATUS(status)) + said;
  };
  EXPECT_EQ(check(full_snapshot().to_prometheus()), "0");
  EXPECT_EQ(check(MetricsSnapshot().to_prometheus()), "0");
  EXPECT_NE(check("cairn_no_help_total 1\n"), "0") << "it does look";
}

}  // namespace
