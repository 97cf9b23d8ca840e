// The thread of a queued sink: how it begins and ends, and what it does in between.
#include <cxxabi.h>

#include <algorithm>
#include <new>
#include <optional>
#include <system_error>
#include <thread>

#include "capture/thread_state.hpp"
#include "pipeline/active_pipeline.hpp"
#include "pipeline/pipeline.hpp"
#include "pipeline/sink_stage.hpp"
#include "pipeline/sink_worker.hpp"
#include "pipeline/watchdog.hpp"
#include "platform/fork_generation.hpp"
#include "platform/own_thread.hpp"

namespace cairn::detail {

namespace {
using namespace std::chrono_literals;
using Steady = std::chrono::steady_clock;

constexpr auto announcement_pause = 1s;
constexpr auto no_memory_pause = 10ms;  // then it is asked for again
}  // namespace

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
      const Lock lock(worker_.mutex_);
      const bool here = worker_.is_at_work();
      lost = std::exchange(here ? worker_.counts_.in_flight : worker_.left_in_flight_, 0);
      if (lost != 0) worker_.stage_.count_lost(lost);
      if (here) {
        worker_.in_call_ = 0;
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
  if (made_past_fork())  // it would deliver what is the parent's
    throw std::system_error(std::make_error_code(std::errc::operation_not_permitted));
  if (stopping_ && queue_.empty() && flushes_.empty()) return;
  start_thread(false, {});
  const auto timeout = stage_.hangs_after();
  if (timeout.count() == 0) return;
  try {
    const auto beat = std::clamp<std::chrono::nanoseconds>(timeout / 8, 10ms, 1s);
    watch_over(shared_from_this(), stage_.clock_is_real() ? beat : std::chrono::nanoseconds(10ms));
  } catch (...) {  // no thread for that: should the sink hang, nobody sees it
  }
}

void SinkWorker::start_thread(bool after_one_that_hangs, std::vector<EventRange> first) {
  std::thread thread =
      own_thread("cairn:" + name_.substr(0, 9),
                 [self = shared_from_this(), keeper = keeper_.lock(), after_one_that_hangs,
                  first = std::move(first)]() mutable { self->run(after_one_that_hangs, std::move(first)); });
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
      const Lock lock(mutex_);
      if (abandon_) return;  // it is over, and with it perhaps the program's clock
      if (paused) stage_.forgive();
      if (left_behind_.load(std::memory_order_relaxed) || !stage_.hangs()) return;
      if (!stage_.has_somewhere_else()) {  // the queue keeps its events
        opens = stage_.hang_is_news() && !std::exchange(telling_hung_, true);
      } else {
        start_thread(true, not_in_call());
        left_behind_.store(true, std::memory_order_relaxed);
        left_in_flight_ = std::exchange(in_call_, 0);
        counts_.in_flight -= left_in_flight_;
        left_from_ = in_flight_from_;
      }
    }
    if (opens) tell_hung(keeper);
  } catch (...) {  // no thread, no memory: it is tried again with the next look
  }
}

std::vector<EventRange> SinkWorker::not_in_call() const {
  std::vector<EventRange> found;
  if (counts_.in_flight == in_call_) return found;
  std::size_t left = counts_.in_flight - in_call_;
  for (auto range = busy_with_->ranges.rbegin(); left != 0; ++range) {
    const std::size_t count = std::min(range->count, left);
    found.push_back({range->batch, range->first + range->count - count, count});
    left -= count;
  }
  std::reverse(found.begin(), found.end());
  return found;
}

/// On a thread of its own: whoever is told may hang as well, and the watchdog looks after others.
void SinkWorker::tell_hung(const std::shared_ptr<void>& keeper) {
  const auto told = [](SinkWorker& worker) noexcept {
    const Lock lock(worker.mutex_);
    worker.telling_hung_ = false;
    worker.done_.notify_all();
  };
  try {
    own_thread("cairn-hung", [self = shared_from_this(), keeper, told] {
      bool over = false;
      self->locked([&] { over = self->abandon_; });
      if (!over) self->stage_.note_hung();
      told(*self);
    }).detach();
  } catch (...) {
    told(*this);
    throw;
  }
}

