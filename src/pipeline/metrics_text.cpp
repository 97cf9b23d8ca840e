// A snapshot as JSON and as Prometheus reads it. One table says what there is, so that both have the same.
#include <algorithm>
#include <charconv>
#include <cmath>

#include "cairn/detail/template_parser.hpp"
#include "cairn/metrics.hpp"
#include "cairn/output_buffer.hpp"
#include "text/text_escape.hpp"
#include "text/time_format.hpp"

namespace cairn {

namespace {

/// A figure of a logger or a sink: its key in JSON, its name in Prometheus, what kind it is there and what it means.
template <class Of, class T>
struct Figure {
  std::string_view key;
  std::string_view name;
  std::string_view type;
  std::string_view help;
  T Of::*member;
};

using Reasons = std::map<std::string, std::uint64_t>;

constexpr Figure<LoggerCounts, std::uint64_t> logger_numbers[] = {
    {"captured", "cairn_logger_captured_total", "counter", "Events whose record was made.", &LoggerCounts::captured},
    {"dispatched", "cairn_logger_dispatched_total", "counter", "Events that went to the sinks.",
     &LoggerCounts::dispatched},
    {"filtered", "cairn_logger_filtered_total", "counter", "Events stopped by a filter.", &LoggerCounts::filtered},
    {"in_lane", "cairn_logger_in_lane_events", "gauge", "Events on their way to the sinks.", &LoggerCounts::in_lane},
    {"truncated", "cairn_logger_truncated_total", "counter", "Events in which something was cut.",
     &LoggerCounts::truncated},
    {"duplicate_properties", "cairn_logger_duplicate_properties_total", "counter",
     "Properties whose name a more specific one had.", &LoggerCounts::duplicate_properties},
    {"enricher_errors", "cairn_logger_enricher_errors_total", "counter", "Enrichers that threw.",
     &LoggerCounts::enricher_errors},
    {"filter_errors", "cairn_logger_filter_errors_total", "counter", "Filters that threw.",
     &LoggerCounts::filter_errors},
    {"ignored_formats", "cairn_logger_ignored_formats_total", "counter",
     "Formats of dynamic templates that the value did not take.", &LoggerCounts::ignored_formats},
    {"mismatched_arguments", "cairn_logger_mismatched_arguments_total", "counter",
     "Holes without arguments and arguments without holes, of dynamic templates.", &LoggerCounts::mismatched_arguments},
    {"context_cut", "cairn_logger_context_cut_total", "counter",
     "Pushes over the limits of the context, in the whole process.", &LoggerCounts::context_cut},
    {"recovered", "cairn_logger_recovered_total", "counter", "Events that a dead process left in its crash rings.",
     &LoggerCounts::recovered},
    {"ring_overwritten", "cairn_logger_ring_overwritten_total", "counter",
     "Events whose place in the crash ring was needed before they were delivered.", &LoggerCounts::ring_overwritten},
    {"ring_left_out", "cairn_logger_ring_left_out_total", "counter", "Events that the crash ring had no room for.",
     &LoggerCounts::ring_left_out},
};
constexpr Figure<LoggerCounts, Reasons> logger_reasons[] = {
    {"dropped", "cairn_logger_dropped_total", "counter", "Events captured and lost before the sinks.",
     &LoggerCounts::dropped},
    {"rejected", "cairn_logger_rejected_total", "counter", "Events that were never captured.", &LoggerCounts::rejected},
};
constexpr Figure<LoggerCounts, bool> logger_flags[] = {
    {"stalled", "cairn_logger_stalled", "gauge", "Whether an enricher or filter has hung.", &LoggerCounts::stalled},
};

constexpr Figure<MemoryCounts, std::uint64_t> memory_numbers[] = {
    {"used_bytes", "cairn_memory_used_bytes", "gauge",
     "What lanes, batches and large events take, in the whole process.", &MemoryCounts::used_bytes},
    {"peak_bytes", "cairn_memory_peak_bytes", "gauge", "The most that was used since the budget was last set.",
     &MemoryCounts::peak_bytes},
    {"max_bytes", "cairn_memory_max_bytes", "gauge", "The budget of the process; 0 where there is none.",
     &MemoryCounts::max_bytes},
    {"exceeded", "cairn_memory_exceeded_total", "counter", "How often something did not fit into the budget at first.",
     &MemoryCounts::exceeded},
};

constexpr Figure<SinkCounts, std::uint64_t> sink_numbers[] = {
    {"accepted", "cairn_sink_accepted_total", "counter", "Events that passed the level and the filter of the sink.",
     &SinkCounts::accepted},
    {"emitted", "cairn_sink_emitted_total", "counter", "Events delivered.", &SinkCounts::emitted},
    {"diverted", "cairn_sink_diverted_total", "counter", "Events handed to the fallback.", &SinkCounts::diverted},
    {"pending", "cairn_sink_pending_events", "gauge", "Events in the queue or with the sink.", &SinkCounts::pending},
    {"bytes_written", "cairn_sink_written_bytes_total", "counter", "Bytes written.", &SinkCounts::bytes_written},
    {"self_events", "cairn_sink_self_events_total", "counter", "Events that tell of a gap in this output.",
     &SinkCounts::self_events},
    {"queue_depth", "cairn_sink_queue_depth_events", "gauge", "Events in the queue.", &SinkCounts::queue_depth},
    {"high_water", "cairn_sink_queue_high_water_events", "gauge", "The most events there ever were in the queue.",
     &SinkCounts::high_water},
    {"memory_bytes", "cairn_sink_queue_memory_bytes", "gauge", "What the events in the queue take.",
     &SinkCounts::memory_bytes},
    {"worker_restarts", "cairn_sink_worker_restarts_total", "counter", "Threads that the sink ended.",
     &SinkCounts::worker_restarts},
};
constexpr Figure<SinkCounts, Reasons> sink_reasons[] = {
    {"dropped", "cairn_sink_dropped_total", "counter", "Events lost before the sink.", &SinkCounts::dropped},
    {"failed", "cairn_sink_failed_total", "counter", "Events the sink failed on.", &SinkCounts::failed},
};
constexpr Figure<SinkCounts, bool> sink_flags[] = {
    {"queued", "cairn_sink_queued", "gauge", "Whether the sink has a queue.", &SinkCounts::queued},
    {"worker_alive", "cairn_sink_worker_alive", "gauge", "Whether the sink has a thread.", &SinkCounts::worker_alive},
    {"stalled", "cairn_sink_stalled", "gauge", "Whether the sink has been busy with one batch for too long.",
     &SinkCounts::stalled},
};

constexpr Figure<CircuitBreakerStats, std::uint64_t> breaker_numbers[] = {
    {"consecutive_failures", "cairn_sink_breaker_consecutive_failures", "gauge",
     "Attempts in a row that failed, while the breaker is closed.", &CircuitBreakerStats::consecutive_failures},
    {"successes", "cairn_sink_breaker_successes_total", "counter", "Attempts that went well.",
     &CircuitBreakerStats::successes},
    {"failures", "cairn_sink_breaker_failures_total", "counter", "Attempts that failed.",
     &CircuitBreakerStats::failures},
    {"slow", "cairn_sink_breaker_slow_total", "counter", "Attempts that failed by being slow.",
     &CircuitBreakerStats::slow},
    {"refused", "cairn_sink_breaker_refused_total", "counter", "Attempts that were not made.",
     &CircuitBreakerStats::refused},
    {"cancelled", "cairn_sink_breaker_cancelled_total", "counter", "Attempts that say nothing.",
     &CircuitBreakerStats::cancelled},
    {"late", "cairn_sink_breaker_late_total", "counter", "Attempts whose result came after a change.",
     &CircuitBreakerStats::late},
    {"opened", "cairn_sink_breaker_opened_total", "counter", "Times the breaker opened by itself.",
     &CircuitBreakerStats::opened},
    {"listener_errors", "cairn_sink_breaker_listener_errors_total", "counter", "Listeners that threw.",
     &CircuitBreakerStats::listener_errors},
};
constexpr std::string_view transitions_help = "Changes of the breaker's state, by what caused them.";
constexpr Figure<CircuitBreakerStats, std::optional<Timestamp>> breaker_times[] = {
    {"last_failure_time", "cairn_sink_breaker_last_failure_timestamp_seconds", "gauge", "When an attempt failed last.",
     &CircuitBreakerStats::last_failure},
    {"last_transition_time", "cairn_sink_breaker_last_transition_timestamp_seconds", "gauge",
     "When the breaker changed its state last.", &CircuitBreakerStats::last_transition},
};

/// The times of one kind: in JSON `<key>_p50_us` and so on, in Prometheus a summary.
struct Times {
  std::string_view key;
  std::string_view name;
  std::string_view max_name;
  std::string_view help;
  std::uint64_t SinkCounts::*count;
  double SinkCounts::*sum;
  double SinkCounts::*percentiles[4];
  double SinkCounts::*max;
};
constexpr std::string_view percentile_keys[] = {"_p50_us", "_p95_us", "_p99_us", "_p999_us"};
constexpr std::string_view quantiles[] = {"0.5", "0.95", "0.99", "0.999"};
constexpr Times sink_times[] = {
    {"latency",
     "cairn_sink_latency_seconds",
     "cairn_sink_latency_max_seconds",
     "From the log call to the end of the delivery",
     &SinkCounts::latency_count,
     &SinkCounts::latency_sum_us,
     {&SinkCounts::latency_p50_us, &SinkCounts::latency_p95_us, &SinkCounts::latency_p99_us,
      &SinkCounts::latency_p999_us},
     &SinkCounts::latency_max_us},
    {"emit",
     "cairn_sink_emit_seconds",
     "cairn_sink_emit_max_seconds",
     "One call of the sink",
     &SinkCounts::emit_count,
     &SinkCounts::emit_sum_us,
     {&SinkCounts::emit_p50_us, &SinkCounts::emit_p95_us, &SinkCounts::emit_p99_us, &SinkCounts::emit_p999_us},
     &SinkCounts::emit_max_us},
};

/// Nanoseconds as a decimal fraction of a unit of 10^`decimals` of them: the same digits whatever the unit is.
void append_fraction(OutputBuffer& out, std::uint64_t nanoseconds, unsigned decimals) {
  std::uint64_t unit = 1;
  for (unsigned i = 0; i < decimals; ++i) unit *= 10;
  out.append_number(nanoseconds / unit);
  std::uint64_t rest = nanoseconds % unit;
  if (rest == 0) return;
  out.append('.');
  while (rest != 0) {
    unit /= 10;
    out.append(static_cast<char>('0' + rest / unit));
    rest %= unit;
  }
}
std::uint64_t nanoseconds_of(double microseconds) {
  return microseconds > 0 ? static_cast<std::uint64_t>(std::llround(std::min(microseconds, 9e15) * 1000)) : 0;
}

/// The shortest digits that are that number; both formats read them alike.
void append_double(OutputBuffer& out, double value) {
  char digits[32];
  const auto end = std::to_chars(std::begin(digits), std::end(digits), std::isfinite(value) ? value : 0.0).ptr;
  out.append({digits, static_cast<std::size_t>(end - digits)});
}

std::string event_id_text(std::uint32_t id) {  // as in CLEF
  constexpr char hex[] = "0123456789abcdef";
  std::string text(8, '0');
  for (std::size_t i = 0; i < 8; ++i) text[i] = hex[id >> (28 - 4 * i) & 15U];
  return text;
}

// ---- JSON

class JsonObject {
 public:
  explicit JsonObject(OutputBuffer& out) : out_(out) { out_.append('{'); }
  JsonObject(const JsonObject&) = delete;
  JsonObject& operator=(const JsonObject&) = delete;
  ~JsonObject() = default;
  void end() { out_.append('}'); }

