#include "dispatch/dispatcher.hpp"

#include <linux/futex.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

#include "capture/site_table.hpp"
#include "capture/stringify.hpp"
#include "pipeline/active_pipeline.hpp"
#include "pipeline/logger_table.hpp"

namespace cairn::detail {

using namespace std::chrono_literals;
using Steady = std::chrono::steady_clock;

constinit std::atomic<std::uint32_t> dispatcher_asleep{0};

namespace {

constexpr auto shortest_pause = 50us;
constexpr std::uint64_t few =
    16;  // events of a sweep, after which it makes the longest: there, waking up is what costs
constexpr auto longest_pause = 4ms;
constexpr auto silence = 10ms;  // after which it sleeps until it is woken
constexpr std::size_t most_pooled = 64;
constexpr std::size_t ring_batch = 256;  // events with a crash ring: what is delivered is acknowledged in such steps

std::atomic<Dispatcher*> current{nullptr};
constinit thread_local bool fork_has_token = false;

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

/// Makes every thread of the process see what was stored before it, or have its own stores seen after it.
bool barrier_everywhere() noexcept {
  static const bool ready = syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0;
  return ready && syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0;
}

}  // namespace

void wake_dispatcher() noexcept {
  if (dispatcher_asleep.exchange(0, std::memory_order_relaxed) == 0) return;  // another caller does it
  if (Dispatcher* dispatcher = current.load(std::memory_order_acquire); dispatcher != nullptr) dispatcher->wake();
}

void request_sweep() noexcept {
  dispatcher_asleep.store(0, std::memory_order_relaxed);
  if (Dispatcher* dispatcher = current.load(std::memory_order_acquire); dispatcher != nullptr) dispatcher->wake();
}

/// A root and what it has in lanes.
struct Dispatcher::Route {
  std::shared_ptr<LaneRoot> root;
  std::vector<std::unique_ptr<ThreadLane>> lanes;
  std::vector<ThreadLane*> ready;     // those with an event to take in this sweep
  std::shared_ptr<EventBatch> batch;  // being filled
  // What the batch keeps alive already.
  std::shared_ptr<const LoggerParts> logger;
  std::uint32_t logger_id = 0;
  const PropertyBlock* context = nullptr;
};

Dispatcher& Dispatcher::instance() {
  if (Dispatcher* made = current.load(std::memory_order_acquire)) return *made;
  static std::mutex making;
  const std::lock_guard lock(making);
  if (Dispatcher* made = current.load(std::memory_order_acquire)) return *made;
  static const bool hooked =
      pthread_atfork(&Dispatcher::before_fork, &Dispatcher::after_fork, &Dispatcher::forget_all) == 0;
  (void)hooked;
  auto* made = new Dispatcher;  // never destroyed: its thread lives as long as the process
  current.store(made, std::memory_order_release);
  std::thread([made] { made->run(); }).detach();
  return *made;
}

Dispatcher::Dispatcher() = default;

/// The thread that forks waits until the dispatcher is not at work, 10 ms at most.
void Dispatcher::before_fork() noexcept {
  Dispatcher* dispatcher = current.load(std::memory_order_acquire);
  fork_has_token = dispatcher != nullptr && std::this_thread::get_id() != dispatcher->thread_id_.load() &&
                   dispatcher->token_.try_lock_for(10ms);
}
void Dispatcher::after_fork() noexcept {
  if (fork_has_token) current.load(std::memory_order_relaxed)->token_.unlock();
}

/// In a process just forked: the other threads, and the dispatcher, are not there; what is in lanes is the parent's.
void Dispatcher::forget_all() noexcept {
  current.store(nullptr, std::memory_order_relaxed);
  dispatcher_asleep.store(0, std::memory_order_relaxed);
  write_window = {};
  if (ThreadState* thread = thread_state()) thread->attachments = nullptr;
}

void Dispatcher::wake() noexcept {
  pulse_.fetch_add(1, std::memory_order_release);
  futex_wake(pulse_);
}

// ---- callers

ThreadLane& Dispatcher::lane_for(ThreadState& thread, const std::shared_ptr<LaneRoot>& root) {
  ThreadLane* found = nullptr;
  for (ThreadAttachment** at = &thread.attachments; *at != nullptr;) {
    auto* lane = static_cast<ThreadLane*>(*at);
    if (lane->root() == root) {
      found = lane;
    } else if (lane->root()->closed.load(std::memory_order_relaxed)) {  // nobody logs there any more
      *at = lane->next_of_thread;
      lane->thread_exits();
      continue;
    }
    at = &lane->next_of_thread;
  }
  if (found != nullptr) return *found;

  std::unique_ptr<LaneMemory> memory;
  {
    const std::lock_guard lock(pool_mutex_);
    const auto fits =
        std::find_if(pool_.begin(), pool_.end(), [&](const auto& m) { return m->shape() == root->shape; });
    if (fits != pool_.end()) {
      memory = std::move(*fits);
      pool_.erase(fits);
    }
  }
  if (!memory) memory = std::make_unique<LaneMemory>(root->shape);
  auto* lane = new ThreadLane(root, std::move(memory));
  if (root->ring) lane->use_ring(root->ring->take());
  lane->next_of_thread = thread.attachments;
  thread.attachments = lane;
  lane->next = new_lanes_.load(std::memory_order_relaxed);
  // release: the dispatcher that finds it finds it whole
  while (!new_lanes_.compare_exchange_weak(lane->next, lane, std::memory_order_release, std::memory_order_relaxed)) {
  }
  return *lane;
}

bool Dispatcher::drain(Steady::time_point deadline) {
  // seq_cst: every sweep that sees the ticket reads the lanes after it
  const std::uint64_t ticket = drains_wanted_.fetch_add(1) + 1;
  dispatcher_asleep.store(0, std::memory_order_relaxed);
  wake();
  std::unique_lock lock(drain_mutex_);
  return drained_.wait_until(lock, deadline, [&] { return drains_done_ >= ticket; });
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
  pthread_setname_np(pthread_self(), "cairn-dispatch");
  prctl(PR_SET_TIMERSLACK, 1000UL, 0, 0, 0);  // it asks for short pauses and means them
  if (ThreadState* thread = thread_state()) thread->of_cairn = true;
  for (const auto begun = Steady::now(); Steady::now() - begun < 200us;) {  // a first idea of the counter's rate
  }
  auto pause = std::chrono::nanoseconds(shortest_pause);
  auto last = Steady::now();
  while (true) {
    const std::uint32_t seen = pulse_.load(std::memory_order_acquire);
    const std::uint64_t wanted = drains_wanted_.load();
    std::uint64_t found = 0;
    {
      const std::lock_guard lock(token_);
      found = sweep();
    }
    bool drained = false;
    {
      const std::lock_guard lock(drain_mutex_);
      drained = drains_done_ < wanted;
      drains_done_ = wanted;
    }
    if (drained) drained_.notify_all();

    const auto now = Steady::now();
    if (found != 0) {
      last = now;
      pause = found < few ? std::chrono::nanoseconds(longest_pause) : shortest_pause;
    } else {
      pause = std::min<std::chrono::nanoseconds>(pause * 2, longest_pause);
    }
    if (now - last < silence) {
      futex_wait(pulse_, seen, pause);
      continue;
    }
    // A caller stores its record and then reads `asleep`; here `asleep` is stored and then the lanes are read. The
    // barrier stands in for the one that callers do not have: one of the two sees the other.
    dispatcher_asleep.store(1, std::memory_order_relaxed);
    const bool ordered = barrier_everywhere();
    bool more = false;
    {
      const std::lock_guard lock(token_);
      more = anything_visible();
    }
    if (!more) futex_wait(pulse_, seen, ordered ? 0ns : std::chrono::nanoseconds(longest_pause));
    dispatcher_asleep.store(0, std::memory_order_relaxed);
    pause = shortest_pause;
    last = Steady::now();
  }
}

std::uint64_t Dispatcher::sweep() {
  adopt_new_lanes();
  const std::uint32_t retired = LoggerTable::instance().begin_sweep();
  clock_.refresh();
  const std::uint64_t cutoff = TscClock::ticks();
  std::uint64_t found = 0;
  for (auto& route : routes_) found += sweep_root(*route, cutoff);
  std::erase_if(routes_, [](const auto& route) {
    return route->lanes.empty() && route->root->closed.load(std::memory_order_relaxed);
  });
  LoggerTable::instance().end_sweep(retired);
  return found;
}

void Dispatcher::adopt_new_lanes() {
  ThreadLane* lane = new_lanes_.exchange(nullptr, std::memory_order_acquire);  // pairs with lane_for
  while (lane != nullptr) {
    ThreadLane* next = lane->next;
    auto route = std::find_if(routes_.begin(), routes_.end(), [&](const auto& r) { return r->root == lane->root(); });
    if (route == routes_.end()) {
      routes_.push_back(std::make_unique<Route>());
      route = routes_.end() - 1;
      (*route)->root = lane->root();
    }
    (*route)->lanes.emplace_back(lane);
    lane = next;
  }
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
      do {
        take_event(route, lane);
        ++found;
        more = find_head(lane, root, cutoff);
      } while (more && lane.head_time <= others);
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

void Dispatcher::take_event(Route& route, ThreadLane& lane) {
  LaneRoot& root = *route.root;
  Pipeline& pipeline = *root.pipeline;
  const auto* record = reinterpret_cast<const RecordHeader*>(lane.reader().peek());
  if (lane.reader().overrun() != lane.overrun_told) note_overrun(route, lane);
  try {
    std::shared_ptr<const BoundTemplate> dynamic;
    const BoundTemplate& bound = bound_template(*record, dynamic);
    if (bound.stringifies()) record = stringify(*record, bound, rewritten_, root.limits);

    const std::size_t size = record->size();
    if (route.batch && (!route.batch->has_room(size) || (root.ring && route.batch->size() >= ring_batch)))
      hand_over(route);
    if (!route.batch) {
      route.batch = EventBatch::make();
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
    if (context && context.get() != route.context) {
      batch.keep(context);
      route.context = context.get();
    }
    RecordHeader* copy = batch.add_record(*record, size);
    if (copy->is(RecordHeader::tsc_time)) {
      copy->time = clock_.wall_time(static_cast<std::uint64_t>(copy->time));
      copy->size_and_flags &= ~RecordHeader::tsc_time;
    }
    if (dynamic) batch.keep(dynamic);
    const std::byte* added = lane.reader().enrichments();
    const PropertyBlock* properties = logger.properties.empty() ? nullptr : &logger.properties;
    if (added == nullptr && (without_user_code_ || pipeline.plain(logger))) {
      const Event event(*copy, bound, context.get(), properties, nullptr, root.limits.properties);
      pipeline.count_plain(event);
      batch.add_event(event);
    } else {
      PropertyBlock& extras = batch.add_extras();
      if (added != nullptr) side_entry_to(extras, added);
      const Event event(*copy, bound, context.get(), properties, &extras, root.limits.properties);
      if (without_user_code_ || pipeline.admit(event, extras, logger)) {
        batch.add_event(event);
      } else {
        batch.drop_record(size);
        for (const BlockingSink& sink : root.blocking) sink.credit->give(1);
      }
    }
  } catch (...) {  // no memory
    pipeline.note_lost(1);
    for (const BlockingSink& sink : root.blocking) sink.credit->give(1);
  }
  lane.reader().pop();
}

void Dispatcher::hand_over(Route& route) {
  const auto enqueue = [&] {
    if (route.batch && !route.batch->empty()) route.root->pipeline->enqueue(route.batch);
    route.batch = nullptr;
    route.logger = nullptr;
    route.logger_id = 0;
  };
  if (!route.root->checkpoints) return enqueue();
  bool handed_over = false;
  try {
    route.root->checkpoints->around(
        [&] {
          enqueue();
          handed_over = true;
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
    if (!handed_over) enqueue();
  }
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
