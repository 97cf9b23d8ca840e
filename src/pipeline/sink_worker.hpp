// The thread behind a queued sink: takes events off the queue, a batch at a time, and has the stage deliver them. What
// waits for storage to heal waits here; nobody else does. The thread's own side is in sink_worker_thread.cpp.
//
// Thread-safety: every function from every thread. The lock guards the queue and the counts and is never held while a
// sink, a callback or the kernel is at work.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "cairn/detail/critical_section.hpp"
#include "cairn/detail/fork_mutex.hpp"
#include "cairn/metrics.hpp"
#include "pipeline/credit.hpp"
#include "pipeline/dropped_events.hpp"
#include "pipeline/event_queue.hpp"
#include "pipeline/sink_notices.hpp"
#include "platform/held_by_thread.hpp"

namespace cairn::detail {

class SinkStage;

/// What a flush of a sink came to.
struct Flushed {
  FlushStatus status = FlushStatus::ok;
  std::string error{};
  bool called = true;    // else the sink was still in another call at the deadline, or is in this one, or the end came
  bool by_sink = false;  // it is the sink that failed
};

/// What became of the events of a queued sink. `accepted` is the sum of all the others and of what is pending.
struct QueueCounts {
  std::uint64_t accepted = 0;
  std::uint64_t queue_full = 0;
  std::uint64_t memory_limit = 0;
  std::uint64_t block_timeout = 0;
  std::uint64_t shutdown = 0;
  std::uint64_t queued = 0;
  std::uint64_t in_flight = 0;
  std::uint64_t high_water = 0;
  std::uint64_t memory_bytes = 0;
  std::uint64_t worker_restarts = 0;
  bool worker_alive = false;
};

class SinkWorker : public std::enable_shared_from_this<SinkWorker> {
  /// For a moment: a signal handler's call that comes meanwhile is refused, whatever logger it is to, for it may lead
  /// here: by a sink that hands on to this logger, or where memory is short.
  class Lock {
   public:
    explicit Lock(std::mutex& mutex) : lock_(mutex) {}

   private:
    const CriticalSection section_;  // the first to begin, the last to end
    const std::lock_guard<std::mutex> lock_;
  };
  /// Where something is waited for, perhaps for long: calls of handlers go on, only what comes here is refused.
  class WaitingLock {
   public:
    explicit WaitingLock(const SinkWorker& worker) : held_(&worker), lock_(worker.mutex_) {}
    [[nodiscard]] std::unique_lock<std::mutex>& get() noexcept { return lock_; }

   private:
    const HeldByThread held_;  // as above
    std::unique_lock<std::mutex> lock_;
  };

 public:
  struct Settings {
    QueueOptions options;
    std::size_t memory_limit = SIZE_MAX;
  };
  SinkWorker(SinkStage& stage, std::string name, Settings settings);

  /// Before the first event: from now on the sink, and what synchronous fallbacks it has, are flushed after every
  /// batch, and `f` is called when settled() has grown.
  void tell_settled(std::function<void()> f) { settled_told_ = std::move(f); }
  /// The number of the next event to be pushed. Events below settled() came to their end and were flushed; what is
  /// dropped by abandon(), or comes after it, did not, and then this is more than settled() ever is.
  [[nodiscard]] std::uint64_t pushed() const noexcept {
    const Lock lock(mutex_);
    return ended_ ? UINT64_MAX : queue_.next();
  }
  [[nodiscard]] std::uint64_t settled() const noexcept { return settled_.load(std::memory_order_acquire); }

  /// While it runs, the stage must live: `keeper` sees to that.
  void start(std::weak_ptr<void> keeper) noexcept { keeper_ = std::move(keeper); }

