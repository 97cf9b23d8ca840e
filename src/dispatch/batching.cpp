// What becomes of an event that a sweep finds: it is put into a batch with all that it needs, and the batch goes to the
// queues.
#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "capture/stringify.hpp"
#include "dispatch/dispatcher.hpp"
#include "dispatch/route.hpp"
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

/// An event on its way out of its lane.
struct Dispatcher::Incoming {
  explicit Incoming(ThreadLane& its_lane) noexcept
      : lane(its_lane),
        record(reinterpret_cast<const RecordHeader*>(lane.reader().peek())),
        added(lane.reader().enrichments()),
        large(static_cast<LargeRecord*>(lane.reader().jumbo())) {}

  ThreadLane& lane;
  const RecordHeader* record;
  const std::byte* added;  // by enrichers, to the event; null: nothing
  LargeRecord* large;      // that holds the record; null: the lane does
  std::size_t taken = 0;   // bytes of queues, as it was captured
  // From bind() on:
  const BoundTemplate* bound = nullptr;
  std::shared_ptr<const BoundTemplate> dynamic{};  // keeps `bound`, where that is of a run-time template
  bool whole = false;                              // it is a batch of its own, with its memory, as it is
};

bool Dispatcher::take_event(Route& route, ThreadLane& lane) {
  LaneRoot& root = *route.root;
  if (lane.reader().overrun() != lane.overrun_told) note_overrun(route, lane);
  Incoming event(lane);
  event.taken = root.bytes_for(
      *event.record, event.added == nullptr ? 0 : reinterpret_cast<const SideEntryHeader*>(event.added)->bytes);
  if (event.large != nullptr) event.record = event.large->hold();
  Outcome outcome = Outcome::gone;
  if (event.record == nullptr) {
    root.pipeline->note_given_up(1);
  } else {
    try {
      bind(root, event);
      outcome = make_room(route, event);
      if (outcome == Outcome::in_batch) outcome = put_in(route, event);
    } catch (...) {  // no memory
      root.pipeline->note_lost(1);
      outcome = Outcome::gone;
    }
  }
  if (outcome == Outcome::stays) return false;
  if (outcome == Outcome::gone) {
    for (const BlockingSink& sink : root.blocking) sink.credit->give(1, event.taken);
  }
  lane.reader().pop();
  return true;
}

/// Finds its template, and makes strings of the values of which that wants strings.
void Dispatcher::bind(const LaneRoot& root, Incoming& event) {
  event.bound = &sites_.of(*event.record, event.dynamic);
  const bool rewritten = event.bound->stringifies();
  if (rewritten) {
    CaptureLimits limits = root.limits;
    limits.event_bytes = std::min(limits.event_bytes, process_memory().max_event_bytes());
    event.record = stringify(*event.record, *event.bound, rewritten_, limits);
  }
  event.whole = event.large != nullptr && !rewritten;
}

Dispatcher::Outcome Dispatcher::without_memory(const LaneRoot& root, const Incoming& event) noexcept {
  const bool waits = event.large == nullptr || root.pipeline->held();
  if (waits && !root.ends.load(std::memory_order_relaxed)) return Outcome::stays;  // at the end nothing is waited for
  root.pipeline->note_given_up(1);  // the oldest there is, and to be had for nothing but its own memory
  return Outcome::gone;
}

