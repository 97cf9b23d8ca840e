// What holds of every snapshot: its sums, and that both of its texts say the same.
#pragma once

#include <gtest/gtest.h>

#include <cairn/metrics.hpp>
#include <cmath>
#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <sstream>
#include <string>

namespace cairn::testing {

inline void expect_sums_hold(const MetricsSnapshot& now) {
  EXPECT_EQ(now.logger.captured,
            now.logger.dispatched + now.logger.filtered + now.logger.dropped_total() + now.logger.in_lane);
  for (const SinkCounts& sink : now.sinks) {
    EXPECT_EQ(sink.accepted, sink.emitted + sink.diverted + sink.dropped_total() + sink.failed_total() + sink.pending)
        << sink.name;
  }
}

/// The samples of a page in Prometheus' text format: `name{label=value,…}`, labels by name and unescaped, to the text
/// of the value. Checks that each family is announced once, before its samples.
inline std::map<std::string, std::string> prometheus_samples(const std::string& page) {
  std::map<std::string, std::string> samples;
  std::set<std::string> helped;
  std::map<std::string, std::string> types;
  std::istringstream lines(page);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string mark;
    std::string what;
    std::string name;
    if (line.starts_with("# ")) {
      words >> mark >> what >> name;
      if (what == "HELP") {
        EXPECT_TRUE(helped.insert(name).second) << name;
      } else {
        EXPECT_EQ(what, "TYPE");
        std::string type;
        words >> type;
        EXPECT_TRUE(types.emplace(name, type).second) << name;
      }
      continue;
    }
    std::size_t at = line.find_first_of("{ ");
    name = line.substr(0, at);
    std::string family = name;
    for (const std::string_view ending : {"_sum", "_count"}) {
      if (name.ends_with(ending) && !types.contains(family)) family = name.substr(0, name.size() - ending.size());
    }
    EXPECT_TRUE(types.contains(family) && helped.contains(family)) << line;
    EXPECT_EQ(types[family] == "counter", name.ends_with("_total")) << line;
    std::map<std::string, std::string> labels;
    if (line[at] == '{') {
      for (++at; line[at] != '}';) {
        if (line[at] == ',') ++at;
        const std::size_t equals = line.find('=', at);
        const std::string label = line.substr(at, equals - at);
        std::string& value = labels[label];
        for (at = equals + 2; line[at] != '"'; ++at) {
          if (line[at] != '\\') {
            value += line[at];
          } else {
            ++at;
            value += line[at] == 'n' ? '\n' : line[at];
          }
        }
        ++at;
      }
      ++at;
    }
    std::string key = name + '{';
    for (const auto& [label, value] : labels) key += label + '=' + value + ',';
    EXPECT_TRUE(samples.emplace(key + '}', line.substr(at + 1)).second) << line;
  }
  return samples;
}

