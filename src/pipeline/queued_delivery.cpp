// What goes through a stage's queue: in from the dispatcher, out to the sink by its worker, and where that fails to the
// fallback.
#include <cxxabi.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "cairn/output_buffer.hpp"
#include "capture/thread_state.hpp"
#include "format/clef_formatter.hpp"
#include "pipeline/pipeline.hpp"
#include "pipeline/sink_stage.hpp"
#include "pipeline/suppression.hpp"
#include "platform/bounded_write.hpp"
#include "platform/no_cancellation.hpp"

namespace cairn::detail {

namespace {
using namespace std::chrono_literals;

/// Under a lock there is one writer, and a counter needs no locked instruction.
void add(std::atomic<std::uint64_t>& counter, std::uint64_t by) noexcept {
  counter.store(counter.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
}

constexpr std::chrono::nanoseconds patience_of_the_dying = 500ms;  // it is all there is time for

/// Of a program that dies: as far as it goes. False: not all of it is there.
[[nodiscard]] bool write_as_clef(std::span<const Event> events, int fd, std::chrono::nanoseconds patience) noexcept
    try {
  ClefFormatter formatter;
  OutputBuffer lines;
  for (const Event& event : events) formatter.format(event, lines);
  return write_bounded(fd, lines.view(), patience);
} catch (...) {  // no memory: they are lost with the program, if there is no crash ring
  return false;
}

}  // namespace

void SinkStage::enqueue(const std::shared_ptr<const EventBatch>& batch, std::size_t from) noexcept {
  const std::span<const Event> events = batch->events();
  std::size_t& first = enqueued_ = from;  // of the neighbours that are taken
  const bool by_bytes = worker_->credit() != nullptr && worker_->credit()->bytes() != nullptr;
  std::uint64_t refused = 0;
  std::size_t refused_bytes = 0;
  const auto refuse = [&](const Event& event) {
    ++refused;
    if (by_bytes) refused_bytes += EventBatch::cost(event);
  };
  const auto push = [&](std::size_t end) {
    if (end > first) worker_->push({batch, first, end - first});
  };
  for (std::size_t i = from; i < events.size(); ++i) {
    std::uint64_t suppressed = 0;
    const bool taken = takes(events[i], suppressed);
    if (taken && suppressed == 0) [[likely]]
      continue;
    push(i);
    first = i + 1;
    if (!taken) {
      refuse(events[i]);
      continue;
    }
    try {
      PropertyBlock extras;
      events[i].copy_enrichments(extras);
      enqueue_copy(events[i].with_enrichments(extras), extras, suppressed, nullptr);
    } catch (...) {
      worker_->lose(1);
      refuse(events[i]);
    }
  }
  push(events.size());
  worker_->give_back(refused, refused_bytes);
}

void SinkStage::enqueue_copy(const Event& event, PropertyBlock& extras, std::uint64_t suppressed,
                             const SinkWorker::Patience* patience) noexcept {
  const std::size_t taken = patience == nullptr ? EventBatch::cost(event) : 0;  // of the sink's bytes, where they count
  const SuppressionMark mark(extras, suppressed, untold_);
  try {
    const bool blocks = worker_->credit() != nullptr;
    const std::shared_ptr<HeldShare> share = blocks ? pipeline_.held() : nullptr;
    std::shared_ptr<const EventBatch> copy = EventBatch::copy({&event, 1}, share);
    if (!copy && patience != nullptr && patience->waits) {  // for the budget's memory as it did for a place
      const NoCancellation uncancelled;
      while (!copy && std::chrono::steady_clock::now() < patience->until && !worker_->has_ended()) {
        std::this_thread::sleep_for(std::chrono::microseconds(50));
        copy = EventBatch::copy({&event, 1}, share);
      }
    }
    if (copy) {
      const EventRange one{std::move(copy), 0, 1};
      if (patience != nullptr) return worker_->push_when_there_is_room(one, *patience);
      if (Credit* credit = worker_->credit()) credit->settle(taken, EventBatch::cost(one.events()));
      return worker_->push(one);
    }
    if (patience != nullptr) return worker_->refuse_for_memory(*patience);
  } catch (...) {  // no memory
  }
  worker_->lose(1);
  worker_->give_back(1, taken);
}

std::size_t SinkStage::attempt(std::span<const Event> events, SinkWorker& worker) {
  if (worker.sink_is_taken()) {
    divert_all(events, worker, sink_hangs);
    return events.size();
  }
  if (breaker_) return attempt_guarded(events, worker);
  if (!worker.enter_call(events.size())) return 0;
  std::uint64_t bytes = 0;
  const Attempt attempt = emit(events, bytes);
  const bool here = worker.resolve(attempt.emitted, [&] {
    add(emitted_, attempt.emitted);
    add(bytes_, bytes);
  });
  if (!attempt.failed) return events.size();
  worker.notices().error(attempt.what);
  const FailReason reason = *attempt.failed;
  if (here && attempt.may_pass && worker.tries_again()) {
    remember_error(attempt.what);
    report(reason, attempt.what);
    return attempt.emitted;
  }
  fail_all(events.subspan(attempt.emitted), worker, reason, attempt.what);
  return events.size();
}

/// Around what a fallback is given by a queued sink's worker: the calls of a synchronous one are this sink's time, too.
class SinkStage::InHandingOn {
 public:
  explicit InHandingOn(SinkStage& stage) noexcept : stage_(stage) {}
  InHandingOn(const InHandingOn&) = delete;
  InHandingOn& operator=(const InHandingOn&) = delete;
  ~InHandingOn() { stage_.hand_on_began_.store({}, std::memory_order_relaxed); }
  /// The next call begins.
  void goes_on() const noexcept {
    stage_.hand_on_began_.store(std::max(stage_.clock_.steady(), std::chrono::nanoseconds(1)),
                                std::memory_order_relaxed);
  }

