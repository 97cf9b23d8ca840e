// Flushing, reopening and closing a stage's sink: each waits for the call that is under way, and not without end.
#include <cxxabi.h>

#include <algorithm>
#include <mutex>
#include <optional>
#include <utility>

#include "cairn/detail/buffering_sink.hpp"
#include "cairn/detail/capture_writer.hpp"
#include "cairn/detail/turn_taking_sink.hpp"
#include "pipeline/active_pipeline.hpp"
#include "pipeline/relaying_sink.hpp"
#include "pipeline/sink_stage.hpp"
#include "platform/no_cancellation.hpp"

namespace cairn::detail {

/// Around a call of a queued sink that is no emit(): metrics, `on_slow` and the watchdog see how long it takes.
class SinkStage::InCall {
 public:
  explicit InCall(SinkStage& stage) noexcept : stage_(stage) {
    if (stage.worker_)
      stage.emit_began_.store(std::max(stage.clock_.steady(), std::chrono::nanoseconds(1)), std::memory_order_relaxed);
  }
  InCall(const InCall&) = delete;
  InCall& operator=(const InCall&) = delete;
  ~InCall() {
    if (stage_.worker_) stage_.emit_began_.store({}, std::memory_order_relaxed);
  }

 private:
  SinkStage& stage_;
};

Flushed SinkStage::flush_sink(std::chrono::steady_clock::time_point deadline, FlushAsked asked) {
  const NoCancellation uncancelled(!worker_);
  const ActivePipeline inside(pipeline_);  // before the lock: what a signal handler logs must not wait for it
  Flushed flushed = flush_locked(deadline, asked);
  if (worker_ && flushed.by_sink && flushed.status == FlushStatus::failed) {  // perhaps nobody waits for the answer
    errors_.report({"sink ", settings_.name, " could not be flushed: ", flushed.error});
    worker_->notices().error(flushed.error);
  }
  return flushed;
}

Flushed SinkStage::flush_locked(std::chrono::steady_clock::time_point deadline, FlushAsked asked) {
  try {
    if (worker_ && worker_->sink_is_taken()) return {FlushStatus::failed, std::string(sink_hangs)};
    std::unique_lock lock(mutex_, deadline);
    if (!lock.owns_lock()) return {FlushStatus::timed_out, std::string(sink_is_busy), false};
    if (sink_ == nullptr) return {};
    if (breaker_ && breaker_->spares()) {
      if (!unflushed_.load(std::memory_order_relaxed)) return {};
      return {FlushStatus::failed, std::string(circuit_is_open)};
    }
    const InCall call(*this);
    if (!settings_.before.empty()) write_notices();
    if (const auto relay = std::dynamic_pointer_cast<RelayingSink>(sink_)) {
      lock.unlock();  // what was logged before is with the target, where others may go on to log
      return flush_behind(*relay, asked);
    }
    if (const std::error_code error = sink_->flush(deadline))
      return not_flushed(error, sink_->describe(error), deadline);
    unflushed_.store(false, std::memory_order_relaxed);
    return {};
  } catch (const abi::__forced_unwind&) {
    throw;
  } catch (...) {
    char what[256];
    current_exception_text(what);
    remember_error(what);
    Flushed flushed{FlushStatus::failed, {}, true, true};
    try {
      flushed.error = what;
    } catch (...) {  // no memory for the text
    }
    return flushed;
  }
}

Flushed SinkStage::flush_behind(RelayingSink& relay, FlushAsked asked) noexcept {
  if (asked) unflushed_.store(false, std::memory_order_relaxed);  // what comes meanwhile may not be in this one
  RelayingSink::Relayed relayed = asked ? relay.flush_behind(*asked) : relay.flush_unasked();
  if (!relayed.error) return {};
  unflushed_.store(true, std::memory_order_relaxed);
  return not_flushed(relayed.error, std::move(relayed.what),
                     asked.value_or(std::chrono::steady_clock::time_point::max()));
}

Flushed SinkStage::not_flushed(std::error_code error, std::string what,
                               std::chrono::steady_clock::time_point deadline) noexcept {
  remember_error(what);
  // A storage, too, may say that it timed out, at any time: that is a failure.
  const bool gave_up = error == std::errc::timed_out && std::chrono::steady_clock::now() >= deadline;
  return {gave_up ? FlushStatus::timed_out : FlushStatus::failed, std::move(what), true, true};
}

std::uint64_t SinkStage::begin_flush(FlushAsked asked) noexcept { return worker_ ? worker_->begin_flush(asked) : 0; }

Flushed SinkStage::flushed_by(std::uint64_t begun, std::chrono::steady_clock::time_point deadline, bool relays) {
  if (worker_) return worker_->wait_flushed(begun, deadline);
  return flush_sink(deadline, relays ? FlushAsked(deadline) : std::nullopt);
}

SinkFlush SinkStage::end_flush(std::uint64_t begun, std::chrono::steady_clock::time_point deadline,
                               bool relays) noexcept {
  SinkFlush result;
  try {
    result.name = settings_.name;
    Flushed flushed = flushed_by(begun, deadline, relays);
    result.status = flushed.status;
    result.error = std::move(flushed.error);
  } catch (...) {
    result.status = FlushStatus::failed;
  }
  return result;
}

SinkFlush SinkStage::reopen(std::chrono::steady_clock::time_point until) noexcept {
  SinkFlush result;
  const NoCancellation uncancelled;
  const ActivePipeline inside(pipeline_);
  try {
    result.name = settings_.name;
    std::unique_lock lock(mutex_, std::try_to_lock);
    if (!lock.owns_lock() && hangs()) {
      result.status = FlushStatus::failed;
      result.error = sink_hangs;
    } else if (!lock.owns_lock() && !lock.try_lock_until(until)) {
      result.status = FlushStatus::timed_out;
      result.error = sink_is_busy;
    } else if (sink_ == nullptr) {  // the logger has ended: nothing that anybody need be told
      result.status = FlushStatus::failed;
      result.error = sink_is_closed;
      return result;
    } else {
      auto* const shared = dynamic_cast<TurnTakingSink*>(sink_.get());
      const auto error = shared != nullptr ? shared->reopen_by(until) : std::optional(sink_->reopen());
      if (!error || *error) {
        result.status = error ? FlushStatus::failed : FlushStatus::timed_out;
        result.error = sink_->describe(error.value_or(std::make_error_code(std::errc::timed_out)));
        if (!error) remember_error(result.error);
      }
      const std::vector<std::string> notes = take_notes();
      lock.unlock();
      tell(notes);
    }
  } catch (...) {
    char what[256];
    current_exception_text(what);
    result.status = FlushStatus::failed;
    try {
      result.error = what;
    } catch (...) {  // no memory for the text
    }
  }
  if (result.status == FlushStatus::failed) {
    remember_error(result.error);
    tell_not_reopened(result.error);
  }
  return result;
}

void SinkStage::tell_not_reopened(std::string_view why) noexcept {
  errors_.report({"sink ", settings_.name, " could not be reopened: ", why});
}

void SinkStage::reopen_as_asked(std::chrono::nanoseconds timeout) noexcept {
  std::uint64_t asked = reopens_asked_.load(std::memory_order_acquire);  // pairs with ask_reopen, as the exchange
  do {
    const SinkFlush result = reopen(std::chrono::steady_clock::now() + timeout);
    if (result.status == FlushStatus::timed_out) tell_not_reopened(result.error);
  } while (!reopens_asked_.compare_exchange_strong(asked, 0, std::memory_order_acq_rel));
}

SinkStage::Closed SinkStage::close(std::chrono::steady_clock::time_point deadline) noexcept {
  Closed result;
  const ActivePipeline inside(pipeline_);  // what its flush or its destructor asks of the logger is not waited for
  try {
    if (worker_ && worker_->deliver_here()) {
      result.in_time = true;
    } else {
      Flushed flushed = flushed_by(begin_flush(deadline), deadline, !abandoned_.load(std::memory_order_relaxed));
      result.error = std::move(flushed.error);
      result.in_time = flushed.called;
      result.failed = flushed.called && flushed.status != FlushStatus::ok;
    }
    if (worker_ ? !worker_->stop(deadline) : !result.in_time) return result;
    std::shared_ptr<Sink> sink;
    {
      const std::unique_lock lock(mutex_, deadline);
      if (!lock.owns_lock()) return result;
      sink = std::move(sink_);
      sink_ = nullptr;
      buffering_ = nullptr;
    }
    if (sink != nullptr) close_buffer(*sink, result);
    sink.reset();  // closing is the destructor, which runs user code: under no lock
    result.closed = true;
  } catch (...) {
    result.error = "closing threw";
  }
  return result;
}

/// What a sink counted as emitted may still be with it. If it is lost, there is nobody else who could tell.
void SinkStage::close_buffer(Sink& sink, Closed& result) {
  auto* const buffering = dynamic_cast<BufferingSink*>(&sink);
  if (buffering == nullptr) return;
  const std::error_code error = buffering->close();
  tell(buffering->take_notes());
  if (!error) {
    if (std::exchange(result.failed, false)) result.error.clear();  // what the flush could not write is written now
    return;
  }
  result.failed = true;
  result.error = sink.describe(error);
  remember_error(result.error);
  errors_.report_always({"sink ", settings_.name, ": ", result.error});
}

}  // namespace cairn::detail
