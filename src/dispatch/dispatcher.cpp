#include "dispatch/dispatcher.hpp"

#include <linux/futex.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <thread>
#include <utility>

#include "cairn/detail/fork_mutex.hpp"
#include "capture/site_table.hpp"
#include "capture/stringify.hpp"
#include "pipeline/active_pipeline.hpp"
#include "pipeline/logger_table.hpp"
#include "platform/barrier.hpp"
#include "platform/made_once.hpp"
#include "platform/no_cancellation.hpp"
#include "platform/own_thread.hpp"

namespace cairn::detail {

using namespace std::chrono_literals;
using Steady = std::chrono::steady_clock;

constinit std::atomic<std::uint32_t> dispatcher_asleep{0};
constinit std::atomic<bool> dispatcher_dozes{false};

namespace {

constexpr auto shortest_pause = 50us;
constexpr std::uint64_t few =
    16;  // events of a sweep, after which it makes the longest: there, waking up is what costs
constexpr auto longest_pause = 5ms;
constexpr auto silence = 10ms;  // after which it sleeps until it is woken
/// Where few events come and keep coming: one look for each is the least there is, and one that has come after a
/// silence must not wait more than 5 ms.
constexpr auto doze = 12ms;          // from the newest event on
constexpr unsigned slow_enough = 4;  // sweeps that found few events, none of them that long after the one before
constexpr auto refusal_holds = 1ms;  // of memory for a lane
constexpr std::size_t most_pooled = 64;
constexpr std::size_t ring_batch = 256;  // events with a crash ring: what is delivered is acknowledged in such steps

std::atomic<Dispatcher*> current{nullptr};

/// Waits while `word` is `value`, at most so long; nothing: until it is woken.
void futex_wait(std::atomic<std::uint32_t>& word, std::uint32_t value, std::chrono::nanoseconds timeout) noexcept {
  timespec time{};
  time.tv_sec = timeout.count() / 1'000'000'000;
  time.tv_nsec = timeout.count() % 1'000'000'000;
  syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, value, timeout.count() == 0 ? nullptr : &time, nullptr, 0);
}

void futex_wake(std::atomic<std::uint32_t>& word) noexcept {
  syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
}

}  // namespace

void wake_dispatcher() noexcept {
  if (dispatcher_asleep.exchange(0, std::memory_order_relaxed) == 0) return;  // another caller does it
  if (Dispatcher* dispatcher = current.load(std::memory_order_acquire); dispatcher != nullptr) dispatcher->wake();
}

void request_sweep() noexcept {
  dispatcher_asleep.store(0, std::memory_order_relaxed);
  dispatcher_dozes.store(false, std::memory_order_relaxed);
  if (Dispatcher* dispatcher = current.load(std::memory_order_acquire); dispatcher != nullptr) dispatcher->wake();
}

/// A root and what it has in lanes.
struct Dispatcher::Route {
  std::shared_ptr<LaneRoot> root;
  std::vector<std::unique_ptr<ThreadLane>> lanes;
  std::vector<ThreadLane*> ready;     // those with an event to take in this sweep
  std::shared_ptr<EventBatch> batch;  // being filled
  std::size_t room = SIZE_MAX;        // bytes of queues that may still go into it
  std::uint64_t plain = 0;            // events in it that are not counted as dispatched yet
  bool left = false;                  // by this sweep: events for which there is no memory, or no room
  // What the batch keeps alive already.
  std::shared_ptr<const LoggerParts> logger;
  std::uint32_t logger_id = 0;
  const PropertyBlock* context = nullptr;
};

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
  dispatcher_asleep.store(0, std::memory_order_relaxed);
  dispatcher_dozes.store(false, std::memory_order_relaxed);
  write_window = {};
  LargeRecord::forget_all();
  LaneMemory::forget_all();
  if (current_thread_state != nullptr) current_thread_state->attachments = nullptr;
}

