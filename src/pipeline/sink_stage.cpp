#include "pipeline/sink_stage.hpp"

#include <cxxabi.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <thread>
#include <utility>

#include "cairn/detail/buffering_sink.hpp"
#include "cairn/detail/capture_writer.hpp"
#include "cairn/output_buffer.hpp"
#include "capture/thread_state.hpp"
#include "format/clef_formatter.hpp"
#include "pipeline/active_pipeline.hpp"
#include "pipeline/pipeline.hpp"
#include "pipeline/stage_registry.hpp"
#include "pipeline/suppression.hpp"
#include "platform/no_cancellation.hpp"

namespace cairn::detail {

std::string_view to_string(FailReason reason) noexcept {
  constexpr std::string_view names[] = {"sink_threw",  "no_space",   "over_quota",  "file_too_large", "io_error",
                                        "closed_pipe", "short_emit", "sink_closed", "worker_died",    "other"};
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

bool may_pass(FailReason reason) noexcept {
  return reason == FailReason::no_space || reason == FailReason::over_quota || reason == FailReason::file_too_large ||
         reason == FailReason::io_error;
}

namespace {
/// Under a lock there is one writer, and a counter needs no locked instruction.
void add(std::atomic<std::uint64_t>& counter, std::uint64_t by) noexcept {
  counter.store(counter.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
}
}  // namespace

bool SinkStage::passes_filter(const Event& event, std::uint64_t& suppressed) noexcept {
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

SinkStage::SinkStage(Settings settings, const Pipeline& pipeline, InternalErrors& errors, Clock& clock)
    : settings_(std::move(settings)),
      pipeline_(pipeline),
      errors_(errors),
      clock_(clock),
      sink_(std::move(settings_.sink)),
      counters_(sink_ != nullptr ? sink_->counters() : nullptr) {
  if (settings_.timed) times_ = std::make_unique<SinkTimes>();
  if (settings_.queue) worker_ = std::make_shared<SinkWorker>(*this, settings_.name, std::move(*settings_.queue));
  if (settings_.breaker) {
    breaker_ = std::make_unique<SinkBreaker>(std::move(*settings_.breaker), clock_,
                                             [this](const CircuitTransition& change) { circuit_changed(change); });
  }
  guard_against_forks(*this, ForkTurn::outer);
  list_stage(*this);
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
    forget_counts();
    errors_.free_after_fork();
  } else if (held_for_fork_) {
    mutex_.unlock();
  }
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
  for (auto* const counter : {&emitted_, &diverted_, &bytes_, &self_events_, &circuit_open_, &retry_expired_})
    counter->store(0, std::memory_order_relaxed);
  for (auto& counter : failed_) counter.store(0, std::memory_order_relaxed);
  last_error_.clear();
  last_error_time_.reset();
}

void SinkStage::kept_by(const std::weak_ptr<void>& keeper) noexcept {
  if (worker_) worker_->start(keeper);
  if (settings_.fallback) settings_.fallback->kept_by(keeper);
}

SinkStage::Attempt SinkStage::emit(std::span<const Event> events, std::uint64_t& bytes, bool own) {
  Attempt attempt;
  const NoCancellation uncancelled(settings_.is_foreign && !worker_);
  const std::lock_guard lock(mutex_);
  if (!worker_) ledger_.accept(events.size());
  const bool sampled = times_ && !own && (worker_ || sample_.take());
  const bool timed = sampled || worker_;  // a queued sink may also be watched
  std::chrono::nanoseconds began{};
  if (timed || breaker_) began = clock_.steady();
  if (worker_) emit_began_.store(std::max(began, std::chrono::nanoseconds(1)), std::memory_order_relaxed);
  try {
    if (sink_ == nullptr) {
      attempt.failed = FailReason::sink_closed;
      attempt.what = "the sink is closed";
    } else {
      if (!settings_.before.empty()) write_notices();
      const EmitResult result = sink_->emit(events);
      bytes = result.bytes;
      attempt.emitted = std::min(result.emitted, events.size());
      if (attempt.emitted != events.size()) {
        attempt.failed = reason_of(result.error);
        attempt.what = result.error ? sink_->describe(result.error) : std::string("not every event was taken");
      }
    }
  } catch (const abi::__forced_unwind&) {
    emit_began_.store({}, std::memory_order_relaxed);
    throw;  // the thread is being ended
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
  unflushed_ = unflushed_ || attempt.emitted != 0;
  if (worker_) {
    emit_began_.store({}, std::memory_order_relaxed);
  } else {
    ledger_.settle(events.size(), attempt.emitted, bytes, hands_on(),
                   static_cast<std::size_t>(attempt.failed.value_or(FailReason::other)));
  }
  if (timed && !own) note_times(events.first(attempt.emitted), began, sampled);
  return attempt;
}

void SinkStage::note_times(std::span<const Event> emitted, std::chrono::nanoseconds began, bool sampled) noexcept {
  const std::chrono::nanoseconds took = clock_.steady() - began;
  if (!sampled && !(worker_ && worker_->options().on_slow)) return;
  const Timestamp ended = clock_.now();
  if (sampled) times_->record(emitted, took, ended, worker_ ? 1 : sample_.weight());
  if (worker_) worker_->note_latency(emitted.empty() ? took : ended - emitted.front().timestamp());
}

std::chrono::nanoseconds SinkStage::busy_for() const noexcept {
  const std::chrono::nanoseconds began = emit_began_.load(std::memory_order_relaxed);
  return began.count() == 0 ? began : clock_.steady() - began;
}

void SinkStage::reset_marks() noexcept {
  if (times_) times_->reset();
  if (worker_) worker_->reset_high_water();
  if (settings_.fallback) settings_.fallback->reset_marks();
}

// ---- a synchronous sink

void SinkStage::deliver(const Event& event, PropertyBlock& extras) noexcept {
  std::uint64_t suppressed = 0;
  if (!takes(event, suppressed)) return;
  if (worker_) {  // past the lanes: from a caller of a root with synchronous sinks, or from the sink before this one
    if (worker_->take_room()) enqueue_copy(event, extras, suppressed);
    return;
  }
  const SuppressionMark mark(extras, suppressed);
  if (breaker_) {
    deliver_guarded(event, extras);
    return;
  }
  std::uint64_t bytes = 0;
  if (const Attempt attempt = emit({&event, 1}, bytes); attempt.failed) {
    fail(event, extras, *attempt.failed, attempt.what);
  }
}

void SinkStage::hand_on(const Event& event, PropertyBlock& extras) noexcept {
  try {
    const OwnedValue name(settings_.name);
    extras.replace("FallbackFrom", name.view());
  } catch (...) {  // no memory for the mark: it goes without
  }
  if (settings_.fallback) {
    settings_.fallback->deliver(event, extras);
  } else {
    settings_.emergency->take(event);
  }
  extras.remove_name("FallbackFrom");
}

void SinkStage::tell_fallback(std::size_t events, std::string_view what) noexcept {
  if (!settings_.on_fallback) return;
  try {
    settings_.on_fallback(events, what);
  } catch (...) {
    errors_.report({"on_fallback of sink ", settings_.name, " threw"});
  }
}

void SinkStage::fail(const Event& event, PropertyBlock& extras, FailReason reason, std::string_view what) noexcept {
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

// ---- a queued sink

void SinkStage::enqueue(const std::shared_ptr<const EventBatch>& batch) noexcept {
  const std::span<const Event> events = batch->events();
  std::size_t first = 0;  // of the neighbours that are taken
  std::uint64_t refused = 0;
  const auto push = [&](std::size_t end) {
    if (end > first) worker_->push({batch, first, end - first});
  };
  for (std::size_t i = 0; i < events.size(); ++i) {
    std::uint64_t suppressed = 0;
    const bool taken = takes(events[i], suppressed);
    if (taken && suppressed == 0) [[likely]]
      continue;
    push(i);
    first = i + 1;
    if (!taken) {
      ++refused;
      continue;
    }
    try {
      PropertyBlock extras;
      events[i].copy_enrichments(extras);
      enqueue_copy(events[i].with_enrichments(extras), extras, suppressed);
    } catch (...) {
      worker_->lose(1);
    }
  }
  push(events.size());
  if (Credit* credit = worker_->credit(); credit != nullptr) credit->give(refused);
}

void SinkStage::enqueue_copy(const Event& event, PropertyBlock& extras, std::uint64_t suppressed) noexcept {
  const SuppressionMark mark(extras, suppressed);
  try {
    const bool blocks = worker_->credit() != nullptr;
    const std::shared_ptr<HeldShare> share = blocks ? pipeline_.held() : nullptr;
    std::shared_ptr<const EventBatch> copy = EventBatch::copy({&event, 1}, share);
    const ThreadState* thread = thread_state();
    if (!copy && blocks && thread != nullptr && !thread->of_cairn) {  // waits for memory as it did for room
      const NoCancellation uncancelled;
      const auto deadline = std::chrono::steady_clock::now() + worker_->options().block_timeout;
      while (!copy && std::chrono::steady_clock::now() < deadline) {
        std::this_thread::sleep_for(std::chrono::microseconds(50));
        copy = EventBatch::copy({&event, 1}, share);
      }
    }
    if (copy) {
      worker_->push({std::move(copy), 0, 1});
      return;
    }
  } catch (...) {  // no memory
  }
  worker_->lose(1);
}

std::size_t SinkStage::attempt(std::span<const Event> events, SinkWorker& worker) {
  if (worker.sink_is_taken()) {
    divert_all(events, worker, sink_hangs);
    return events.size();
  }
  if (breaker_) return attempt_guarded(events, worker);
  std::uint64_t bytes = 0;
  const Attempt attempt = emit(events, bytes);
  const bool here = worker.resolve(attempt.emitted, [&] {
    add(emitted_, attempt.emitted);
    add(bytes_, bytes);
  });
  if (!attempt.failed) return events.size();
  worker.report_error(attempt.what);
  const FailReason reason = *attempt.failed;
  if (here && may_pass(reason) && worker.tries_again()) {
    remember_error(attempt.what);
    report(reason, attempt.what);
    return attempt.emitted;
  }
  fail_all(events.subspan(attempt.emitted), worker, reason, attempt.what);
  return events.size();
}

void SinkStage::fail_all(std::span<const Event> events, SinkWorker& worker, FailReason reason,
                         std::string_view what) noexcept {
  remember_error(what);
  if (!settings_.fallback) report(reason, what);
  if (!hands_on()) {
    worker.resolve(events.size(), [&] { add(failed_[static_cast<std::size_t>(reason)], events.size()); });
    return;
  }
  divert_all(events, worker, what);
}

void SinkStage::divert_all(std::span<const Event> events, SinkWorker& worker, std::string_view what) noexcept {
  for (const Event& event : events) {
    PropertyBlock extras;
    try {
      event.copy_enrichments(extras);
    } catch (...) {  // no memory: it goes without what enrichers added
    }
    hand_on(event.with_enrichments(extras), extras);
    worker.resolve(1, [&] { add(diverted_, 1); });  // once it is there: a flush of this sink covers it
  }
  tell_fallback(events.size(), what);
}

bool SinkStage::announce(const DroppedEvents& gap) noexcept {
  if (worker_->sink_is_taken() || (breaker_ && breaker_->spares())) return false;
  try {
    const DroppedEventsRecord record(gap, clock_.now());
    const Event event = record.event();
    std::uint64_t bytes = 0;
    if (emit({&event, 1}, bytes, true).failed) return false;
    self_events_.fetch_add(1, std::memory_order_relaxed);
    bytes_.fetch_add(bytes, std::memory_order_relaxed);
    return true;
  } catch (const std::exception&) {  // no memory
    return false;
  }
}

void SinkStage::count_lost(std::uint64_t count) noexcept {
  add(failed_[static_cast<std::size_t>(FailReason::worker_died)], count);
}

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
    if (const std::error_code error = sink_->reopen(); error) {
      const std::string what = sink_->describe(error);
      remember_error(what);
      errors_.report({"sink ", settings_.name, " could not be reopened: ", what});
    }
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
  if (!error) {
    if (std::exchange(result.failed, false)) result.error.clear();  // what the flush could not write is written now
    return;
  }
  result.failed = true;
  result.error = sink.describe(error);
  remember_error(result.error);
  errors_.report_last({"sink ", settings_.name, ": ", result.error});
}

void SinkStage::rescue(int fd) noexcept {
  try {
    std::vector<Event> events;
    std::vector<EventRange> queued;
    worker_->take_from_crashed(events, queued);
    for (const EventRange& range : queued) events.insert(events.end(), range.events().begin(), range.events().end());
    worker_->locked([&] { add(diverted_, events.size()); });
    ClefFormatter formatter;
    OutputBuffer lines;
    for (const Event& event : events) {
      if (settings_.fallback) {
        PropertyBlock extras;
        event.copy_enrichments(extras);
        hand_on(event.with_enrichments(extras), extras);
      } else {
        formatter.format(event, lines);
      }
    }
    const char* at = lines.data();
    for (std::size_t left = lines.size(); left != 0;) {
      const ssize_t written = ::write(fd, at, left);
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) return;
      at += written;
      left -= static_cast<std::size_t>(written);
    }
  } catch (...) {  // no memory: what is left is lost with the program
  }
}

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

}  // namespace cairn::detail
