// What a logger counted: where every event went, with a reason for each that was not delivered; how long it took; what
// the outputs are full of.
//
//   cairn::MetricsSnapshot now = log.metrics();
//   now.logger.captured == now.logger.dispatched + now.logger.filtered + now.logger.dropped_total() +
//   now.logger.in_lane; for (const auto& s : now.sinks) s.accepted == s.emitted + s.diverted + s.dropped_total() +
//   s.failed_total() + s.pending;
//   std::puts(now.to_json().c_str());
//
// A snapshot is a plain value. Both sums hold in every snapshot, whatever threads are doing meanwhile; `in_lane` and
// `pending` are counted on their own. The schema of to_json() and the names of to_prometheus() are in docs/metrics.md;
// they are only added to.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cairn/circuit_breaker.hpp"
#include "cairn/clock.hpp"
#include "cairn/top_talkers.hpp"

namespace cairn {

struct LoggerCounts {
  std::uint64_t captured = 0;                     // events whose record was made
  std::uint64_t dispatched = 0;                   // of these: went to the sinks
  std::uint64_t filtered = 0;                     // of these: stopped by a filter
  std::map<std::string, std::uint64_t> dropped;   // captured and lost before the sinks: lane_overrun, memory_limit, oom
  std::uint64_t in_lane = 0;                      // on their way to the sinks: in lanes, at enrichers and filters
  std::map<std::string, std::uint64_t> rejected;  // never captured: after_shutdown, reentrant, block_timeout, oom
  std::uint64_t truncated = 0;                    // events in which something was cut to stay within the limits
  std::uint64_t duplicate_properties = 0;         // not written: a more specific one of the event had the name
  std::uint64_t enricher_errors = 0;              // enrichers that threw
  std::uint64_t filter_errors = 0;                // filters that threw; the event passed
  std::uint64_t ignored_formats = 0;              // formats of dynamic templates that the value did not take
  std::uint64_t mismatched_arguments =
      0;                               // of dynamic templates: holes shown as they stand, arguments under `__<index>`
  std::uint64_t context_cut = 0;       // pushes over the context's limits, process-wide
  std::uint64_t recovered = 0;         // of captured: events that a dead process left in its crash rings
  std::uint64_t ring_overwritten = 0;  // events that a SIGKILL would have lost: their place in the ring was needed
  std::uint64_t ring_left_out = 0;     // the same: no block of the ring had room for them
  std::string crash_ring = "off";      // off, on, or "disabled: " and why
  bool stalled = false;  // an enricher or filter has not returned for a second: the counts before are of a while ago

  [[nodiscard]] std::uint64_t dropped_total() const noexcept { return total(dropped); }
  [[nodiscard]] std::uint64_t rejected_total() const noexcept { return total(rejected); }

 private:
  friend struct SinkCounts;
  [[nodiscard]] static std::uint64_t total(const std::map<std::string, std::uint64_t>& counts) noexcept {
    std::uint64_t sum = 0;
    for (const auto& [reason, count] : counts) sum += count;
    return sum;
  }
};

struct SinkCounts {
  std::string name;
  std::uint64_t accepted = 0;  // passed the sink's own level and filter
  std::uint64_t emitted = 0;
  std::uint64_t diverted = 0;                     // handed to the fallback
  std::map<std::string, std::uint64_t> dropped;   // by reason: queue_full, memory_limit, block_timeout, shutdown,
                                                  // circuit_open, retry_expired; of `emergency`: rate_limited
  std::map<std::string, std::uint64_t> failed;    // by reason: sink_threw, no_space, io_error, …
  std::map<std::string, std::uint64_t> counters;  // the sink's own (Sink::counters); of a file: docs/metrics.md
  std::uint64_t pending = 0;                      // in the queue, or with the sink
  std::uint64_t bytes_written = 0;
  std::uint64_t self_events = 0;  // of Cairn's own, that tell of a gap in this output; in no other count
  double throughput = 0;          // emitted a second, since the snapshot before, but over a second at least

  // Times of emitted events, in microseconds; 0 where there was none, or with with_metrics(false). Percentiles are off
  // by 1/128 of their value at most (LatencyHistogram); count, sum and maximum are exact. Of a synchronous sink they
  // are of a sample: of the first 1024 calls and of one in about 256 after that, which counts for those between.
  std::uint64_t latency_count = 0;  // from the log call to the end of `emit`
  double latency_sum_us = 0;
  double latency_p50_us = 0;
  double latency_p95_us = 0;
  double latency_p99_us = 0;
  double latency_p999_us = 0;
  double latency_max_us = 0;
  std::uint64_t emit_count = 0;  // of `emit` alone: calls of it
  double emit_sum_us = 0;
  double emit_p50_us = 0;
  double emit_p95_us = 0;
  double emit_p99_us = 0;
  double emit_p999_us = 0;
  double emit_max_us = 0;

  std::string breaker_state = "none";  // none: the sink has no circuit breaker; closed, open, half_open, …

  // Of a queued sink:
  bool queued = false;
  std::uint64_t queue_depth = 0;   // events in the queue
  std::uint64_t high_water = 0;    // the most there ever were
  std::uint64_t memory_bytes = 0;  // what they take
  bool worker_alive = false;       // it has a thread, which is started with the first event
  std::uint64_t worker_restarts = 0;
  bool stalled = false;  // it has been busy with one batch or flush for longer than `slow_after`

  std::optional<CircuitBreakerStats> breaker;  // of a sink that has one; since it was made, or reset by its own reset()

  std::string last_error;
  std::optional<Timestamp> last_error_time;

