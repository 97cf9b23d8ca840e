// The lane with both sides on one thread: what the reader sees, what is dropped, and that the counts are exact. Two
// threads: tests/stress/lane_stress.cpp. Every interleaving: tests/model.
#include "lane/lane.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <new>
#include <vector>

#include "cairn/detail/record.hpp"
#include "lane/lane_reader.hpp"

namespace {
using namespace cairn::detail;

// The lane reads no more of a record than this.
static_assert(RecordWord::size_shift == RecordHeader::size_shift);
static_assert(RecordWord::side_entry == RecordHeader::side_entry);
static_assert(static_cast<int>(SideEntryKind::context) == static_cast<int>(SideEntryHeader::Kind::context));
static_assert(static_cast<int>(SideEntryKind::enrichments) == static_cast<int>(SideEntryHeader::Kind::enrichments));
static_assert(offsetof(SideEntryHeader, kind) == sizeof(std::uint32_t));

struct Region {
  explicit Region(std::size_t bytes) : memory(static_cast<std::byte*>(::operator new (bytes, std::align_val_t{64}))) {
    std::memset(memory.get(), 0xAB, bytes);  // a lane takes it as it is
  }
  struct Free {
    void operator()(std::byte* at) const { ::operator delete (at, std::align_val_t{64}); }
  };
  std::unique_ptr<std::byte, Free> memory;
};

struct Record {
  std::uint32_t word = 0;
  std::uint32_t kind = 0;
  std::uint64_t value = 0;
};

Record event(std::uint64_t value) { return {RecordWord::make(sizeof(Record)), 0, value}; }
Record side_entry(SideEntryKind kind, std::uint64_t value) {
  return {RecordWord::make(sizeof(Record), RecordWord::side_entry), static_cast<std::uint32_t>(kind), value};
}
const std::byte* bytes_of(const Record& record) { return reinterpret_cast<const std::byte*>(&record); }
std::uint64_t value_of(const std::byte* record) {
  Record copy;
  std::memcpy(&copy, record, sizeof(copy));
  return copy.value;
}

constexpr LaneShape small{.block_bytes = 128, .slots = 4};  // 7 records a block: 120 bytes
constexpr std::uint64_t per_block = 7;

struct Both {
  explicit Both(LaneShape shape = small)
      : region(shape.region_bytes()), lane(shape, region.memory.get()), reader(lane) {}

  void write(std::uint64_t count) {
    for (; count > 0; --count) {
      const Record record = event(next++);
      if (lane.append(bytes_of(record), sizeof(record))) continue;
      lane.open_block(static_cast<std::int64_t>(record.value));
      ASSERT_TRUE(lane.append(bytes_of(record), sizeof(record)));
    }
  }
  std::vector<std::uint64_t> read(std::uint64_t most = UINT64_MAX) {
    std::vector<std::uint64_t> values;
    while (values.size() < most) {
      const std::byte* record = reader.peek();
      if (record == nullptr) break;
      values.push_back(value_of(record));
      reader.pop();
    }
    return values;
  }
  void expect_ahead(std::uint64_t events, std::uint64_t lost) {
    const auto ahead = reader.count_ahead();
    EXPECT_EQ(ahead.events, events);
    EXPECT_EQ(ahead.lost, lost);
    EXPECT_EQ(ahead.visible, lane.captured());
    EXPECT_EQ(reader.taken() + reader.overrun() + ahead.lost + ahead.events, lane.captured());
  }

