// The atomics of a lane and the memory order of each operation, in one place, so that a checker can replace the atomics
// and weaken the orders one by one. Each order is the weakest that works; why it is needed is said beside it.
//
// What has to hold is two hand-overs. Records go from the producer to the reader: whoever sees a block, or a record's
// word, sees what was written before it. Blocks go from the reader to the producer: whoever writes a block again does
// so after the last read of what was in it.
#pragma once

#include <atomic>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "lane/block.hpp"

namespace cairn::detail {

struct LaneOrders {
  // ---- words in a block
  /// The word after a record, none: published by the record's own word, which is stored next; nobody looks before that.
  static constexpr auto next_word = std::memory_order_relaxed;
  /// A record's own word: the reader that sees it (record_read) sees the record and the word after it.
  static constexpr auto record_publish = std::memory_order_release;
  static constexpr auto record_read = std::memory_order_acquire;
  /// The seal says only that nothing follows. What stands before it was seen by the words before it, and what happens
  /// to the block afterwards is ordered by unpin and give_back.
  static constexpr auto seal = std::memory_order_relaxed;

  // ---- slots
  /// The producer finds that the reader has emptied the slot. Acquire, with unpin: it also sees the blocks that the
  /// reader gave back before that, else it could be left without a spare one.
  static constexpr auto slot_seen_empty = std::memory_order_acquire;
  /// It puts a block there. Release: as that of slot_exchange.
  static constexpr auto slot_fill = std::memory_order_release;
  /// The producer puts a block into a slot and takes out what was there. Release: the reader that pins the block sees
  /// its header and first word. Acquire, with unpin: when the block that comes out is written again, the reader's last
  /// read of it is over. Acquire, with pin: when the block that comes out is the reader's now, the producer also sees
  /// the one that the reader gave back before it pinned this one, else it could be left without a spare block.
  static constexpr auto slot_exchange = std::memory_order_acq_rel;
  /// The reader looks which block a slot holds. Acquire, with slot_exchange: it sees the block's header and first word,
  /// and when it is a lap late the blocks of the other slots too, so that none of them seems not to be there yet.
  static constexpr auto slot_look = std::memory_order_acquire;
  /// Release: what the reader gave back before is seen by the producer that finds the pin (slot_exchange). No acquire:
  /// it succeeds only on the word that slot_look saw.
  static constexpr auto pin = std::memory_order_release;
  static constexpr auto pin_failed = std::memory_order_relaxed;  // looks again
  /// The reader lets a block go that the producer may take at once. Release: its reads end before (slot_exchange).
  static constexpr auto unpin = std::memory_order_release;
  /// The unpin failed: the producer took the block out, and left it to the reader. Acquire: it did so after sealing it,
  /// so that the reader finds the seal and has no reason to wait in a block that nobody fills.
  static constexpr auto unpin_failed = std::memory_order_acquire;

  // ---- blocks given back
  /// Release: the reader's reads of the block end before the producer takes it (collect).
  static constexpr auto give_back = std::memory_order_release;
  static constexpr auto collect = std::memory_order_acquire;

  // ---- a look at a block that is not pinned, to count what it holds
  /// The slot is read, then the block's first event, then the slot again. If the first event read is one of a later use
  /// of the block, then by first_event_write and first_event_read the second look at the slot sees that the block is
  /// gone from it. Acquire of the first look, with slot_exchange: no earlier use's.
  static constexpr auto count_look = std::memory_order_acquire;
  static constexpr auto first_event_write = std::memory_order_release;
  static constexpr auto first_event_read = std::memory_order_acquire;
  static constexpr auto count_look_again = std::memory_order_relaxed;

  // ---- flags and counts
  /// The cursor. Release and acquire: whoever sees the count sees the events counted; and whoever sees the cursor in a
  /// block finds that block's first_, or that of one after it.
  static constexpr auto captured_write = std::memory_order_release;
  static constexpr auto captured_read = std::memory_order_acquire;
  /// A block's first_ is stored, then the cursor, then first_again_; first_again_ is read, then the cursor, then
  /// first_. Release and acquire: where the two are the same, the cursor is of a block that begins with that event;
  /// where they are not, first_ is the count, and whoever sees it sees the events.
  static constexpr auto first_write = std::memory_order_release;
  static constexpr auto first_read = std::memory_order_acquire;
  static constexpr auto first_again_write = std::memory_order_release;
  static constexpr auto first_again_read = std::memory_order_acquire;
  /// Release and acquire: whoever sees the lane closed sees all that was written to it.
  static constexpr auto close = std::memory_order_release;
  static constexpr auto closed = std::memory_order_acquire;
  /// Where the producer is, to fetch what it has written: no more than a hint.
  static constexpr auto fetch_look = std::memory_order_relaxed;
  /// Whether a slot still holds a block. The reader empties it once and nobody but the producer fills it.
  static constexpr auto slot_occupied = std::memory_order_relaxed;
};

struct LaneTraits {
  using Orders = LaneOrders;
  template <class T>
  using Atomic = std::atomic<T>;
  template <class T>
  using Plain = T;
  static constexpr std::size_t max_slots = LaneShape::max_slots;

  // A block is plain memory, but for the words in it that records begin with.
  static std::uint32_t load_word(const std::byte* at, std::memory_order order) noexcept {
    return std::atomic_ref(*reinterpret_cast<std::uint32_t*>(const_cast<std::byte*>(at))).load(order);
  }
  static void store_word(std::byte* at, std::uint32_t word, std::memory_order order) noexcept {
    std::atomic_ref(*reinterpret_cast<std::uint32_t*>(at)).store(word, order);
  }
  static std::uint32_t read(const std::byte* at) noexcept {
    std::uint32_t value;
    std::memcpy(&value, at, sizeof(value));
    return value;
  }
  static void write(std::byte* to, const std::byte* from, std::size_t bytes) noexcept { std::memcpy(to, from, bytes); }

  /// Asks for a cache line that will be written soon, so that several come at a time. A hint.
  static void prefetch_to_write(const void* line) noexcept {
    asm volatile("prefetchw %0" : : "m"(*static_cast<const char*>(line)));
  }

  static void prefetch_to_read(const void* line) noexcept { __builtin_prefetch(line); }
  /// Has a cache line read, of which nothing is used.
  static void fetch(const void* line) noexcept {
    asm volatile("testb $0, %0" : : "m"(*static_cast<const char*>(line)) : "cc");
  }

  /// What the algorithm rules out.
  static void check([[maybe_unused]] bool holds) noexcept { assert(holds); }
};

}  // namespace cairn::detail