void SinkWorker::run(bool after_one_that_hangs, std::vector<EventRange> first) {
  const ActivePipeline inside(stage_.pipeline());  // the first, for what a signal handler logs on this thread
  Work work;
  work.ranges = std::move(first);
  {
    const Lock lock(mutex_);  // whoever started this thread says so first
    busy_with_ = &work;
  }
  Watch watch(*this);
  if (ThreadState* thread = thread_state()) thread->of_cairn = true;
  if (after_one_that_hangs) stage_.note_hung();
  while (!work.ranges.empty() || wait_for_work(work)) {
    give_back(0, work.bytes);
    const bool gathered = gather(work);  // before the sink is called with anything: it may crash there
    if (work.gap.total() != 0) announce(work.gap);
    if (!work.ranges.empty()) deliver(work, gathered);
    if (work.flush) flush_sink();
    if (settled_told_) settle();
    work.ranges.clear();  // lets the batches go
  }
  if (!resolve(0, [] {})) stage_.note_back();
  watch.ends_well();
}

bool SinkWorker::wait_for_work(Work& work) {
  work.gap = {};
  work.flush = false;
  work.bytes = 0;
  WaitingLock lock(*this);
  while (true) {
    if (abandon_ || !is_at_work()) return false;
    const auto now = Steady::now();
    if (gap_.total() != 0 && (now >= gap_due_ || (stopping_ && queue_.empty()))) {
      work.gap = std::exchange(gap_, {});
      gap_due_ = now + announcement_pause;
      emitted_since_flush_ = true;
    }
    const bool asked = !flushes_.empty() && flushes_.front().before <= oldest_pending();
    // With nothing else to do a little early: now that it is awake, it need not wake up for that alone.
    const auto early = queue_.empty() && !flush_failed_ ? settings_.options.flush_interval / 8 : 0ns;
    const bool due = unflushed_ && emitted_since_flush_ && now >= flush_due_ - early;
    if (asked || due || (stopping_ && queue_.empty() && emitted_since_flush_)) work.flush = true;
    if (!queue_.empty() && !work.flush) {
      const std::size_t before = queue_.bytes();
      in_flight_from_ = queue_.oldest();
      counts_.in_flight = queue_.take(settings_.options.batch_size, most_in_flight(), work.ranges);
      work.bytes = before - queue_.bytes();
      note_bytes();
    }
    if (work.flush || !work.ranges.empty() || work.gap.total() != 0) return true;
    if (stopping_ && queue_.empty()) return false;
    auto until = Steady::time_point::max();
    if (!queue_.empty()) until = now + no_memory_pause;
    if (unflushed_ && emitted_since_flush_) until = std::min(until, flush_due_);
    if (gap_.total() != 0) until = std::min(until, gap_due_);
    if (until == Steady::time_point::max()) {
      work_.wait(lock.get());
    } else {
      work_.wait_until(lock.get(), until);
    }
  }
}

