#include "pipeline/sink_times.hpp"

namespace cairn::detail {

namespace {
double microseconds(std::chrono::nanoseconds time) noexcept { return static_cast<double>(time.count()) / 1000; }
}  // namespace

void SinkTimes::show(SinkCounts& counts) const noexcept {
  const std::lock_guard lock(mutex_);
  counts.latency_count = latency_.count();
  counts.latency_sum_us = microseconds(latency_.sum());
  counts.latency_p50_us = microseconds(latency_.percentile(0.5));
  counts.latency_p95_us = microseconds(latency_.percentile(0.95));
  counts.latency_p99_us = microseconds(latency_.percentile(0.99));
  counts.latency_p999_us = microseconds(latency_.percentile(0.999));
  counts.latency_max_us = microseconds(latency_.max());
  counts.emit_count = emit_.count();
  counts.emit_sum_us = microseconds(emit_.sum());
  counts.emit_p50_us = microseconds(emit_.percentile(0.5));
  counts.emit_p95_us = microseconds(emit_.percentile(0.95));
  counts.emit_p99_us = microseconds(emit_.percentile(0.99));
  counts.emit_p999_us = microseconds(emit_.percentile(0.999));
  counts.emit_max_us = microseconds(emit_.max());
}

}  // namespace cairn::detail
