// One sink in a pipeline: its own level and filter, one call at a time, what became of every event, and what stands
// behind it.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "cairn/detail/fork_mutex.hpp"
#include "cairn/filters.hpp"
#include "cairn/metrics.hpp"
#include "cairn/sink.hpp"
#include "capture/event_parts.hpp"
#include "capture/property_block.hpp"
#include "pipeline/call_ledger.hpp"
#include "pipeline/circuit_notice.hpp"
#include "pipeline/emergency_output.hpp"
#include "pipeline/event_batch.hpp"
#include "pipeline/fail_reason.hpp"
#include "pipeline/internal_errors.hpp"
#include "pipeline/sink_breaker.hpp"
#include "pipeline/sink_times.hpp"
#include "pipeline/sink_worker.hpp"
#include "pipeline/suppression.hpp"
#include "platform/timed_lock.hpp"

namespace cairn::detail {

inline constexpr std::chrono::milliseconds storage_retry_pause{250};
inline constexpr std::string_view circuit_is_open = "the circuit breaker is open";
inline constexpr std::string_view sink_hangs = "the sink has not come back from a call";
inline constexpr std::string_view sink_is_busy = "the sink is still busy with an event";
inline constexpr std::string_view sink_is_closed = "the sink is closed";

class BufferingSink;
class Pipeline;
class RelayingSink;

class SinkStage final : private ForkHandler {
 public:
  struct Settings {
    std::string name;
    std::shared_ptr<Sink> sink;
    Level least = Level::verbose;
    std::optional<Filter> filter;
    std::unique_ptr<SinkStage> fallback;
    std::string before{};  // the sink that this one is the fallback of
    std::function<void(std::size_t, std::string_view)> on_fallback;
    bool is_foreign = false;                    // the sink is code of the program
    std::optional<SinkWorker::Settings> queue;  // none: synchronous
    bool timed = true;                          // keep histograms of its times
    std::optional<CircuitBreakerOptions> breaker;
    EmergencyOutput* emergency = nullptr;  // of the last in a chain of fallbacks
  };
  SinkStage(Settings settings, const Pipeline& pipeline, InternalErrors& errors, Clock& clock);
  SinkStage(const SinkStage&) = delete;
  SinkStage& operator=(const SinkStage&) = delete;
  ~SinkStage();
  /// Before the first event: what keeps this stage alive while its worker runs.
  void kept_by(const std::weak_ptr<void>& keeper) noexcept;

  // What may call the sink from its worker lets the end of the thread through (pthread_exit in the sink, a
  // cancellation), which the worker sees; nothing else is thrown. A caller's thread cannot be ended in it.

  /// Delivers one event, or counts what became of it. `extras` belongs to the event, and is lent to mark what a
  /// fallback gets.
  void deliver(const Event& event, PropertyBlock& extras);

  // ---- a queued sink

