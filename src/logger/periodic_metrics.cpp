#include "logger/periodic_metrics.hpp"

#include <algorithm>
#include <string>
#include <thread>
#include <vector>

#include "cairn/metrics.hpp"
#include "platform/own_thread.hpp"

namespace cairn::detail {

namespace {

/// A sink in the event: what one looks at first. The whole is in to_json().
struct SinkSummary {
  std::string Name;
  std::uint64_t Accepted = 0;
  std::uint64_t Emitted = 0;
  std::uint64_t Diverted = 0;
  std::uint64_t Dropped = 0;
  std::uint64_t Failed = 0;
  std::uint64_t Pending = 0;
  double Throughput = 0;
  double LatencyP99Us = 0;
  std::string BreakerState;
};

void report(const Logger& logger) {
  const MetricsSnapshot now = logger.metrics();
  std::vector<SinkSummary> sinks;
  sinks.reserve(now.sinks.size());
  for (const SinkCounts& sink : now.sinks) {
    sinks.push_back({sink.name, sink.accepted, sink.emitted, sink.diverted, sink.dropped_total(), sink.failed_total(),
                     sink.pending, sink.throughput, sink.latency_p99_us, sink.breaker_state});
  }
  logger.information(
      "Metrics: {Captured} captured, {Filtered} filtered, {Dropped} dropped, {Rejected} rejected; {@Sinks}",
      now.logger.captured, now.logger.filtered, now.logger.dropped_total(), now.logger.rejected_total(), sinks);
}

}  // namespace

std::shared_ptr<PeriodicMetrics> PeriodicMetrics::start(const Logger& logger, std::chrono::nanoseconds interval) {
  std::shared_ptr<PeriodicMetrics> made(new PeriodicMetrics);
  own_thread("cairn-metrics", [made, logger, interval] { made->run(logger, interval); }).detach();
  return made;
}

void PeriodicMetrics::stop() noexcept {
  const std::lock_guard lock(mutex_);
  stopped_ = true;
  changed_.notify_all();
}

void PeriodicMetrics::run(const Logger& logger, std::chrono::nanoseconds interval) {
  const auto step = std::min<std::chrono::nanoseconds>(interval, std::chrono::hours(24 * 365));
  auto due = std::chrono::steady_clock::now() + step;
  std::unique_lock lock(mutex_);
  while (!changed_.wait_until(lock, due, [&] { return stopped_; })) {
    lock.unlock();
    try {
      report(logger);
    } catch (...) {  // no memory: there is no report this time
    }
    lock.lock();
    due = std::max(due + step, std::chrono::steady_clock::now());  // what was missed is not made up for
  }
}

}  // namespace cairn::detail
