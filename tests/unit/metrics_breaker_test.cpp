// What a breaker counts, in both texts of a snapshot.
#include <gtest/gtest.h>

#include <cairn/metrics.hpp>
#include <nlohmann/json.hpp>

#include "support/metrics_support.hpp"

namespace {

using cairn::CircuitCause;
using cairn::MetricsSnapshot;

MetricsSnapshot two_sinks() {
  cairn::Metrics metrics;
  (void)metrics.sink("plain");
  (void)metrics.sink("guarded");
  MetricsSnapshot snapshot = metrics.snapshot();
  snapshot.sinks[1].breaker_state = "open";
  cairn::CircuitBreakerStats& breaker = snapshot.sinks[1].breaker.emplace();
  breaker.state = cairn::CircuitState::open;
  breaker.consecutive_failures = 1;
  breaker.successes = 2;
  breaker.failures = 3;
  breaker.slow = 4;
  breaker.refused = 5;
  breaker.cancelled = 6;
  breaker.late = 7;
  breaker.opened = 8;
  breaker.listener_errors = 9;
  breaker.transitions = 30;
  breaker.by_cause[static_cast<std::size_t>(CircuitCause::failures)] = 10;
  breaker.by_cause[static_cast<std::size_t>(CircuitCause::timed_out)] = 20;
  breaker.last_transition = snapshot.time - std::chrono::seconds(1);
  return snapshot;
}

TEST(MetricsOfABreaker, are_in_the_json_of_its_sink_alone) {
  const auto sinks = nlohmann::json::parse(two_sinks().to_json()).at("sinks");
  EXPECT_FALSE(sinks[0].contains("breaker"));
  auto breaker = sinks[1].at("breaker");
  EXPECT_EQ(breaker.at("last_transition_time").get<std::string>().size(),
            std::string("2026-01-31T17:05:11.123456789Z").size());
  breaker.erase("last_transition_time");
  EXPECT_EQ(breaker, nlohmann::json::parse(R"({"consecutive_failures": 1, "successes": 2, "failures": 3, "slow": 4,
    "refused": 5, "cancelled": 6, "late": 7, "opened": 8, "listener_errors": 9,
    "transitions": {"failures": 10, "timed_out": 20}, "last_failure_time": null})"));
}

TEST(MetricsOfABreaker, are_the_same_in_the_page_and_no_other) {
  const MetricsSnapshot snapshot = two_sinks();
  cairn::testing::expect_both_texts_say_the_same(snapshot);
  const auto samples = cairn::testing::prometheus_samples(snapshot.to_prometheus());
  EXPECT_EQ(samples.at("cairn_sink_breaker_late_total{sink=guarded,}"), "7");
  EXPECT_FALSE(samples.contains("cairn_sink_breaker_late_total{sink=plain,}"));
  EXPECT_EQ(samples.at("cairn_sink_breaker_transitions_total{cause=timed_out,sink=guarded,}"), "20");
}

}  // namespace
