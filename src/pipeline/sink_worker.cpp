#include "pipeline/sink_worker.hpp"

#include <pthread.h>

#include <algorithm>
#include <new>
#include <thread>

#include "capture/thread_state.hpp"
#include "pipeline/active_pipeline.hpp"
#include "pipeline/sink_stage.hpp"
#include "pipeline/watchdog.hpp"
#include "platform/fork_generation.hpp"
#include "platform/no_cancellation.hpp"
#include "platform/own_thread.hpp"

namespace cairn::detail {

namespace {
using namespace std::chrono_literals;
using Steady = std::chrono::steady_clock;

constexpr auto announcement_pause = 1s;
constexpr auto no_memory_pause = 10ms;  // then it is asked for again

EventQueue::Limits limits_of(const SinkWorker::Settings& settings) {
  return {settings.options.max_size, settings.memory_limit, settings.options.overflow, settings.options.protect_level};
}
}  // namespace

SinkWorker::SinkWorker(SinkStage& stage, std::string name, Settings settings)
    : stage_(stage), name_(std::move(name)), settings_(std::move(settings)), queue_(limits_of(settings_)) {
  if (settings_.options.overflow != Overflow::block) return;
  const std::size_t places = settings_.options.max_size;
  const bool reserves = settings_.options.protect_level.has_value();
  credit_ = std::make_unique<Credit>(places, reserves ? std::max<std::size_t>(1, places / 8) : 0);
}

// ---- the side of those who bring events

void SinkWorker::push(const EventRange& range, Pushed& pushed) {
  counts_.accepted += range.count;
  if (ended_) {
    counts_.shutdown += range.count;
    pushed.credit_back = range.count;
    return;
  }
  const std::size_t before = queue_.size();
  EventQueue::Dropped dropped;
  try {
    dropped = queue_.push(range);
  } catch (...) {  // no memory: what did not get in is counted
    dropped.memory_limit = before + range.count - queue_.size();
  }
  counts_.queue_full += dropped.queue_full;
  counts_.memory_limit += dropped.memory_limit;
  if (dropped.queue_full + dropped.memory_limit != 0)
    note_dropped({.queue_full = dropped.queue_full, .memory_limit = dropped.memory_limit});
  pushed.credit_back = dropped.queue_full + dropped.memory_limit;
  pushed.for_memory = dropped.memory_limit;
  pushed.depth = queue_.size();
  counts_.high_water = std::max<std::uint64_t>(counts_.high_water, pushed.depth);
  if (!unflushed_) {
    unflushed_ = true;
    flush_due_ = Steady::now() + settings_.options.flush_interval;
  }
  ensure_thread();
}

void SinkWorker::after_push(const Pushed& pushed) noexcept {
  if (credit_) credit_->give(pushed.credit_back);
  note_memory(pushed.for_memory);
  if (static_cast<double>(pushed.depth) >=
      settings_.options.back_pressure_threshold * static_cast<double>(settings_.options.max_size))
    note_pressure(pushed.depth);
  if (settings_.options.on_slow) note_latency(stage_.busy_for());  // it may never come back to say so itself
}

void SinkWorker::push(const EventRange& range) noexcept {
  Pushed pushed;
  try {
    std::unique_lock lock(mutex_);
    push(range, pushed);
    lock.unlock();  // the worker wants it as soon as it is awake
    work_.notify_one();
  } catch (...) {  // no thread: it is tried again with the next push, the queue holds what it can
  }
  after_push(pushed);
}

SinkWorker::Patience SinkWorker::patience() const noexcept {
  if (!credit_) return {};
  const ThreadState* thread = thread_state();
  const bool waits = thread != nullptr && !thread->of_cairn;
  const auto now = Steady::now();
  return {waits, waits ? now + settings_.options.block_timeout : now};
}

void SinkWorker::refuse(const Patience& patience, bool for_memory) noexcept {
  ++counts_.accepted;
  if (ended_) {
    ++counts_.shutdown;
  } else if (patience.waits) {
    ++counts_.block_timeout;
    note_dropped({.block_timeout = 1});
  } else if (for_memory) {
    ++counts_.memory_limit;
    note_dropped({.memory_limit = 1});
  } else {
    ++counts_.queue_full;
    note_dropped({.queue_full = 1});
  }
}

bool SinkWorker::take_place(Level level, const Patience& patience) noexcept {
  if (!credit_) return true;
  const auto& protect = settings_.options.protect_level;
  const auto whom = protect && level >= *protect ? Credit::For::the_protected : Credit::For::all;
  if (credit_->take(1, patience.until, whom) != 0) return true;
  const std::lock_guard lock(mutex_);
  refuse(patience, false);
  return false;
}

void SinkWorker::push_when_there_is_room(const EventRange& event, const Patience& patience) noexcept {
  Pushed pushed;
  try {
    const std::size_t bytes = EventBatch::cost(event.events().front());
    const NoCancellation uncancelled(patience.waits);
    std::unique_lock lock(mutex_);
    bool room = !credit_ || has_room(bytes);
    if (!room && patience.waits) room = room_.wait_until(lock, patience.until, [&] { return has_room(bytes); });
    if (room) {
      push(event, pushed);
    } else {
      refuse(patience, true);
      pushed.credit_back = 1;
      pushed.for_memory = patience.waits ? 0 : 1;
    }
    lock.unlock();
    work_.notify_one();
  } catch (...) {  // as above
  }
  after_push(pushed);
}

std::size_t SinkWorker::room_for(std::size_t bytes) noexcept {
  if (settings_.memory_limit == SIZE_MAX) return SIZE_MAX;
  const std::lock_guard lock(mutex_);
  if (ended_) return SIZE_MAX;
  if (!has_room(bytes)) {
    room_wanted_ = true;
    return 0;
  }
  return std::max(bytes, settings_.memory_limit - std::min(settings_.memory_limit, queue_.bytes()));
}

void SinkWorker::lose(std::uint64_t count) noexcept {
  {
    const std::lock_guard lock(mutex_);
    counts_.accepted += count;
    counts_.memory_limit += count;
    note_dropped({.memory_limit = count});
  }
  note_memory(count);
  if (credit_) credit_->give(count);
}

EventQueue::Front SinkWorker::front() const noexcept {
  if (credit_) return {};  // who blocks loses nothing: its callers wait
  const std::lock_guard lock(mutex_);
  return queue_.front();
}

void SinkWorker::drop_front(const EventBatch& batch, std::vector<EventRange>& out) {
  std::uint64_t count = 0;
  {
    const std::lock_guard lock(mutex_);
    count = queue_.drop_front(batch, out);
    if (count == 0) return;
    counts_.memory_limit += count;
    note_dropped({.memory_limit = count});
    work_.notify_one();
  }
  note_memory(count);
}

void SinkWorker::note_gap(const DroppedEvents& dropped) noexcept {
  const std::lock_guard lock(mutex_);
  const bool first = gap_.total() == 0;  // it is told once a second: the worker knows of the others
  note_dropped(dropped);
  if (first && !ended_) work_.notify_one();
}

void SinkWorker::note_dropped(DroppedEvents dropped) noexcept {
  if (gap_.total() == 0) dropped.since = stage_.now();
  gap_.add(dropped);
}

void SinkWorker::announce(DroppedEvents gap) {
  if (!stage_.announce(gap)) {
    const std::lock_guard lock(mutex_);
    if (stopping_ && queue_.empty()) return;  // it was the last chance
    const Timestamp since = gap.since;
    gap_.add(gap);
    gap_.since = since;
  }
}

void SinkWorker::note_pressure(std::size_t depth) noexcept {
  if (!settings_.options.on_back_pressure || !pressure_.may(Steady::now().time_since_epoch())) return;
  try {
    (void)notify([tell = settings_.options.on_back_pressure, name = name_, depth, most = settings_.options.max_size] {
      tell({name, depth, most});
    });
  } catch (...) {  // no memory for the message
  }
}

void SinkWorker::note_memory(std::uint64_t dropped) noexcept {
  if (dropped == 0 || !settings_.options.on_memory_exceeded) return;
  memory_untold_.fetch_add(dropped, std::memory_order_relaxed);
  if (!memory_.may(Steady::now().time_since_epoch())) return;
  try {
    (void)notify([tell = settings_.options.on_memory_exceeded, name = name_,
                  count = memory_untold_.exchange(0, std::memory_order_relaxed)] { tell(name, count); });
  } catch (...) {  // as above
  }
}

void SinkWorker::report_error(std::string_view what) noexcept {
  if (!settings_.options.on_error || !errors_.may(Steady::now().time_since_epoch())) return;
  try {
    (void)notify([tell = settings_.options.on_error, name = name_, text = std::string(what)] { tell(name, text); });
  } catch (...) {  // as above
  }
}

void SinkWorker::note_latency(std::chrono::nanoseconds latency) noexcept {
  if (!settings_.options.on_slow || latency < settings_.options.slow_after) return;
  if (!slow_.may(Steady::now().time_since_epoch())) return;
  try {
    (void)notify([tell = settings_.options.on_slow, name = name_, latency] { tell({name, latency}); });
  } catch (...) {  // as above
  }
}

void SinkWorker::give_up(std::size_t count, std::atomic<std::uint64_t>& counted) noexcept {
  resolve(count, [&] {
    counted.fetch_add(count, std::memory_order_relaxed);  // under the lock, read there
    note_dropped({.retry_expired = count});
  });
}

void SinkWorker::nudge() noexcept {
  const std::lock_guard lock(mutex_);
  nudged_ = true;
  work_.notify_all();
}

std::uint64_t SinkWorker::begin_flush() noexcept {
  try {
    const std::lock_guard lock(mutex_);
    ++flush_wanted_;
    if (!ended_) {
      flushes_.push_back({flush_wanted_, counts_.accepted});
      ensure_thread();
      work_.notify_one();
    }
    return flush_wanted_;
  } catch (...) {
    return 0;
  }
}

bool SinkWorker::wait_flushed(std::uint64_t flush, Steady::time_point deadline, std::string& error) noexcept {
  try {
    if (flush == 0) {
      error = "no memory, or no thread";
      return false;
    }
    std::unique_lock lock(mutex_);
    const bool done = done_.wait_until(lock, deadline, [&] { return flush_done_ >= flush || ended_; });
    if (done) {
      error = flush_error_;
    } else {
      const std::uint64_t pending = queue_.size() + counts_.in_flight + left_in_flight_;
      error = pending == 0 ? std::string("the sink is still flushing")
                           : std::to_string(pending) + " events are still pending";
    }
    return done;
  } catch (...) {
    return false;
  }
}

void SinkWorker::abandon_now() noexcept {
  stopping_ = abandon_ = ended_ = true;
  const std::uint64_t dropped = queue_.clear();
  counts_.shutdown += dropped;
  work_.notify_all();
  done_.notify_all();
  room_.notify_all();
  if (credit_) credit_->end();
}

void SinkWorker::abandon() noexcept {
  const std::lock_guard lock(mutex_);
  abandon_now();
}

void SinkWorker::attempt_once() noexcept {
  const std::lock_guard lock(mutex_);
  tries_again_.store(false, std::memory_order_relaxed);
  work_.notify_all();
}

bool SinkWorker::stop(Steady::time_point deadline) noexcept {
  bool gone = true;
  try {
    std::unique_lock lock(mutex_);
    stopping_ = true;
    if (generation_ == fork_generation()) {
      work_.notify_all();
      if (!done_.wait_until(lock, deadline, [&] { return generation_ == 0 || abandon_; })) abandon_now();
      // A worker that only waits for its storage to heal is gone at once; one inside the sink is left to it.
      gone = done_.wait_until(lock, std::max(deadline, Steady::now() + 5ms), [&] { return generation_ == 0; });
    }
    abandon_now();
  } catch (...) {
    gone = false;
  }
  return gone;
}

bool SinkWorker::deliver_here() noexcept {
  ThreadState* const thread = thread_state();
  const bool of_cairn = thread != nullptr && thread->of_cairn;
  try {
    {
      const std::lock_guard lock(mutex_);
      if (generation_ == fork_generation() || queue_.empty() || abandon_) return false;
      try {
        ensure_thread();
        return false;
      } catch (...) {  // as was feared
      }
      stopping_ = true;
      tries_again_.store(false, std::memory_order_relaxed);  // there is somebody who waits
      thread_.store(std::this_thread::get_id(), std::memory_order_relaxed);
      generation_ = fork_generation();
    }
    run(false);
  } catch (...) {  // no memory: what is left is counted when it is abandoned
  }
  if (thread != nullptr) thread->of_cairn = of_cairn;
  return true;
}

void SinkWorker::after_fork(bool child) noexcept {
  if (child) {
    // Threads that waited are not there any more, and would be waited for.
    new (&work_) std::condition_variable;
    new (&done_) std::condition_variable;
    new (&room_) std::condition_variable;
    room_wanted_ = false;
    queue_.clear();  // the parent's, as what was counted is
    counts_ = {};
    left_in_flight_ = 0;
    left_behind_.store(false, std::memory_order_relaxed);
    generation_ = 0;
    flushes_.clear();
    flush_done_ = flush_wanted_;
    unflushed_ = emitted_since_flush_ = false;
    gap_ = {};
    if (credit_) credit_->start_anew();
  }
  held_for_fork_.let_go(mutex_, child);
}

void SinkWorker::take_from_crashed(std::vector<Event>& in_flight, std::vector<EventRange>& queued) {
  const std::lock_guard lock(mutex_);
  const std::size_t busy_with = std::min<std::size_t>(counts_.in_flight, busy_with_->size());
  in_flight.assign(busy_with_->end() - static_cast<std::ptrdiff_t>(busy_with), busy_with_->end());
  queue_.take(queue_.size(), SIZE_MAX, queued);
  counts_.in_flight = 0;
  abandon_now();
}

QueueCounts SinkWorker::counts() const noexcept {
  QueueCounts counts = counts_;
  counts.queued = queue_.size();
  counts.in_flight += left_in_flight_;
  counts.memory_bytes = queue_.bytes();
  counts.worker_alive = generation_ == fork_generation();
  return counts;
}

// ---- the thread

/// Sees the thread's end, whatever ended it: a sink may call pthread_exit, or be cancelled.
class SinkWorker::Watch {
 public:
  explicit Watch(SinkWorker& worker) noexcept : worker_(worker) {}
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;
  void ends_well() noexcept { well_ = true; }
  ~Watch() {
    std::uint64_t lost = 0;
    {
      const std::lock_guard lock(worker_.mutex_);
      const bool here = worker_.is_at_work();
      lost = std::exchange(here ? worker_.counts_.in_flight : worker_.left_in_flight_, 0);
      if (lost != 0) worker_.stage_.count_lost(lost);
      if (here) {
        worker_.generation_ = 0;
        worker_.thread_.store({}, std::memory_order_relaxed);
      } else {
        worker_.left_behind_.store(false, std::memory_order_relaxed);
        worker_.nudged_ = true;
        worker_.work_.notify_all();  // the sink may be tried again
      }
      if (here && !well_) {
        ++worker_.counts_.worker_restarts;
        try {
          if (!worker_.ended_ && !worker_.abandon_) worker_.ensure_thread();
        } catch (...) {  // the next push tries again
        }
      }
      worker_.done_.notify_all();
    }
    if (worker_.credit_) worker_.credit_->give(lost);
  }