/// Has the root's batch be one with room for the event, and keep alive what it needs beside its record.
Dispatcher::Outcome Dispatcher::make_room(Route& route, const Incoming& event) {
  LaneRoot& root = *route.root;
  Pipeline& pipeline = *root.pipeline;
  const std::size_t size = event.record->size();
  const std::uint32_t logger_id = event.record->logger;
  const std::shared_ptr<const PropertyBlock>& context = event.lane.context();
  const std::shared_ptr<const BoundTemplate>& dynamic = event.dynamic;
  const bool as_before = route.logger_id == logger_id && route.context == context.get() && !dynamic;
  const LoggerParts& logger = route.logger_id == logger_id ? *route.logger : *LoggerTable::instance().at(logger_id);
  const auto of_logger = [&] {
    const std::size_t bytes = sizeof(LoggerParts) + logger.properties.size_bytes();
    return logger.properties.empty() ? 0 : std::min(bytes, most_beside_record());
  };
  const auto of_context = [&] { return context ? EventBatch::side_bytes(*context) : 0; };
  const auto of_template = [&] { return dynamic ? dynamic->memory_bytes() : 0; };
  if (dynamic && of_template() > most_beside_record()) {
    pipeline.note_given_up(1);
    return Outcome::gone;
  }
  const auto not_kept = [&] {
    return (route.keeps(&logger) ? 0 : of_logger()) + (route.keeps(context.get()) ? 0 : of_context()) +
           (route.keeps(dynamic.get()) ? 0 : of_template());
  };

  const bool full = route.batch && (!route.batch->has_room(size) || (root.ring && route.batch->size() >= ring_batch) ||
                                    (!as_before && route.batch->charged() + not_kept() > most_of_batch()));
  if (route.batch && (event.whole || full || route.bytes > root.batch_bytes)) hand_over(route);
  if (!route.batch) {
    route.bytes = 0;
    if (root.by_bytes && !without_user_code_ && !root.ends.load(std::memory_order_relaxed) && root.overfull())
      return Outcome::stays;
    route.batch = event.whole ? event.large->into_batch(pipeline.held(), of_logger() + of_context() + of_template())
                              : EventBatch::make(size, pipeline.held());
    if (!route.batch) return without_memory(root, event);
    route.logger_id = 0;
    route.context = nullptr;
    route.kept = {};
  }
  const auto keep = [&](const auto& side, std::size_t bytes) {
    const void*& place = route.kept_beside(side.get());
    if (place == side.get()) return true;
    if (!event.whole && bytes != 0 && !route.batch->charge_side(bytes)) return false;
    route.batch->keep(side);
    place = side.get();
    return true;
  };
  if (route.logger_id != logger_id) {
    route.logger_id = 0;
    route.logger = LoggerTable::instance().at(logger_id);
    if (!keep(route.logger, of_logger())) return without_memory(root, event);
    route.logger_id = logger_id;
  }
  if (context && context.get() != route.context) {
    if (!keep(context, of_context())) return without_memory(root, event);
    route.context = context.get();
  }
  if (dynamic && !keep(dynamic, of_template())) return without_memory(root, event);
  return Outcome::in_batch;
}

/// Puts the event into the batch that has room for it, with what enrichers and the logger add to it, unless a filter
/// holds it back.
Dispatcher::Outcome Dispatcher::put_in(Route& route, const Incoming& event) {
  LaneRoot& root = *route.root;
  Pipeline& pipeline = *root.pipeline;
  EventBatch& batch = *route.batch;
  const std::size_t size = event.record->size();
  const LoggerParts& logger = *route.logger;
  const bool plain = event.added == nullptr && (without_user_code_ || pipeline.plain(logger));
  if (!plain && !event.whole && !batch.charge_ahead()) return without_memory(root, event);
  RecordHeader* copy = event.whole ? batch.only_record() : batch.add_record(*event.record, size);
  if (copy->is(RecordHeader::tsc_time)) {
    copy->time = clock_.wall_time(static_cast<std::uint64_t>(copy->time));
    copy->size_and_flags &= ~RecordHeader::tsc_time;
  }
  const PropertyBlock* context = event.lane.context().get();
  const PropertyBlock* properties = logger.properties.empty() ? nullptr : &logger.properties;
  if (plain) {
    pipeline.note_plain(batch.add_event(*copy, *event.bound, context, properties, root.limits.properties));
    ++route.plain;
  } else {
    PropertyBlock& extras = batch.add_extras();
    if (event.added != nullptr) side_entry_to(extras, event.added);
    const Event whole_event(*copy, *event.bound, context, properties, &extras, root.limits.properties);
    const auto admitted = [&] {
      const UserCall call(*this);
      return pipeline.admit(whole_event, extras, logger);
    };
    if (!without_user_code_ && !admitted()) {
      batch.drop_record(size);
      return Outcome::gone;
    }
    if (!batch.charge_extras(extras)) {
      batch.drop_record(size);
      pipeline.lose_dispatched();
      return Outcome::gone;
    }
    batch.add_event(whole_event);
  }
  if (root.by_bytes) {
    const std::size_t cost = EventBatch::cost(batch.events().back());
    root.settle_bytes(event.taken, cost);
    route.bytes += cost;
  }
  return Outcome::in_batch;
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

}  // namespace cairn::detail
