#include "dispatch/dispatcher.hpp"

#include <pthread.h>
#include <sys/prctl.h>

#include <algorithm>
#include <optional>
#include <thread>
#include <utility>

#include "cairn/detail/critical_section.hpp"
#include "cairn/detail/fork_mutex.hpp"
#include "dispatch/route.hpp"
#include "platform/barrier.hpp"
#include "platform/fork_generation.hpp"
#include "platform/futex.hpp"
#include "platform/made_once.hpp"
#include "platform/no_cancellation.hpp"
#include "platform/own_thread.hpp"

namespace cairn::detail {

using namespace std::chrono_literals;
using Steady = std::chrono::steady_clock;

namespace {

constexpr auto shortest_pause = 50us;
constexpr std::uint64_t few =
    16;  // events of a sweep, after which it makes the longest: there, waking up is what costs
/// Many come, and no lane is near its end: with all processors busy each look takes one away from a caller, so it looks
/// seldom.
constexpr std::uint64_t many = 1024;
constexpr auto pause_with_many = 250us;
constexpr auto longest_pause = 5ms;
constexpr auto silence = 10ms;  // after which it sleeps until it is woken
/// Where few events come and keep coming: how long after the newest it looks again. Most of what a look costs is waking
/// up, here and in the sinks' threads. An event that comes after a silence must not wait more than 5 ms: where callers
/// can tell, by the processor's counter, a call that ends a longer gap than the shortest doze wakes it.
constexpr std::chrono::nanoseconds shortest_doze = 12ms;
constexpr std::chrono::nanoseconds longest_doze = 32ms;
constexpr std::uint64_t few_in_a_doze = 40;
constexpr unsigned slow_enough = 4;  // sweeps that found few events, none of them that long after the one before
constexpr auto refusal_holds = 1ms;  // of memory for a lane

std::atomic<Dispatcher*> current{nullptr};

}  // namespace

void wake_dispatcher() noexcept {
  CallerHints& hints = caller_hints;
  if (hints.dispatcher_rests.load(std::memory_order_relaxed) == CallerHints::dozing) {
    const std::uint64_t now = TscClock::ticks();
    const std::uint64_t gap = now - hints.newest_call.exchange(now, std::memory_order_relaxed);
    // Signed: the counter of another processor may be a little ahead.
    if (static_cast<std::int64_t>(gap) < static_cast<std::int64_t>(hints.longest_gap.load(std::memory_order_relaxed)))
      return;
  }
  if (hints.dispatcher_rests.exchange(CallerHints::awake, std::memory_order_relaxed) == CallerHints::awake)
    return;  // another caller does it
  if (Dispatcher* dispatcher = current.load(std::memory_order_acquire); dispatcher != nullptr) dispatcher->wake();
}

void request_sweep() noexcept {
  // Looked at first: callers who wait ask often, and the line is in the cache of all others.
  CallerHints& hints = caller_hints;
  if (hints.dispatcher_rests.load(std::memory_order_relaxed) != CallerHints::awake)
    hints.dispatcher_rests.store(CallerHints::awake, std::memory_order_relaxed);
  if (Dispatcher* dispatcher = current.load(std::memory_order_acquire); dispatcher != nullptr) dispatcher->wake();
}

/// What stands around the making of the process's dispatcher, and of a forked child's.
struct Dispatcher::Making final : private ForkHandler {
  Making() { guard_against_forks(*this, ForkTurn::outermost); }
  ~Making() { forget_in_forks(*this); }
  ForkMutex mutex;