  /// Null: the sink is synchronous.
  [[nodiscard]] SinkWorker* worker() noexcept { return worker_.get(); }
  /// Has it a filter of its own?
  [[nodiscard]] bool filters() const noexcept { return settings_.filter.has_value(); }
  /// Puts what the sink takes of a batch into its queue, from that event on. Nothing throws.
  void enqueue(const std::shared_ptr<const EventBatch>& batch, std::size_t from = 0) noexcept;
  /// While it is in there, and its thread stands still in the filter: the first event that it has not dealt with.
  [[nodiscard]] std::size_t enqueued() const noexcept { return enqueued_; }
  /// The worker's: one attempt on events that the sink takes. Gives how many came to their end; the others shall be
  /// tried again, the storage may heal.
  [[nodiscard]] std::size_t attempt(std::span<const Event> events, SinkWorker& worker);
  /// The worker's: how long to wait before what is left of an attempt is brought again.
  [[nodiscard]] std::chrono::nanoseconds retry_in() const noexcept {
    return breaker_ ? breaker_->pause() : std::chrono::nanoseconds(storage_retry_pause);
  }
  using FlushAsked = std::optional<std::chrono::steady_clock::time_point>;
  /// The worker's. `asked`: until when somebody waits, for a sink that hands on to a logger; none: nobody does.
  [[nodiscard]] Flushed flush_sink(std::chrono::steady_clock::time_point deadline, FlushAsked asked);
  /// It took events since its last flush that was ok.
  [[nodiscard]] bool is_unflushed() const noexcept { return unflushed_.load(std::memory_order_relaxed); }
  /// Whose sink this is.
  [[nodiscard]] const Pipeline& pipeline() const noexcept { return pipeline_; }
  /// The worker's: tells of a gap in this output. False: the sink did not take it.
  [[nodiscard]] bool announce(const DroppedEvents& gap);
  void note_gap(const DroppedEvents& dropped) noexcept {
    if (worker_) worker_->note_gap(dropped);
    if (settings_.fallback) settings_.fallback->note_gap(dropped);
  }
  /// The breaker of the sink before this one changed: its next events here come after an event that says so.
  void note_circuit(const CircuitTransition& change) noexcept { notices_.add(change); }
  [[nodiscard]] Timestamp now() const noexcept { return clock_.now(); }
  // ---- a sink that hangs, for its worker
  /// A call that takes so long hangs; 0: nothing could be done about it.
  [[nodiscard]] std::chrono::nanoseconds hangs_after() const noexcept;
  [[nodiscard]] bool hangs() const noexcept;
  /// The call under way counts from now on: the process stood still.
  void forgive() noexcept { awake_since_.store(clock_.steady(), std::memory_order_relaxed); }
  /// Are its events given to a fallback while it hangs? Else they wait in the queue: the emergency output is for what
  /// nothing can keep.
  [[nodiscard]] bool has_somewhere_else() const noexcept;
  /// It hangs, without a fallback: is there a breaker that this opens?
  [[nodiscard]] bool hang_is_news() const noexcept;
  /// It hangs: opens the breaker, and says so.
  void note_hung() noexcept;
  /// It has come back from the call that hung.
  void note_back() noexcept;
  /// What the thread that was left behind has not delivered, now that it is back.
  void leave(std::span<const Event> events, SinkWorker& worker);
  [[nodiscard]] bool clock_is_real() const noexcept { return &clock_ == &system_clock(); }
  /// How long ago it was logged; 0 where the program's own clock would have to tell.
  [[nodiscard]] std::chrono::nanoseconds age_of(const Event& event) const noexcept {
    return clock_is_real() ? clock_.now() - event.timestamp() : std::chrono::nanoseconds(0);
  }

  /// Events in flight when the worker's thread ended under the sink; under the worker's lock.
  void count_lost(std::uint64_t count) noexcept;

  /// The first half of a flush, which waits for nothing, so that sinks flush side by side; gives what the second half
  /// wants to know.
  [[nodiscard]] std::uint64_t begin_flush(FlushAsked asked) noexcept;
  /// `timed_out`: the sink was in another call, held by another logger's, or gave up at the deadline. `relays`: a sink
  /// that hands on to a logger flushes that, too.
  [[nodiscard]] SinkFlush end_flush(std::uint64_t begun, std::chrono::steady_clock::time_point deadline,
                                    bool relays = true) noexcept;
  /// Waits until then at most for the call that is under way: timed_out, which the caller tells if that was the end of
  /// it. What the sink itself did not manage is told here.
  [[nodiscard]] SinkFlush reopen(std::chrono::steady_clock::time_point until) noexcept;
  void tell_not_reopened(std::string_view why) noexcept;
  /// True: whoever asks has to see to it by reopen_as_asked(). Else somebody is at it, and does it once more.
  [[nodiscard]] bool ask_reopen() noexcept {
    return reopens_asked_.fetch_add(1, std::memory_order_acq_rel) == 0;  // pairs with reopen_as_asked
  }
  /// Reopens until nobody has asked meanwhile, waiting so long at most each time; tells what came of it.
  void reopen_as_asked(std::chrono::nanoseconds timeout) noexcept;
  /// It cannot be seen to.
  void forget_reopen() noexcept { reopens_asked_.store(0, std::memory_order_release); }  // pairs with ask_reopen
  struct Closed {
    bool closed = false;   // else somebody is inside the sink, which is left to them
    bool in_time = false;  // and with everything delivered
    bool failed = false;   // the last flush did: what the sink held may be lost
    std::string error{};   // of the last flush
  };
  /// Delivers and flushes until the deadline, then lets the sink go. What comes later fails with `sink_closed`.
  [[nodiscard]] Closed close(std::chrono::steady_clock::time_point deadline) noexcept;
  /// What is queued is dropped; what the sink is busy with is left to it, and so are queues of a logger behind it.
  void abandon() noexcept {
    abandoned_.store(true, std::memory_order_relaxed);
    if (worker_) worker_->abandon();
  }
  /// The program dies in a filter: this sink's is called no more.
  void skip_filter() noexcept { skips_filter_.store(true, std::memory_order_relaxed); }
  /// The worker's thread crashed in the sink and stands still: its events go to the fallback, else to `fd` as CLEF.
  /// False: there they went because it crashed in the fallback, or another thread hangs in that.
  [[nodiscard]] bool rescue(int fd, std::chrono::steady_clock::time_point deadline) noexcept;
  /// The end is near: what an open breaker keeps, for want of a fallback, is tried at once, and again soon.
  void hurry() noexcept {
    if (!worker_ || !breaker_ || settings_.fallback) return;
    breaker_->hurry();
    worker_->nudge();
  }
  /// The same, once; and from now on storage that may heal is not waited for.
  void attempt_once() noexcept {
    if (breaker_ && !settings_.fallback) breaker_->hurry();
    if (worker_) worker_->attempt_once();
  }
  /// The same as the program dies: what has no fallback to go to is written to `fd` as CLEF.
  void attempt_last(int fd) noexcept {
    last_resort_.store(fd, std::memory_order_release);  // pairs with writes_to_last_resort
    attempt_once();
  }

