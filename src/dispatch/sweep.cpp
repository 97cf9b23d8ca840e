// A sweep: what has come into the lanes, in order of time, goes to the queues.
#include <algorithm>
#include <optional>
#include <utility>

#include "cairn/detail/critical_section.hpp"
#include "capture/stringify.hpp"
#include "dispatch/dispatcher.hpp"
#include "dispatch/route.hpp"
#include "pipeline/active_pipeline.hpp"
#include "pipeline/logger_table.hpp"

namespace cairn::detail {

namespace {
constexpr std::size_t ring_batch = 256;  // events with a crash ring: what is delivered is acknowledged in such steps

/// The most that one event is charged of what it needs beside its record, for each: more might never be there, and
/// everything would wait behind it.
std::size_t most_beside_record() noexcept { return process_memory().max_bytes() / 8; }

/// What may be charged for a batch: sinks are to be busy with a small part of the budget.
std::size_t most_of_batch() noexcept {
  constexpr std::size_t usual = EventBatch::usual_bytes + EventBatch::max_events * sizeof(Event);
  return std::max(2 * usual, most_in_flight());
}
}  // namespace

/// Around code of the program.
class Dispatcher::UserCall {
 public:
  explicit UserCall(Dispatcher& dispatcher) noexcept : calls_(dispatcher.user_calls_) { count(); }
  UserCall(const UserCall&) = delete;
  UserCall& operator=(const UserCall&) = delete;
  ~UserCall() { count(); }

 private:
  void count() noexcept { calls_.store(calls_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed); }
  std::atomic<std::uint64_t>& calls_;
};

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

/// False: there is no memory to take it out, or a queue is overfull; it stays where it is.
bool Dispatcher::take_event(Route& route, ThreadLane& lane) {
  LaneRoot& root = *route.root;
  Pipeline& pipeline = *root.pipeline;
  const auto* record = reinterpret_cast<const RecordHeader*>(lane.reader().peek());
  if (lane.reader().overrun() != lane.overrun_told) note_overrun(route, lane);
  const std::byte* added = lane.reader().enrichments();
  const std::size_t taken =
      root.bytes_for(*record, added == nullptr ? 0 : reinterpret_cast<const SideEntryHeader*>(added)->bytes);
  const auto done = [&](bool with_credit) {
    if (with_credit) {
      for (const BlockingSink& sink : root.blocking) sink.credit->give(1, taken);
    }
    lane.reader().pop();
    return true;
  };
  auto* large = static_cast<LargeRecord*>(lane.reader().jumbo());
  const auto no_memory = [&] {
    const bool waits = large == nullptr || pipeline.held();
    if (waits && !root.ends.load(std::memory_order_relaxed)) return false;  // at the end there is nothing to wait for
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
    // What it needs beside its record.
    const std::shared_ptr<const PropertyBlock>& context = lane.context();
    const bool as_before = route.logger_id == record->logger && route.context == context.get() && !dynamic;
    const LoggerParts& logger =
        route.logger_id == record->logger ? *route.logger : *LoggerTable::instance().at(record->logger);
    const auto of_logger = [&] {
      const std::size_t bytes = sizeof(LoggerParts) + logger.properties.size_bytes();
      return logger.properties.empty() ? 0 : std::min(bytes, most_beside_record());
    };
    const auto of_context = [&] { return context ? EventBatch::side_bytes(*context) : 0; };
    const auto of_template = [&] { return dynamic ? dynamic->memory_bytes() : 0; };
    if (dynamic && of_template() > most_beside_record()) {
      pipeline.note_given_up(1);
      return done(true);
    }
    const auto not_kept = [&] {
      return (route.keeps(&logger) ? 0 : of_logger()) + (route.keeps(context.get()) ? 0 : of_context()) +
             (route.keeps(dynamic.get()) ? 0 : of_template());
    };

    const bool full =
        route.batch && (!route.batch->has_room(size) || (root.ring && route.batch->size() >= ring_batch) ||
                        (!as_before && route.batch->charged() + not_kept() > most_of_batch()));
    if (route.batch && (whole || full || route.bytes > root.batch_bytes)) hand_over(route);
    if (!route.batch) {
      route.bytes = 0;
      if (root.by_bytes && !without_user_code_ && !root.ends.load(std::memory_order_relaxed) && root.overfull())
        return false;
      route.batch = whole ? large->into_batch(pipeline.held(), of_logger() + of_context() + of_template())
                          : EventBatch::make(size, pipeline.held());
      if (!route.batch) return no_memory();
      route.logger_id = 0;
      route.context = nullptr;
      route.kept = {};
    }
    EventBatch& batch = *route.batch;
    const auto keep = [&](const auto& side, std::size_t bytes) {
      const void*& place = route.kept_beside(side.get());
      if (place == side.get()) return true;
      if (!whole && bytes != 0 && !batch.charge_side(bytes)) return false;
      batch.keep(side);
      place = side.get();
      return true;
    };
    if (route.logger_id != record->logger) {
      route.logger_id = 0;
      route.logger = LoggerTable::instance().at(record->logger);
      if (!keep(route.logger, of_logger())) return no_memory();
      route.logger_id = record->logger;
    }
    if (context && context.get() != route.context) {
      if (!keep(context, of_context())) return no_memory();
      route.context = context.get();
    }
    if (dynamic && !keep(dynamic, of_template())) return no_memory();
    const bool plain = added == nullptr && (without_user_code_ || pipeline.plain(logger));
    if (!plain && !whole && !batch.charge_ahead()) return no_memory();
    RecordHeader* copy = whole ? batch.only_record() : batch.add_record(*record, size);
    if (copy->is(RecordHeader::tsc_time)) {
      copy->time = clock_.wall_time(static_cast<std::uint64_t>(copy->time));
      copy->size_and_flags &= ~RecordHeader::tsc_time;
    }
    const PropertyBlock* properties = logger.properties.empty() ? nullptr : &logger.properties;
    if (plain) {
      pipeline.note_plain(batch.add_event(*copy, bound, context.get(), properties, root.limits.properties));
      ++route.plain;
    } else {
      PropertyBlock& extras = batch.add_extras();
      if (added != nullptr) side_entry_to(extras, added);
      const Event event(*copy, bound, context.get(), properties, &extras, root.limits.properties);
      const auto admitted = [&] {
        const UserCall call(*this);
        return pipeline.admit(event, extras, logger);
      };
      if (!without_user_code_ && !admitted()) {
        batch.drop_record(size);
        return done(true);
      }
      if (!batch.charge_extras(extras)) {
        batch.drop_record(size);
        pipeline.lose_dispatched();
        return done(true);
      }
      batch.add_event(event);
    }
    if (root.by_bytes) {
      const std::size_t cost = EventBatch::cost(batch.events().back());
      root.settle_bytes(taken, cost);
      route.bytes += cost;
    }
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
  Pipeline& pipeline = *route.root->pipeline;
  std::optional<UserCall> call;
  if (pipeline.sinks_filter()) call.emplace(*this);
  pipeline.enqueue(batch);
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
    const CriticalSection here;  // as in lane_memory()
    const std::lock_guard lock(pool_mutex_);
    if (pool_.size() < most_pooled) pool_.push_back(std::move(memory));
  }
}

}  // namespace cairn::detail
