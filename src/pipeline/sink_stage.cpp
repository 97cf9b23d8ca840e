#include "pipeline/sink_stage.hpp"

#include <cerrno>

#include "cairn/detail/capture_writer.hpp"
#include "pipeline/suppression.hpp"

namespace cairn::detail {

std::string_view to_string(FailReason reason) noexcept {
  constexpr std::string_view names[] = {"sink_threw",  "no_space",   "over_quota",  "file_too_large", "io_error",
                                        "closed_pipe", "short_emit", "sink_closed", "other"};
  return names[static_cast<std::size_t>(reason)];
}

FailReason reason_of(std::error_code error) noexcept {
  if (!error) return FailReason::short_emit;
  if (error.category() != std::generic_category() && error.category() != std::system_category())
    return FailReason::other;
  switch (error.value()) {
    case ENOSPC: return FailReason::no_space;
    case EDQUOT: return FailReason::over_quota;
    case EFBIG: return FailReason::file_too_large;
    case EIO: return FailReason::io_error;
    case EPIPE: return FailReason::closed_pipe;
    default: return FailReason::other;
  }
}

namespace {
/// Under the stage's mutex there is one writer, and a counter needs no locked instruction.
void add(std::atomic<std::uint64_t>& counter, std::uint64_t by) noexcept {
  counter.store(counter.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
}
}  // namespace

bool SinkStage::takes(const Event& event, std::uint64_t& suppressed) noexcept {
  if (event.level() < settings_.least) return false;
  if (!settings_.filter) return true;
  SuppressionScope suppression;
  try {
    if (!(*settings_.filter)(event)) return false;
    suppressed = suppression.take();
    return true;
  } catch (...) {
    char what[256];
    current_exception_text(what);
    errors_.report({"the filter of sink ", settings_.name, " threw, the event passes: ", what});
    return true;
  }
}

void SinkStage::deliver(const Event& event, PropertyBlock& extras) noexcept {
  std::uint64_t suppressed = 0;
  if (!takes(event, suppressed)) return;
  const SuppressionMark mark(extras, suppressed);
  try {
    EmitResult result;
    {
      const std::lock_guard lock(mutex_);
      add(accepted_, 1);
      if (sink_ == nullptr) {
        result.error = std::make_error_code(std::errc::bad_file_descriptor);
      } else {
        result = sink_->emit({&event, 1});
        add(bytes_, result.bytes);
        if (result.emitted == 1) {
          add(emitted_, 1);
          return;
        }
        if (!result.error) result.error = std::error_code();
      }
      if (sink_ == nullptr) {
        failed_[static_cast<std::size_t>(FailReason::sink_closed)].fetch_add(1, std::memory_order_relaxed);
        return;
      }
    }
    fail(event, extras, reason_of(result.error),
         result.error ? result.error.message() : std::string("the event was not taken"));
  } catch (...) {
    char what[256];
    current_exception_text(what);
    fail(event, extras, FailReason::sink_threw, what);
  }
}

void SinkStage::fail(const Event& event, PropertyBlock& extras, FailReason reason, std::string_view what) noexcept {
  bool counted = false;  // each event has one end, whatever throws below
  try {
    remember_error(what);
    if (SinkStage* next = settings_.fallback.get(); next != nullptr) {
      const OwnedValue name(settings_.name);
      extras.add("FallbackFrom", name.view());
      diverted_.fetch_add(1, std::memory_order_relaxed);
      counted = true;
      next->deliver(event, extras);
      extras.remove_name("FallbackFrom");
      if (settings_.on_fallback) {
        try {
          settings_.on_fallback(1, what);
        } catch (...) {
          errors_.report({"on_fallback of sink ", settings_.name, " threw"});
        }
      }
      return;
    }
    failed_[static_cast<std::size_t>(reason)].fetch_add(1, std::memory_order_relaxed);
    counted = true;
    errors_.report({"sink ", settings_.name, " failed (", to_string(reason), "): ", what});
  } catch (...) {  // no memory left to tell anybody
    if (!counted) failed_[static_cast<std::size_t>(reason)].fetch_add(1, std::memory_order_relaxed);
  }
}

void SinkStage::remember_error(std::string_view what) noexcept {
  try {
    const std::lock_guard lock(error_mutex_);
    last_error_ = what;
    last_error_time_ = clock_.now();
  } catch (...) {
    last_error_time_ = clock_.now();
  }
}

SinkFlush SinkStage::flush(std::chrono::steady_clock::time_point deadline) noexcept {
  SinkFlush result;
  try {
    result.name = settings_.name;
    const std::unique_lock lock(mutex_, deadline);
    if (!lock.owns_lock()) {
      result.status = FlushStatus::timed_out;
      result.error = "the sink is still busy with an event";
      return result;
    }
    if (sink_ == nullptr) return result;
    if (const std::error_code error = sink_->flush(deadline); error) {
      result.status = FlushStatus::failed;
      result.error = error.message();
      remember_error(result.error);
    }
  } catch (...) {
    char what[256];
    current_exception_text(what);
    result.status = FlushStatus::failed;
    result.error = what;
    remember_error(what);
  }
  return result;
}

void SinkStage::reopen() noexcept {
  try {
    const std::lock_guard lock(mutex_);
    if (sink_ == nullptr) return;
    if (const std::error_code error = sink_->reopen(); error) {
      remember_error(error.message());
      errors_.report({"sink ", settings_.name, " could not be reopened: ", error.message()});
    }
  } catch (...) {
    char what[256];
    current_exception_text(what);
    remember_error(what);
  }
  if (settings_.fallback) settings_.fallback->reopen();
}

SinkFlush SinkStage::close(std::chrono::steady_clock::time_point deadline) noexcept {
  SinkFlush result = flush(deadline);
  if (result.status == FlushStatus::timed_out) return result;  // somebody is inside: the sink is left to them
  try {
    std::shared_ptr<Sink> sink;
    {
      const std::unique_lock lock(mutex_, deadline);
      if (!lock.owns_lock()) {
        result.status = FlushStatus::timed_out;
        return result;
      }
      sink = std::move(sink_);
      sink_ = nullptr;
    }
    sink.reset();  // closing is the destructor, which runs user code: under no lock
  } catch (...) {
    result.status = FlushStatus::failed;
    result.error = "closing threw";
  }
  return result;
}

void SinkStage::counts_into(std::vector<SinkCounts>& out) const {
  SinkCounts counts;
  counts.name = settings_.name;
  counts.accepted = accepted_.load(std::memory_order_relaxed);
  counts.emitted = emitted_.load(std::memory_order_relaxed);
  counts.diverted = diverted_.load(std::memory_order_relaxed);
  counts.bytes_written = bytes_.load(std::memory_order_relaxed);
  for (std::size_t i = 0; i < fail_reasons; ++i) {
    if (const auto count = failed_[i].load(std::memory_order_relaxed); count != 0) {
      counts.failed[std::string(to_string(static_cast<FailReason>(i)))] = count;
    }
  }
  {
    const std::lock_guard lock(error_mutex_);
    counts.last_error = last_error_;
    counts.last_error_time = last_error_time_;
  }
  out.push_back(std::move(counts));
  if (settings_.fallback) settings_.fallback->counts_into(out);
}

}  // namespace cairn::detail