 private:
  SinkWorker& worker_;
  bool well_ = false;
};

void SinkWorker::ensure_thread() {
  const std::uint64_t here = fork_generation();
  if (generation_ == here) return;
  if (stopping_ && queue_.empty() && flushes_.empty()) return;
  start_thread(false);
  const auto timeout = stage_.hangs_after();
  if (timeout.count() == 0) return;
  try {
    const auto beat = std::clamp<std::chrono::nanoseconds>(timeout / 8, 10ms, 1s);
    watch_over(shared_from_this(), stage_.clock_is_real() ? beat : std::chrono::nanoseconds(10ms));
  } catch (...) {  // no thread for that: should the sink hang, nobody sees it
  }
}

void SinkWorker::start_thread(bool after_one_that_hangs) {
  std::thread thread = own_thread(
      "cairn:" + name_.substr(0, 9),
      [self = shared_from_this(), keeper = keeper_.lock(), after_one_that_hangs] { self->run(after_one_that_hangs); });
  thread_.store(thread.get_id(), std::memory_order_relaxed);  // it waits for the lock
  generation_ = fork_generation();
  thread.detach();
}

void SinkWorker::look(bool paused) noexcept {
  try {
    const std::shared_ptr<void> keeper = keeper_.lock();
    if (!keeper) return;
    bool opens = false;
    {
      const std::lock_guard lock(mutex_);
      if (abandon_) return;  // it is over, and with it perhaps the program's clock
      if (paused) stage_.forgive();
      if (left_behind_.load(std::memory_order_relaxed) || !stage_.hangs()) return;
      if (!stage_.has_somewhere_else()) {  // the queue keeps its events
        opens = true;
      } else {
        start_thread(true);
        left_behind_.store(true, std::memory_order_relaxed);
        left_in_flight_ = std::exchange(counts_.in_flight, 0);
      }
    }
    if (opens) stage_.note_hung();
  } catch (...) {  // no thread, no memory: it is tried again with the next look
  }
}

void SinkWorker::run(bool after_one_that_hangs) {
  Work work;
  {
    const std::lock_guard lock(mutex_);  // whoever started this thread says so first
    busy_with_ = &work.events;
  }
  Watch watch(*this);
  const ActivePipeline inside(stage_.pipeline());
  if (ThreadState* thread = thread_state()) thread->of_cairn = true;
  if (after_one_that_hangs) stage_.note_hung();
  while (wait_for_work(work)) {
    if (work.room && room_told_ != nullptr) room_told_();
    if (work.gap.total() != 0) announce(work.gap);
    if (!work.ranges.empty()) deliver(work);
    if (work.flush) flush_sink();
    if (settled_told_) settle();
    work.ranges.clear();  // lets the batches go
  }
  if (!resolve(0, [] {})) stage_.note_back();
  watch.ends_well();
}

bool SinkWorker::wait_for_work(Work& work) {
  work.gap = {};
  work.flush = work.room = false;
  std::unique_lock lock(mutex_);
  while (true) {
    if (abandon_ || !is_at_work()) return false;
    const auto now = Steady::now();
    if (gap_.total() != 0 && (now >= gap_due_ || (stopping_ && queue_.empty()))) {
      work.gap = std::exchange(gap_, {});
      gap_due_ = now + announcement_pause;
      emitted_since_flush_ = true;
    }
    const bool asked = !flushes_.empty() && flushes_.front().accepted <= resolved();
    // With nothing else to do a little early: now that it is awake, it need not wake up for that alone.
    const auto early = queue_.empty() ? settings_.options.flush_interval / 8 : 0ns;
    const bool due = unflushed_ && emitted_since_flush_ && now >= flush_due_ - early;
    if (asked || due || (stopping_ && queue_.empty() && emitted_since_flush_)) work.flush = true;
    if (!queue_.empty() && !work.flush) {
      counts_.in_flight = queue_.take(settings_.options.batch_size, most_in_flight(), work.ranges);
      room_.notify_all();
      work.room = std::exchange(room_wanted_, false);
    }
    if (work.flush || !work.ranges.empty() || work.gap.total() != 0) return true;
    if (stopping_ && queue_.empty()) return false;
    auto until = Steady::time_point::max();
    if (!queue_.empty()) until = now + no_memory_pause;
    if (unflushed_ && emitted_since_flush_) until = std::min(until, flush_due_);
    if (gap_.total() != 0) until = std::min(until, gap_due_);
    if (until == Steady::time_point::max()) {
      work_.wait(lock);
    } else {
      work_.wait_until(lock, until);
    }
  }
}

bool SinkWorker::gather(Work& work) noexcept {
  work.events.clear();
  try {
    for (const EventRange& range : work.ranges) {
      const auto more = range.events();
      work.events.insert(work.events.end(), more.begin(), more.end());
    }
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

void SinkWorker::deliver(Work& work) {
  bool gathered = gather(work);
  std::span<const Event> rest = work.events;
  bool again = false;
  while (true) {
    std::unique_lock lock(mutex_);
    if (!gathered)
      work_.wait_for(lock, no_memory_pause, [&] { return abandon_; });
    else if (again)  // the storage may heal, the circuit close
      work_.wait_for(lock, stage_.retry_in(), [&] { return abandon_ || nudged_ || !tries_again(); });
    nudged_ = false;
    if (abandon_) {
      const std::uint64_t lost = std::exchange(is_at_work() ? counts_.in_flight : left_in_flight_, 0);
      counts_.shutdown += lost;
      lock.unlock();
      if (credit_) credit_->give(lost);
      return;
    }
    lock.unlock();
    if (!gathered) {
      gathered = gather(work);
      rest = work.events;
      continue;
    }
    const std::size_t resolved = stage_.attempt(rest, *this);
    rest = rest.subspan(resolved);
    if (!resolve(0, [] {})) {  // the sink came back too late for it
      stage_.leave(rest, *this);
      return;
    }
    emitted_since_flush_ = emitted_since_flush_ || resolved != 0;
    if (rest.empty()) return;
    again = true;
  }
}

void SinkWorker::settle() {
  std::uint64_t number = 0;
  {
    const std::lock_guard lock(mutex_);
    if (abandon_ || !is_at_work() || counts_.in_flight != 0 || left_in_flight_ != 0) return;
    number = queue_.oldest();
  }
  if (number == settled_.load(std::memory_order_relaxed)) return;
  const auto deadline = Steady::now() + std::chrono::hours(24);
  if (!stage_.flush_sink(deadline).empty()) return;  // tried again behind the next batch
  for (SinkStage* next = stage_.fallback(); next != nullptr && next->worker() == nullptr; next = next->fallback()) {
    if (!next->flush_sink(deadline).empty()) return;
  }
  settled_.store(number, std::memory_order_release);
  settled_told_();
}

void SinkWorker::flush_sink() {
  std::uint64_t done = 0;
  {
    const std::lock_guard lock(mutex_);
    for (const Flush& flush : flushes_) {
      if (flush.accepted <= resolved()) done = flush.number;
    }
    unflushed_ = !queue_.empty();
    flush_due_ = Steady::now() + settings_.options.flush_interval;
  }
  emitted_since_flush_ = false;
  std::string error = stage_.flush_sink(Steady::now() + std::chrono::hours(24));
  const std::lock_guard lock(mutex_);
  if (!is_at_work()) return;
  while (!flushes_.empty() && flushes_.front().number <= done) flushes_.pop_front();
  flush_error_ = std::move(error);
  if (done != 0) flush_done_ = done;
  done_.notify_all();
}

}  // namespace cairn::detail