  /// Brings events, which have their credit if the sink blocks: a place each, and bytes as they take them.
  void push(const EventRange& range) noexcept;
  /// How long the calling thread waits for room in the queue of a sink that blocks: Cairn's own do not.
  struct Patience {
    bool waits = false;
    std::chrono::steady_clock::time_point until{};
  };
  [[nodiscard]] Patience patience() const noexcept;
  /// A place for one event that did not come through a lane, if the sink blocks. False: there was none, the event is
  /// counted.
  [[nodiscard]] bool take_place(Level level, const Patience& patience) noexcept;
  /// Brings an event that has its place once there is room for its bytes. Where there comes none, the event is counted.
  void push_when_there_is_room(const EventRange& event, const Patience& patience) noexcept;
  /// Counts an event that has its place and for whose copy there was no memory.
  void refuse_for_memory(const Patience& patience) noexcept;
  /// Counts events that could not even be brought here, for want of memory. Whoever has credit for them gives it back.
  void lose(std::uint64_t count) noexcept;
  /// Nothing more is given to the sink: nobody need wait.
  [[nodiscard]] bool has_ended() const noexcept {
    const Lock lock(mutex_);
    return ended_;
  }
  /// What events took that did not get here, if the sink blocks.
  void give_back(std::uint64_t places, std::size_t bytes) noexcept {
    if (credit_) credit_->give(places, bytes);
  }

  /// Events for this sink's root were dropped before they could get here.
  void note_gap(const DroppedEvents& dropped) noexcept;

  // ---- where memory is short
  /// What of its queue goes first; no batch: nothing, or the calling thread is a signal handler that interrupts a wait
  /// here.
  [[nodiscard]] EventQueue::Front front() const noexcept;
  /// Drops what stands in front of that batch; what held it goes to the end of `out`, to be let go under no lock.
  void drop_front(const EventBatch& batch, std::vector<EventRange>& out);

  /// A flush of all that was pushed before, to be waited for, until `asked` if at all; coalesces with others under way.
  [[nodiscard]] std::uint64_t begin_flush(std::optional<std::chrono::steady_clock::time_point> asked) noexcept;
  [[nodiscard]] Flushed wait_flushed(std::uint64_t flush, std::chrono::steady_clock::time_point deadline) noexcept;
  /// Delivers what there is until the deadline; what is left is dropped and counted. False: the sink is still busy, and
  /// its thread is left to it.
  [[nodiscard]] bool stop(std::chrono::steady_clock::time_point deadline) noexcept;
  /// Where no thread was to be had for what is queued: delivers it on the calling thread, each event with one attempt,
  /// and stops. False: there is a thread, or nothing to deliver.
  [[nodiscard]] bool deliver_here() noexcept;
  /// Nothing more is given to the sink: what is queued, and what still comes, is dropped and counted.
  void abandon() noexcept;
  /// From now on storage that may heal is not waited for.
  void attempt_once() noexcept;

  /// To be called under the lock: in locked().
  [[nodiscard]] QueueCounts counts() const noexcept;
  [[nodiscard]] const QueueOptions& options() const noexcept { return settings_.options; }
  [[nodiscard]] std::size_t memory_limit() const noexcept { return settings_.memory_limit; }
  /// Of a sink that blocks; else null.
  [[nodiscard]] Credit* credit() noexcept { return credit_.get(); }

  /// The watchdog's: if the sink has been in one call for too long, the thread that is inside is left behind with its
  /// events in flight, and another serves the queue; at most one is. `paused`: the process stood still meanwhile.
  void look(bool paused) noexcept;

  // ---- when the program dies
  /// Does it deliver on that thread?
  [[nodiscard]] bool runs_on(std::thread::id thread) const noexcept { return this->thread() == thread; }
  [[nodiscard]] std::thread::id thread() const noexcept { return thread_.load(std::memory_order_relaxed); }
  /// Its thread crashed in the sink and stands still. Gives what it was busy with, valid as long as that, and what is
  /// queued; both are the caller's now.
  void take_from_crashed(std::vector<Event>& in_flight, std::vector<EventRange>& queued);