  OutputBuffer& key(std::string_view name, std::string_view ending = {}) {
    if (!first_) out_.append(',');
    first_ = false;
    out_.append('"');
    out_.append(name);
    out_.append(ending);
    out_.append("\":");
    return out_;
  }
  void text(std::string_view name, std::string_view value) { format::append_json_string(key(name), value); }
  void number(std::string_view name, std::uint64_t value) { key(name).append_number(value); }
  void flag(std::string_view name, bool value) { key(name).append(value ? "true" : "false"); }
  void time(std::string_view name, Timestamp value) {
    key(name).append('"');
    format::append_iso_utc(out_, value, 9);
    out_.append('"');
  }
  void reasons(std::string_view name, const Reasons& counts) {
    key(name).append('{');
    const char* between = "";
    for (const auto& [reason, count] : counts) {
      out_.append(between);
      format::append_json_string(out_, reason);
      out_.append(':');
      out_.append_number(count);
      between = ",";
    }
    out_.append('}');
  }

 private:
  OutputBuffer& out_;
  bool first_ = true;
};

void append_logger(OutputBuffer& out, const LoggerCounts& logger) {
  JsonObject object(out);
  for (const auto& figure : logger_numbers) object.number(figure.key, logger.*figure.member);
  for (const auto& figure : logger_reasons) object.reasons(figure.key, logger.*figure.member);
  object.text("crash_ring", logger.crash_ring);
  for (const auto& figure : logger_flags) object.flag(figure.key, logger.*figure.member);
  object.end();
}

void append_memory(OutputBuffer& out, const MemoryCounts& memory) {
  JsonObject object(out);
  for (const auto& figure : memory_numbers) object.number(figure.key, memory.*figure.member);
  object.end();
}

Reasons transitions_of(const CircuitBreakerStats& breaker) {
  Reasons by_cause;
  for (std::size_t i = 0; i < circuit_causes; ++i) {
    if (breaker.by_cause[i] != 0) by_cause.emplace(to_string(static_cast<CircuitCause>(i)), breaker.by_cause[i]);
  }
  return by_cause;
}

void append_breaker(OutputBuffer& out, const CircuitBreakerStats& breaker) {
  JsonObject object(out);
  for (const auto& figure : breaker_numbers) object.number(figure.key, breaker.*figure.member);
  object.reasons("transitions", transitions_of(breaker));
  for (const auto& figure : breaker_times) {
    if (const auto& time = breaker.*figure.member) {
      object.time(figure.key, *time);
    } else {
      object.key(figure.key).append("null");
    }
  }
  object.end();
}

void append_sink(OutputBuffer& out, const SinkCounts& sink) {
  JsonObject object(out);
  object.text("name", sink.name);
  for (const auto& figure : sink_numbers) object.number(figure.key, sink.*figure.member);
  for (const auto& figure : sink_reasons) object.reasons(figure.key, sink.*figure.member);
  object.reasons("counters", sink.counters);
  append_double(object.key("throughput"), sink.throughput);
  for (const Times& times : sink_times) {
    object.key(times.key, "_count").append_number(sink.*times.count);
    append_fraction(object.key(times.key, "_sum_us"), nanoseconds_of(sink.*times.sum), 3);
    for (std::size_t i = 0; i < std::size(quantiles); ++i)
      append_fraction(object.key(times.key, percentile_keys[i]), nanoseconds_of(sink.*times.percentiles[i]), 3);
    append_fraction(object.key(times.key, "_max_us"), nanoseconds_of(sink.*times.max), 3);
  }
  object.text("breaker_state", sink.breaker_state);
  if (sink.breaker) append_breaker(object.key("breaker"), *sink.breaker);
  for (const auto& figure : sink_flags) object.flag(figure.key, sink.*figure.member);
  if (sink.last_error_time) {
    object.text("last_error", sink.last_error);
    object.time("last_error_time", *sink.last_error_time);
  } else {
    object.key("last_error").append("null");
    object.key("last_error_time").append("null");
  }
  object.end();
}

// ---- Prometheus

/// The text format: a family's help and type, then its samples.
class Page {
 public:
  /// A family is written with its first sample: one without a sample is none.
  void family(std::string_view name, std::string_view type, std::string_view help) {
    name_ = name;
    type_ = type;
    help_ = help;
    begun_ = false;
  }
  struct Label {
    std::string_view name;
    std::string_view value;
  };
  OutputBuffer& sample(std::initializer_list<Label> labels, std::string_view ending = {}) {
    if (!begun_) {
      for (const auto& [what, text] : {std::pair{"# HELP ", help_}, std::pair{"# TYPE ", type_}}) {
        out_.append(what);
        out_.append(name_);
        out_.append(' ');
        out_.append(text);
        out_.append('\n');
      }
      begun_ = true;
    }
    out_.append(name_);
    out_.append(ending);
    char before = '{';
    for (const Label& label : labels) {
      out_.append(before);
      out_.append(label.name);
      out_.append("=\"");
      escape(label.value);
      out_.append('"');
      before = ',';
    }
    if (before == ',') out_.append('}');
    out_.append(' ');
    return out_;
  }
  void number(std::initializer_list<Label> labels, std::uint64_t value, std::string_view ending = {}) {
    sample(labels, ending).append_number(value);
    out_.append('\n');
  }
  void seconds(std::initializer_list<Label> labels, std::uint64_t nanoseconds, std::string_view ending = {}) {
    append_fraction(sample(labels, ending), nanoseconds, 9);
    out_.append('\n');
  }
  void time(std::initializer_list<Label> labels, Timestamp value) {
    const auto count = value.time_since_epoch().count();
    OutputBuffer& out = sample(labels);
    if (count < 0) out.append('-');
    append_fraction(out, count < 0 ? ~static_cast<std::uint64_t>(count) + 1 : static_cast<std::uint64_t>(count), 9);
    out_.append('\n');
  }
  [[nodiscard]] std::string text() const { return std::string(out_.view()); }
  [[nodiscard]] OutputBuffer& out() noexcept { return out_; }

