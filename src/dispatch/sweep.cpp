// A sweep: what has come into the lanes, in order of time, goes to the queues.
#include <algorithm>
#include <utility>

#include "cairn/detail/critical_section.hpp"
#include "dispatch/dispatcher.hpp"
#include "dispatch/route.hpp"
#include "pipeline/active_pipeline.hpp"
#include "pipeline/logger_table.hpp"

namespace cairn::detail {

std::uint64_t Dispatcher::sweep() {
  newest_ = 0;
  a_lane_fills_quickly_ = false;
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
    lane->block_before = lane->reader().block_sequence();
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
        const std::uint64_t blocks = lane.reader().block_sequence() - lane.block_before;
        a_lane_fills_quickly_ = a_lane_fills_quickly_ || blocks >= lane.lane().shape().slots / 4;
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
    memory->use();
    route.lanes.erase(route.lanes.begin() + static_cast<std::ptrdiff_t>(i));
    const CriticalSection here;  // as in lane_memory()
    const std::lock_guard lock(pool_mutex_);
    if (pool_.size() < most_pooled) pool_.push_back(std::move(memory));
  }
}

}  // namespace cairn::detail