  // ---- around a fork, by the thread that forks
  void before_fork(std::chrono::steady_clock::time_point deadline) noexcept { held_for_fork_.take(mutex_, deadline); }
  /// A child's queue is empty and its counts begin anew; its thread is started with the next event.
  void after_fork(bool child) noexcept;

  // ---- for the stage, at work on a batch
  /// `count` of the events in flight came to their end. The counts of that end are changed by `and_count`, under the
  /// lock. False: this thread was left behind, another is at work in its place.
  template <class F>
  bool resolve(std::size_t count, F&& and_count) noexcept {
    bool here = true;
    {
      const Lock lock(mutex_);
      and_count();
      here = is_at_work();
      (here ? counts_.in_flight : left_in_flight_) -= count;
      if (here) in_call_ = 0;
    }
    if (credit_) credit_->give(count);
    return here;
  }
  /// Before the sink is called with the first `count` of the events in flight: should it hang, the thread inside is
  /// left behind with these alone. False: it was left behind, and must not call.
  [[nodiscard]] bool enter_call(std::size_t count) noexcept;
  /// A thread before this one is still inside the sink, which nobody else may call: see look().
  [[nodiscard]] bool sink_is_taken() const noexcept { return left_behind_.load(std::memory_order_relaxed); }
  /// Runs `f` under the lock that guards the counts.
  template <class F>
  void locked(F&& f) const noexcept {
    const Lock lock(mutex_);
    f();
  }
  [[nodiscard]] SinkNotices& notices() noexcept { return notices_; }
  void reset_high_water() noexcept {
    const Lock lock(mutex_);
    counts_.high_water = queue_.size();
  }
  /// `count` of the events in flight were tried often enough; they are added to `counted`.
  void give_up(std::size_t count, std::atomic<std::uint64_t>& counted) noexcept;
  /// What it waits for may have come: it tries again at once.
  void nudge() noexcept;
  /// Will it bring again what the storage did not take?
  [[nodiscard]] bool tries_again() const noexcept { return tries_again_.load(std::memory_order_relaxed); }

 private:
  class Watch;
  void ensure_thread();
  void start_thread(bool after_one_that_hangs, std::vector<EventRange> first);
  void tell_hung(const std::shared_ptr<void>& keeper);
  /// `first`: in flight already.
  void run(bool after_one_that_hangs, std::vector<EventRange> first) noexcept(false);
  struct Work {
    std::vector<EventRange> ranges;
    std::vector<Event> events;  // theirs
    DroppedEvents gap;          // to be announced before them
    bool flush = false;
    std::size_t bytes = 0;  // that went out of the queue with them
  };
  /// `gathered`: there are its events.
  void deliver(Work& work, bool gathered);
  /// Under the lock: those that are in flight and not inside the sink. Throws std::bad_alloc.
  [[nodiscard]] std::vector<EventRange> not_in_call() const;
  /// Makes its events of its ranges. False: there is no memory.
  [[nodiscard]] static bool gather(Work& work) noexcept;
  /// Under the lock: is the calling thread the worker's, or was it left behind?
  [[nodiscard]] bool is_at_work() const noexcept {
    return thread_.load(std::memory_order_relaxed) == std::this_thread::get_id();
  }
  [[nodiscard]] bool wait_for_work(Work& work);
  void announce(DroppedEvents gap);
  void flush_sink();
  void settle();
  /// Under the lock: the number in the queue of the oldest event that has not come to its end. A flush covers the
  /// numbers below `next()` at its beginning, and has them behind it once this is no less, because:
  /// - whoever calls flush() has its events pushed by then. What got no number (refused, lost, dropped as it came) has
  ///   come to its end, and moves this not at all: no count of events could tell it from one that a flush waits for.
  /// - Numbers go out of the queue as they are dropped, which is an end, or are taken, lowest first of both classes, to
  ///   be in flight. What is in flight is thus newer than where the batch began, whatever of it is left to be tried
  ///   again, and older than the queue; and what a thread that was left behind has is older than both.
  /// - It never falls: what comes in has the highest number. So flushes are due in the order in which they began.
  [[nodiscard]] std::uint64_t oldest_pending() const noexcept;
  /// Under the lock.
  void abandon_now() noexcept;
  void note_dropped(DroppedEvents dropped) noexcept;
  /// Under the lock: there was no room for an event.
  void refuse(const Patience& patience, bool for_memory) noexcept;
  /// Under the lock; notes what became of the range. Throws where no thread is to be had.
  struct Pushed {
    std::size_t depth = 0;
    std::uint64_t places_back = 0;
    std::size_t bytes_back = 0;
    std::uint64_t for_memory = 0;
  };
  void push(const EventRange& range, Pushed& pushed);
  /// Under the lock, where bytes came into the queue or went.
  void note_bytes() noexcept;
  /// Under no lock.
  void after_push(const Pushed& pushed) noexcept;