 private:
  /// A label's value: valid UTF-8, and a backslash before what would end it.
  void escape(std::string_view text) {
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t from = at;
      const char32_t code = detail::next_code_point(text, at);
      if (code == U'\uFFFD') {
        out_.append("\xEF\xBF\xBD");
      } else if (code == U'\n') {
        out_.append("\\n");
      } else {
        if (code == U'\\' || code == U'"') out_.append('\\');
        out_.append(text.substr(from, at - from));
      }
    }
  }
  OutputBuffer out_;
  std::string_view name_;
  std::string_view type_;
  std::string_view help_;
  bool begun_ = false;
};

}  // namespace

std::string MetricsSnapshot::to_json() const {
  OutputBuffer out;
  JsonObject object(out);
  object.number("schema", 1);
  object.time("time", time);
  append_logger(object.key("logger"), logger);
  append_memory(object.key("memory"), memory);
  object.key("sinks").append('[');
  for (const SinkCounts& each : sinks) {
    if (&each != &sinks.front()) out.append(',');
    append_sink(out, each);
  }
  out.append(']');
  object.key("top_talkers").append('[');
  for (const Talker& talker : top_talkers) {
    if (&talker != &top_talkers.front()) out.append(',');
    JsonObject entry(out);
    entry.text("event_id", event_id_text(talker.event_id));
    entry.text("template", talker.text);
    entry.number("count", talker.count);
    entry.number("error", talker.error);
    entry.end();
  }
  out.append(']');
  object.end();
  return std::string(out.view());
}