/// Every figure of the JSON is in the page with the same value, and the page has no other.
inline void expect_both_texts_say_the_same(const MetricsSnapshot& snapshot) {
  const auto json = nlohmann::json::parse(snapshot.to_json());
  auto samples = prometheus_samples(snapshot.to_prometheus());
  const auto take = [&](const std::string& key) -> std::optional<std::string> {
    const auto found = samples.find(key);
    if (found == samples.end()) {
      ADD_FAILURE() << "the page has no " << key;
      return std::nullopt;
    }
    std::string value = found->second;
    samples.erase(found);
    return value;
  };
  const auto expect_integer = [&](const std::string& key, const nlohmann::json& value) {
    const auto found = take(key);
    const std::string wanted = value.is_boolean() ? (value.get<bool>() ? "1" : "0") : value.dump();
    if (found) {
      EXPECT_EQ(*found, wanted) << key;
    }
  };
  const auto expect_number = [&](const std::string& key, double value) {
    const auto found = take(key);
    if (found) {
      EXPECT_NEAR(std::strtod(found->c_str(), nullptr), value, std::abs(value) * 1e-12) << key;
    }
  };
  const auto expect_time = [&](const std::string& key, Timestamp time) {
    const auto found = take(key);
    if (!found) return;
    const std::size_t point = found->find('.');
    const std::string fraction = point == std::string::npos ? "" : found->substr(point + 1);
    EXPECT_EQ(std::stoll(found->substr(0, point) + fraction + std::string(9 - fraction.size(), '0')),
              time.time_since_epoch().count())
        << key;
  };
  const std::map<std::string, std::string> other_names = {{"in_lane", "in_lane_events"},
                                                          {"pending", "pending_events"},
                                                          {"queue_depth", "queue_depth_events"},
                                                          {"high_water", "queue_high_water_events"},
                                                          {"memory_bytes", "queue_memory_bytes"},
                                                          {"bytes_written", "written_bytes_total"},
                                                          {"used_bytes", "used_bytes"},
                                                          {"peak_bytes", "peak_bytes"},
                                                          {"max_bytes", "max_bytes"},
                                                          {"queued", "queued"},
                                                          {"worker_alive", "worker_alive"},
                                                          {"stalled", "stalled"}};
  const auto figures = [&](const nlohmann::json& of, const std::string& prefix, const std::string& label,
                           const std::string& label_after_reason) {
    for (const auto& [key, value] : of.items()) {
      const auto other = other_names.find(key);
      const std::string name = prefix + (other != other_names.end() ? other->second : key + "_total");
      if (key == "breaker") continue;  // below
      if (key == "counters") {
        for (const auto& [counter, count] : value.items())
          expect_integer(prefix + "own_total{counter=" + counter + ',' + label_after_reason + '}', count);
      } else if (value.is_object()) {
        for (const auto& [reason, count] : value.items())
          expect_integer(name + "{reason=" + reason + ',' + label_after_reason + '}', count);
      } else if (value.is_number_integer() && !key.ends_with("_us") && !key.ends_with("_count") &&
                 key != "throughput") {
        expect_integer(name + '{' + label + '}', value);
      } else if (value.is_boolean()) {
        expect_integer(name + '{' + label + '}', value);
      }
    }
  };
  EXPECT_EQ(json.at("schema"), 1);
  expect_time("cairn_metrics_timestamp_seconds{}", snapshot.time);
  figures(json.at("logger"), "cairn_logger_", "", "");
  expect_integer("cairn_logger_crash_ring{state=" + json.at("logger").at("crash_ring").get<std::string>() + ",}", 1);
  figures(json.at("memory"), "cairn_memory_", "", "");
  ASSERT_EQ(json.at("sinks").size(), snapshot.sinks.size());
  for (std::size_t i = 0; i < snapshot.sinks.size(); ++i) {
    const auto& sink = json.at("sinks").at(i);
    const auto name = sink.at("name").get<std::string>();
    const std::string label = "sink=" + name + ',';
    figures(sink, "cairn_sink_", label, label);
    expect_number("cairn_sink_throughput_events_per_second{" + label + '}', sink.at("throughput"));
    for (const std::string kind : {"latency", "emit"}) {
      const std::string family = "cairn_sink_" + kind + "_seconds";
      const std::pair<const char*, const char*> quantiles[] = {
          {"p50", "0.5"}, {"p95", "0.95"}, {"p99", "0.99"}, {"p999", "0.999"}};
      for (const auto& [key, quantile] : quantiles) {
        expect_number(family + "{quantile=" + quantile + ',' + label + '}',
                      sink.at(kind + '_' + key + "_us").get<double>() / 1e6);
      }
      expect_number(family + "_sum{" + label + '}', sink.at(kind + "_sum_us").get<double>() / 1e6);
      expect_integer(family + "_count{" + label + '}', sink.at(kind + "_count"));
      expect_number("cairn_sink_" + kind + "_max_seconds{" + label + '}',
                    sink.at(kind + "_max_us").get<double>() / 1e6);
    }
    expect_integer("cairn_sink_breaker_state{" + label + "state=" + sink.at("breaker_state").get<std::string>() + ",}",
                   1);
    ASSERT_EQ(sink.contains("breaker"), snapshot.sinks[i].breaker.has_value());
    if (sink.contains("breaker")) {
      const auto& breaker = sink.at("breaker");
      for (const auto& [key, value] : breaker.items()) {
        if (value.is_number())
          expect_integer("cairn_sink_breaker_" + key + (key == "consecutive_failures" ? "{" : "_total{") + label + '}',
                         value);
      }
      for (const auto& [cause, count] : breaker.at("transitions").items())
        expect_integer("cairn_sink_breaker_transitions_total{cause=" + cause + ',' + label + '}', count);
      const std::pair<std::string, std::optional<Timestamp>> times[] = {
          {"last_failure", snapshot.sinks[i].breaker->last_failure},
          {"last_transition", snapshot.sinks[i].breaker->last_transition}};
      for (const auto& [key, time] : times) {
        EXPECT_EQ(breaker.at(key + "_time").is_null(), !time);
        if (time) expect_time("cairn_sink_breaker_" + key + "_timestamp_seconds{" + label + '}', *time);
      }
    }
    if (sink.at("last_error").is_null()) continue;
    expect_integer("cairn_sink_last_error_info{message=" + sink.at("last_error").get<std::string>() + ',' + label + '}',
                   1);
    expect_time("cairn_sink_last_error_timestamp_seconds{" + label + '}', *snapshot.sinks[i].last_error_time);
  }
  for (const auto& talker : json.at("top_talkers")) {
    const std::string labels = "{event_id=" + talker.at("event_id").get<std::string>() +
                               ",template=" + talker.at("template").get<std::string>() + ",}";
    expect_integer("cairn_template_events" + labels, talker.at("count"));
    expect_integer("cairn_template_events_error" + labels, talker.at("error"));
  }
  for (const auto& [key, value] : samples) ADD_FAILURE() << "the JSON has no " << key << ' ' << value;
}

}  // namespace cairn::testing
