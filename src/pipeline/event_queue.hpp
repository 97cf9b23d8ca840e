// A sink's queue: bounded by events and by bytes, first in first out, and exact about what it drops. Knows nothing of
// threads: whoever holds one brings the lock.
//
// With a protected level there are two classes, each bounded by itself: an eighth of the places (one at least) belongs
// to events of that level and above, the rest to the others. Where bytes are short the others go first, and none of
// them pushes a protected one out; with `drop_newest`, where none goes, an eighth of the bytes is not for the others.
// What is taken out is in the order of arrival all the same.
//
// With `block` nothing is dropped: whoever brings events has seen to it that there is room, in places and in bytes.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "cairn/queue_options.hpp"
#include "pipeline/event_batch.hpp"

namespace cairn::detail {

class EventQueue {
 public:
  struct Limits {
    std::size_t max_size = 8192;
    std::size_t max_bytes = SIZE_MAX;
    Overflow overflow = Overflow::drop_oldest;
    std::optional<Level> protect{};
  };
  struct Dropped {
    std::uint64_t queue_full = 0;
    std::uint64_t memory_limit = 0;
  };

  explicit EventQueue(const Limits& limits);

  /// Takes the range in, event by event in order, each after making room for it as the limits say. Gives what was
  /// dropped, of the queue or of the range.
  [[nodiscard]] Dropped push(const EventRange& range);
  /// Moves up to `most` of the oldest events to the end of `out`, of batches of `most_bytes` in all: at least one, but
  /// fewer or none where there is no memory.
  std::size_t take(std::size_t most, std::size_t most_bytes, std::vector<EventRange>& out);

  /// What goes first where memory is short: the oldest, and events of the protected level after all others.
  struct Front {
    std::shared_ptr<const EventBatch> batch;
    Timestamp time{};
    bool protect = false;
  };
  /// No batch: it is empty.
  [[nodiscard]] Front front() const noexcept;
  /// Moves what stands in front of that batch to the end of `out`; gives how many events.
  std::uint64_t drop_front(const EventBatch& batch, std::vector<EventRange>& out);
  /// Forgets everything; gives how many that were.
  std::uint64_t clear() noexcept;

  /// Events are numbered as they come in: the number of the next, and that of the oldest here (or the next).
  [[nodiscard]] std::uint64_t next() const noexcept { return next_; }
  [[nodiscard]] std::uint64_t oldest() const noexcept {
    std::uint64_t oldest = next_;
    for (const Class& each : classes_) {
      if (!each.entries.empty()) oldest = std::min(oldest, each.entries.front().number);
    }
    return oldest;
  }
  [[nodiscard]] std::size_t size() const noexcept { return classes_[0].count + classes_[1].count; }
  [[nodiscard]] bool empty() const noexcept { return size() == 0; }
  /// The records and views of the events it holds.
  [[nodiscard]] std::size_t bytes() const noexcept { return classes_[0].bytes + classes_[1].bytes; }

 private:
  struct Entry {
    EventRange range;
    std::uint64_t number = 0;  // of its first event, in the order of arrival
    std::size_t cost = 0;      // bytes of its events
    bool compact = false;      // holds nothing but what it needs
  };
  struct Class {
    std::deque<Entry> entries;
    std::size_t count = 0;
    std::size_t max = 0;
    std::size_t bytes = 0;
    std::size_t max_bytes = 0;  // where nothing goes for what comes
    std::size_t loose = 0;      // entries at the end that are not compact
  };
  void push_run(Class& into, const EventRange& whole, Dropped& dropped);
  void push_one(Class& into, const EventRange& one, Dropped& dropped);
  void drop_oldest(Class& from, std::size_t count);
  bool drop_oldest_for_memory();
  void append(Class& into, const EventRange& run, std::size_t cost);
  [[nodiscard]] bool compact(Class& in);
  [[nodiscard]] Class& class_of(const Event& event) noexcept {
    return classes_[limits_.protect && event.level() >= *limits_.protect ? 1 : 0];
  }

  Limits limits_;
  Class classes_[2];  // the others, the protected
  std::uint64_t next_ = 0;
};

}  // namespace cairn::detail