  /// Appends this stage's counts, then its fallback's.
  void counts_into(std::vector<SinkCounts>& out) const;
  /// Forgets what has no running total: times, and the queue's high-water mark; the fallback's, too.
  void reset_marks() noexcept;
  /// Before the totals are read that are to be 0 from then on: an error that comes in between is shown.
  void forget_error() noexcept;
  /// For how long the sink has been in one call by now, or its worker in one of a fallback; 0: it is not in one, or it
  /// is synchronous.
  [[nodiscard]] std::chrono::nanoseconds busy_for() const noexcept;
  [[nodiscard]] const std::string& name() const noexcept { return settings_.name; }
  [[nodiscard]] SinkStage* fallback() noexcept { return settings_.fallback.get(); }
  /// Null: it has none.
  [[nodiscard]] CircuitBreaker* circuit_breaker() noexcept { return breaker_ ? &breaker_->circuit() : nullptr; }

 private:
  /// What the sink has to say of itself; under `mutex_`.
  [[nodiscard]] std::vector<std::string> take_notes() noexcept;
  /// Under no lock.
  void tell(const std::vector<std::string>& notes) noexcept;
  void before_fork(std::chrono::steady_clock::time_point deadline) noexcept override;
  void after_fork(bool child) noexcept override;
  void forget_counts() noexcept;
  /// `suppressed`: what the sink is told beside what the event says: what its own sampling filters held back before it,
  /// and what events told that it did not take.
  [[nodiscard]] bool takes(const Event& event, std::uint64_t& suppressed) noexcept {
    if (EventParts::record(event).level() < settings_.least ||
        (settings_.filter && !skips_filter_.load(std::memory_order_relaxed) && !passes_filter(event, suppressed))) {
      if (const std::uint64_t told = suppressed_before(event); told != 0) [[unlikely]]
        untold_.fetch_add(told, std::memory_order_relaxed);
      return false;
    }
    if (untold_.load(std::memory_order_relaxed) != 0) [[unlikely]]
      suppressed += untold_.exchange(0, std::memory_order_relaxed);
    return true;
  }
  [[nodiscard]] bool passes_filter(const Event& event, std::uint64_t& suppressed) noexcept;
  void fail(const Event& event, PropertyBlock& extras, FailReason reason, std::string_view what);
  void fail_all(std::span<const Event> events, SinkWorker& worker, FailReason reason, std::string_view what);
  /// Puts a copy of one event into the queue, where there is a place for it. `patience`: that the event is brought with
  /// past the lanes; null: it came through one, and there is room for its bytes, too.
  void enqueue_copy(const Event& event, PropertyBlock& extras, std::uint64_t suppressed,
                    const SinkWorker::Patience* patience) noexcept;
  void report(FailReason reason, std::string_view what) noexcept;
  void remember_error(std::string_view what) noexcept;
  void close_buffer(Sink& sink, Closed& result);
  [[nodiscard]] Flushed flush_locked(std::chrono::steady_clock::time_point deadline, FlushAsked asked);
  [[nodiscard]] Flushed flush_behind(RelayingSink& relay, FlushAsked asked) noexcept;
  /// The sink's answer, by `deadline`, was `error`.
  [[nodiscard]] Flushed not_flushed(std::error_code error, std::string what,
                                    std::chrono::steady_clock::time_point deadline) noexcept;
  /// The second half of a flush. `relays`: a sink that hands on to a logger flushes that, too.
  [[nodiscard]] Flushed flushed_by(std::uint64_t begun, std::chrono::steady_clock::time_point deadline, bool relays);

