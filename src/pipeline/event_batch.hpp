// Events on their way through queues: copies of records and what they need, made once and shared by every queue that
// takes some of them. Immutable once shared.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <vector>

#include "cairn/event.hpp"
#include "capture/property_block.hpp"

namespace cairn::detail {

class EventBatch {
 public:
  static constexpr std::size_t max_events = 512;
  static constexpr std::size_t usual_bytes = 64 * 1024;

  EventBatch() = default;
  EventBatch(const EventBatch&) = delete;
  EventBatch& operator=(const EventBatch&) = delete;

  /// An empty batch, from those used before if there is one.
  [[nodiscard]] static std::shared_ptr<EventBatch> make();
  /// A batch of `count` copies of events, which need nothing of where they came from; `bytes` is what their records
  /// take.
  [[nodiscard]] static std::shared_ptr<EventBatch> copy(std::span<const Event> events);

  [[nodiscard]] bool has_room(std::size_t bytes) const noexcept {
    return events_.size() < max_events && (used_ + bytes <= capacity_ || used_ == 0);
  }
  /// A copy of a record, to be finished and then given an event. The room must be there.
  [[nodiscard]] RecordHeader* add_record(const RecordHeader& record, std::size_t bytes);
  /// Takes the last record back.
  void drop_record(std::size_t bytes) noexcept { used_ -= bytes; }
  /// A block for what enrichers add to the next event.
  [[nodiscard]] PropertyBlock& add_extras() { return extras_.emplace_back(); }
  void add_event(const Event& event) { events_.push_back(event); }
  /// Keeps what an event points to alive.
  void keep(std::shared_ptr<const void> side) { sides_.push_back(std::move(side)); }

  [[nodiscard]] std::span<const Event> events() const noexcept { return events_; }
  [[nodiscard]] std::size_t size() const noexcept { return events_.size(); }
  [[nodiscard]] bool empty() const noexcept { return events_.empty(); }
  /// Bytes it holds, whoever needs them.
  [[nodiscard]] std::size_t bytes() const noexcept {
    return capacity_ + events_.capacity() * sizeof(Event) + extra_bytes_;
  }
  /// What one event takes of a queue's bytes: its record, its view and what enrichers added.
  [[nodiscard]] static std::size_t cost(const Event& event) noexcept;

 private:
  void clear() noexcept;

  std::unique_ptr<std::uint64_t[]> records_;  // aligned as records are
  std::size_t capacity_ = 0;
  std::size_t used_ = 0;
  std::vector<Event> events_;
  std::deque<PropertyBlock> extras_;
  std::vector<std::shared_ptr<const void>> sides_;
  std::size_t extra_bytes_ = 0;
};

/// Some of a batch's events: neighbours, as a queue holds them.
struct EventRange {
  std::shared_ptr<const EventBatch> batch;
  std::size_t first = 0;
  std::size_t count = 0;
  [[nodiscard]] std::span<const Event> events() const noexcept { return batch->events().subspan(first, count); }
};

}  // namespace cairn::detail
