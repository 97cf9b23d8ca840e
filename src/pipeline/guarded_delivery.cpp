// Deliveries of a stage that has a circuit breaker. What the breaker refuses goes to the fallback; without one a
// synchronous sink drops it, a queued one keeps it.
#include <cxxabi.h>

#include "pipeline/active_pipeline.hpp"
#include "pipeline/sink_stage.hpp"

namespace cairn::detail {

void SinkStage::circuit_changed(const CircuitTransition& change) noexcept {
  const ActivePipeline inside(pipeline_);  // also when it was changed by hand
  if (settings_.fallback) settings_.fallback->note_circuit(change);
  errors_.report({"the circuit breaker of sink ", settings_.name, " is ", to_string(change.to), " (",
                  to_string(change.cause), "), was ", to_string(change.from)});
}

void SinkStage::circuit_may_let_through() noexcept {
  // After an attempt of the worker's own there is a pause, which this would end.
  if (!worker_ || worker_->runs_on(std::this_thread::get_id())) return;
  const ActivePipeline inside(pipeline_);
  worker_->nudge();
}

void SinkStage::write_notices() {
  if (breaker_ && breaker_->spares()) return;
  for (const CircuitTransition& change : notices_.take()) {
    try {
      const CircuitNoticeRecord record(settings_.before, change);
      const Event event = record.event();
      if (event.level() < settings_.least) continue;
      const EmitResult result = sink_->emit({&event, 1});
      bytes_.fetch_add(result.bytes, std::memory_order_relaxed);
      self_events_.fetch_add(result.emitted, std::memory_order_relaxed);
    } catch (const abi::__forced_unwind&) {
      throw;         // the thread is being ended
    } catch (...) {  // the event that comes next will tell what is wrong
    }
  }
}

// ---- a synchronous sink

void SinkStage::deliver_guarded(const Event& event, PropertyBlock& extras) {
  auto attempt = breaker_->circuit().attempt();
  if (!attempt) {
    if (!hands_on()) {
      circuit_open_.fetch_add(1, std::memory_order_relaxed);
      return;
    }
    diverted_.fetch_add(1, std::memory_order_relaxed);
    hand_on(event, extras);
    tell_fallback(1, circuit_is_open);
    return;
  }
  std::uint64_t bytes = 0;
  const Attempt made = emit({&event, 1}, bytes);
  SinkBreaker::judge(attempt, made.failed, made.may_pass, made.took);
  if (made.failed) fail(event, extras, *made.failed, made.what);
}

// ---- a queued sink

std::size_t SinkStage::attempt_guarded(std::span<const Event> events, SinkWorker& worker) {
  auto attempt = breaker_->attempt(worker.tries_again());
  if (!attempt) {
    if (!settings_.fallback && worker.tries_again()) {  // kept, for the probe
      breaker_->note_refusal(attempt.retry_in());
      return 0;
    }
    breaker_->note_diverted();
    if (hands_on()) {
      divert_all(events, worker, circuit_is_open);
    } else {
      worker.resolve(events.size(), [&] { circuit_open_.fetch_add(events.size(), std::memory_order_relaxed); });
    }
    return events.size();
  }
  const auto head = events.first(breaker_->share_of(attempt, events.size()));
  if (!worker.enter_call(head.size())) return 0;
  std::uint64_t bytes = 0;
  const Attempt made = emit(head, bytes);
  const bool here = worker.resolve(made.emitted, [&] {
    emitted_.fetch_add(made.emitted, std::memory_order_relaxed);
    bytes_.fetch_add(bytes, std::memory_order_relaxed);
  });
  SinkBreaker::judge(attempt, made.failed, made.may_pass, made.took);
  if (!here) return made.emitted;  // it hung; what it did not take is left to the fallback
  if (!made.failed) {
    breaker_->note_success();
    return head.size();
  }
  worker.notices().error(made.what);
  const FailReason reason = *made.failed;
  const auto rest = head.subspan(made.emitted);
  const bool disabled = breaker_->circuit().state() == CircuitState::disabled;  // as if there were none
  if (made.may_pass && (reason != FailReason::io_error || disabled) && worker.tries_again()) {
    breaker_->note_throttled();
    remember_error(made.what);
    report(reason, made.what);
    return made.emitted;
  }
  if (reason == FailReason::sink_closed || disabled || !worker.tries_again()) {
    fail_all(rest, worker, reason, made.what);
    return head.size();
  }
  using Elsewhere = SinkBreaker::Elsewhere;
  const auto elsewhere = settings_.fallback ? Elsewhere::at_once : hands_on() ? Elsewhere::at_last : Elsewhere::nowhere;
  if (!breaker_->note_failure(made.emitted != 0, elsewhere)) {  // the same events first, for the order
    remember_error(made.what);
    report(reason, made.what);
    return made.emitted;
  }
  if (hands_on()) {
    fail_all(rest, worker, reason, made.what);
  } else {
    remember_error(made.what);
    report(reason, made.what);
    worker.give_up(rest.size(), retry_expired_);
  }
  return head.size();
}

}  // namespace cairn::detail
