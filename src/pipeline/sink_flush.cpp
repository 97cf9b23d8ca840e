// Flushing, reopening and closing a stage's sink: each waits for the call that is under way, and not without end.
#include <algorithm>
#include <mutex>
#include <utility>

#include "cairn/detail/buffering_sink.hpp"
#include "cairn/detail/capture_writer.hpp"
#include "pipeline/sink_stage.hpp"

namespace cairn::detail {

std::string SinkStage::flush_sink(std::chrono::steady_clock::time_point deadline) noexcept {
  try {
    if (worker_ && worker_->sink_is_taken()) return std::string(sink_hangs);
    const std::unique_lock lock(mutex_, deadline);
    if (!lock.owns_lock()) return "the sink is still busy with an event";
    if (sink_ == nullptr) return {};
    if (breaker_ && breaker_->spares()) return std::string(unflushed_ ? circuit_is_open : "");
    struct InCall {
      explicit InCall(SinkStage& its_stage) noexcept : stage(its_stage) {
        if (stage.hangs_after().count() != 0)  // else nobody looks
          stage.emit_began_.store(std::max(stage.clock_.steady(), std::chrono::nanoseconds(1)),
                                  std::memory_order_relaxed);
      }
      ~InCall() {
        if (stage.worker_) stage.emit_began_.store({}, std::memory_order_relaxed);
      }
      SinkStage& stage;
    };
    if (!settings_.before.empty()) write_notices();
    const InCall call(*this);
    if (const std::error_code error = sink_->flush(deadline); error) {
      std::string what = sink_->describe(error);
      remember_error(what);
      return what;
    }
    unflushed_ = false;
    return {};
  } catch (...) {
    char what[256];
    current_exception_text(what);
    remember_error(what);
    try {
      return what;
    } catch (...) {
      return "!";
    }
  }
}

std::uint64_t SinkStage::begin_flush() noexcept { return worker_ ? worker_->begin_flush() : 0; }

SinkFlush SinkStage::end_flush(std::uint64_t begun, std::chrono::steady_clock::time_point deadline) noexcept {
  SinkFlush result;
  try {
    result.name = settings_.name;
    if (worker_) {
      if (!worker_->wait_flushed(begun, deadline, result.error)) {
        result.status = FlushStatus::timed_out;
        return result;
      }
    } else {
      const std::unique_lock lock(mutex_, deadline);
      if (!lock.owns_lock()) {
        result.status = FlushStatus::timed_out;
        result.error = "the sink is still busy with an event";
        return result;
      }
    }
    if (!worker_) result.error = flush_sink(deadline);
    if (!result.error.empty()) result.status = FlushStatus::failed;
  } catch (...) {
    result.status = FlushStatus::failed;
  }
  return result;
}

void SinkStage::reopen() noexcept {
  try {
    std::unique_lock<TimedLock> lock(mutex_, std::defer_lock);
    while (!lock.try_lock_for(std::chrono::milliseconds(100))) {
      if (!hangs()) continue;
      errors_.report({"sink ", settings_.name, " could not be reopened: ", sink_hangs});
      return;
    }
    if (sink_ == nullptr) return;
    std::string what;
    if (const std::error_code error = sink_->reopen(); error) {
      what = sink_->describe(error);
      remember_error(what);
    }
    const std::vector<std::string> notes = take_notes();
    lock.unlock();
    tell(notes);
    if (!what.empty()) errors_.report({"sink ", settings_.name, " could not be reopened: ", what});
  } catch (...) {
    char what[256];
    current_exception_text(what);
    remember_error(what);
  }
  if (settings_.fallback) settings_.fallback->reopen();
}

SinkStage::Closed SinkStage::close(std::chrono::steady_clock::time_point deadline) noexcept {
  Closed result;
  try {
    if (worker_ && worker_->deliver_here()) {
      result.in_time = true;
    } else {
      SinkFlush flush = end_flush(begin_flush(), deadline);
      result.error = std::move(flush.error);
      result.in_time = flush.status != FlushStatus::timed_out;
      result.failed = flush.status == FlushStatus::failed;
    }
    if (worker_ ? !worker_->stop(deadline) : !result.in_time) return result;
    std::shared_ptr<Sink> sink;
    {
      const std::unique_lock lock(mutex_, deadline);
      if (!lock.owns_lock()) return result;
      sink = std::move(sink_);
      sink_ = nullptr;
      notes_from_ = nullptr;
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