 private:
  SinkStage& stage_;
};

void SinkStage::fail_all(std::span<const Event> events, SinkWorker& worker, FailReason reason, std::string_view what) {
  remember_error(what);
  if (!settings_.fallback) report(reason, what);
  if (!hands_on()) {
    worker.resolve(events.size(), [&] { add(failed_[static_cast<std::size_t>(reason)], events.size()); });
    return;
  }
  divert_all(events, worker, what);
}

void SinkStage::take_to_last_resort(std::span<const Event> events) noexcept {
  const auto patience = pipeline_.has_unwritten() ? 0ns : patience_of_the_dying;  // once is enough
  if (!write_as_clef(events, last_resort_.load(std::memory_order_relaxed), patience)) pipeline_.note_unwritten();
}

void SinkStage::divert_all(std::span<const Event> events, SinkWorker& worker, std::string_view what) {
  if (writes_to_last_resort()) {
    take_to_last_resort(events);
    worker.resolve(events.size(), [&] { add(diverted_, events.size()); });
    return;
  }
  const auto resolve_one = [&] { worker.resolve(1, [&] { add(diverted_, 1); }); };
  const InHandingOn busy(*this);
  for (const Event& event : events) {
    PropertyBlock extras;
    try {
      event.copy_enrichments(extras);
    } catch (...) {  // no memory: it goes without what enrichers added
    }
    busy.goes_on();
    try {
      hand_on(event.with_enrichments(extras), extras);
    } catch (const abi::__forced_unwind&) {  // the fallback ends the thread, and has counted the event
      resolve_one();
      throw;
    }
    resolve_one();  // once it is there: a flush of this sink covers it
  }
  busy.goes_on();
  tell_fallback(events.size(), what);
}

bool SinkStage::announce(const DroppedEvents& gap) {
  if (worker_->sink_is_taken() || (breaker_ && breaker_->spares())) return false;
  try {
    const DroppedEventsRecord record(gap, clock_.now());
    const Event event = record.event();
    if (event.level() < settings_.least) return true;  // nobody wants to know
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

bool SinkStage::is_free(std::chrono::steady_clock::time_point deadline) noexcept {
  for (SinkStage* stage = this; stage != nullptr && !stage->worker_; stage = stage->fallback()) {
    const std::unique_lock lock(stage->mutex_, deadline);
    if (!lock.owns_lock()) return false;
  }
  return true;
}

bool SinkStage::rescue(int fd, std::chrono::steady_clock::time_point deadline) noexcept {
  constexpr auto patience = std::chrono::milliseconds(100);  // for a thread that flushes it, say
  bool reached = true;
  try {
    std::vector<Event> events;
    std::vector<EventRange> queued;
    worker_->take_from_crashed(events, queued);
    for (const EventRange& range : queued) events.insert(events.end(), range.events().begin(), range.events().end());
    worker_->locked([&] { add(diverted_, events.size()); });
    if (settings_.fallback)
      reached = settings_.fallback->is_free(std::min(deadline, std::chrono::steady_clock::now() + patience));
    if (!settings_.fallback || !reached) {
      (void)write_as_clef(events, fd,
                          patience_of_the_dying);  // a worker that crashed settles nothing: a crash ring has them
      return reached;
    }
    for (const Event& event : events) {
      PropertyBlock extras;
      event.copy_enrichments(extras);
      hand_on(event.with_enrichments(extras), extras);
    }
  } catch (...) {  // no memory: what is left is lost with the program
  }
  return reached;
}

}  // namespace cairn::detail
