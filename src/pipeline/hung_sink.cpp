// A queued sink that does not come back from a call. After the time that an attempt may take, the thread inside is left
// behind with its events in flight; another takes its place and gives what comes to the fallback. The sink is not
// called before the first thread is back: then it delivers what the sink has not taken to the fallback, too, and ends.
// What comes of its call counts as ever; a breaker was opened meanwhile, and takes it for late.
//
// Where there is no fallback the thread stays what it is, and only the breaker is told.
#include "pipeline/sink_stage.hpp"

namespace cairn::detail {

std::chrono::nanoseconds SinkStage::hangs_after() const noexcept {
  if (!worker_ || (!breaker_ && !has_somewhere_else())) return std::chrono::nanoseconds(0);
  return breaker_ ? breaker_->circuit().options().attempt_timeout : CircuitBreakerOptions().attempt_timeout;
}

bool SinkStage::hangs() const noexcept {
  const std::chrono::nanoseconds began = emit_began_.load(std::memory_order_relaxed);
  const std::chrono::nanoseconds longest = hangs_after();
  if (began.count() == 0 || longest.count() == 0) return false;
  return clock_.steady() - std::max(began, awake_since_.load(std::memory_order_relaxed)) >= longest;
}

bool SinkStage::has_somewhere_else() const noexcept { return settings_.fallback != nullptr; }

bool SinkStage::hang_is_news() const noexcept {
  if (!breaker_) return false;
  const CircuitState state = breaker_->circuit().state();
  return state == CircuitState::closed || state == CircuitState::half_open;
}

void SinkStage::note_hung() noexcept {
  if (has_somewhere_else()) {
    remember_error(sink_hangs);
    errors_.report({"sink ", settings_.name, ": ", sink_hangs, "; its events go to its fallback"});
  }
  if (breaker_) breaker_->circuit().timed_out();
}

void SinkStage::leave(std::span<const Event> events, SinkWorker& worker) {
  if (!events.empty()) divert_all(events, worker, sink_hangs);
}

void SinkStage::note_back() noexcept {
  errors_.report({"sink ", settings_.name, " has come back from the call that it hung in"});
}

}  // namespace cairn::detail
