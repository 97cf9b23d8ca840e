// Events on their way through queues: copies of records and what they need, made once and shared by every queue that
// takes some of them. Immutable once shared. What a batch takes is charged to the process's account before it is taken.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <vector>

#include "cairn/event.hpp"
#include "capture/property_block.hpp"
#include "pipeline/process_memory.hpp"
#include "platform/memory_piece.hpp"

namespace cairn::detail {

class EventBatch {
 public:
  static constexpr std::size_t max_events = 512;
  static constexpr std::size_t usual_bytes = 64 * 1024;
  /// What a batch takes beside its records and views.
  static constexpr std::size_t overhead = 512;

  EventBatch() = default;
  EventBatch(const EventBatch&) = delete;
  EventBatch& operator=(const EventBatch&) = delete;
  ~EventBatch();

  /// An empty batch with room for a record of `bytes`, from those used before if there is one. `share`: whose it will
  /// be, or null. Null: the budget or the share has no room for it. Throws std::bad_alloc.
  [[nodiscard]] static std::shared_ptr<EventBatch> make(std::size_t bytes, const std::shared_ptr<HeldShare>& share);
  /// A batch around one record, with its memory, for which `charged` was charged by who brings it; `sides`: what its
  /// event will keep alive beside it, charged here. Null: the budget or `share` has no room for it. Throws
  /// std::bad_alloc. Where there is no batch nothing was taken.
  [[nodiscard]] static std::shared_ptr<EventBatch> around(MemoryPiece& record, std::size_t bytes, std::size_t charged,
                                                          std::size_t sides, const std::shared_ptr<HeldShare>& share);
  /// A batch of copies of events, which need nothing of where they came from. Null as above; `reclaim`: whether other
  /// memory may go for it. Throws std::bad_alloc.
  [[nodiscard]] static std::shared_ptr<EventBatch> copy(std::span<const Event> events,
                                                        const std::shared_ptr<HeldShare>& share, bool reclaim = true);

  [[nodiscard]] bool has_room(std::size_t bytes) const noexcept {
    return events_.size() < events_.capacity() && used_ + bytes <= capacity_;
  }
  /// A copy of a record, to be finished and then given an event. The room must be there.
  [[nodiscard]] RecordHeader* add_record(const RecordHeader& record, std::size_t bytes) noexcept;
  /// The record it was made around.
  [[nodiscard]] RecordHeader* only_record() noexcept { return reinterpret_cast<RecordHeader*>(records_.get()); }
  /// Takes the last record back.
  void drop_record(std::size_t bytes) noexcept { used_ -= bytes; }
  /// A block for what enrichers add to the next event.
  [[nodiscard]] PropertyBlock& add_extras() { return extras_.emplace_back(); }
  void add_event(const Event& event) noexcept { events_.push_back(event); }  // there is room
  /// The same, made where it stays: a copy would wait for its parts to be written.
  const Event& add_event(const RecordHeader& record, const BoundTemplate& bound, const PropertyBlock* context,
                         const PropertyBlock* logger, std::uint32_t max_properties) noexcept {
    return events_.emplace_back(record, bound, context, logger, nullptr, max_properties);
  }
  /// Keeps what an event points to alive.
  void keep(std::shared_ptr<const void> side) { sides_.push_back(std::move(side)); }
  // Charge what stands beside the records, in steps: not for every event. False: there is no room.
  /// For what enrichers may add to the next event: 4 KiB of it.
  [[nodiscard]] bool charge_ahead() noexcept;
  /// For what they did add.
  [[nodiscard]] bool charge_extras(const PropertyBlock& block) noexcept;
  /// For what it is to keep alive.
  [[nodiscard]] bool charge_side(std::size_t bytes) noexcept;
  [[nodiscard]] static std::size_t side_bytes(const PropertyBlock& block) noexcept {
    return sizeof(PropertyBlock) + block.size_bytes();
  }

  [[nodiscard]] std::span<const Event> events() const noexcept { return events_; }
  [[nodiscard]] std::size_t size() const noexcept { return events_.size(); }
  [[nodiscard]] bool empty() const noexcept { return events_.empty(); }
  /// Bytes it holds, whoever needs them.
  [[nodiscard]] std::size_t bytes() const noexcept {
    return capacity_ + events_.capacity() * sizeof(Event) + extra_bytes_;
  }
  /// Would a copy take less than a quarter of it?
  [[nodiscard]] bool mostly_room() const noexcept {
    return (used_ + events_.size() * sizeof(Event) + extra_bytes_) * 4 < bytes();
  }
  /// What is charged for it.
  [[nodiscard]] std::size_t charged() const noexcept { return charged_; }
  /// Whose share holds it; null: nobody's, and it may be dropped for want of memory.
  [[nodiscard]] const std::shared_ptr<HeldShare>& share() const noexcept { return share_; }
  /// What one event takes of a queue's bytes: its record, its view and what enrichers added.
  [[nodiscard]] static std::size_t cost(const Event& event) noexcept;
  [[nodiscard]] static std::size_t cost(std::span<const Event> events) noexcept;

 private:
  [[nodiscard]] bool charge(std::size_t bytes, bool reclaim, bool in_any_case = false) noexcept;
  void release(std::size_t bytes) noexcept;
  [[nodiscard]] bool cover(std::size_t more, std::size_t step) noexcept;
  void clear() noexcept;
  static void end(EventBatch* used) noexcept;

  MemoryPiece records_;  // aligned as records are
  std::size_t capacity_ = 0;
  std::size_t used_ = 0;
  std::vector<Event> events_;
  std::deque<PropertyBlock> extras_;
  std::vector<std::shared_ptr<const void>> sides_;
  std::size_t extra_bytes_ = 0;
  std::size_t side_bytes_ = 0;  // contexts, loggers' properties, templates; others may have them, too
  std::size_t charged_ = 0;
  std::shared_ptr<HeldShare> share_;
};

/// Gives the memory of batches back that are kept for the next. False: there were none.
bool drop_pooled_batches() noexcept;

/// Some of a batch's events: neighbours, as a queue holds them.
struct EventRange {
  std::shared_ptr<const EventBatch> batch;
  std::size_t first = 0;
  std::size_t count = 0;
  [[nodiscard]] std::span<const Event> events() const noexcept { return batch->events().subspan(first, count); }
};

}  // namespace cairn::detail