  SinkStage& stage_;
  const std::string name_;
  const Settings settings_;
  SinkNotices notices_;
  std::unique_ptr<Credit> credit_;
  std::weak_ptr<void> keeper_;

  mutable std::mutex mutex_;
  HeldOverFork held_for_fork_;
  std::condition_variable work_;  // something for the worker
  std::condition_variable done_;  // something it finished
  EventQueue queue_;
  std::uint64_t generation_ = 0;  // of the process that has the thread; 0: no thread
  bool stopping_ = false;         // take what there is, then end
  bool abandon_ = false;          // end, whatever there is
  bool ended_ = false;
  bool nudged_ = false;
  std::atomic<bool> tries_again_{true};  // relaxed: written under the lock, where the worker looks again
  QueueCounts counts_;                   // without what counts() adds
  struct Flush {
    std::uint64_t number = 0;
    std::uint64_t before = 0;  // it covers what the queue numbered below that
    std::optional<std::chrono::steady_clock::time_point> asked{};
  };
  std::deque<Flush> flushes_;       // asked for and not done
  std::uint64_t flush_wanted_ = 0;  // the latest's number
  std::uint64_t flush_done_ = 0;
  /// What came of the last ones: whoever waits may be late, and others be done meanwhile.
  struct Answer {
    std::uint64_t up_to = 0;  // the numbers from the one before on
    Flushed flushed;
  };
  std::array<Answer, 16> answers_;
  std::size_t next_answer_ = 0;
  [[nodiscard]] const Flushed& answer_to(std::uint64_t flush) const noexcept;
  struct CutOff {  // by the end
    std::uint64_t first = 1;
    std::uint64_t last = 0;
    std::uint64_t pending = 0;  // events, then
  };
  CutOff cut_off_;
  bool unflushed_ = false;            // something was pushed since its last flush began, or that failed
  bool emitted_since_flush_ = false;  // the same of what the sink was given
  bool flush_failed_ = false;         // there is a pause before the next
  std::chrono::steady_clock::time_point flush_due_{};

  DroppedEvents gap_;                                // not announced yet
  std::chrono::steady_clock::time_point gap_due_{};  // when the next announcement may come

  std::function<void()> settled_told_;     // none: nobody wants to know
  std::atomic<std::uint64_t> settled_{0};  // release: what was flushed comes before; of the worker alone but for reads

  std::atomic<std::thread::id> thread_{};  // changes under the lock; relaxed: else asked for when it stands still
  std::atomic<bool> left_behind_{false};   // changes under the lock; relaxed: by then the sink was not called for long
  std::uint64_t left_in_flight_ = 0;       // of the thread that was left behind
  std::uint64_t in_flight_from_ = 0;       // the queue's number of the first in the batch
  std::uint64_t left_from_ = 0;            // the same, of the thread that was left behind
  bool telling_hung_ = false;              // a thread is
  std::uint64_t in_call_ = 0;              // of those in flight: inside the sink, or just back
  const Work* busy_with_ = nullptr;        // the worker's

  bool settles_ = true;  // the last settle() did; of the worker alone
};

}  // namespace cairn::detail
