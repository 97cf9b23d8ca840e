#include "pipeline/sink_stage.hpp"

#include <cxxabi.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "cairn/detail/buffering_sink.hpp"
#include "cairn/detail/capture_writer.hpp"
#include "pipeline/pipeline.hpp"
#include "pipeline/relaying_sink.hpp"
#include "pipeline/stage_registry.hpp"
#include "pipeline/suppression.hpp"
#include "platform/no_cancellation.hpp"

namespace cairn::detail {

bool SinkStage::passes_filter(const Event& event, std::uint64_t& suppressed) noexcept {
  SuppressionScope suppression;
  try {
    if (!(*settings_.filter)(event)) return false;
  } catch (...) {
    pipeline_.note_filter_error();
    char what[256];
    current_exception_text(what);
    errors_.report({"the filter of sink ", settings_.name, " threw, the event passes: ", what});
  }
  suppressed = suppression.take();
  return true;
}

SinkStage::SinkStage(Settings settings, const Pipeline& pipeline, InternalErrors& errors, Clock& clock)
    : settings_(std::move(settings)),
      pipeline_(pipeline),
      errors_(errors),
      clock_(clock),
      sink_(std::move(settings_.sink)),
      buffering_(dynamic_cast<BufferingSink*>(sink_.get())),
      relays_(dynamic_cast<RelayingSink*>(sink_.get()) != nullptr),
      counters_(sink_ != nullptr ? sink_->counters() : nullptr) {
  if (settings_.timed) times_ = std::make_unique<SinkTimes>();
  if (settings_.queue) worker_ = std::make_shared<SinkWorker>(*this, settings_.name, std::move(*settings_.queue));
  if (settings_.breaker) {
    breaker_ = std::make_unique<SinkBreaker>(
        std::move(*settings_.breaker), clock_, [this] { circuit_may_let_through(); },
        [this](const CircuitTransition& change) { circuit_changed(change); });
  }
  list_stage(*this);  // may throw, the other does not
  guard_against_forks(*this, ForkTurn::outer);
}

SinkStage::~SinkStage() {
  unlist_stage(*this);
  forget_in_forks(*this);
}

void SinkStage::before_fork(std::chrono::steady_clock::time_point deadline) noexcept {
  held_for_fork_ = mutex_.try_lock_until(deadline);
  if (worker_) worker_->before_fork(deadline);
  pipeline_.before_fork(deadline);
}

void SinkStage::after_fork(bool child) noexcept {
  if (worker_) worker_->after_fork(child);
  pipeline_.after_fork(child);
  if (child) {
    mutex_.free_after_fork();
    forget_reopen();  // by a thread that is not there any more
    forget_counts();
    errors_.free_after_fork();
  } else if (held_for_fork_) {
    mutex_.unlock();
  }
}

void SinkStage::kept_by(const std::weak_ptr<void>& keeper) noexcept {
  if (worker_) worker_->start(keeper);
  if (settings_.fallback) settings_.fallback->kept_by(keeper);
  tell(take_notes());  // of opening it
}

std::vector<std::string> SinkStage::take_notes() noexcept {
  return buffering_ != nullptr && buffering_->has_notes() ? buffering_->take_notes() : std::vector<std::string>();
}

void SinkStage::tell(const std::vector<std::string>& notes) noexcept {
  for (const std::string& note : notes) errors_.report_always({"sink ", settings_.name, ": ", note});
}

SinkStage::Attempt SinkStage::emit(std::span<const Event> events, std::uint64_t& bytes, bool own) {
  Attempt attempt;
  const NoCancellation uncancelled(settings_.is_foreign && !worker_);
  std::unique_lock lock(mutex_);
  if (!worker_) ledger_.accept(events.size());
  if (times_ && !worker_ && times_->was_reset()) [[unlikely]]
    sample_ = {};
  const bool sampled = times_ && !own && (worker_ || sample_.take());
  const std::uint64_t weight = sampled && !worker_ ? sample_.weight() : 1;
  const bool timed = sampled || worker_;  // a queued sink may also be watched
  if (sampled && worker_) times_->begin(events);
  std::chrono::nanoseconds began{};
  if (timed || breaker_) began = clock_.steady();
  if (worker_) emit_began_.store(std::max(began, std::chrono::nanoseconds(1)), std::memory_order_relaxed);
  try {
    if (sink_ == nullptr) {
      attempt.failed = FailReason::sink_closed;
      attempt.what = "the sink is closed";
    } else {
      if (!settings_.before.empty()) write_notices();
      const std::shared_ptr<Sink> kept = relays_ ? sink_ : nullptr;  // it may be closed meanwhile
      Sink& sink = *sink_;
      const EmitResult result = relays_ ? emit_unlocked(sink, lock, events) : sink.emit(events);
      bytes = result.bytes;
      attempt.emitted = std::min(result.emitted, events.size());
      if (attempt.emitted != events.size()) {
        attempt.failed = reason_of(result.error);
        attempt.may_pass = buffering_ != nullptr ? buffering_->may_pass(result.error) : may_pass(*attempt.failed);
        attempt.what = result.error ? sink.describe(result.error) : std::string("not every event was taken");
      }
    }
  } catch (const abi::__forced_unwind&) {  // the thread is being ended
    if (worker_) {
      emit_began_.store({}, std::memory_order_relaxed);
    } else {  // a fallback of a queued sink, whose worker delivers
      ledger_.settle(events.size(), 0, 0, false, static_cast<std::size_t>(FailReason::worker_died));
    }
    throw;
  } catch (...) {
    if (!attempt.failed) attempt.failed = FailReason::sink_threw;  // else it is the text that there was no memory for
    char what[256];
    current_exception_text(what);
    try {
      attempt.what = what;
    } catch (...) {
      attempt.what.clear();
    }
  }
  if (breaker_) attempt.took = clock_.steady() - began;
  if (attempt.emitted != 0) unflushed_.store(true, std::memory_order_relaxed);
  if (worker_) {
    emit_began_.store({}, std::memory_order_relaxed);
  } else {
    ledger_.settle(events.size(), attempt.emitted, bytes, hands_on(),
                   static_cast<std::size_t>(attempt.failed.value_or(FailReason::other)));
  }
  if (timed && !own) note_times(events.first(attempt.emitted), began, sampled, weight);
  const std::vector<std::string> notes = take_notes();
  lock.unlock();
  tell(notes);
  return attempt;
}

/// A logger behind this one has locks of its own, and a sink of it may log to this one: a thread that is there on its
/// own way would wait for this lock, and this thread for it.
EmitResult SinkStage::emit_unlocked(Sink& sink, std::unique_lock<TimedLock>& lock, std::span<const Event> events) {
  struct LockedAgain {
    std::unique_lock<TimedLock>& lock;
    ~LockedAgain() { lock.lock(); }
  };
  lock.unlock();
  const LockedAgain again{lock};
  return sink.emit(events);
}

void SinkStage::note_times(std::span<const Event> emitted, std::chrono::nanoseconds began, bool sampled,
                           std::uint64_t weight) noexcept {
  const std::chrono::nanoseconds took = clock_.steady() - began;
  if (!sampled && !(worker_ && worker_->options().on_slow)) return;
  const Timestamp ended = clock_.now();
  if (sampled && worker_) {
    times_->end(emitted, took, ended);
  } else if (sampled) {
    times_->record(emitted, took, ended, weight);
  }
  if (worker_) worker_->notices().latency(emitted.empty() ? took : ended - emitted.front().timestamp());
}

std::chrono::nanoseconds SinkStage::busy_for() const noexcept {
  // Both where one thread hangs in the sink and another hands on: the longer counts.
  const std::chrono::nanoseconds emit = emit_began_.load(std::memory_order_relaxed);
  const std::chrono::nanoseconds hand_on = hand_on_began_.load(std::memory_order_relaxed);
  const std::chrono::nanoseconds began =
      emit.count() == 0 || hand_on.count() == 0 ? emit + hand_on : std::min(emit, hand_on);
  return began.count() == 0 ? began : clock_.steady() - began;
}

// ---- a synchronous sink

void SinkStage::deliver(const Event& event, PropertyBlock& extras) {
  std::uint64_t suppressed = 0;
  if (!takes(event, suppressed)) return;
  if (worker_) {  // past the lanes: from a caller of a root with synchronous sinks, or from the sink before this one
    const SinkWorker::Patience patience = worker_->patience();
    if (worker_->take_place(event.level(), patience)) enqueue_copy(event, extras, suppressed, &patience);
    return;
  }
  const SuppressionMark mark(extras, suppressed, untold_);
  if (breaker_) {
    deliver_guarded(event, extras);
    return;
  }
  std::uint64_t bytes = 0;
  if (const Attempt attempt = emit({&event, 1}, bytes); attempt.failed) {
    fail(event, extras, *attempt.failed, attempt.what);
  }
}

namespace {

/// Marks an event as one that a sink handed on, as long as it lives: the sinks beside it have the event with the
/// program's own property of that name, or as the sink before marked it.
class HandedOnMark {
 public:
  HandedOnMark(PropertyBlock& extras, std::int64_t time, std::string_view sink) noexcept : extras_(extras) {
    try {
      if (Value before; extras.find(name, time, before)) before_.emplace(before);
      const OwnedValue from(sink);
      extras.replace(name, from.view());
      marked_ = true;
    } catch (...) {  // no memory for the mark: it goes without
    }
  }
  HandedOnMark(const HandedOnMark&) = delete;
  HandedOnMark& operator=(const HandedOnMark&) = delete;
  ~HandedOnMark() {
    if (!marked_) return;
    try {
      if (before_) {
        extras_.replace(name, before_->view());
        return;
      }
    } catch (...) {  // no memory to put it back: it is gone
    }
    extras_.remove_name(name);
  }

