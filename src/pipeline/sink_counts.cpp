// What a stage counts, as metrics show it; and how it begins anew.
#include <mutex>
#include <utility>

#include "pipeline/active_pipeline.hpp"
#include "pipeline/pipeline.hpp"
#include "pipeline/sink_stage.hpp"

namespace cairn::detail {

void SinkStage::counts_into(std::vector<SinkCounts>& out) const {
  SinkCounts counts;
  counts.name = settings_.name;
  std::array<std::uint64_t, fail_reasons> failed{};
  std::uint64_t retry_expired = 0;
  std::uint64_t circuit_open = 0;
  const auto read = [&] {
    counts.emitted = emitted_.load(std::memory_order_relaxed);
    counts.diverted = diverted_.load(std::memory_order_relaxed);
    counts.bytes_written = bytes_.load(std::memory_order_relaxed);
    counts.self_events = self_events_.load(std::memory_order_relaxed);
    for (std::size_t i = 0; i < fail_reasons; ++i) failed[i] = failed_[i].load(std::memory_order_relaxed);
    retry_expired = retry_expired_.load(std::memory_order_relaxed);
    circuit_open = circuit_open_.load(std::memory_order_relaxed);
  };
  if (worker_) {
    QueueCounts queue;
    worker_->locked([&] {  // one moment for all of them
      read();
      queue = worker_->counts();
    });
    counts.queued = true;
    counts.stalled = busy_for() >= worker_->options().slow_after;
    counts.accepted = queue.accepted;
    counts.pending = queue.queued + queue.in_flight;
    counts.queue_depth = queue.queued;
    counts.high_water = queue.high_water;
    counts.memory_bytes = queue.memory_bytes;
    counts.worker_alive = queue.worker_alive;
    counts.worker_restarts = queue.worker_restarts;
    const auto dropped = [&](const char* reason, std::uint64_t count) {
      if (count != 0) counts.dropped[reason] = count;
    };
    dropped("queue_full", queue.queue_full);
    dropped("memory_limit", queue.memory_limit);
    dropped("block_timeout", queue.block_timeout);
    dropped("shutdown", queue.shutdown);
    dropped("retry_expired", retry_expired);
    dropped("circuit_open", circuit_open);
  } else {
    const CallerLedger::Totals totals = ledger_.totals();
    // What an open breaker kept from the sink came to its end at once.
    const std::uint64_t diverted = diverted_.load(std::memory_order_relaxed);
    circuit_open = circuit_open_.load(std::memory_order_relaxed);
    counts.accepted = totals.accepted + diverted + circuit_open;
    counts.emitted = totals.emitted;
    counts.diverted = totals.diverted + diverted;
    counts.pending = totals.pending;
    // And what it was told besides: of gaps, of a breaker.
    counts.bytes_written = totals.bytes + bytes_.load(std::memory_order_relaxed);
    counts.self_events = self_events_.load(std::memory_order_relaxed);
    failed = totals.failed;
    if (circuit_open != 0) counts.dropped["circuit_open"] = circuit_open;
  }
  for (std::size_t i = 0; counters_ && i < counters_->size(); ++i)
    counts.counters.emplace(counters_->name(i), counters_->value(i));
  if (times_) times_->show(counts);
  if (breaker_) {
    counts.breaker = breaker_->circuit().stats();
    counts.breaker_state = to_string(counts.breaker->state);
  }
  for (std::size_t i = 0; i < fail_reasons; ++i) {
    if (failed[i] != 0) counts.failed[std::string(to_string(static_cast<FailReason>(i)))] = failed[i];
  }
  {
    const std::lock_guard lock(error_mutex_);
    counts.last_error = last_error_;
    counts.last_error_time = last_error_time_;
  }
  out.push_back(std::move(counts));
  if (settings_.fallback) settings_.fallback->counts_into(out);
}

void SinkStage::reset_marks() noexcept {
  if (times_) times_->reset();
  if (worker_) worker_->reset_high_water();
  if (settings_.fallback) settings_.fallback->reset_marks();
}

void SinkStage::forget_error() noexcept {
  {
    const std::lock_guard lock(error_mutex_);
    last_error_.clear();
    last_error_time_.reset();
  }
  if (settings_.fallback) settings_.fallback->forget_error();
}

/// In a process just forked: what was counted is the parent's.
void SinkStage::forget_counts() noexcept {
  // Unless it was had before the fork, the lock is somebody's who is gone, or this thread's: it is the sink that forks.
  ledger_.after_fork(!held_for_fork_ && ActivePipeline::contains(pipeline_));
  if (times_) {
    times_->free_after_fork();
    times_->reset();
  }
  sample_ = {};
  if (counters_) counters_->reset();
  for (auto* const counter : {&untold_, &emitted_, &diverted_, &bytes_, &self_events_, &circuit_open_, &retry_expired_})
    counter->store(0, std::memory_order_relaxed);
  for (auto& counter : failed_) counter.store(0, std::memory_order_relaxed);
  last_error_.clear();
  last_error_time_.reset();
}

}  // namespace cairn::detail