std::string MetricsSnapshot::to_prometheus() const {
  Page page;
  page.family("cairn_metrics_timestamp_seconds", "gauge", "When these figures were taken.");
  page.time({}, time);
  for (const auto& figure : logger_numbers) {
    page.family(figure.name, figure.type, figure.help);
    page.number({}, logger.*figure.member);
  }
  for (const auto& figure : logger_reasons) {
    page.family(figure.name, figure.type, figure.help);
    for (const auto& [reason, count] : logger.*figure.member) page.number({{"reason", reason}}, count);
  }
  page.family("cairn_logger_crash_ring", "gauge", "The state of the crash ring, which is in a label.");
  page.number({{"state", logger.crash_ring}}, 1);
  for (const auto& figure : logger_flags) {
    page.family(figure.name, figure.type, figure.help);
    page.number({}, logger.*figure.member ? 1 : 0);
  }
  for (const auto& figure : memory_numbers) {
    page.family(figure.name, figure.type, figure.help);
    page.number({}, memory.*figure.member);
  }
  for (const auto& figure : sink_numbers) {
    page.family(figure.name, figure.type, figure.help);
    for (const SinkCounts& each : sinks) page.number({{"sink", each.name}}, each.*figure.member);
  }
  for (const auto& figure : sink_reasons) {
    page.family(figure.name, figure.type, figure.help);
    for (const SinkCounts& each : sinks) {
      for (const auto& [reason, count] : each.*figure.member)
        page.number({{"sink", each.name}, {"reason", reason}}, count);
    }
  }
  page.family("cairn_sink_own_total", "counter", "What the sink counts of its own, by name.");
  for (const SinkCounts& each : sinks) {
    for (const auto& [name, count] : each.counters) page.number({{"sink", each.name}, {"counter", name}}, count);
  }
  page.family("cairn_sink_throughput_events_per_second", "gauge", "Events delivered a second, lately.");
  for (const SinkCounts& each : sinks) {
    append_double(page.sample({{"sink", each.name}}), each.throughput);
    page.out().append('\n');
  }
  for (const Times& times : sink_times) {
    std::string help = std::string(times.help) + '.';
    page.family(times.name, "summary", help);
    for (const SinkCounts& each : sinks) {
      for (std::size_t i = 0; i < std::size(quantiles); ++i) {
        page.seconds({{"sink", each.name}, {"quantile", quantiles[i]}}, nanoseconds_of(each.*times.percentiles[i]));
      }
      page.seconds({{"sink", each.name}}, nanoseconds_of(each.*times.sum), "_sum");
      page.number({{"sink", each.name}}, each.*times.count, "_count");
    }
    help = std::string(times.help) + ": the longest.";
    page.family(times.max_name, "gauge", help);
    for (const SinkCounts& each : sinks) page.seconds({{"sink", each.name}}, nanoseconds_of(each.*times.max));
  }
  page.family("cairn_sink_breaker_state", "gauge", "The state of the circuit breaker, which is in a label.");
  for (const SinkCounts& each : sinks) page.number({{"sink", each.name}, {"state", each.breaker_state}}, 1);
  for (const auto& figure : breaker_numbers) {
    page.family(figure.name, figure.type, figure.help);
    for (const SinkCounts& each : sinks) {
      if (each.breaker) page.number({{"sink", each.name}}, *each.breaker.*figure.member);
    }
  }
  page.family("cairn_sink_breaker_transitions_total", "counter", transitions_help);
  for (const SinkCounts& each : sinks) {
    if (!each.breaker) continue;
    for (const auto& [cause, count] : transitions_of(*each.breaker))
      page.number({{"sink", each.name}, {"cause", cause}}, count);
  }
  for (const auto& figure : breaker_times) {
    page.family(figure.name, figure.type, figure.help);
    for (const SinkCounts& each : sinks) {
      if (!each.breaker) continue;
      const std::optional<Timestamp>& moment = *each.breaker.*figure.member;
      if (moment) page.time({{"sink", each.name}}, *moment);
    }
  }
  for (const auto& figure : sink_flags) {
    page.family(figure.name, figure.type, figure.help);
    for (const SinkCounts& each : sinks) page.number({{"sink", each.name}}, each.*figure.member ? 1 : 0);
  }
  page.family("cairn_sink_last_error_info", "gauge", "What the sink said last, in a label.");
  for (const SinkCounts& each : sinks) {
    if (each.last_error_time) page.number({{"sink", each.name}, {"message", each.last_error}}, 1);
  }
  page.family("cairn_sink_last_error_timestamp_seconds", "gauge", "When that was.");
  for (const SinkCounts& each : sinks) {
    if (each.last_error_time) page.time({{"sink", each.name}}, *each.last_error_time);
  }
  page.family("cairn_template_events", "gauge",
              "Events of the most frequent templates, too many by the error at most.");
  for (const Talker& talker : top_talkers) {
    page.number({{"event_id", event_id_text(talker.event_id)}, {"template", talker.text}}, talker.count);
  }
  page.family("cairn_template_events_error", "gauge", "By how much that may be too many.");
  for (const Talker& talker : top_talkers) {
    page.number({{"event_id", event_id_text(talker.event_id)}, {"template", talker.text}}, talker.error);
  }
  return page.text();
}

}  // namespace cairn