 private:
  /// The thread that forks waits until the dispatcher is not at work, for half of its time at most.
  void before_fork(Steady::time_point deadline) noexcept override {
    Dispatcher* dispatcher = current.load(std::memory_order_acquire);
    has_token_ = dispatcher != nullptr && std::this_thread::get_id() != dispatcher->thread_id_.load() &&
                 dispatcher->token_.try_lock_until(deadline - 5ms);
  }
  void after_fork(bool child) noexcept override {
    if (child) {
      forget_all();
    } else if (has_token_) {
      current.load(std::memory_order_relaxed)->token_.unlock();
    }
    has_token_ = false;
  }
  bool has_token_ = false;  // the thread that forks has it
};

Dispatcher& Dispatcher::instance() {
  if (Dispatcher* made = current.load(std::memory_order_acquire)) return *made;
  static constinit MadeOnce<Making> once;
  const std::lock_guard lock(once.get().mutex);
  if (Dispatcher* made = current.load(std::memory_order_acquire)) return *made;
  std::unique_ptr<Dispatcher> made(new Dispatcher);
  own_thread("cairn-dispatch", [dispatcher = made.get()] {
    dispatcher->run();
  }).detach();  // or it throws: there is none
  current.store(made.get(), std::memory_order_release);
  return *made.release();  // never destroyed: its thread lives as long as the process
}

Dispatcher::Dispatcher() {
  pool_.reserve(most_pooled);  // nothing is taken where lanes are put back
  reclaim_lanes_by({.pooled_lanes = &drop_pooled_lanes, .records_in_lanes = &LargeRecord::give_up_oldest});
}

/// In a process just forked: the other threads, and the dispatcher, are not there; what is in lanes is the parent's.
void Dispatcher::forget_all() noexcept {
  current.store(nullptr, std::memory_order_relaxed);
  caller_hints.dispatcher_rests.store(CallerHints::awake, std::memory_order_relaxed);
  write_window.forget();
  LargeRecord::forget_all();
  LaneMemory::forget_all();
  if (current_thread_state != nullptr) current_thread_state->attachments = nullptr;
}

void Dispatcher::wake() noexcept {
  pulse_.fetch_add(1, std::memory_order_release);
  wake_all(pulse_);
}

// ---- callers

namespace {

/// The calling thread's lane in that root, or null. Those in roots that are gone are let go.
ThreadLane* lane_in(const LaneRoot* root, ThreadState& thread) noexcept {
  ThreadLane* found = nullptr;
  for (ThreadAttachment** at = &thread.attachments; *at != nullptr;) {
    auto* lane = static_cast<ThreadLane*>(*at);
    if (lane->root().get() == root) {
      found = lane;
    } else if (lane->root()->closed.load(std::memory_order_relaxed)) {  // nobody logs there any more
      *at = lane->next_of_thread;
      lane->thread_exits();
      continue;
    }
    at = &lane->next_of_thread;
  }
  return found;
}

}  // namespace

ThreadLane* Dispatcher::lane_for(ThreadState& thread, const std::shared_ptr<LaneRoot>& root, RoomWait& wait) {
  if (ThreadLane* found = lane_in(root.get(), thread); found != nullptr) return found;
  const std::chrono::nanoseconds now = Steady::now().time_since_epoch();
  // Another logger may have refused it one: who waits does so all the same.
  if (!wait.waits() && now.count() < thread.no_lane_before) return nullptr;
  std::unique_ptr<LaneMemory> memory = lane_memory(*root);
  while (!memory && wait.pause()) memory = lane_memory(*root);
  if (!memory) {
    if (root->blocking.empty()) {
      thread.no_lane_before = (now + refusal_holds).count();  // looking for memory costs more than a call may
      wake();  // lanes of threads that ended come back with the next sweep
    }
    return nullptr;
  }
  auto lane = std::make_unique<ThreadLane>(root, std::move(memory));
  if (root->ring) lane->use_ring(root->ring->take());
  lane->next_of_thread = thread.attachments;
  thread.attachments = lane.get();
  std::atomic_signal_fence(std::memory_order_seq_cst);  // in a child forked from here on the thread has no lane
  if (current.load(std::memory_order_relaxed) == this || thread.attachments != lane.get()) {
    announce_lane(lane.get());
    return lane.release();
  }
  try {  // a handler forked before: this dispatcher is the parent's
    instance().announce_lane(lane.get());
  } catch (...) {
    if (thread.attachments == lane.get()) thread.attachments = lane->next_of_thread;
    root->lane_count.fetch_sub(1, std::memory_order_relaxed);
    throw;
  }
  return lane.release();
}

void Dispatcher::announce_lane(ThreadLane* lane) noexcept {
  lane->next = new_lanes_.load(std::memory_order_relaxed);
  // release: the dispatcher that finds it finds it whole
  while (!new_lanes_.compare_exchange_weak(lane->next, lane, std::memory_order_release, std::memory_order_relaxed)) {
  }
}

std::unique_ptr<LaneMemory> Dispatcher::lane_memory(const LaneRoot& root) {
  std::optional<LaneMemory::ShareToBlock> share;
  if (!root.blocking.empty()) share.emplace(root.shape);
  const std::optional<LaneShape> wanted = share ? share->shape() : root.shape;
  if (!wanted) return nullptr;
  std::unique_ptr<LaneMemory> memory;
  {
    const CriticalSection here;  // where memory is short, a call of a handler would come here
    const std::lock_guard lock(pool_mutex_);
    std::uint64_t pooled = 0;
    for (const auto& m : pool_) pooled += m->shape().region_bytes();
    const auto shape = LaneMemory::shape_without(pooled, *wanted);
    const auto fits = std::find_if(pool_.begin(), pool_.end(), [&](const auto& m) { return m->shape() == shape; });
    if (fits != pool_.end()) {
      memory = std::move(*fits);
      pool_.erase(fits);
    }
  }
  if (!memory) {
    // Under a budget none is kept that is not of use to who comes next.
    if (process_memory().max_bytes() != MemoryBudget::unlimited) (void)drop_pooled_lanes();
    memory = LaneMemory::make(*wanted);
  }
  if (memory && share) memory->use(*std::move(share));
  return memory;
}

bool Dispatcher::drop_pooled_lanes() noexcept {
  Dispatcher* const dispatcher = current.load(std::memory_order_acquire);
  if (dispatcher == nullptr) return false;
  std::vector<std::unique_ptr<LaneMemory>> dropped;
  const CriticalSection here;  // as in lane_memory()
  const std::lock_guard lock(dispatcher->pool_mutex_);
  dropped.swap(dispatcher->pool_);
  return !dropped.empty();
}

bool Dispatcher::drain(const LaneRoot& root, Steady::time_point deadline) {
  if (made_past_fork()) return false;  // its thread is the parent's
  // seq_cst: every sweep that sees the ticket reads the lanes after it
  const std::uint64_t ticket = drains_wanted_.fetch_add(1) + 1;
  caller_hints.dispatcher_rests.store(CallerHints::awake, std::memory_order_relaxed);
  wake();
  std::unique_lock lock(drain_mutex_);
  return drained_.wait_until(lock, deadline,
                             [&] { return drains_done_ >= ticket && (!root.left || root.drained >= ticket); });
}

bool Dispatcher::take_over_from(std::thread::id crashed, Steady::time_point deadline) noexcept {
  if (thread_id_.load(std::memory_order_acquire) != crashed) return false;
  try {
    const std::unique_lock lock(taking_over_, deadline);
    if (!lock.owns_lock()) return true;  // another thread is at it
    without_user_code_ = true;
    for (const auto& route : routes_) route->root->pipeline->skip_filters_of_sinks();
    for (const auto& route : routes_) route->root->pipeline->finish_enqueue();
    while (sweep() != 0) {  // the event it crashed with is still in its lane
    }
    for (const auto& route : routes_) hand_over(*route);
  } catch (...) {  // no memory
  }
  return true;
}

// ---- the thread

void Dispatcher::run() {
  thread_id_.store(std::this_thread::get_id(), std::memory_order_release);
  prctl(PR_SET_TIMERSLACK, 1000UL, 0, 0, 0);  // it asks for short pauses and means them
  if (ThreadState* thread = thread_state()) thread->of_cairn = true;
  for (const auto begun = Steady::now(); Steady::now() - begun < 200us;) {  // a first idea of the counter's rate
  }
  const bool tells_gaps = TscClock::invariant();
  CallerHints& hints = caller_hints;
  auto pause = std::chrono::nanoseconds(shortest_pause);
  auto last = Steady::now();  // when the newest event came
  unsigned slow = 0;
  while (true) {
    const std::uint32_t seen = pulse_.load(std::memory_order_acquire);
    const std::uint64_t wanted = drains_wanted_.load();
    std::uint64_t found = 0;
    bool drained = false;
    std::chrono::nanoseconds doze{};
    bool left = false;  // what is visible waits for memory, which comes when it comes
    {
      const std::lock_guard token(token_);
      found = sweep();
      if (found != 0) doze = doze_time(tells_gaps);
      left = waits_for_memory();
      const std::lock_guard lock(drain_mutex_);
      drained = note_drained(wanted);
    }
    if (drained) drained_.notify_all();
    if (ThreadState* own = thread_state()) (void)lane_in(nullptr, *own);  // a filter may have logged elsewhere

    const auto now = Steady::now();
    if (found != 0) {
      const auto newest = now - age_of_newest();
      const bool is_slow = found < (slow < slow_enough ? few : few_in_a_doze);
      slow = is_slow && newest - last < doze ? slow + 1 : 0;
      last = newest;
      pause = is_slow                                   ? std::chrono::nanoseconds(longest_pause)
              : found >= many && !a_lane_fills_quickly_ ? pause_with_many
                                                        : shortest_pause;
      if (slow >= slow_enough && !left) {
        hints.newest_call.store(newest_ != 0 ? newest_ : TscClock::ticks(), std::memory_order_relaxed);
        hints.longest_gap.store(tells_gaps ? clock_.ticks_in(shortest_doze) : INT64_MAX, std::memory_order_relaxed);
        hints.dispatcher_rests.store(CallerHints::dozing, std::memory_order_relaxed);
        wait_on(pulse_, seen, std::max<std::chrono::nanoseconds>(last + doze - now, shortest_pause));
        hints.dispatcher_rests.store(CallerHints::awake, std::memory_order_relaxed);
        continue;
      }
    } else {
      pause = std::min<std::chrono::nanoseconds>(pause * 2, longest_pause);
    }
    if (now - last < silence) {
      wait_on(pulse_, seen, std::min<std::chrono::nanoseconds>(pause, last + silence - now));
      continue;
    }
    // A caller stores its record and then reads `asleep`; here `asleep` is stored and then the lanes are read. The
    // barrier stands in for the one that callers do not have: one of the two sees the other.
    hints.dispatcher_rests.store(CallerHints::asleep, std::memory_order_relaxed);
    const bool ordered = barrier_everywhere();
    bool more = false;
    {
      const std::lock_guard lock(token_);
      more = anything_visible();
      left = waits_for_memory();
    }
    if (!more) wait_on(pulse_, seen, ordered ? 0ns : std::chrono::nanoseconds(longest_pause));
    hints.dispatcher_rests.store(CallerHints::awake, std::memory_order_relaxed);
    pause = left ? std::chrono::nanoseconds(longest_pause) : shortest_pause;
    last = Steady::now();
  }
}

/// A sweep that began after the ticket `wanted` was drawn is over. True: somebody may wait for that.
bool Dispatcher::note_drained(std::uint64_t wanted) {
  bool news = drains_done_ < wanted;
  drains_done_ = wanted;
  for (const auto& route : routes_) {
    LaneRoot& root = *route->root;
    news = news || (root.left && !route->left);
    root.left = route->left;
    if (!root.left) root.drained = wanted;
  }
  return news;
}

bool Dispatcher::waits_for_memory() const noexcept {
  return std::any_of(routes_.begin(), routes_.end(), [](const auto& route) { return route->left; });
}

/// With the token: how long after the newest event it looks again where few come: no logger's events wait long for
/// that.
std::chrono::nanoseconds Dispatcher::doze_time(bool tells_gaps) const noexcept {
  auto longest = tells_gaps ? longest_doze : shortest_doze;
  for (const auto& route : routes_) longest = std::min(longest, route->root->patience);
  return std::max(longest, shortest_doze);
}

/// Of the newest event of the last sweep, as far as its time tells; nothing, where it does not.
std::chrono::nanoseconds Dispatcher::age_of_newest() const noexcept {
  if (newest_ == 0) return {};
  const std::int64_t age = clock_.wall_time(TscClock::ticks()) - clock_.wall_time(newest_);
  return std::chrono::nanoseconds(std::max<std::int64_t>(age, 0));
}

bool Dispatcher::anything_visible() {
  if (new_lanes_.load(std::memory_order_acquire) != nullptr) return true;
  for (const auto& route : routes_) {
    for (const auto& lane : route->lanes) {
      const bool closed = lane->lane().closed();
      const bool here = lane->reader().peek() != nullptr;
      lane->reader().release();
      if (here || closed) return true;
    }
  }
  return false;
}

LaneCounts Dispatcher::counts(const LaneRoot& root) {
  LaneCounts counts;
  counts.captured = root.captured_before;
  counts.overrun = root.overrun_before;
  for (const auto& route : routes_) {
    if (route->root.get() != &root) continue;
    root.pipeline->count_dispatched(std::exchange(route->plain, 0));  // a filter may ask, in the middle of a batch
    for (const auto& lane : route->lanes) {
      const auto ahead = lane->reader().count_ahead();
      counts.captured += ahead.visible;
      counts.overrun += lane->reader().overrun() + ahead.lost;
      counts.in_lane += ahead.events;
    }
  }
  return counts;
}

}  // namespace cairn::detail
