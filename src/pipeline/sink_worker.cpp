#include "pipeline/sink_worker.hpp"

#include <algorithm>
#include <new>
#include <thread>

#include "capture/thread_state.hpp"
#include "pipeline/sink_stage.hpp"
#include "platform/fork_generation.hpp"
#include "platform/no_cancellation.hpp"

namespace cairn::detail {

namespace {
using namespace std::chrono_literals;
using Steady = std::chrono::steady_clock;

EventQueue::Limits limits_of(const SinkWorker::Settings& settings) {
  return {settings.options.max_size, settings.memory_limit, settings.options.overflow, settings.options.protect_level};
}
}  // namespace

SinkWorker::SinkWorker(SinkStage& stage, std::string name, Settings settings)
    : stage_(stage),
      name_(std::move(name)),
      settings_(std::move(settings)),
      notices_(name_, settings_.options),
      queue_(limits_of(settings_)) {
  if (settings_.options.overflow != Overflow::block) return;
  const std::size_t places = settings_.options.max_size;
  const bool reserves = settings_.options.protect_level.has_value();
  std::optional<std::uint64_t> bytes;
  if (settings_.memory_limit != SIZE_MAX) bytes = settings_.memory_limit;
  credit_ = std::make_unique<Credit>(places, reserves ? std::max<std::size_t>(1, places / 8) : 0, bytes);
}

void SinkWorker::push(const EventRange& range, Pushed& pushed) {
  counts_.accepted += range.count;
  if (ended_) {
    counts_.shutdown += range.count;
    pushed.places_back = range.count;
    pushed.bytes_back = EventBatch::cost(range.events());
    return;
  }
  const std::size_t before = queue_.size();
  const std::size_t bytes_before = queue_.bytes();
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
  pushed.places_back = dropped.queue_full + dropped.memory_limit;
  if (credit_ && pushed.places_back != 0)  // nothing went out meanwhile
    pushed.bytes_back = EventBatch::cost(range.events()) - (queue_.bytes() - bytes_before);
  pushed.for_memory = dropped.memory_limit;
  note_bytes();
  pushed.depth = queue_.size();
  counts_.high_water = std::max<std::uint64_t>(counts_.high_water, pushed.depth);
  if (!unflushed_) {
    unflushed_ = true;
    // From the call on, not from here.
    flush_due_ = Steady::now() + settings_.options.flush_interval -
                 std::clamp<std::chrono::nanoseconds>(stage_.age_of(range.events().front()),
                                                      std::chrono::nanoseconds(0), settings_.options.flush_interval);
  }
  ensure_thread();
}

void SinkWorker::note_bytes() noexcept {
  ByteCredit* const credit = credit_ ? credit_->bytes() : nullptr;
  if (credit == nullptr) return;
  // One event may take more than there is by itself.
  credit->note_overfull(queue_.size() > 1 && queue_.bytes() > settings_.memory_limit + settings_.memory_limit / 4);
}

void SinkWorker::after_push(const Pushed& pushed) noexcept {
  give_back(pushed.places_back, pushed.bytes_back);
  notices_.dropped_for_memory(pushed.for_memory);
  notices_.depth(pushed.depth);
  if (settings_.options.on_slow) notices_.latency(stage_.busy_for());  // it may never come back to say so itself
}

void SinkWorker::push(const EventRange& range) noexcept {
  Pushed pushed;
  try {
    {
      const Lock lock(mutex_);
      push(range, pushed);
    }  // the worker wants it as soon as it is awake
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
  const Lock lock(mutex_);
  refuse(patience, false);
  return false;
}

void SinkWorker::push_when_there_is_room(const EventRange& event, const Patience& patience) noexcept {
  Pushed pushed;
  try {
    ByteCredit* const credit = credit_ ? credit_->bytes() : nullptr;
    const std::size_t bytes = credit != nullptr ? EventBatch::cost(event.events()) : 0;
    const bool room =
        credit == nullptr || (patience.waits ? credit->take(bytes, patience.until) : credit->take_now(bytes));
    {
      const Lock lock(mutex_);
      if (room) {
        push(event, pushed);
      } else {
        refuse(patience, true);
        pushed.places_back = 1;
        pushed.for_memory = patience.waits ? 0 : 1;
      }
    }
    work_.notify_one();
  } catch (...) {  // as above
  }
  after_push(pushed);
}

void SinkWorker::refuse_for_memory(const Patience& patience) noexcept {
  {
    const Lock lock(mutex_);
    refuse(patience, true);
  }
  give_back(1, 0);
  notices_.dropped_for_memory(patience.waits ? 0 : 1);
}

void SinkWorker::lose(std::uint64_t count) noexcept {
  {
    const Lock lock(mutex_);
    counts_.accepted += count;
    counts_.memory_limit += count;
    note_dropped({.memory_limit = count});
  }
  notices_.dropped_for_memory(count);
}

EventQueue::Front SinkWorker::front() const noexcept {
  if (credit_) return {};  // who blocks loses nothing: its callers wait
  if (HeldByThread::contains(this)) return {};
  const Lock lock(mutex_);
  return queue_.front();
}

void SinkWorker::drop_front(const EventBatch& batch, std::vector<EventRange>& out) {
  std::uint64_t count = 0;
  {
    const Lock lock(mutex_);
    count = queue_.drop_front(batch, out);
    if (count == 0) return;
    counts_.memory_limit += count;
    note_dropped({.memory_limit = count});
    work_.notify_one();
  }
  notices_.dropped_for_memory(count);
}

void SinkWorker::note_gap(const DroppedEvents& dropped) noexcept {
  const Lock lock(mutex_);
  const bool first = gap_.total() == 0;  // it is told once a second: the worker knows of the others
  note_dropped(dropped);
  if (first && !ended_) work_.notify_one();
}

void SinkWorker::note_dropped(DroppedEvents dropped) noexcept {
  if (gap_.total() == 0) dropped.since = stage_.now();
  gap_.add(dropped);
}

bool SinkWorker::enter_call(std::size_t count) noexcept {
  const Lock lock(mutex_);
  if (!is_at_work()) return false;
  in_call_ = count;
  return true;
}

void SinkWorker::nudge() noexcept {
  const Lock lock(mutex_);
  nudged_ = true;
  work_.notify_all();
}

std::uint64_t SinkWorker::oldest_pending() const noexcept {
  if (left_in_flight_ != 0) return left_from_;
  return counts_.in_flight != 0 ? in_flight_from_ : queue_.oldest();
}

std::uint64_t SinkWorker::begin_flush(std::optional<Steady::time_point> asked) noexcept {
  try {
    const Lock lock(mutex_);
    ++flush_wanted_;
    if (!ended_) {
      // Nobody waits for those any more, and this one covers what they do: beside a sink that hangs they would add up.
      std::erase_if(flushes_, [now = Steady::now()](const Flush& flush) { return flush.asked && *flush.asked < now; });
      flushes_.push_back({flush_wanted_, queue_.next(), asked});
      ensure_thread();
      work_.notify_one();
    }
    return flush_wanted_;
  } catch (...) {
    return 0;
  }
}

Flushed SinkWorker::wait_flushed(std::uint64_t flush, Steady::time_point deadline) noexcept {
  Flushed result{FlushStatus::timed_out, {}, false};
  try {
    if (flush == 0) {
      result.error = "no memory, or no thread";
      return result;
    }
    WaitingLock lock(*this);
    const auto in_sink = [&] { return counts_.in_flight + left_in_flight_; };
    const auto is_cut_off = [&] { return flush >= cut_off_.first && flush <= cut_off_.last && flush_done_ < flush; };
    // One that began after the end has nothing but what is inside the sink to wait for: all else had its end before.
    const bool over = done_.wait_until(
        lock.get(), deadline, [&] { return flush_done_ >= flush || is_cut_off() || (ended_ && in_sink() == 0); });
    if (over && !is_cut_off()) return answer_to(flush);
    if (over) result.status = FlushStatus::failed;
    const std::uint64_t pending = over ? cut_off_.pending : queue_.size() + in_sink();
    result.error = over ? "the logger ended: " : "";
    result.error += pending == 0 ? "the sink is still flushing" : std::to_string(pending) + " events are still pending";
  } catch (...) {  // no memory for the text
  }
  return result;
}

/// Of an end that came before it: the latest.
const Flushed& SinkWorker::answer_to(std::uint64_t flush) const noexcept {
  const Answer* found = &answers_[(next_answer_ + answers_.size() - 1) % answers_.size()];
  for (const Answer& answer : answers_) {
    if (answer.up_to >= flush && answer.up_to < found->up_to) found = &answer;
  }
  return found->flushed;
}

void SinkWorker::abandon_now() noexcept {
  if (!ended_) {
    // Those whose events were written and flushed are as good as done: the worker ended before it saw them.
    const bool flushed = !stage_.is_unflushed();
    const std::uint64_t oldest = oldest_pending();
    while (flushed && !flushes_.empty() && flushes_.front().before <= oldest) flushes_.pop_front();
    if (!flushes_.empty())
      cut_off_ = {flushes_.front().number, flush_wanted_, queue_.size() + counts_.in_flight + left_in_flight_};
  }
  stopping_ = abandon_ = ended_ = true;
  const std::uint64_t dropped = queue_.clear();
  counts_.shutdown += dropped;
  note_bytes();
  work_.notify_all();
  done_.notify_all();
  if (credit_) credit_->end();  // with what those had who are gone
}

void SinkWorker::abandon() noexcept {
  const Lock lock(mutex_);
  abandon_now();
}

void SinkWorker::attempt_once() noexcept {
  const Lock lock(mutex_);
  tries_again_.store(false, std::memory_order_relaxed);
  work_.notify_all();
}

bool SinkWorker::stop(Steady::time_point deadline) noexcept {
  bool gone = true;
  try {
    WaitingLock lock(*this);
    stopping_ = true;
    if (generation_ == fork_generation()) {
      work_.notify_all();
      if (!done_.wait_until(lock.get(), deadline, [&] { return generation_ == 0 || abandon_; })) abandon_now();
      // A worker that only waits for its storage to heal is gone at once; one inside the sink is left to it.
      gone = done_.wait_until(lock.get(), std::max(deadline, Steady::now() + 5ms), [&] { return generation_ == 0; });
    }
    // Whoever tells that it hung asks the program's clock, which may go after this.
    done_.wait_until(lock.get(), std::max(deadline, Steady::now() + 5ms), [&] { return !telling_hung_; });
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
      const Lock lock(mutex_);
      if (generation_ == fork_generation() || queue_.empty() || abandon_ || made_past_fork()) return false;
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
    run(false, {});
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
    queue_.clear();  // the parent's, as what was counted is
    counts_ = {};
    left_in_flight_ = in_call_ = 0;
    left_behind_.store(false, std::memory_order_relaxed);
    telling_hung_ = false;
    generation_ = 0;
    flushes_.clear();
    flush_done_ = flush_wanted_;
    unflushed_ = emitted_since_flush_ = flush_failed_ = false;
    gap_ = {};
    if (credit_) credit_->start_anew();
  }
  held_for_fork_.let_go(mutex_, child);
}

void SinkWorker::take_from_crashed(std::vector<Event>& in_flight, std::vector<EventRange>& queued) {
  const Lock lock(mutex_);
  const std::vector<Event>& events = busy_with_->events;
  const std::size_t busy_with = std::min<std::size_t>(counts_.in_flight, events.size());
  in_flight.assign(events.end() - static_cast<std::ptrdiff_t>(busy_with), events.end());
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

}  // namespace cairn::detail
