// The lane: what one thread writes and one reader takes, in memory that is bounded, without either ever waiting for the
// other. When the producer laps the reader it takes the oldest block back, records and all: that is the drop. It is
// counted exactly, since each block knows the number of its first event. How and why it works: docs/lane.md.
//
//   lane.open_block(time, context, bytes)          when there is no room: the next block, context first
//   lane.append(record, bytes)                     copies a record in
//   lane.publish(position, events)                 or: it was written at position() by hand, as append() does it
//
// One thread writes at a time; one reads (lane_reader.hpp). No call locks, allocates or enters the system, but for the
// one that frees a dropped LaneJumbo.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "lane/block.hpp"
#include "lane/lane_traits.hpp"

namespace cairn::detail {

template <class Traits>
class BasicLaneReader;

template <class Traits = LaneTraits>
class BasicLane {
  using Orders = typename Traits::Orders;
  using Counter = typename Traits::template Atomic<std::uint64_t>;

 public:
  /// `region` has shape.region_bytes(), aligned to 64, and outlives the lane; it need not be initialised, and a block
  /// of it is not touched before it is first needed.
  BasicLane(LaneShape shape, std::byte* region) noexcept : shape_(shape), region_(region) {
    Traits::check(shape.slots >= LaneShape::min_slots && shape.slots <= Traits::max_slots);
    Traits::check(shape.block_bytes <= LaneShape::max_block_bytes);
    for (std::size_t i = 0; i < shape_.slots; ++i) slots_[i].store(SlotWord::emptied(0), std::memory_order_relaxed);
    for (std::size_t block = shape_.blocks(); block-- > 0;) add_spare(block);  // the first of the region is taken first
    next_slot_ = &slot_of(1);
  }
  BasicLane(const BasicLane&) = delete;
  BasicLane& operator=(const BasicLane&) = delete;
  /// Nobody writes or reads any more. Jumbos that nobody took are freed.
  ~BasicLane() {
    for (std::size_t block = 0; block < shape_.blocks(); ++block) free_jumbo(block);
  }

  // ---- the producer

  /// Asks for the lines that open_block() needs, all of them at once: each may have to come from another core.
  void prefetch_next_block() const noexcept {
    Traits::prefetch_to_write(next_slot_);
    Traits::prefetch_to_read(&returned_);
    Traits::prefetch_to_write(&spare_count_);
    Traits::prefetch_to_write(&spares_.back());
    Traits::prefetch_to_read(&shape_);
  }
  /// Where the next record goes; null before the first block.
  [[nodiscard]] std::byte* position() const noexcept { return LaneCursor::position(own_cursor()); }
  /// How many events were written: captured(), for the producer.
  [[nodiscard]] std::uint64_t written() const noexcept {
    return first_.load(std::memory_order_relaxed) + LaneCursor::events(own_cursor());
  }
  /// In which block that is, by its number from 1, and how far from its begin. After the first open_block().
  [[nodiscard]] std::uint64_t block_sequence() const noexcept { return sequence_; }
  [[nodiscard]] std::size_t block_offset() const noexcept {
    return static_cast<std::size_t>(position() - (region_ + block_ * shape_.block_bytes));
  }
  /// What a record must not pass. The 8 bytes behind it are there for the word that follows the last one.
  [[nodiscard]] std::byte* end() const noexcept { return end_; }

