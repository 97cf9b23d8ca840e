// The reader's side of a lane (lane.hpp): takes events in order, and knows exactly how many it came too late for.
//
//   while (const std::byte* record = reader.peek()) { …copy it…; reader.pop(); }
//   reader.release();
//
// While it is inside a block the block is pinned: the producer does not write to it, even when it laps the reader, but
// leaves it to the reader and goes on with a spare one. So a record that was seen is whole, and stays so until pop().
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "lane/block.hpp"
#include "lane/lane.hpp"
#include "lane/lane_traits.hpp"

namespace cairn::detail {

/// One for the whole life of its lane. One thread at a time; who passes it on orders the two.
template <class Traits = LaneTraits>
class BasicLaneReader {
  using Orders = typename Traits::Orders;
  using Lane = BasicLane<Traits>;

 public:
  explicit BasicLaneReader(Lane& lane) noexcept : lane_(lane) {}
  BasicLaneReader(const BasicLaneReader&) = delete;
  BasicLaneReader& operator=(const BasicLaneReader&) = delete;

  /// The next event's record, the same until pop(); null: none is there yet. Valid until pop() or release().
  [[nodiscard]] const std::byte* peek() noexcept {
    while (current_ == nullptr) {
      if (!inside_ && !enter_block()) return nullptr;
      const std::uint32_t word = Traits::load_word(position_, Orders::record_read);
      if (word == RecordWord::none) {
        Traits::check(!orphan_);  // sealed before it was left to us
        return nullptr;
      }
      if (word == RecordWord::seal) {
        leave_block();
        continue;
      }
      if (position_ >= fetched_) fetch();
      if ((word & RecordWord::side_entry) == 0) {
        current_ = position_;
        after_current_ = position_ + RecordWord::bytes(word);
      } else {
        take_side_entry(RecordWord::bytes(word));
      }
    }
    return current_;
  }

  /// Done with what peek() gave.
  void pop() noexcept {
    Traits::check(current_ != nullptr);
    if (jumbo_) {
      lane_.free_jumbo(block_);
      jumbo_ = false;
    }
    position_ = after_current_;
    current_ = nullptr;
    enrichments_ = nullptr;
    ++next_event_;
    ++taken_;
  }

  /// Leaves the block, so that the producer can have it back. Reading goes on where it was, unless that was dropped
  /// meanwhile. To be called before every pause.
  void release() noexcept {
    if (!inside_) return;
    current_ = nullptr;
    jumbo_ = false;
    if (Traits::load_word(position_, Orders::record_read) == RecordWord::seal) {
      leave_block();
    } else if (!orphan_ && unpin(SlotWord::make(sequence_, block_))) {
      inside_ = false;
    }
  }

  // ---- of the event that peek() gave

  [[nodiscard]] std::int64_t base_time() const noexcept { return base_time_; }
  /// The last context entry before it in its block, and the enrichments that belong to it; or null. Valid as it is.
  [[nodiscard]] const std::byte* context() const noexcept { return context_; }
  [[nodiscard]] const std::byte* enrichments() const noexcept { return enrichments_; }
  /// Its number in the lane, from 0.
  [[nodiscard]] std::uint64_t number() const noexcept { return next_event_; }
  /// That of its block, from 1: a context of another block is another.
  [[nodiscard]] std::uint64_t block_sequence() const noexcept { return sequence_; }

  /// The jumbo that it is; null: it stands in the block. Valid until pop() or release().
  [[nodiscard]] LaneJumbo* jumbo() const noexcept { return jumbo_ ? lane_.headers_[block_].jumbo : nullptr; }

  // ---- counts, since the lane began

  /// Events taken by pop().
  [[nodiscard]] std::uint64_t taken() const noexcept { return taken_; }
  /// Events dropped before the one that comes next. When all is read, taken() + overrun() == the lane's captured().
  [[nodiscard]] std::uint64_t overrun() const noexcept { return next_event_ - taken_; }
  /// Blocks that the producer left to the reader, as it was inside.
  [[nodiscard]] std::uint64_t orphans() const noexcept { return orphans_; }
  /// How often the producer was found to be a lap or more ahead.
  [[nodiscard]] std::uint64_t wraps() const noexcept { return wraps_; }

  struct Ahead {
    std::uint64_t events = 0;   // there to be taken
    std::uint64_t lost = 0;     // dropped, and not in overrun() yet
    std::uint64_t visible = 0;  // the number after that of the last event seen
  };
  /// What lies ahead at a moment during the call: taken() + overrun() + lost + events == visible, and visible is at
  /// least what captured() was when the call began. Walks the block it is in, takes nothing.
  [[nodiscard]] Ahead count_ahead() noexcept {
    Ahead ahead{.visible = lane_.captured()};
    std::uint64_t seen = next_event_;  // the events below it are taken, lost or counted
    std::uint64_t sequence = sequence_wanted_;
    if (inside_) {
      seen += events_in_block();
      ++sequence;
    }
    ahead.events = seen - next_event_;
    std::uint64_t first = seen;
    if (oldest_event(sequence, first)) {
      ahead.visible = std::max(ahead.visible, seen);
      // It may have begun before what was taken of it, or after the count was read.
      first = std::clamp(first, seen, ahead.visible);
      ahead.lost = first - seen;
      ahead.events += ahead.visible - first;
    } else {
      ahead.visible = seen;
    }
    return ahead;
  }

