// What a root counts, and what of that is shown.
#include "cairn/log_context.hpp"
#include "dispatch/dispatcher.hpp"
#include "logger/root.hpp"
#include "pipeline/active_pipeline.hpp"

namespace cairn::detail {

LoggerCounts Root::counts(std::chrono::nanoseconds patience) const {
  LoggerCounts result;
  const auto read = [&](const LaneCounts& lanes) {
    pipeline_->counts_into(result);
    result.captured += lanes.captured;
    result.in_lane += lanes.in_lane;
    if (lanes.overrun != 0) result.dropped["lane_overrun"] = lanes.overrun;
  };
  if (!lanes_) {
    read({});
  } else if (!Dispatcher::instance().at_rest(*lanes_, read, patience)) {
    const std::lock_guard lock(pipeline_->snapshot_lock());
    result = last_counts_;
    result.stalled = true;
  }
  constexpr std::string_view names[] = {"after_shutdown", "reentrant", "oom", "not_configured", "block_timeout"};
  for (std::size_t i = 0; i < refusals; ++i) {
    if (const auto count = refused_[i].load(std::memory_order_relaxed); count != 0)
      result.rejected[std::string(names[i])] = count;
  }
  result.context_cut = LogContext::cut_count();
  if (ring_) {
    const CrashRing::Counts ring = ring_->counts();
    result.crash_ring = ring.state;
    result.ring_overwritten = ring.overwritten;
    result.ring_left_out = ring.left_out;
  }
  return result;
}

/// What was counted since the root was made.
MetricsSnapshot Root::metric_totals() const {
  MetricsSnapshot snapshot;
  snapshot.logger = counts(std::chrono::seconds(1));
  snapshot.time = pipeline_->clock().now();
  for (const auto& sink : pipeline_->sinks()) sink->counts_into(snapshot.sinks);
  pipeline_->emergency().counts_into(snapshot.sinks);
  const MemoryBudget& memory = process_memory();
  snapshot.memory = {.used_bytes = memory.usage(),
                     .peak_bytes = memory.peak(),
                     .max_bytes = memory.max_bytes() == MemoryBudget::unlimited ? 0 : memory.max_bytes(),
                     .exceeded = memory.exceeded()};
  snapshot.top_talkers = pipeline_->top_talkers(20);
  return snapshot;
}

MetricsSnapshot Root::metrics() const {
  const ActivePipeline inside(*pipeline_);
  while (true) {
    std::uint64_t resets = 0;
    {
      const std::lock_guard lock(pipeline_->snapshot_lock());
      resets = resets_;
    }
    MetricsSnapshot snapshot = metric_totals();
    const std::lock_guard lock(pipeline_->snapshot_lock());
    if (resets != resets_) continue;  // these totals may be from before that reset
    if (!snapshot.logger.stalled) last_counts_ = snapshot.logger;
    view_.show(snapshot, pipeline_->clock().steady());
    return snapshot;
  }
}

void Root::reset_metrics() {
  const ActivePipeline inside(*pipeline_);
  for (const auto& sink : pipeline_->sinks()) sink->forget_error();
  MetricsSnapshot totals = metric_totals();
  {
    const std::lock_guard lock(pipeline_->snapshot_lock());
    if (!totals.logger.stalled) last_counts_ = totals.logger;
    view_.reset(std::move(totals), pipeline_->clock().steady());
    ++resets_;
  }
  for (const auto& sink : pipeline_->sinks()) sink->reset_marks();
  pipeline_->reset_talkers();
}

std::size_t Root::queue_depth(const std::string_view* sink) const noexcept {
  std::size_t depth = 0;
  const ActivePipeline inside(*pipeline_);
  for (const auto& first : pipeline_->sinks()) {
    for (SinkStage* stage = first.get(); stage != nullptr; stage = stage->fallback()) {
      SinkWorker* worker = stage->worker();
      if (worker == nullptr || (sink != nullptr && stage->name() != *sink)) continue;
      worker->locked([&] { depth += worker->counts().queued; });
    }
  }
  return depth;
}

CircuitBreaker* Root::circuit_breaker(std::string_view sink) const noexcept {
  for (const auto& first : pipeline_->sinks()) {
    for (SinkStage* stage = first.get(); stage != nullptr; stage = stage->fallback()) {
      if (stage->name() == sink) return stage->circuit_breaker();
    }
  }
  return nullptr;
}

}  // namespace cairn::detail