  class InCall;
  class InHandingOn;
  /// One call of the sink under its lock; what it throws is told as such.
  struct Attempt {
    std::size_t emitted = 0;
    std::optional<FailReason> failed{};  // none: all were emitted
    bool may_pass = false;               // the failure
    std::string what{};
    std::chrono::nanoseconds took{};  // the sink alone; only with a breaker
  };
  /// `own`: events of Cairn, which are in no count.
  [[nodiscard]] Attempt emit(std::span<const Event> events, std::uint64_t& bytes, bool own = false);
  [[nodiscard]] static EmitResult emit_unlocked(Sink& sink, std::unique_lock<TimedLock>& lock,
                                                std::span<const Event> events);
  void note_times(std::span<const Event> emitted, std::chrono::nanoseconds began, bool sampled,
                  std::uint64_t weight) noexcept;
  void deliver_guarded(const Event& event, PropertyBlock& extras);
  [[nodiscard]] std::size_t attempt_guarded(std::span<const Event> events, SinkWorker& worker);
  void circuit_changed(const CircuitTransition& change) noexcept;
  void circuit_may_let_through() noexcept;
  /// Under mutex_: writes what is to be said of the sink before this one.
  void write_notices();
  /// Is there somebody to give an event to that the sink does not get?
  [[nodiscard]] bool hands_on() const noexcept {
    return settings_.fallback || settings_.emergency != nullptr || writes_to_last_resort();
  }
  /// The program dies, and this is a queued sink, or the last in a chain.
  [[nodiscard]] bool writes_to_last_resort() const noexcept {
    return (worker_ || settings_.emergency != nullptr) && !settings_.fallback &&
           last_resort_.load(std::memory_order_acquire) >= 0;
  }
  void take_to_last_resort(std::span<const Event> events) noexcept;
  void divert_all(std::span<const Event> events, SinkWorker& worker, std::string_view what);
  /// Is there nobody in the sink by then, nor in what a call of it may come to?
  [[nodiscard]] bool is_free(std::chrono::steady_clock::time_point deadline) noexcept;
  /// Gives an event to the fallback, marked, or to the emergency output, or else, as the program dies, to the last
  /// resort.
  void hand_on(const Event& event, PropertyBlock& extras);
  void tell_fallback(std::size_t events, std::string_view what);

  Settings settings_;
  const Pipeline& pipeline_;
  InternalErrors& errors_;
  Clock& clock_;

  std::shared_ptr<SinkWorker> worker_;  // of a queued sink
  std::unique_ptr<SinkBreaker> breaker_;
  std::atomic<int> last_resort_{-1};  // release: whoever sees it knows of the pipeline's death
  CircuitNotices notices_;

  std::atomic<std::uint64_t> reopens_asked_{0};  // 0: nobody reopens it aside
  bool held_for_fork_ = false;
  TimedLock mutex_;             // one call on the sink at a time, but of one that relays
  std::shared_ptr<Sink> sink_;  // guarded by mutex_; null once closed
  BufferingSink* buffering_;    // guarded by mutex_; the sink, where it is one of Cairn's that has more to say
  const bool relays_;           // the sink is a RelayingSink
  const std::shared_ptr<SinkCounters> counters_;  // the sink's own; null: it has none
  // It took events since its last flush. Relaxed: changes under mutex_, but as a logger behind it is flushed.
  std::atomic<bool> unflushed_{false};
  std::atomic<bool> skips_filter_{false};
  std::size_t enqueued_ = 0;            // of the thread in enqueue()
  std::atomic<bool> abandoned_{false};  // relaxed: it is closed by who abandoned it, or soon

  std::unique_ptr<SinkTimes> times_;  // null: it is not timed
  CallSample sample_;                 // of a synchronous sink; guarded by mutex_
  // Of a queued sink. Relaxed: for metrics; who judges by them looks again under the worker's lock.
  std::atomic<std::chrono::nanoseconds> emit_began_{};     // while it is in a call
  std::atomic<std::chrono::nanoseconds> hand_on_began_{};  // while its worker is in a call of its fallback
  std::atomic<std::chrono::nanoseconds> awake_since_{};

  CallerLedger ledger_;  // of a synchronous sink; changes under mutex_
  // Of a queued sink. relaxed throughout: counters, read for metrics only. They change under its worker's lock; what
  // came in is counted there.
  std::atomic<std::uint64_t> untold_{0};  // suppressed events, told by events that it did not take
  std::atomic<std::uint64_t> emitted_{0};
  std::atomic<std::uint64_t> diverted_{0};
  std::atomic<std::uint64_t> bytes_{0};
  std::atomic<std::uint64_t> self_events_{0};
  std::array<std::atomic<std::uint64_t>, fail_reasons> failed_{};
  std::atomic<bool> reopening_{false};          // a thread is in its reopen()
  std::atomic<std::uint64_t> circuit_open_{0};  // of a synchronous sink, too: dropped while its breaker refused
  std::atomic<std::uint64_t> retry_expired_{0};

  mutable ForkMutex error_mutex_;
  std::string last_error_;
  std::optional<Timestamp> last_error_time_;
};

}  // namespace cairn::detail
