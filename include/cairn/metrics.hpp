// What a logger counted: where every event went, with a reason for each that was not delivered.
//
//   cairn::MetricsSnapshot now = log.metrics();
//   now.logger.captured == now.logger.dispatched + now.logger.filtered + now.logger.dropped_total() +
//   now.logger.in_lane; for (const auto& s : now.sinks) s.accepted == s.emitted + s.diverted + s.dropped_total() +
//   s.failed_total() + s.pending;
//
// A snapshot is a plain value. Of a root whose sinks are all queued, and of each queued sink, both sums hold in every
// snapshot. With a synchronous sink, a call that is under way in another thread may already be captured (accepted) and
// not yet dispatched (emitted).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cairn/circuit_breaker.hpp"
#include "cairn/clock.hpp"

namespace cairn {

struct LoggerCounts {
  std::uint64_t captured = 0;                     // events whose record was made
  std::uint64_t dispatched = 0;                   // of these: went to the sinks
  std::uint64_t filtered = 0;                     // of these: stopped by a filter
  std::map<std::string, std::uint64_t> dropped;   // captured and lost before the sinks: lane_overrun, memory_limit, oom
  std::uint64_t in_lane = 0;                      // on their way to the sinks' queues
  std::map<std::string, std::uint64_t> rejected;  // never captured: after_shutdown, reentrant, block_timeout, oom
  std::uint64_t truncated = 0;                    // events in which something was cut to stay within the limits
  std::uint64_t duplicate_properties = 0;         // not written: a more specific one of the event had the name
  std::uint64_t enricher_errors = 0;              // enrichers that threw
  std::uint64_t filter_errors = 0;                // filters that threw; the event passed
  std::uint64_t ignored_formats = 0;              // formats of dynamic templates that the value did not take
  std::uint64_t mismatched_arguments =
      0;                          // of dynamic templates: holes shown as they stand, arguments under `__<index>`
  std::uint64_t context_cut = 0;  // pushes over the context's limits, process-wide

  [[nodiscard]] std::uint64_t dropped_total() const noexcept {
    std::uint64_t total = 0;
    for (const auto& [reason, count] : dropped) total += count;
    return total;
  }
};

struct SinkCounts {
  std::string name;
  std::uint64_t accepted = 0;  // passed the sink's own level and filter
  std::uint64_t emitted = 0;
  std::uint64_t diverted = 0;                    // handed to the fallback
  std::map<std::string, std::uint64_t> dropped;  // by reason: queue_full, memory_limit, block_timeout, shutdown,
                                                 // circuit_open, retry_expired; of `emergency`: rate_limited
  std::map<std::string, std::uint64_t> failed;   // by reason: sink_threw, no_space, io_error, …
  std::uint64_t pending = 0;                     // in the queue, or with the sink
  std::uint64_t bytes_written = 0;
  std::uint64_t self_events = 0;  // of Cairn's own, that tell of a gap in this output; in no other count

  // Of a queued sink:
  bool queued = false;
  std::uint64_t queue_depth = 0;   // events in the queue
  std::uint64_t high_water = 0;    // the most there ever were
  std::uint64_t memory_bytes = 0;  // what they take
  bool worker_alive = false;       // it has a thread, which is started with the first event
  std::uint64_t worker_restarts = 0;

  std::optional<CircuitBreakerStats> breaker;  // of a sink that has one

  std::string last_error;
  std::optional<Timestamp> last_error_time;

  [[nodiscard]] std::uint64_t dropped_total() const noexcept {
    std::uint64_t total = 0;
    for (const auto& [reason, count] : dropped) total += count;
    return total;
  }
  [[nodiscard]] std::uint64_t failed_total() const noexcept {
    std::uint64_t total = 0;
    for (const auto& [reason, count] : failed) total += count;
    return total;
  }
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
  LoggerCounts logger;
  MemoryCounts memory;
  /// Fallbacks included, after the sink they stand behind; `emergency` at the end, once something came to it.
  std::vector<SinkCounts> sinks;

  /// The sink of that name, or nothing.
  [[nodiscard]] const SinkCounts* sink(std::string_view name) const noexcept {
    for (const SinkCounts& counts : sinks) {
      if (counts.name == name) return &counts;
    }
    return nullptr;
  }
};

/// What a flush or close came to.
enum class FlushStatus : std::uint8_t { ok, timed_out, failed, would_deadlock };

struct SinkFlush {
  std::string name;
  FlushStatus status = FlushStatus::ok;
  std::string error;  // why it failed
};

class FlushResult {
 public:
  FlushStatus status = FlushStatus::ok;  // the worst of the sinks'
  std::vector<SinkFlush> sinks;
};

}  // namespace cairn