 private:
  static constexpr std::string_view name = "FallbackFrom";
  PropertyBlock& extras_;
  std::optional<OwnedValue> before_;
  bool marked_ = false;
};

}  // namespace

void SinkStage::hand_on(const Event& event, PropertyBlock& extras) {
  const HandedOnMark mark(extras, EventParts::record(event).time, settings_.name);
  if (settings_.fallback) {
    settings_.fallback->deliver(event, extras);
  } else if (writes_to_last_resort()) {
    take_to_last_resort({&event, 1});
  } else {
    settings_.emergency->take(event);
  }
}

void SinkStage::tell_fallback(std::size_t events, std::string_view what) {
  if (!settings_.on_fallback) return;
  const NoCancellation uncancelled(!worker_);
  try {
    settings_.on_fallback(events, what);
  } catch (const abi::__forced_unwind&) {
    throw;
  } catch (...) {
    errors_.report({"on_fallback of sink ", settings_.name, " threw"});
  }
}

void SinkStage::fail(const Event& event, PropertyBlock& extras, FailReason reason, std::string_view what) {
  remember_error(what);
  if (hands_on()) {
    if (!settings_.fallback) report(reason, what);
    hand_on(event, extras);
    tell_fallback(1, what);
    return;
  }
  report(reason, what);
}

void SinkStage::report(FailReason reason, std::string_view what) noexcept {
  try {
    errors_.report({"sink ", settings_.name, " failed (", to_string(reason), "): ", what});
  } catch (...) {  // no memory left to tell anybody
  }
}

void SinkStage::remember_error(std::string_view what) noexcept {
  const Timestamp now = clock_.now();
  const std::lock_guard lock(error_mutex_);
  last_error_time_ = now;
  try {
    last_error_ = what;
  } catch (...) {  // no memory for the text
    last_error_.clear();
  }
}

}  // namespace cairn::detail