  /// Seals the present block and goes on in the next one, which begins with `first_records`: whole side entries, at
  /// most shape().room() bytes of them. If the lane is full its oldest block is dropped. Wait-free.
  void open_block(std::int64_t base_time, const std::byte* first_records = nullptr, std::size_t bytes = 0) noexcept {
    Traits::check(bytes <= shape_.room());
    seal_block();
    collect_spares();
    const std::size_t block = take_spare();
    Traits::prefetch_to_write(&headers_[block]);
    for (std::size_t at = 0; at < 8 * line; at += line)
      Traits::prefetch_to_write(region_ + block * shape_.block_bytes + at);
    ++sequence_;
    Counter& slot = *next_slot_;
    next_slot_ = &slot_of(sequence_ + 1);

    const std::uint64_t events = written();
    BlockHeader<Traits>& header = headers_[block];
    header.sequence = sequence_;
    header.first_event.store(events, Orders::first_event_write);
    header.base_time = base_time;
    std::byte* const begin = region_ + block * shape_.block_bytes;
    if (bytes != 0) Traits::write(begin, first_records, bytes);
    Traits::store_word(begin + bytes, RecordWord::none, Orders::next_word);
    first_.store(events, Orders::first_write);
    cursor_.store(LaneCursor::make(begin + bytes, 0), Orders::captured_write);
    first_again_.store(events, Orders::first_again_write);
    end_ = begin + shape_.room();
    block_ = block;

    const std::uint64_t word = SlotWord::make(sequence_, block);
    if ((slot.load(Orders::slot_seen_empty) & SlotWord::empty) != 0) {
      // The reader has emptied it and does not write to it again before it holds another block. An exchange would wait
      // until everything stored before has left the core: of all that a call does, the longest.
      slot.store(word, Orders::slot_fill);
      return;
    }
    const std::uint64_t old = slot.exchange(word, Orders::slot_exchange);
    if ((old & (SlotWord::empty | SlotWord::pinned)) == 0) {  // dropped; a pinned one is the reader's now
      free_jumbo(SlotWord::block(old));
      add_spare(SlotWord::block(old));
    }
  }

  /// Copies a whole record, its first word included, and publishes it; `bytes` is what that word says. False: no room
  /// here, as in any block when it is longer than shape().room().
  [[nodiscard]] bool append(const std::byte* record, std::size_t bytes) noexcept {
    std::byte* const at = position();
    if (bytes > static_cast<std::size_t>(end_ - at)) return false;
    const std::uint32_t word = Traits::read(record);
    Traits::check(RecordWord::bytes(word) == bytes && bytes != 0);
    Traits::store_word(at + bytes, RecordWord::none, Orders::next_word);
    Traits::write(at + sizeof(word), record + sizeof(word), bytes - sizeof(word));
    Traits::store_word(at, word, Orders::record_publish);
    move_on(bytes, (word & RecordWord::side_entry) == 0 ? 1 : 0);
    return true;
  }

  /// Hands over a record larger than a block as the next event. Then it is the lane's, which destroys it whether it is
  /// taken or dropped. False: no room, or this block has one already; it is still the caller's, who opens a block
  /// first.
  [[nodiscard]] bool append_jumbo(LaneJumbo* jumbo) noexcept {
    constexpr std::size_t bytes = 8;
    std::byte* const at = position();
    if (bytes > static_cast<std::size_t>(end_ - at) || jumbo_block_ == sequence_) return false;
    jumbo_block_ = sequence_;
    headers_[block_].jumbo = jumbo;
    constexpr auto kind = SideEntryKind::jumbo;
    constexpr std::uint32_t word = RecordWord::make(bytes, RecordWord::side_entry);
    Traits::store_word(at + bytes, RecordWord::none, Orders::next_word);
    Traits::write(at + sizeof(word), reinterpret_cast<const std::byte*>(&kind), sizeof(kind));
    Traits::store_word(at, word, Orders::record_publish);
    move_on(bytes, 1);
    return true;
  }

  /// Whether open_block() would take a block that the reader has not finished. Once false it stays so until then.
  [[nodiscard]] bool next_block_drops() const noexcept {
    return (slots_[(sequence_ + 1) % shape_.slots].load(Orders::slot_occupied) & SlotWord::empty) == 0;
  }

  /// Seals what there is: nothing more will come. The reader that sees it closed and then no record has had all.
  void close() noexcept {
    seal_block();
    end_ = nullptr;
    cursor_.store(LaneCursor::make(nullptr, LaneCursor::events(own_cursor())), Orders::captured_write);
    closed_.store(1, Orders::close);
  }
  /// Another thread goes on with a closed lane; who hands it over orders the two.
  void reopen() noexcept { closed_.store(0, std::memory_order_relaxed); }