 private:
  bool enter_block() noexcept {
    for (bool lapped = false;;) {
      auto& slot = lane_.slot_of(sequence_wanted_);
      std::uint64_t word = slot.load(Orders::slot_look);
      const std::uint64_t found = SlotWord::sequence(word);
      if (found < sequence_wanted_) return false;
      if (found > sequence_wanted_) {  // a lap or more: the oldest that can be there
        sequence_wanted_ = found - lane_.shape_.slots + 1;
        if (!lapped) ++wraps_;
        lapped = true;
        continue;
      }
      Traits::check((word & (SlotWord::empty | SlotWord::pinned)) == 0);
      if (!slot.compare_exchange_strong(word, word | SlotWord::pinned, Orders::pin, Orders::pin_failed)) continue;
      inside_ = true;
      if (sequence_ != sequence_wanted_) begin_block(SlotWord::block(word));
      return true;
    }
  }

  void begin_block(std::size_t block) noexcept {
    BlockHeader<Traits>& header = lane_.headers_[block];
    sequence_ = sequence_wanted_;
    block_ = block;
    Traits::check(header.sequence == sequence_);
    next_event_ = header.first_event.load(std::memory_order_relaxed);  // written before the block was published
    base_time_ = header.base_time;
    context_ = enrichments_ = nullptr;
    position_ = lane_.region_ + block * lane_.shape_.block_bytes;
    fetched_ = position_;
  }

  /// Brings the lines up to where the producer is into the cache, the last one first. Read in the order of their
  /// addresses, they make the processor fetch those behind them as well, which the producer is about to write: each of
  /// its next calls waited for some of them.
  void fetch() noexcept {
    constexpr std::ptrdiff_t most = 2048;  // so far ahead it does not fetch
    const std::byte* const begin = lane_.region_ + block_ * lane_.shape_.block_bytes;
    const std::byte* const behind = begin + lane_.shape_.block_bytes;
    const std::byte* const end = LaneCursor::position(lane_.cursor_.load(Orders::fetch_look));
    if (end < begin || end >= behind) {  // this block is as it will be
      fetched_ = behind;
      return;
    }
    for (const std::byte* at = end; at > position_ && end - at < most; at -= Lane::line) Traits::fetch(at);
    fetched_ = end;
  }

  /// False: the producer has taken the block out and left it to the reader.
  bool unpin(std::uint64_t to) noexcept {
    std::uint64_t pinned = SlotWord::make(sequence_, block_) | SlotWord::pinned;
    if (lane_.slot_of(sequence_).compare_exchange_strong(pinned, to, Orders::unpin, Orders::unpin_failed)) return true;
    orphan_ = true;
    ++orphans_;
    return false;
  }

  /// The block was read to its seal.
  void leave_block() noexcept {
    if (!orphan_) unpin(SlotWord::emptied(sequence_));
    returned_ ^= std::uint64_t{1} << block_;
    lane_.returned_.store(returned_, Orders::give_back);
    orphan_ = inside_ = false;
    ++sequence_wanted_;
  }

  void take_side_entry(std::size_t bytes) noexcept {
    switch (static_cast<SideEntryKind>(Traits::read(position_ + sizeof(std::uint32_t)))) {
      case SideEntryKind::context: context_ = position_; break;
      case SideEntryKind::context_again:
        context_ =
            lane_.region_ + block_ * lane_.shape_.block_bytes + Traits::read(position_ + 2 * sizeof(std::uint32_t));
        break;
      case SideEntryKind::enrichments: enrichments_ = position_; break;
      case SideEntryKind::jumbo: {
        const LaneJumbo* const jumbo = lane_.headers_[block_].jumbo;
        current_ = jumbo->record;
        after_current_ = position_ + bytes;
        jumbo_ = true;
        return;
      }
    }
    position_ += bytes;
  }

  [[nodiscard]] std::uint64_t events_in_block() const noexcept {
    std::uint64_t events = 0;
    for (const std::byte* at = position_;;) {
      const std::uint32_t word = Traits::load_word(at, Orders::record_read);
      if (word == RecordWord::none || word == RecordWord::seal) return events;
      if ((word & RecordWord::side_entry) == 0 ||
          Traits::read(at + sizeof(word)) == static_cast<std::uint32_t>(SideEntryKind::jumbo))
        ++events;
      at += RecordWord::bytes(word);
    }
  }

  /// The first event of the oldest block from `sequence` on that is in a slot. False: there is none.
  [[nodiscard]] bool oldest_event(std::uint64_t sequence, std::uint64_t& first) noexcept {
    for (;;) {
      auto& slot = lane_.slot_of(sequence);
      const std::uint64_t word = slot.load(Orders::count_look);
      const std::uint64_t found = SlotWord::sequence(word);
      if (found < sequence) return false;
      if (found > sequence) {
        sequence = found - lane_.shape_.slots + 1;
        continue;
      }
      first = lane_.headers_[SlotWord::block(word)].first_event.load(Orders::first_event_read);
      if (slot.load(Orders::count_look_again) == word) return true;
    }
  }

  Lane& lane_;
  std::uint64_t sequence_wanted_ = 1;  // the block to read next, or the one inside
  std::uint64_t sequence_ = 0;         // the block that position_ is in
  std::size_t block_ = 0;
  bool inside_ = false;  // the block is pinned, or an orphan
  bool orphan_ = false;  // the producer has given it up: it is whole, and ours
  bool jumbo_ = false;   // current_ is the block's jumbo
  const std::byte* position_ = nullptr;
  const std::byte* fetched_ = nullptr;  // what stands before it in the block is there, and in the cache
  const std::byte* current_ = nullptr;
  const std::byte* after_current_ = nullptr;
  const std::byte* context_ = nullptr;
  const std::byte* enrichments_ = nullptr;
  std::int64_t base_time_ = 0;
  std::uint64_t returned_ = 0;  // what the lane's says
  std::uint64_t next_event_ = 0;
  std::uint64_t taken_ = 0;
  std::uint64_t orphans_ = 0;
  std::uint64_t wraps_ = 0;
};

using LaneReader = BasicLaneReader<>;

}  // namespace cairn::detail
