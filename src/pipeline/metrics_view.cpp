#include "pipeline/metrics_view.hpp"

namespace cairn::detail {

namespace {

using Reasons = std::map<std::string, std::uint64_t>;

void subtract(Reasons& counts, const Reasons& base) {
  for (const auto& [reason, count] : base) {
    const auto found = counts.find(reason);
    if (found == counts.end()) continue;
    found->second -= count;
    if (found->second == 0) counts.erase(found);
  }
}

void subtract(LoggerCounts& counts, const LoggerCounts& base) {
  counts.captured -= base.captured - base.in_lane;
  counts.dispatched -= base.dispatched;
  counts.filtered -= base.filtered;
  subtract(counts.dropped, base.dropped);
  subtract(counts.rejected, base.rejected);
  counts.truncated -= base.truncated;
  counts.duplicate_properties -= base.duplicate_properties;
  counts.enricher_errors -= base.enricher_errors;
  counts.filter_errors -= base.filter_errors;
  counts.ignored_formats -= base.ignored_formats;
  counts.mismatched_arguments -= base.mismatched_arguments;
  counts.context_cut -= base.context_cut;
  counts.recovered -= base.recovered;
  counts.ring_overwritten -= base.ring_overwritten;
  counts.ring_left_out -= base.ring_left_out;
}

void subtract(SinkCounts& counts, const SinkCounts& base) {
  counts.accepted -= base.accepted - base.pending;
  counts.emitted -= base.emitted;
  counts.diverted -= base.diverted;
  subtract(counts.dropped, base.dropped);
  subtract(counts.failed, base.failed);
  for (const auto& [name, count] : base.counters) {
    if (const auto found = counts.counters.find(name); found != counts.counters.end()) found->second -= count;
  }
  counts.bytes_written -= base.bytes_written;
  counts.self_events -= base.self_events;
  counts.worker_restarts -= base.worker_restarts;
}

constexpr std::chrono::nanoseconds shortest = std::chrono::seconds(1);

}  // namespace

void MetricsView::reset(MetricsSnapshot totals, std::chrono::nanoseconds now) {
  rates_.clear();
  for (const SinkCounts& sink : totals.sinks) rates_.push_back({now, sink.emitted, now, sink.emitted});
  started_ = now;
  base_ = std::move(totals);
}

void MetricsView::show(MetricsSnapshot& totals, std::chrono::nanoseconds now) {
  for (std::size_t i = 0; i < totals.sinks.size(); ++i) {
    SinkCounts& sink = totals.sinks[i];
    if (i == rates_.size()) rates_.push_back({started_, 0, started_, 0});
    Rate& rate = rates_[i];
    if (now - rate.latest >= shortest) {
      rate = {rate.latest, rate.emitted_latest, now, sink.emitted};
    }
    const double seconds = std::chrono::duration<double>(now - rate.since).count();
    sink.throughput = seconds > 0 ? static_cast<double>(sink.emitted - rate.emitted_then) / seconds : 0;
    if (base_ && i < base_->sinks.size()) subtract(sink, base_->sinks[i]);
  }
  if (!base_) return;
  subtract(totals.logger, base_->logger);
  totals.memory.exceeded -= base_->memory.exceeded;
}

}  // namespace cairn::detail