  // ---- any thread

  [[nodiscard]] LaneShape shape() const noexcept { return shape_; }
  /// How many events were captured, at some moment of the call.
  [[nodiscard]] std::uint64_t captured() const noexcept {
    const std::uint64_t first_again = first_again_.load(Orders::first_again_read);
    const std::uint64_t cursor = cursor_.load(Orders::captured_read);
    const std::uint64_t first = first_.load(Orders::first_read);
    // Not the same: a block was being opened, and `first` is what had been captured then.
    return first == first_again ? first + LaneCursor::events(cursor) : first;
  }
  [[nodiscard]] bool closed() const noexcept { return closed_.load(Orders::closed) != 0; }
  /// A LaneCursor. Who writes records by hand, as append() does it, stores it with release behind each.
  [[nodiscard]] Counter* cursor_word() noexcept { return &cursor_; }

 private:
  friend class BasicLaneReader<Traits>;
  static constexpr std::size_t line = 64;
  static constexpr std::size_t max_blocks = Traits::max_slots + LaneShape::spare_blocks;

  [[nodiscard]] Counter& slot_of(std::uint64_t sequence) noexcept { return slots_[sequence % shape_.slots]; }

  [[nodiscard]] std::uint64_t own_cursor() const noexcept { return cursor_.load(std::memory_order_relaxed); }
  void move_on(std::size_t bytes, std::uint64_t events) noexcept {
    cursor_.store(own_cursor() + LaneCursor::step(bytes, events), Orders::captured_write);
  }

  void seal_block() noexcept {
    if (position() != nullptr) Traits::store_word(position(), RecordWord::seal, Orders::seal);
  }

  void collect_spares() noexcept {
    const std::uint64_t returned = returned_.load(Orders::collect);
    for (std::uint64_t blocks = returned ^ collected_; blocks != 0; blocks &= blocks - 1)
      add_spare(static_cast<std::size_t>(std::countr_zero(blocks)));
    collected_ = returned;
  }

  // The last one in is the first one out: it is the one still in the cache.
  void add_spare(std::size_t block) noexcept { spares_[spare_count_++] = static_cast<std::uint8_t>(block); }
  [[nodiscard]] std::size_t take_spare() noexcept {
    // Of slots + 2 blocks at most as many as there are slots are in one, and one is the reader's.
    Traits::check(spare_count_ != 0);
    return spares_[--spare_count_];
  }

  void free_jumbo(std::size_t block) noexcept {
    LaneJumbo* const jumbo = headers_[block].jumbo;
    if (jumbo == nullptr) return;
    headers_[block].jumbo = nullptr;
    jumbo->destroy(jumbo);
  }

  // The producer's own; the first three are read by others, seldom.
  alignas(line) Counter cursor_{0};
  Counter first_{0};        // the number of the first event in the block of cursor_: stored before it
  Counter first_again_{0};  // the same, stored after it
  std::byte* end_ = nullptr;
  Counter* next_slot_ = nullptr;  // that of the block after sequence_
  std::uint64_t sequence_ = 0;
  std::size_t block_ = 0;
  std::uint64_t collected_ = 0;    // returned_, when it was last looked at
  std::uint64_t jumbo_block_ = 0;  // the sequence of the last block that was given a jumbo
  std::size_t spare_count_ = 0;
  std::array<std::uint8_t, max_blocks> spares_;

  // Written once.
  alignas(line) const LaneShape shape_;
  std::byte* const region_;
  typename Traits::template Atomic<std::uint32_t> closed_{0};

  // The reader's, once a block: a bit for each, which changes when it gives that block back.
  alignas(line) Counter returned_{0};
  // Both sides', once a block.
  alignas(line) std::array<Counter, Traits::max_slots> slots_;
  alignas(line) std::array<BlockHeader<Traits>, max_blocks> headers_;
};

using Lane = BasicLane<>;

}  // namespace cairn::detail