  [[nodiscard]] std::uint64_t dropped_total() const noexcept { return LoggerCounts::total(dropped); }
  [[nodiscard]] std::uint64_t failed_total() const noexcept { return LoggerCounts::total(failed); }
};

/// Of the whole process: what lanes, batches in queues and large records take; see MemoryBudget.
struct MemoryCounts {
  std::uint64_t used_bytes = 0;
  std::uint64_t peak_bytes = 0;  // the most that was used since a logger last set or ended a memory_budget
  std::uint64_t max_bytes = 0;   // of the memory_budget that holds; 0: there is none
  std::uint64_t exceeded = 0;    // how often something did not fit at first
};

class MetricsSnapshot {
 public:
  Timestamp time{};  // when it was taken
  LoggerCounts logger;
  MemoryCounts memory;
  /// Fallbacks included, after the sink they stand behind; `emergency` at the end, once something came to it.
  std::vector<SinkCounts> sinks;
  /// The templates with the most events that passed the filters, most frequent first, 20 at most; see TopTalkers for
  /// how exact. Of a logger with a synchronous sink they are of a sample, as the times are.
  std::vector<Talker> top_talkers;

  /// The sink of that name, or nothing.
  [[nodiscard]] const SinkCounts* sink(std::string_view name) const noexcept {
    for (const SinkCounts& counts : sinks) {
      if (counts.name == name) return &counts;
    }
    return nullptr;
  }

  /// One JSON object, on one line.
  [[nodiscard]] std::string to_json() const;
  /// The same figures in Prometheus' text format: what `GET /metrics` answers. Times are in seconds.
  [[nodiscard]] std::string to_prometheus() const;
};

/// Keeps the same account for a delivery of your own: what came, and what became of it. Safe from every thread; each
/// call is one short lock, and nothing throws but where it says so.
///
/// Both sums hold whatever is told. What came to an end and was not accepted (of a logger: captured) counts as
/// accepted, until it is: the order of the two calls does not matter. Names (of sinks, reasons, counters) are whatever
/// is valid UTF-8: what is not is U+FFFD, before names are told apart, and an empty reason or counter is `other`.
///
///   cairn::Metrics metrics;
///   auto& sink = metrics.sink("kafka");
///   sink.accept(3);
///   sink.emit(2, 512);
///   sink.fail("too_large", 1, "message of 2 MB");
///   std::string page = metrics.snapshot().to_prometheus();
class Metrics {
 public:
  /// One sink's account. An event is accepted first, and comes to one end: emitted, diverted, dropped or failed. Until
  /// then it is pending.
  class SinkRecorder {
   public:
    void accept(std::uint64_t events = 1) noexcept;
    void emit(std::uint64_t events = 1, std::uint64_t bytes = 0) noexcept;
    void divert(std::uint64_t events = 1) noexcept;
    void drop(std::string_view reason, std::uint64_t events = 1) noexcept;
    void fail(std::string_view reason, std::uint64_t events = 1, std::string_view error = {}) noexcept;
    /// A counter of your own, which is there from its first call on.
    void count(std::string_view counter, std::uint64_t by = 1) noexcept;
    /// From the call to the end of the delivery, of `events` events.
    void record_latency(std::chrono::nanoseconds time, std::uint64_t events = 1) noexcept;
    /// The delivery alone.
    void record_emit(std::chrono::nanoseconds time) noexcept;
    /// What is in the queue now.
    void queue(std::uint64_t events, std::uint64_t bytes) noexcept;
    SinkRecorder(const SinkRecorder&) = delete;
    SinkRecorder& operator=(const SinkRecorder&) = delete;
    ~SinkRecorder();

   private:
    friend class Metrics;
    struct State;
    SinkRecorder(std::string_view name, Clock& clock);
    std::unique_ptr<State> state_;
  };

  /// `clock` must outlive it.
  explicit Metrics(Clock& clock = system_clock());
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;
  ~Metrics();

  /// The account of the sink of that name, opened at the first call; valid as long as this object. Snapshots show the
  /// name as it is told apart. Throws std::bad_alloc.
  [[nodiscard]] SinkRecorder& sink(std::string_view name);

  // What became of events before the sinks. An event is captured first, and then dispatched, filtered or dropped.
  void capture(std::uint64_t events = 1) noexcept;
  void dispatch(std::uint64_t events = 1) noexcept;
  void filter(std::uint64_t events = 1) noexcept;
  void drop(std::string_view reason, std::uint64_t events = 1) noexcept;
  /// It was never captured.
  void reject(std::string_view reason, std::uint64_t events = 1) noexcept;
  /// Events of a template, for the top talkers.
  void talk(std::string_view message_template, std::uint64_t events = 1) noexcept;

  /// Both sums hold. Throws std::bad_alloc.
  [[nodiscard]] MetricsSnapshot snapshot() const;
  /// From now on snapshots count from here: accepted is what is pending, captured what is in lanes, all else 0. Throws
  /// std::bad_alloc.
  void reset();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// What a flush, reopen or close came to.
enum class FlushStatus : std::uint8_t {
  ok,
  timed_out,      // it was not done by then: events are pending, or another call into the sink had not ended
  failed,         // the sink says so, or the logger ended before it was done
  would_deadlock  // nothing was done: the calling thread is inside of the logger
};

struct SinkFlush {
  std::string name;
  FlushStatus status = FlushStatus::ok;
  std::string error;  // why it failed, or what there was no time for
};

class FlushResult {
 public:
  FlushStatus status = FlushStatus::ok;  // the worst of the sinks'
  std::vector<SinkFlush> sinks;
};

}  // namespace cairn