  Region region;
  Lane lane;
  LaneReader reader;
  std::uint64_t next = 0;
};

std::vector<std::uint64_t> numbers(std::uint64_t from, std::uint64_t to) {
  std::vector<std::uint64_t> values;
  for (; from < to; ++from) values.push_back(from);
  return values;
}

/// A jumbo whose end is counted.
struct CountedJumbo : LaneJumbo {
  explicit CountedJumbo(std::uint64_t value, int& ends_) : content(event(value)), ends(ends_) {
    record = bytes_of(content);
    destroy = [](LaneJumbo* self) noexcept {
      auto* const jumbo = static_cast<CountedJumbo*>(self);
      ++jumbo->ends;
      delete jumbo;
    };
  }
  Record content;
  int& ends;
};

TEST(Lane, a_new_one_has_no_room_and_nothing_to_read) {
  Both both;
  EXPECT_EQ(both.lane.position(), both.lane.end());
  const Record record = event(1);
  EXPECT_FALSE(both.lane.append(bytes_of(record), sizeof(record)));
  EXPECT_EQ(both.reader.peek(), nullptr);
  both.expect_ahead(0, 0);
}

TEST(Lane, an_event_can_be_read_at_once_from_the_open_block) {
  Both both;
  both.write(1);
  ASSERT_NE(both.reader.peek(), nullptr);
  EXPECT_EQ(value_of(both.reader.peek()), 0u);
  both.reader.pop();
  EXPECT_EQ(both.reader.peek(), nullptr);
  both.write(1);
  EXPECT_EQ(both.read(), numbers(1, 2));
}

TEST(Lane, a_block_that_has_just_begun_is_empty_whatever_was_there_before) {
  Both both;
  both.lane.open_block(0);
  EXPECT_EQ(both.reader.peek(), nullptr);
  both.write(10 * per_block);
  both.read();
  both.lane.open_block(0);
  EXPECT_EQ(both.reader.peek(), nullptr);
  both.expect_ahead(0, 0);
}

TEST(Lane, a_reader_that_keeps_up_gets_every_event_and_the_lane_stays_in_few_blocks) {
  Both both;
  std::vector<const std::byte*> blocks;
  for (std::uint64_t i = 0; i < 50 * per_block; i += per_block) {
    both.write(per_block);
    const std::byte* const block = both.lane.end();
    if (std::find(blocks.begin(), blocks.end(), block) == blocks.end()) blocks.push_back(block);
    EXPECT_EQ(both.read(), numbers(i, i + per_block));
    both.reader.release();
  }
  EXPECT_EQ(both.reader.overrun(), 0u);
  EXPECT_EQ(both.reader.taken(), both.lane.captured());
  EXPECT_LE(blocks.size(), 2u);
}

TEST(Lane, drops_the_oldest_blocks_when_the_reader_is_lapped_and_counts_their_events) {
  Both both;
  both.write(10 * per_block + 3);  // 11 blocks: the newest 4 are left
  both.expect_ahead(3 * per_block + 3, 7 * per_block);
  EXPECT_EQ(both.read(), numbers(7 * per_block, 10 * per_block + 3));
  EXPECT_EQ(both.reader.overrun(), 7 * per_block);
  EXPECT_EQ(both.reader.wraps(), 1u);
  EXPECT_EQ(both.reader.taken() + both.reader.overrun(), both.lane.captured());
  both.expect_ahead(0, 0);
}

TEST(Lane, keeps_a_block_whole_while_the_reader_is_inside) {
  Both both;
  both.write(per_block);
  const std::byte* const first = both.reader.peek();
  both.write(10 * per_block);  // laps it twice
  EXPECT_EQ(both.reader.peek(), first);
  EXPECT_EQ(value_of(first), 0u);
  both.expect_ahead(5 * per_block, 6 * per_block);
  std::vector<std::uint64_t> expected = numbers(0, per_block);
  const auto newest = numbers(7 * per_block, 11 * per_block);
  expected.insert(expected.end(), newest.begin(), newest.end());
  EXPECT_EQ(both.read(), expected);
  EXPECT_EQ(both.reader.orphans(), 1u);
  EXPECT_EQ(both.reader.overrun(), 6 * per_block);
}

TEST(Lane, never_lacks_a_spare_block_however_the_reader_is_caught) {
  Both both;
  std::uint64_t last = 0;
  bool any = false;
  for (std::uint64_t round = 0; round < 1000; ++round) {
    both.write(1 + round % (3 * per_block * small.slots));
    for (const std::uint64_t value : both.read(round % 5)) {
      EXPECT_TRUE(!any || value > last);
      last = value;
      any = true;
    }
    if (round % 3 == 0) both.reader.release();
    const auto ahead = both.reader.count_ahead();
    EXPECT_EQ(both.reader.taken() + both.reader.overrun() + ahead.lost + ahead.events, both.lane.captured());
  }
  both.read();
  EXPECT_EQ(both.reader.taken() + both.reader.overrun(), both.lane.captured());
  EXPECT_GT(both.reader.orphans(), 10u);
}

TEST(Lane, what_was_left_of_a_block_after_release_is_lost_with_it) {
  Both both;
  both.write(per_block);
  EXPECT_EQ(both.read(3), numbers(0, 3));
  both.reader.release();
  both.expect_ahead(per_block - 3, 0);
  both.write(4 * per_block);
  both.expect_ahead(4 * per_block, per_block - 3);
  EXPECT_EQ(both.read(), numbers(per_block, 5 * per_block));
  EXPECT_EQ(both.reader.overrun(), per_block - 3);
  EXPECT_EQ(both.reader.orphans(), 0u);
}

TEST(Lane, goes_on_where_it_was_after_release) {
  Both both;
  both.write(5);
  EXPECT_EQ(both.read(2), numbers(0, 2));
  ASSERT_NE(both.reader.peek(), nullptr);  // seen, not taken
  both.reader.release();
  EXPECT_EQ(both.read(), numbers(2, 5));
}

TEST(Lane, next_block_drops_says_whether_the_oldest_block_is_unfinished) {
  Both both;
  both.write(2 * per_block + 1);
  EXPECT_FALSE(both.lane.next_block_drops());
  both.write(per_block);  // all four slots have a block
  EXPECT_TRUE(both.lane.next_block_drops());
  EXPECT_EQ(both.read(per_block), numbers(0, per_block));
  EXPECT_TRUE(both.lane.next_block_drops()) << "its seal was not seen";
  both.reader.release();
  EXPECT_FALSE(both.lane.next_block_drops());
}

TEST(Lane, a_producer_that_waits_while_next_block_drops_loses_nothing) {
  Both both;
  std::vector<std::uint64_t> values;
  for (std::uint64_t i = 0; i < 100 * per_block; ++i) {
    const Record record = event(i);
    if (both.lane.append(bytes_of(record), sizeof(record))) continue;
    while (both.lane.next_block_drops()) {
      for (const std::uint64_t value : both.read(3)) values.push_back(value);
      both.reader.release();
    }
    both.lane.open_block(0);
    ASSERT_TRUE(both.lane.append(bytes_of(record), sizeof(record)));
  }
  for (const std::uint64_t value : both.read()) values.push_back(value);
  EXPECT_EQ(values, numbers(0, 100 * per_block));
  EXPECT_EQ(both.reader.overrun(), 0u);
}

TEST(Lane, side_entries_are_no_events_and_stand_by_the_events_after_them) {
  Both both;
  const Record first = side_entry(SideEntryKind::context, 100);
  const Record second = side_entry(SideEntryKind::context, 200);
  const Record enrichments = side_entry(SideEntryKind::enrichments, 300);
  both.lane.open_block(77, bytes_of(first), sizeof(first));
  both.write(2);
  ASSERT_TRUE(both.lane.append(bytes_of(second), sizeof(second)));
  ASSERT_TRUE(both.lane.append(bytes_of(enrichments), sizeof(enrichments)));
  both.expect_ahead(2, 0);
  both.write(2);
  EXPECT_EQ(both.lane.captured(), 4u);

  for (std::uint64_t i = 0; i < 4; ++i) {
    ASSERT_NE(both.reader.peek(), nullptr);
    EXPECT_EQ(both.reader.number(), i);
    EXPECT_EQ(both.reader.base_time(), 77);
    EXPECT_EQ(value_of(both.reader.context()), i < 2 ? 100u : 200u);
    if (i == 2) {
      EXPECT_EQ(value_of(both.reader.enrichments()), 300u);
    } else {
      EXPECT_EQ(both.reader.enrichments(), nullptr);
    }
    both.reader.pop();
  }
  both.lane.open_block(88);
  both.write(1);
  ASSERT_NE(both.reader.peek(), nullptr);
  EXPECT_EQ(both.reader.context(), nullptr) << "a context ends with its block";
  EXPECT_EQ(both.reader.base_time(), 88);
}

TEST(Lane, enrichments_wait_for_their_event) {
  Both both;
  both.write(1);
  const Record enrichments = side_entry(SideEntryKind::enrichments, 5);
  ASSERT_TRUE(both.lane.append(bytes_of(enrichments), sizeof(enrichments)));
  EXPECT_EQ(both.read(), numbers(0, 1));
  EXPECT_EQ(both.reader.peek(), nullptr);
  both.reader.release();
  both.write(1);
  ASSERT_NE(both.reader.peek(), nullptr);
  EXPECT_EQ(value_of(both.reader.enrichments()), 5u);
}

TEST(Lane, records_written_by_hand_are_told_by_the_cursor) {
  Both both;
  both.lane.open_block(0);
  for (std::uint64_t i = 0; i < 3; ++i) {
    const Record record = event(i);
    std::byte* const at = both.lane.position();
    LaneTraits::store_word(at + sizeof(record), RecordWord::none, std::memory_order_relaxed);
    std::memcpy(at + sizeof(record.word), bytes_of(record) + sizeof(record.word), sizeof(record) - sizeof(record.word));
    LaneTraits::store_word(at, record.word, std::memory_order_release);
    both.lane.cursor_word()->fetch_add(LaneCursor::step(sizeof(record), 1), std::memory_order_release);
    EXPECT_EQ(both.lane.position(), at + sizeof(record));
    EXPECT_EQ(both.lane.captured(), i + 1);
    EXPECT_EQ(both.lane.written(), i + 1);
  }
  both.next = 3;
  both.write(per_block);
  EXPECT_EQ(both.lane.captured(), 3 + per_block);
  EXPECT_EQ(both.read(), numbers(0, 3 + per_block));
}

TEST(Lane, records_of_any_size_fill_a_block_to_the_last_word) {
  Both both;
  std::vector<std::byte> bytes(small.room());
  const std::uint32_t word = RecordWord::make(bytes.size());
  std::memcpy(bytes.data(), &word, sizeof(word));
  for (int i = 0; i < 20; ++i) {
    both.lane.open_block(0);
    ASSERT_TRUE(both.lane.append(bytes.data(), bytes.size()));
    EXPECT_FALSE(both.lane.append(bytes.data(), 8));
    const std::byte* const record = both.reader.peek();
    ASSERT_NE(record, nullptr);
    EXPECT_EQ(std::memcmp(record, bytes.data(), bytes.size()), 0);
    both.reader.pop();
  }
}

TEST(Lane, a_jumbo_is_an_event_in_its_place_and_ends_when_popped) {
  Both both;
  int ends = 0;
  both.write(2);
  ASSERT_TRUE(both.lane.append_jumbo(new CountedJumbo(both.next++, ends)));
  both.write(2);
  both.expect_ahead(5, 0);
  EXPECT_EQ(both.read(2), numbers(0, 2));
  EXPECT_EQ(value_of(both.reader.peek()), 2u);
  both.expect_ahead(3, 0);
  both.reader.release();  // not taken: it stays
  EXPECT_EQ(value_of(both.reader.peek()), 2u);
  EXPECT_EQ(ends, 0);
  both.reader.pop();
  EXPECT_EQ(ends, 1);
  EXPECT_EQ(both.read(), numbers(3, 5));
}

TEST(Lane, a_block_takes_one_jumbo) {
  Both both;
  int ends = 0;
  auto* const first = new CountedJumbo(0, ends);
  EXPECT_FALSE(both.lane.append_jumbo(first)) << "no block yet";
  both.lane.open_block(0);
  EXPECT_TRUE(both.lane.append_jumbo(first));
  auto* const second = new CountedJumbo(1, ends);
  EXPECT_FALSE(both.lane.append_jumbo(second));
  EXPECT_EQ(both.read(), numbers(0, 1));
  EXPECT_FALSE(both.lane.append_jumbo(second)) << "nor when the first one was taken: the reader may be at it";
  both.lane.open_block(0);
  EXPECT_TRUE(both.lane.append_jumbo(second));
  EXPECT_EQ(both.read(), numbers(1, 2));
  EXPECT_EQ(ends, 2);
}

TEST(Lane, jumbos_end_once_whether_taken_dropped_orphaned_or_left) {
  int ends = 0;
  std::uint64_t made = 0;
  {
    Both both;
    for (std::uint64_t round = 0; round < 400; ++round) {
      both.lane.open_block(0);
      ASSERT_TRUE(both.lane.append_jumbo(new CountedJumbo(both.next++, ends)));
      ++made;
      if (round % 9 == 0) static_cast<void>(both.reader.peek());
      if (round % 31 == 0) both.read(2);
      if (round % 7 == 0) both.reader.release();
    }
    const auto ahead = both.reader.count_ahead();
    EXPECT_EQ(both.reader.taken() + both.reader.overrun() + ahead.lost + ahead.events, made);
    EXPECT_LT(ends, static_cast<int>(made));
    EXPECT_GT(both.reader.orphans(), 1u);
  }
  EXPECT_EQ(ends, static_cast<int>(made));
}

TEST(Lane, a_closed_one_is_drained_and_may_be_reopened) {
  Both both;
  both.write(per_block + 2);
  both.lane.close();
  EXPECT_TRUE(both.lane.closed());
  EXPECT_EQ(both.lane.position(), both.lane.end());
  EXPECT_EQ(both.read(), numbers(0, per_block + 2));
  both.lane.reopen();
  EXPECT_FALSE(both.lane.closed());
  both.write(20 * per_block);
  both.read();
  EXPECT_EQ(both.reader.taken() + both.reader.overrun(), 21 * per_block + 2);
  EXPECT_EQ(both.lane.captured(), 21 * per_block + 2);
}

TEST(LaneShape, has_blocks_of_16_to_256_KiB_and_at_most_62_slots) {
  for (std::size_t events : {0u, 1u, 16u, 8192u, 65536u, 1u << 20, 1u << 30}) {
    const LaneShape shape = lane_shape_for(events);
    EXPECT_GE(shape.block_bytes, 16u << 10) << events;
    EXPECT_LE(shape.block_bytes, 256u << 10) << events;
    EXPECT_EQ(shape.block_bytes % 64, 0u);
    EXPECT_GE(shape.slots, 4u) << events;
    EXPECT_LE(shape.slots, 62u) << events;
  }
}

TEST(LaneShape, keeps_the_newest_events_it_was_made_for) {
  for (std::size_t events : {1u, 100u, 8192u, 20000u, 65536u, 200000u}) {
    const LaneShape shape = lane_shape_for(events);
    Both both(shape);
    std::byte record[64]{};
    const std::uint32_t word = RecordWord::make(sizeof(record));
    std::memcpy(record, &word, sizeof(word));
    std::byte context[512]{};
    const std::uint32_t context_word = RecordWord::make(sizeof(context), RecordWord::side_entry);
    std::memcpy(context, &context_word, sizeof(context_word));
    const auto write = [&] {
      if (both.lane.append(record, sizeof(record))) return;
      both.lane.open_block(0, context, sizeof(context));
      ASSERT_TRUE(both.lane.append(record, sizeof(record)));
    };
    for (std::size_t i = 0; i < 3 * events; ++i) write();
    // Wherever the newest block stands.
    for (std::size_t i = 0; i <= shape.block_bytes / sizeof(record); ++i) {
      write();
      ASSERT_GE(both.reader.count_ahead().events, std::min<std::uint64_t>(events, both.lane.captured())) << events;
    }
  }
}

}  // namespace
