#include "pipeline/event_queue.hpp"

#include <algorithm>
#include <new>

namespace cairn::detail {

namespace {

/// So many entries that pin more than they need are let be: while a sink keeps up nothing is copied. Under a memory
/// budget they pin a sixteenth of it at most.
std::size_t most_loose() noexcept {
  constexpr std::uint64_t batch = EventBatch::usual_bytes + EventBatch::max_events * sizeof(Event);
  return static_cast<std::size_t>(std::clamp<std::uint64_t>(process_memory().max_bytes() / 16 / batch, 1, 16));
}

}  // namespace

EventQueue::EventQueue(const Limits& limits) : limits_(limits) {
  classes_[1].max = limits_.protect ? std::max<std::size_t>(1, limits_.max_size / 8) : 0;
  classes_[0].max = limits_.max_size - std::min(limits_.max_size, classes_[1].max);
  classes_[1].max_bytes = limits_.max_bytes;
  classes_[0].max_bytes = limits_.max_bytes - (limits_.protect ? limits_.max_bytes / 8 : 0);
}

EventQueue::Dropped EventQueue::push(const EventRange& range) {
  Dropped dropped;
  const auto events = range.events();
  for (std::size_t first = 0; first < events.size();) {
    Class& into = class_of(events[first]);
    std::size_t last = first + 1;
    while (last < events.size() && &class_of(events[last]) == &into) ++last;
    push_run(into, {range.batch, range.first + first, last - first}, dropped);
    first = last;
  }
  return dropped;
}

void EventQueue::push_run(Class& into, const EventRange& whole, Dropped& dropped) {
  std::size_t cost = EventBatch::cost(whole.events());
  if (limits_.overflow == Overflow::block) return append(into, whole, cost);
  const bool drops_newest = limits_.overflow == Overflow::drop_newest;
  // Perhaps: one by one, so that no more goes than must.
  if (bytes() + cost > limits_.max_bytes || (drops_newest && into.bytes + cost > into.max_bytes)) {
    for (std::size_t i = 0; i < whole.count; ++i) push_one(into, {whole.batch, whole.first + i, 1}, dropped);
    return;
  }
  EventRange run = whole;
  if (drops_newest) {
    const std::size_t room = into.max - std::min(into.max, into.count);
    if (run.count > room) {
      dropped.queue_full += run.count - room;
      run.count = room;
    }
  } else {
    if (run.count > into.max) {  // more than fits at all: its own oldest go
      const std::size_t over = run.count - into.max;
      dropped.queue_full += over;
      run.first += over;
      run.count -= over;
    }
    if (into.count + run.count > into.max) {
      const std::size_t over = into.count + run.count - into.max;
      dropped.queue_full += over;
      drop_oldest(into, over);
    }
  }
  if (run.count != whole.count) cost = EventBatch::cost(run.events());
  append(into, run, cost);
}

void EventQueue::push_one(Class& into, const EventRange& one, Dropped& dropped) {
  const std::size_t bytes = EventBatch::cost(one.events());
  const bool drops_newest = limits_.overflow == Overflow::drop_newest;
  const bool full = into.count >= into.max;
  if (full && (drops_newest || into.max == 0)) {
    ++dropped.queue_full;
    return;
  }
  const bool is_protected = &into == &classes_[1];
  const std::size_t stays = drops_newest ? this->bytes() : is_protected ? 0 : classes_[1].bytes;
  if (stays + bytes > limits_.max_bytes || (drops_newest && into.bytes + bytes > into.max_bytes)) {
    ++dropped.memory_limit;  // and nothing makes room for it
    return;
  }
  if (full) {
    drop_oldest(into, 1);
    ++dropped.queue_full;
  }
  while (this->bytes() + bytes > limits_.max_bytes && drop_oldest_for_memory()) ++dropped.memory_limit;
  append(into, one, bytes);
}

/// The oldest of the lower class, or, where there is none, of the protected one.
bool EventQueue::drop_oldest_for_memory() {
  Class& from = classes_[0].count != 0 ? classes_[0] : classes_[1];
  if (from.count == 0) return false;
  drop_oldest(from, 1);
  return true;
}

void EventQueue::drop_oldest(Class& from, std::size_t count) {
  while (count != 0) {
    Entry& oldest = from.entries.front();
    const std::size_t here = std::min(count, oldest.range.count);
    const std::size_t cost =
        here == oldest.range.count ? oldest.cost : EventBatch::cost(oldest.range.events().first(here));
    from.bytes -= cost;
    oldest.cost -= cost;
    count -= here;
    from.count -= here;
    oldest.range.first += here;
    oldest.range.count -= here;
    oldest.number += here;
    if (oldest.range.count == 0) {
      if (from.loose == from.entries.size()) --from.loose;
      from.entries.pop_front();
    }
  }
}

void EventQueue::append(Class& into, const EventRange& run, std::size_t cost) {
  if (run.count == 0) return;
  Entry* last = into.entries.empty() ? nullptr : &into.entries.back();
  if (last != nullptr && last->range.batch == run.batch && last->range.first + last->range.count == run.first &&
      last->number + last->range.count == next_) {
    last->range.count += run.count;
    last->cost += cost;
  } else {
    into.entries.push_back({run, next_, cost, cost * 2 >= run.batch->bytes()});
    into.loose = into.entries.back().compact ? 0 : into.loose + 1;
    if (into.loose >= most_loose() && !compact(into)) into.loose = 0;  // not before as many more have come
  }
  // Only now: where there is no memory for it, it never came in.
  into.bytes += cost;
  into.count += run.count;
  next_ += run.count;
}

/// Copies the loose entries at the end into one batch of their own. False: they stay as they are, there is no memory.
bool EventQueue::compact(Class& in) {
  try {
    const std::size_t first = in.entries.size() - in.loose;
    std::vector<Event> events;
    for (std::size_t i = first; i < in.entries.size(); ++i) {
      const auto more = in.entries[i].range.events();
      events.insert(events.end(), more.begin(), more.end());
    }
    const auto share = limits_.overflow == Overflow::block ? in.entries[first].range.batch->share() : nullptr;
    const std::shared_ptr<const EventBatch> batch = EventBatch::copy(events, share, false);
    if (!batch) return false;
    std::vector<Entry> fresh;
    std::size_t at = 0;
    for (std::size_t i = first; i < in.entries.size(); ++i) {
      const Entry& old = in.entries[i];
      if (!fresh.empty() && fresh.back().number + fresh.back().range.count == old.number) {
        fresh.back().range.count += old.range.count;
        fresh.back().cost += old.cost;
      } else {
        fresh.push_back({{batch, at, old.range.count}, old.number, old.cost, true});
      }
      at += old.range.count;
    }
    // In place of the old ones, of which there are as many at least: this takes no memory.
    std::move(fresh.begin(), fresh.end(), in.entries.begin() + static_cast<std::ptrdiff_t>(first));
    in.entries.resize(first + fresh.size());
    in.loose = 0;
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

std::size_t EventQueue::take(std::size_t most, std::size_t most_bytes, std::vector<EventRange>& out) {
  std::size_t taken = 0;
  std::size_t bytes = 0;
  while (taken < most && !empty()) {
    Class& lower = classes_[0];
    Class& upper = classes_[1];
    const bool from_upper =
        lower.count == 0 || (upper.count != 0 && upper.entries.front().number < lower.entries.front().number);
    Class& from = from_upper ? upper : lower;
    const Class& other = from_upper ? lower : upper;
    Entry& oldest = from.entries.front();
    if (taken == 0 || oldest.range.batch != out.back().batch) {
      bytes += oldest.range.batch->charged();
      if (taken != 0 && bytes > most_bytes) break;
    }
    std::size_t here = std::min(most - taken, oldest.range.count);
    if (other.count != 0) {  // no further than the other class's oldest
      here = std::min<std::size_t>(here, other.entries.front().number - oldest.number);
    }
    try {
      out.push_back({oldest.range.batch, oldest.range.first, here});
    } catch (const std::bad_alloc&) {
      break;
    }
    taken += here;
    drop_oldest(from, here);
  }
  return taken;
}

EventQueue::Front EventQueue::front() const noexcept {
  const bool protect = classes_[0].count == 0;
  const Class& from = classes_[protect ? 1 : 0];
  if (from.count == 0) return {};
  const EventRange& oldest = from.entries.front().range;
  return {oldest.batch, oldest.events().front().timestamp(), protect};
}

std::uint64_t EventQueue::drop_front(const EventBatch& batch, std::vector<EventRange>& out) {
  Class& from = classes_[classes_[0].count == 0 ? 1 : 0];
  std::uint64_t dropped = 0;
  while (from.count != 0 && from.entries.front().range.batch.get() == &batch) {
    const EventRange range = from.entries.front().range;
    try {
      out.push_back(range);
    } catch (const std::bad_alloc&) {
      break;  // what is out already must still be counted
    }
    drop_oldest(from, range.count);
    dropped += range.count;
  }
  return dropped;
}

std::uint64_t EventQueue::clear() noexcept {
  const std::uint64_t count = size();
  for (Class& each : classes_) {
    each.entries.clear();
    each.count = each.loose = each.bytes = 0;
  }
  return count;
}

}  // namespace cairn::detail