void Dispatcher::wake() noexcept {
  pulse_.fetch_add(1, std::memory_order_release);
  futex_wake(pulse_);
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

ThreadLane* Dispatcher::lane_for(ThreadState& thread, const std::shared_ptr<LaneRoot>& root, bool wait) {
  if (ThreadLane* found = lane_in(root.get(), thread); found != nullptr) return found;
  const std::chrono::nanoseconds now = Steady::now().time_since_epoch();
  if (now.count() < thread.no_lane_before) return nullptr;
  std::unique_ptr<LaneMemory> memory = lane_memory(*root);
  if (!memory && wait && !thread.of_cairn) {
    const NoCancellation uncancelled;
    const auto deadline = Steady::now() + root->longest_wait();
    while (!memory && Steady::now() < deadline) {
      wake();
      std::this_thread::sleep_for(shortest_pause);
      memory = lane_memory(*root);
    }
  }
  if (!memory) {
    if (root->blocking.empty()) {
      thread.no_lane_before = (now + refusal_holds).count();  // looking for memory costs more than a call may
      wake();  // lanes of threads that ended come back with the next sweep
    }
    return nullptr;
  }
  auto* lane = new ThreadLane(root, std::move(memory));
  if (root->ring) lane->use_ring(root->ring->take());
  lane->next_of_thread = thread.attachments;
  thread.attachments = lane;
  announce_lane(lane);
  return lane;
}

void Dispatcher::announce_lane(ThreadLane* lane) noexcept {
  lane->next = new_lanes_.load(std::memory_order_relaxed);
  // release: the dispatcher that finds it finds it whole
  while (!new_lanes_.compare_exchange_weak(lane->next, lane, std::memory_order_release, std::memory_order_relaxed)) {
  }
}

std::unique_ptr<LaneMemory> Dispatcher::lane_memory(const LaneRoot& root) {
  const bool blocks = !root.blocking.empty();
  if (blocks && !LaneMemory::room_to_block()) return nullptr;
  std::unique_ptr<LaneMemory> memory;
  {
    const std::lock_guard lock(pool_mutex_);
    std::uint64_t pooled = 0;
    for (const auto& m : pool_) pooled += m->shape().region_bytes();
    const auto shape = LaneMemory::shape_without(pooled, root.shape);
    const auto fits = std::find_if(pool_.begin(), pool_.end(), [&](const auto& m) { return m->shape() == shape; });
    if (fits != pool_.end()) {
      memory = std::move(*fits);
      pool_.erase(fits);
    }
  }
  if (!memory) {
    // Under a budget none is kept that is not of use to who comes next.
    if (process_memory().max_bytes() != MemoryBudget::unlimited) (void)drop_pooled_lanes();
    memory = LaneMemory::make(root.shape);
  }
  if (memory) memory->use(blocks);
  return memory;
}

bool Dispatcher::drop_pooled_lanes() noexcept {
  Dispatcher* const dispatcher = current.load(std::memory_order_acquire);
  if (dispatcher == nullptr) return false;
  std::vector<std::unique_ptr<LaneMemory>> dropped;
  const std::lock_guard lock(dispatcher->pool_mutex_);
  dropped.swap(dispatcher->pool_);
  return !dropped.empty();
}

bool Dispatcher::drain(const LaneRoot& root, Steady::time_point deadline) {
  // seq_cst: every sweep that sees the ticket reads the lanes after it
  const std::uint64_t ticket = drains_wanted_.fetch_add(1) + 1;
  dispatcher_asleep.store(0, std::memory_order_relaxed);
  wake();
  std::unique_lock lock(drain_mutex_);
  return drained_.wait_until(lock, deadline,
                             [&] { return drains_done_ >= ticket && (!root.left || root.drained >= ticket); });
}

bool Dispatcher::take_over_from(std::thread::id crashed) noexcept {
  if (thread_id_.load(std::memory_order_acquire) != crashed) return false;
  without_user_code_ = true;
  try {
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
  auto pause = std::chrono::nanoseconds(shortest_pause);
  auto last = Steady::now();  // when the newest event came
  unsigned slow = 0;
  while (true) {
    const std::uint32_t seen = pulse_.load(std::memory_order_acquire);
    const std::uint64_t wanted = drains_wanted_.load();
    std::uint64_t found = 0;
    bool drained = false;
    {
      const std::lock_guard token(token_);
      found = sweep();
      const std::lock_guard lock(drain_mutex_);
      drained = note_drained(wanted);
    }
    if (drained) drained_.notify_all();
    if (ThreadState* own = thread_state()) (void)lane_in(nullptr, *own);  // a filter may have logged elsewhere

    const auto now = Steady::now();
    if (found != 0) {
      const auto newest = now - age_of_newest();
      slow = found < few && newest - last < doze ? slow + 1 : 0;
      last = newest;
      pause = found < few ? std::chrono::nanoseconds(longest_pause) : shortest_pause;
      if (slow >= slow_enough && !waits_for_memory()) {
        dispatcher_dozes.store(true, std::memory_order_relaxed);
        futex_wait(pulse_, seen, std::max<std::chrono::nanoseconds>(last + doze - now, shortest_pause));
        dispatcher_dozes.store(false, std::memory_order_relaxed);
        continue;
      }
    } else {
      pause = std::min<std::chrono::nanoseconds>(pause * 2, longest_pause);
    }
    if (now - last < silence) {
      futex_wait(pulse_, seen, std::min<std::chrono::nanoseconds>(pause, last + silence - now));
      continue;
    }
    // A caller stores its record and then reads `asleep`; here `asleep` is stored and then the lanes are read. The
    // barrier stands in for the one that callers do not have: one of the two sees the other.
    dispatcher_asleep.store(1, std::memory_order_relaxed);
    const bool ordered = barrier_everywhere();
    bool more = false;
    bool left = false;  // what is visible waits for memory, which comes when it comes
    {
      const std::lock_guard lock(token_);
      more = anything_visible();
      left = waits_for_memory();
    }
    if (!more) futex_wait(pulse_, seen, ordered ? 0ns : std::chrono::nanoseconds(longest_pause));
    dispatcher_asleep.store(0, std::memory_order_relaxed);
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

/// Of the newest event of the last sweep, as far as its time tells; nothing, where it does not.
std::chrono::nanoseconds Dispatcher::age_of_newest() const noexcept {
  if (newest_ == 0) return {};
  const std::int64_t age = clock_.wall_time(TscClock::ticks()) - clock_.wall_time(newest_);
  return std::chrono::nanoseconds(std::max<std::int64_t>(age, 0));
}

std::uint64_t Dispatcher::sweep() {
  newest_ = 0;
  sites_.forget();
  adopt_new_lanes();
  const std::uint32_t retired = LoggerTable::instance().begin_sweep();
  clock_.refresh();
  const std::uint64_t cutoff = TscClock::ticks();
  std::uint64_t found = 0;
  for (auto& route : routes_) found += sweep_root(*route, cutoff);
  std::erase_if(routes_, [](const auto& route) {
    return route->lanes.empty() && route->root->closed.load(std::memory_order_relaxed) && !route->root->left;
  });
  LoggerTable::instance().end_sweep(retired);
  return found;
}

void Dispatcher::adopt_new_lanes() noexcept {
  ThreadLane* lane = new_lanes_.exchange(nullptr, std::memory_order_acquire);  // pairs with announce_lane
  while (lane != nullptr) {
    ThreadLane* next = lane->next;
    try {
      adopt(lane);
    } catch (...) {  // no memory: the next sweep finds it again
      announce_lane(lane);
    }
    lane = next;
  }
}

void Dispatcher::adopt(ThreadLane* lane) {
  auto found = std::find_if(routes_.begin(), routes_.end(), [&](const auto& r) { return r->root == lane->root(); });
  if (found == routes_.end()) {
    routes_.push_back(std::make_unique<Route>());
    found = routes_.end() - 1;
    (*found)->root = lane->root();
  }
  Route& route = **found;
  if (route.lanes.size() == route.lanes.capacity()) route.lanes.reserve(2 * route.lanes.size() + 4);
  route.ready.reserve(route.lanes.capacity());  // a sweep takes no memory for it
  route.lanes.emplace_back(lane);
}

/// Has the lane an event for this sweep? Events after `cutoff` wait for the next, where those before them from other
/// threads will be visible.
bool Dispatcher::find_head(ThreadLane& lane, const LaneRoot& root, std::uint64_t cutoff) {
  const auto* record = reinterpret_cast<const RecordHeader*>(lane.reader().peek());
  if (record == nullptr) return false;
  if (root.ticks) {
    if (static_cast<std::uint64_t>(record->time) > cutoff) return false;
  } else if (lane.reader().number() >= lane.limit) {
    return false;
  }
  lane.head_time = static_cast<std::uint64_t>(record->time);
  return true;
}

std::uint64_t Dispatcher::sweep_root(Route& route, std::uint64_t cutoff) {
  LaneRoot& root = *route.root;
  route.left = false;
  route.ready.clear();
  for (const auto& lane : route.lanes) {
    // Not where times tell: the line with that number is the producer's, and a look at it costs its next call a miss.
    if (!root.ticks) lane->limit = lane->lane().captured();
    lane->was_closed = lane->lane().closed();
  }
  for (const auto& lane : route.lanes) {
    if (find_head(*lane, root, cutoff)) {
      route.ready.push_back(lane.get());
    } else {
      note_overrun(route, *lane);
      lane->reader().release();
    }
  }
  std::uint64_t found = 0;
  if (!route.ready.empty()) {
    const ActivePipeline active(*root.pipeline);
    while (!route.ready.empty()) {
      // The earliest, and as many of its lane as come before all others.
      std::size_t first = 0;
      std::uint64_t others = UINT64_MAX;
      for (std::size_t i = 1; i < route.ready.size(); ++i) {
        const std::uint64_t time = route.ready[i]->head_time;
        if (time < route.ready[first]->head_time) {
          others = route.ready[first]->head_time;
          first = i;
        } else {
          others = std::min(others, time);
        }
      }
      ThreadLane& lane = *route.ready[first];
      bool more = true;
      bool room = true;
      std::uint64_t time = 0;
      do {
        time = lane.head_time;
        room = take_event(route, lane);
        if (!room) break;
        ++found;
        more = find_head(lane, root, cutoff);
      } while (more && lane.head_time <= others);
      if (root.ticks) newest_ = std::max(newest_, time);
      if (!room) {  // they stay in the lanes, which drop their oldest where no sink blocks
        route.left = true;
        for (ThreadLane* ready : route.ready) ready->reader().release();
        break;
      }
      if (!more) {
        note_overrun(route, lane);
        lane.reader().release();
        route.ready.erase(route.ready.begin() + static_cast<std::ptrdiff_t>(first));
      }
    }
    hand_over(route);
  }
  let_go_closed_lanes(route);
  return found;
}

void Dispatcher::note_overrun(Route& route, ThreadLane& lane) {
  const std::uint64_t overrun = lane.reader().overrun();
  if (overrun == lane.overrun_told) return;
  const std::uint64_t lost = overrun - lane.overrun_told;
  lane.overrun_told = overrun;
  route.root->pipeline->note_overrun(lost);
}

/// False: there is no memory to take it out, or no room where it is to go; it stays where it is.
bool Dispatcher::take_event(Route& route, ThreadLane& lane) {
  LaneRoot& root = *route.root;
  Pipeline& pipeline = *root.pipeline;
  const auto* record = reinterpret_cast<const RecordHeader*>(lane.reader().peek());
  if (lane.reader().overrun() != lane.overrun_told) note_overrun(route, lane);
  const auto done = [&](bool with_credit) {
    if (with_credit) {
      for (const BlockingSink& sink : root.blocking) sink.credit->give(1);
    }
    lane.reader().pop();
    return true;
  };
  auto* large = static_cast<LargeRecord*>(lane.reader().jumbo());
  const auto no_room = [&] {
    if (large == nullptr || pipeline.held()) return false;
    pipeline.note_given_up(1);  // the oldest there is, and to be had for nothing but its own memory
    return done(true);
  };
  if (large != nullptr) {
    record = large->hold();
    if (record == nullptr) {
      pipeline.note_given_up(1);
      return done(true);
    }
  }
  try {
    std::shared_ptr<const BoundTemplate> dynamic;
    const BoundTemplate& bound = sites_.of(*record, dynamic);
    const bool rewritten = bound.stringifies();
    if (rewritten) {
      CaptureLimits limits = root.limits;
      limits.event_bytes = std::min(limits.event_bytes, process_memory().max_event_bytes());
      record = stringify(*record, bound, rewritten_, limits);
    }

    const std::size_t size = record->size();
    const bool whole = large != nullptr && !rewritten;  // with its memory, as it is
    const bool full = route.batch && (!route.batch->has_room(size) || (root.ring && route.batch->size() >= ring_batch));
    const std::byte* added = lane.reader().enrichments();
    const std::size_t bytes =
        size + sizeof(Event) + (added == nullptr ? 0 : reinterpret_cast<const SideEntryHeader*>(added)->bytes);
    if (route.batch && (whole || full || bytes > route.room)) hand_over(route);
    if (!route.batch) {
      route.room = without_user_code_ ? SIZE_MAX : root.room_for(bytes);
      if (route.room == 0) return false;
      route.batch = whole ? large->into_batch(pipeline.held()) : EventBatch::make(size, pipeline.held());
      if (!route.batch) return no_room();
      route.logger_id = 0;
      route.context = nullptr;
    }
    EventBatch& batch = *route.batch;
    if (route.logger_id != record->logger) {
      route.logger_id = 0;
      route.logger = LoggerTable::instance().at(record->logger);
      batch.keep(route.logger);
      route.logger_id = record->logger;
    }
    const LoggerParts& logger = *route.logger;
    const std::shared_ptr<const PropertyBlock>& context = lane.context();
    const bool plain = added == nullptr && (without_user_code_ || pipeline.plain(logger));
    if (context && context.get() != route.context) {
      if (!batch.charge_context(*context) && !whole) return no_room();
      batch.keep(context);
      route.context = context.get();
    }
    if (!plain && !whole && !batch.charge_ahead()) return no_room();
    RecordHeader* copy = whole ? batch.only_record() : batch.add_record(*record, size);
    if (copy->is(RecordHeader::tsc_time)) {
      copy->time = clock_.wall_time(static_cast<std::uint64_t>(copy->time));
      copy->size_and_flags &= ~RecordHeader::tsc_time;
    }
    if (dynamic) batch.keep(dynamic);
    const PropertyBlock* properties = logger.properties.empty() ? nullptr : &logger.properties;
    if (plain) {
      pipeline.note_plain(batch.add_event(*copy, bound, context.get(), properties, root.limits.properties));
      ++route.plain;
    } else {
      PropertyBlock& extras = batch.add_extras();
      if (added != nullptr) side_entry_to(extras, added);
      const Event event(*copy, bound, context.get(), properties, &extras, root.limits.properties);
      if (!without_user_code_ && !pipeline.admit(event, extras, logger)) {
        batch.drop_record(size);
        return done(true);
      }
      if (!batch.charge_extras(extras)) {
        batch.drop_record(size);
        pipeline.lose_dispatched();
        return done(false);
      }
      batch.add_event(event);
    }
    if (route.room != SIZE_MAX) route.room -= std::min(route.room, EventBatch::cost(batch.events().back()));
  } catch (...) {  // no memory
    pipeline.note_lost(1);
    return done(true);
  }
  return done(false);
}

void Dispatcher::hand_over(Route& route) {
  if (!route.root->checkpoints) return enqueue_batch(route);
  bool handed_over = false;
  try {
    route.root->checkpoints->around(
        [&] {
          handed_over = true;
          enqueue_batch(route);
        },
        [&] {
          std::vector<RingCheckpoints::Position> positions;
          for (const auto& lane : route.lanes) {
            if (RingCheckpoints::Position position; lane->ring_progress(position))
              positions.push_back(std::move(position));
          }
          return positions;
        });
  } catch (...) {  // no memory: they are acknowledged with the events after them
    if (!handed_over) enqueue_batch(route);
  }
}

void Dispatcher::enqueue_batch(Route& route) {
  if (!route.batch) return;
  route.root->pipeline->count_dispatched(std::exchange(route.plain, 0));
  std::shared_ptr<const EventBatch> batch = std::move(route.batch);
  route.batch = nullptr;
  route.logger = nullptr;
  route.logger_id = 0;
  if (batch->empty()) return;
  if (batch->mostly_room() && process_memory().max_bytes() != MemoryBudget::unlimited) {
    try {  // under a budget, nothing big is kept for a few events
      if (auto small = EventBatch::copy(batch->events(), batch->share())) batch = std::move(small);
    } catch (...) {  // it goes as it is
    }
  }
  route.root->pipeline->enqueue(batch);
}

void Dispatcher::let_go_closed_lanes(Route& route) {
  for (std::size_t i = 0; i < route.lanes.size();) {
    ThreadLane& lane = *route.lanes[i];
    if (!lane.was_closed || lane.reader().peek() != nullptr) {
      lane.reader().release();
      ++i;
      continue;
    }
    note_overrun(route, lane);
    hand_over(route);
    if (route.root->ring) route.root->ring->give_back(lane.take_ring());
    route.root->captured_before += lane.lane().captured();
    route.root->overrun_before += lane.reader().overrun();
    std::unique_ptr<LaneMemory> memory = lane.take_memory();
    memory->use(false);
    route.lanes.erase(route.lanes.begin() + static_cast<std::ptrdiff_t>(i));
    const std::lock_guard lock(pool_mutex_);
    if (pool_.size() < most_pooled) pool_.push_back(std::move(memory));
  }
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
