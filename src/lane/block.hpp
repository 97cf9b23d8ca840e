// What a lane is made of: its shape, its blocks, and the word that every record in a block begins with.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace cairn::detail {

/// The first 32 bits of whatever stands in a block: the size in units of 8 bytes over 12 bits of flags, or one of two
/// special values. Storing it publishes the record behind it.
struct RecordWord {
  static constexpr std::uint32_t none = 0;           // nothing here yet
  static constexpr std::uint32_t seal = 0xFFFFFFFF;  // nothing more in this block
  static constexpr std::uint32_t side_entry = 0x80;  // no event: something that events after it need
  static constexpr unsigned size_shift = 12;

  [[nodiscard]] static constexpr std::size_t bytes(std::uint32_t word) noexcept {
    return std::size_t{word >> size_shift} * 8;
  }
  [[nodiscard]] static constexpr std::uint32_t make(std::size_t bytes, std::uint32_t flags = 0) noexcept {
    return static_cast<std::uint32_t>(bytes / 8) << size_shift | flags;
  }
};

/// Where the producer is: the address of the next record over 16 bits that count the events in its block. One word, so
/// that a log call takes its place and is counted with a single store.
struct LaneCursor {
  static constexpr unsigned shift = 16;
  static constexpr std::size_t most_events = (std::size_t{1} << shift) - 1;

  /// Addresses have 47 bits: the kernel gives longer ones to none but those who ask.
  [[nodiscard]] static std::uint64_t make(const std::byte* position, std::uint64_t events) noexcept {
    return std::uint64_t{reinterpret_cast<std::uintptr_t>(position)} << shift | events;
  }
  /// What is added to one for so much more.
  [[nodiscard]] static constexpr std::uint64_t step(std::size_t bytes, std::uint64_t events) noexcept {
    return std::uint64_t{bytes} << shift | events;
  }
  [[nodiscard]] static std::byte* position(std::uint64_t cursor) noexcept {
    return reinterpret_cast<std::byte*>(static_cast<std::uintptr_t>(cursor >> shift));
  }
  [[nodiscard]] static constexpr std::uint64_t events(std::uint64_t cursor) noexcept { return cursor & most_events; }
};

/// The second 32 bits of a side entry.
enum class SideEntryKind : std::uint32_t {
  context = 0,        // holds for the events after it in its block, until the next one
  enrichments = 1,    // belongs to the next event
  jumbo = 2,          // stands for an event: the block's LaneJumbo
  context_again = 3,  // as `context`, one that stands before it in the block: the next 32 bits are its place there
};

/// A record too large for a block: a piece of memory of its own, of which the lane keeps the pointer. Who ends it
/// first, the reader after taking it or the producer that drops it, calls `destroy`, once.
struct LaneJumbo {
  void (*destroy)(LaneJumbo* self) noexcept = nullptr;
  const std::byte* record = nullptr;  // aligned to 8; begins as every record does
};

/// How much a lane holds: `slots` blocks that are full or being filled, and two spare ones.
struct LaneShape {
  static constexpr std::size_t min_slots = 2;
  static constexpr std::size_t max_slots = 62;  // with the spare blocks as many as a word has bits
  static constexpr std::size_t spare_blocks = 2;
  static constexpr std::size_t max_block_bytes = 256 << 10;  // a LaneCursor has room for as many events as fit

  std::size_t block_bytes = 16 << 10;  // a multiple of 64
  std::size_t slots = 4;

  [[nodiscard]] constexpr std::size_t blocks() const noexcept { return slots + spare_blocks; }
  [[nodiscard]] constexpr std::size_t region_bytes() const noexcept { return block_bytes * blocks(); }
  /// The longest run of records that an empty block has room for: the last 8 bytes are for the seal.
  [[nodiscard]] constexpr std::size_t room() const noexcept { return block_bytes - 8; }
  friend constexpr bool operator==(const LaneShape&, const LaneShape&) = default;
};

/// The shape that keeps the newest `max_events` events, of 64 bytes each at the mean and with 512 bytes of context a
/// block, however the blocks' bounds fall. Over about 250 000 events it is the largest there is, and keeps fewer.
[[nodiscard]] constexpr LaneShape lane_shape_for(std::size_t max_events) noexcept {
  constexpr std::size_t event_bytes = 64;
  constexpr std::size_t overhead = 512 + 2 * event_bytes;  // the context, the seal, and the end that one event misses
  constexpr std::size_t least_slots = 4;
  LaneShape shape{.block_bytes = 16 << 10, .slots = 0};
  for (;; shape.block_bytes *= 2) {
    const std::size_t events_per_block = (shape.block_bytes - overhead) / event_bytes;
    // One more: when the newest block has just begun, the others have to hold them all.
    shape.slots = max_events / events_per_block + (max_events % events_per_block != 0 ? 1 : 0) + 1;
    if (shape.slots <= LaneShape::max_slots || shape.block_bytes == LaneShape::max_block_bytes) break;
  }
  shape.slots = std::clamp(shape.slots, least_slots, LaneShape::max_slots);
  return shape;
}

/// What is known of a block that is in use. Written by the producer before it publishes the block; `jumbo` also
/// together with a record that says so, and then by whoever has the block.
template <class Traits>
struct BlockHeader {
  typename Traits::template Plain<std::uint64_t> sequence{0};      // of the block in its lane, from 1
  typename Traits::template Atomic<std::uint64_t> first_event{0};  // the number of its first event, from 0
  typename Traits::template Plain<std::int64_t> base_time{0};      // what its events' times are relative to
  typename Traits::template Plain<LaneJumbo*> jumbo{nullptr};
};

/// What a slot holds, as one word: the sequence of the block over 8 bits.
struct SlotWord {
  static constexpr unsigned sequence_shift = 8;
  static constexpr std::uint64_t block_mask = 0x3F;
  static constexpr std::uint64_t pinned = 0x40;  // the reader is inside
  static constexpr std::uint64_t empty = 0x80;   // the reader is done with it, or there never was a block

  [[nodiscard]] static constexpr std::uint64_t make(std::uint64_t sequence, std::uint64_t block) noexcept {
    return sequence << sequence_shift | block;
  }
  [[nodiscard]] static constexpr std::uint64_t emptied(std::uint64_t sequence) noexcept {
    return sequence << sequence_shift | empty;
  }
  [[nodiscard]] static constexpr std::uint64_t sequence(std::uint64_t word) noexcept { return word >> sequence_shift; }
  [[nodiscard]] static constexpr std::size_t block(std::uint64_t word) noexcept { return word & block_mask; }
};

}  // namespace cairn::detail