void SinkWorker::announce(DroppedEvents gap) {
  const auto keep = [&] {
    const Lock lock(mutex_);
    if (stopping_ && queue_.empty()) return;  // it was the last chance
    const Timestamp since = gap.since;
    gap_.add(gap);
    gap_.since = since;
  };
  try {
    if (!stage_.announce(gap)) keep();
  } catch (const abi::__forced_unwind&) {  // the sink ends the thread: the next one announces it
    keep();
    throw;
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

void SinkWorker::deliver(Work& work, bool gathered) {
  std::span<const Event> rest = work.events;
  bool again = false;
  while (true) {
    std::optional<std::uint64_t> lost;
    bool here = true;
    {
      WaitingLock lock(*this);
      if (!gathered)
        work_.wait_for(lock.get(), no_memory_pause, [&] { return abandon_; });
      else if (again)  // the storage may heal, the circuit close
        work_.wait_for(lock.get(), stage_.retry_in(), [&] { return abandon_ || nudged_ || !tries_again(); });
      nudged_ = false;
      if (abandon_) {
        lost = std::exchange(is_at_work() ? counts_.in_flight : left_in_flight_, 0);
        counts_.shutdown += *lost;
      }
      here = is_at_work();
    }
    if (lost) {
      if (credit_) credit_->give(*lost);
      return;
    }
    if (!here) return;  // it hung before it had any of them in the sink: the next thread has them all
    if (!gathered) {
      gathered = gather(work);
      rest = work.events;
      continue;
    }
    const std::size_t resolved = stage_.attempt(rest, *this);
    rest = rest.subspan(resolved);
    const auto note_emitted = [&] {
      if (resolved == 0) return;
      emitted_since_flush_ = true;
      if (!std::exchange(unflushed_, true)) flush_due_ = Steady::now();  // it was left behind, and others flushed
    };
    if (!resolve(0, note_emitted)) {  // the sink came back too late for it
      std::size_t mine = 0;
      locked([&] { mine = left_in_flight_; });
      stage_.leave(rest.first(mine), *this);
      return;
    }
    if (rest.empty()) return;
    again = true;
  }
}

void SinkWorker::give_up(std::size_t count, std::atomic<std::uint64_t>& counted) noexcept {
  resolve(count, [&] {
    counted.fetch_add(count, std::memory_order_relaxed);  // under the lock, read there
    note_dropped({.retry_expired = count});
  });
}

void SinkWorker::settle() {
  std::uint64_t number = 0;
  {
    const Lock lock(mutex_);
    if (abandon_ || !is_at_work() || counts_.in_flight != 0 || left_in_flight_ != 0) return;
    number = queue_.oldest();
  }
  if (number == settled_.load(std::memory_order_relaxed) || stage_.pipeline().has_unwritten()) return;
  // A logger that the sink hands on to is waited for, but not with every batch where it hangs.
  const auto now = Steady::now();
  const auto asked = now + (std::exchange(settles_, false) ? 2s : 10ms);
  for (SinkStage* stage = &stage_; stage != nullptr; stage = stage->fallback()) {
    if (stage != &stage_ && stage->worker() != nullptr) break;
    if (stage->flush_sink(now + 24h, asked).status != FlushStatus::ok) return;  // tried again behind the next batch
  }
  settles_ = true;
  settled_.store(number, std::memory_order_release);
  settled_told_();
}

void SinkWorker::flush_sink() {
  std::uint64_t done = 0;
  std::optional<Steady::time_point> asked;
  {
    const Lock lock(mutex_);
    for (const Flush& flush : flushes_) {
      if (flush.before > oldest_pending()) break;
      done = flush.number;
      asked = std::max(asked, flush.asked);
    }
    unflushed_ = !queue_.empty();
    const auto now = Steady::now();
    flush_due_ = now + settings_.options.flush_interval;
    emitted_since_flush_ = flush_failed_ = false;
    if (asked && *asked < now) asked.reset();  // nobody waits any more
  }
  const auto answer = [&](Flushed flushed, bool again) {
    const Lock lock(mutex_);
    flush_failed_ = again && flushed.status != FlushStatus::ok && stage_.is_unflushed();
    if (flush_failed_ && !(stopping_ && queue_.empty())) {  // else it was the last: closing the sink tries once more
      unflushed_ = emitted_since_flush_ = true;
      flush_due_ = Steady::now() + storage_retry_pause;
    }
    if (!is_at_work()) return;
    while (!flushes_.empty() && flushes_.front().number <= done) flushes_.pop_front();
    if (done == 0) return;  // nobody asked
    answers_[next_answer_] = {done, std::move(flushed)};
    next_answer_ = (next_answer_ + 1) % answers_.size();
    flush_done_ = done;
    done_.notify_all();
  };
  try {
    answer(stage_.flush_sink(Steady::now() + 24h, asked), true);
  } catch (const abi::__forced_unwind&) {  // or the next thread would be ended by the same flush
    answer({FlushStatus::failed, "the sink ended the thread that flushed it"}, false);
    throw;
  }
}

}  // namespace cairn::detail
