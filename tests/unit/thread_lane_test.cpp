// What a thread's lane does where a block ends: where a sink blocks and the lane is full, and where there is a next.
#include "dispatch/thread_lane.hpp"

#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "cairn/value.hpp"

namespace {

using namespace cairn::detail;

constexpr std::uint64_t no_other = WriteWindow::nobody - 1;  // root has that key

/// A lane of which a sink that blocks is read, and no dispatcher.
struct FullLane {
  explicit FullLane(std::size_t shift) { filled.add("Turn", cairn::OwnedValue(std::string(shift, 'x')).view()); }
  [[nodiscard]] bool append(const ContextInForce& context, std::size_t bytes) {
    std::vector<std::uint64_t> memory(bytes / 8);
    auto& record = *new (memory.data()) RecordHeader;
    record.size_and_flags = RecordWord::make(bytes);
    RoomWait none(*root, false);
    return lane.append(context, record, nullptr, none) == ThreadLane::Opened::yes;
  }

  [[nodiscard]] static std::shared_ptr<LaneRoot> blocking(Credit& credit) {
    auto root = std::make_shared<LaneRoot>();
    root->key = no_other;
    root->blocking.push_back({.credit = &credit, .timeout = {}, .max_size = 100'000});
    return root;
  }

  Credit credit{100'000, 0};
  std::shared_ptr<LaneRoot> root = blocking(credit);
  ThreadLane lane{root, LaneMemory::make({.block_bytes = 16 << 10, .slots = 4})};
  PropertyBlock filled;
  PropertyBlock empty;
};

/// A lane that nobody reads, and the window in it, under a context of one property.
struct OpenLane {
  OpenLane() {
    root->key = no_other;
    filled.add("Turn", cairn::OwnedValue(7).view());
    thread_state()->attachments = &lane;
    EXPECT_EQ(lane.open_window({filled, thread_state()->context_version}, 48), ThreadLane::Opened::yes);
  }
  ~OpenLane() {
    lane.thread_exits();
    thread_state()->attachments = nullptr;
  }
  /// As a log call does it, of so many bytes, which had no room.
  bool next_block(std::size_t bytes) {
    EXPECT_TRUE(write_window.shut(write_window.cursor));
    const bool opened = lane.next_block(no_other, bytes);
    if (!opened) write_window.root_key = no_other;
    return opened;
  }
  /// The same where the context has changed.
  bool change_context(std::size_t bytes) {
    EXPECT_TRUE(write_window.shut(write_window.cursor));
    const bool opened = lane.change_context(no_other, bytes, thread_state()->context_version);
    if (!opened) write_window.root_key = no_other;
    return opened;
  }
  /// As a log call does it, of 48 bytes. False: the window has no room.
  bool write() {
    const std::uint64_t cursor = write_window.cursor_now;
    EXPECT_EQ(cursor, write_window.cursor->load(std::memory_order_relaxed));
    std::byte* const at = LaneCursor::position(cursor);
    if (write_window.end == nullptr || write_window.end - at < 48) return false;
    LaneTraits::store_word(at + 48, RecordWord::none, LaneOrders::next_word);
    LaneTraits::store_word(at, RecordWord::make(48), LaneOrders::record_publish);
    write_window.cursor_now += LaneCursor::step(48, 1);
    write_window.cursor->store(write_window.cursor_now, LaneOrders::captured_write);
    return true;
  }

  std::shared_ptr<LaneRoot> root = std::make_shared<LaneRoot>();
  ThreadLane lane{root, LaneMemory::make({.block_bytes = 16 << 10, .slots = 4})};
  PropertyBlock filled;
};

TEST(ThreadLane, has_each_block_begin_with_the_context_of_the_window) {
  OpenLane open;
  std::uint64_t written = 0;
  for (int blocks = 0; blocks < 3; ++blocks) {
    while (open.write()) ++written;
    ASSERT_TRUE(open.next_block(48));
    EXPECT_EQ(write_window.root_key, no_other);
  }
  EXPECT_GT(written, 900U);
  LaneReader& reader = open.lane.reader();
  for (std::uint64_t i = 0; i < written; ++i, reader.pop()) {
    ASSERT_NE(reader.peek(), nullptr) << i;
    ASSERT_NE(open.lane.context(), nullptr) << i;
    cairn::Value turn;
    EXPECT_TRUE(open.lane.context()->find("Turn", 0, turn) && turn.as_int64() == 7) << i;
  }
  EXPECT_EQ(reader.peek(), nullptr);
  EXPECT_EQ(open.lane.lane().captured(), written);
  reader.release();
}

TEST(ThreadLane, takes_the_long_way_to_the_next_block_where_more_than_room_is_missing) {
  OpenLane open;
  EXPECT_FALSE(open.next_block(write_window.max_record + 8U));
  const std::uint32_t most = caller_hints.most_event_bytes.exchange(1024);  // a limit that the window does not know yet
  EXPECT_FALSE(open.next_block(48));
  caller_hints.most_event_bytes = most;
  EXPECT_TRUE(open.next_block(48));
}

TEST(ThreadLane, names_a_context_that_its_block_has_by_its_place) {
  OpenLane open;
  PropertyBlock other;
  other.add("Turn", cairn::OwnedValue(std::string(1000, 'x')).view());
  PropertyBlock none;
  const std::uint64_t first = thread_state()->context_version;
  const ContextInForce contexts[] = {{open.filled, first}, {other, first + 1}, {none, first + 2}};
  std::size_t written = 0;
  std::size_t bytes_of_first_turns = 0;
  for (int turn = 0; turn < 40; ++turn) {
    const std::size_t before = open.lane.lane().block_offset();
    thread_state()->context_version = contexts[turn % 3].version;
    if (turn < 6) {  // the long way
      ASSERT_EQ(open.lane.open_window(contexts[turn % 3], 48), ThreadLane::Opened::yes);
    } else {
      ASSERT_TRUE(open.change_context(48)) << turn;
    }
    ASSERT_TRUE(open.write());
    ++written;
    if (turn < 3) {
      bytes_of_first_turns += open.lane.lane().block_offset() - before;
    } else {
      EXPECT_EQ(open.lane.lane().block_offset() - before, 16U + 48U) << turn;
    }
  }
  EXPECT_GT(bytes_of_first_turns, 1000U);
  LaneReader& reader = open.lane.reader();
  const PropertyBlock* before[3] = {};
  for (std::size_t i = 0; i < written; ++i, reader.pop()) {
    ASSERT_NE(reader.peek(), nullptr) << i;
    const PropertyBlock* const context = open.lane.context().get();
    ASSERT_EQ(context == nullptr, i % 3 == 2) << i;
    if (i < 3) before[i] = context;
    EXPECT_EQ(context, before[i % 3]) << "is made once";
    if (context == nullptr) continue;
    EXPECT_EQ(context->size_bytes(), contexts[i % 3].block.size_bytes()) << i;
  }
  reader.release();
}

TEST(ThreadLane, knows_nothing_in_a_block_of_the_contexts_of_the_one_before) {
  OpenLane open;
  PropertyBlock other;
  other.add("Other", cairn::OwnedValue(1).view());
  const std::uint64_t first = thread_state()->context_version;
  thread_state()->context_version = first + 1;
  ASSERT_EQ(open.lane.open_window({other, first + 1}, 48), ThreadLane::Opened::yes);
  while (open.write()) continue;
  ASSERT_TRUE(open.next_block(48));
  thread_state()->context_version = first;
  EXPECT_FALSE(open.change_context(48)) << "that is in the first block";
  ASSERT_EQ(open.lane.open_window({open.filled, first}, 48), ThreadLane::Opened::yes);
  ASSERT_TRUE(open.write());
  thread_state()->context_version = first + 1;
  EXPECT_FALSE(open.change_context(48)) << "it was begun with, by the quick way, which does not keep that";
  thread_state()->context_version = first;
  EXPECT_TRUE(open.change_context(48));
}

TEST(ThreadLane, takes_the_long_way_to_a_context_where_more_than_that_has_changed) {
  OpenLane open;
  EXPECT_FALSE(open.change_context(write_window.max_record + 8U));
  const std::uint32_t most = caller_hints.most_event_bytes.exchange(1024);  // a limit that the window does not know yet
  EXPECT_FALSE(open.change_context(48));
  caller_hints.most_event_bytes = most;
  while (open.write()) continue;
  EXPECT_FALSE(open.change_context(48)) << "there is no room in its block";
}

TEST(ThreadLane, leaves_the_window_shut_where_the_context_changed_meanwhile) {
  OpenLane open;
  ++thread_state()->context_version;  // as a signal handler's LogContext does
  ASSERT_TRUE(open.next_block(48));
  EXPECT_EQ(write_window.end, nullptr);
}

TEST(ThreadLane, of_a_parent_has_no_window_in_a_child) {
  OpenLane open;
  thread_state()->attachments = nullptr;  // as the dispatcher has it, where a handler's fork came in between
  ASSERT_TRUE(open.next_block(48));
  EXPECT_EQ(write_window.end, nullptr);
}

TEST(ThreadLane, where_a_sink_blocks_takes_the_long_way_to_the_next_block) {
  FullLane full(8);
  const ContextInForce context{full.empty, thread_state()->context_version};
  ASSERT_EQ(full.lane.open_window(context, 48), ThreadLane::Opened::yes);
  EXPECT_FALSE(full.lane.next_block(no_other, 48));
  full.lane.thread_exits();
}

TEST(ThreadLane, that_was_full_has_the_next_event_under_its_own_context) {
  for (std::size_t shift = 0; shift < 48; shift += 8) {  // another rest of the last block each time
    FullLane full(shift);
    std::size_t events = 0;
    while (full.append({full.filled, 1}, 48)) ++events;
    const ContextInForce after{full.empty, 2};
    if (full.lane.open_window(after, 32) == ThreadLane::Opened::yes || full.append(after, 32)) ++events;
    LaneReader& reader = full.lane.reader();
    for (std::size_t i = 0; reader.peek() != nullptr; reader.pop(), ++i) {
      const auto bytes = RecordWord::bytes(reinterpret_cast<const RecordHeader*>(reader.peek())->size_and_flags);
      EXPECT_EQ(full.lane.context() != nullptr, bytes != 32)
          << "event " << i << " of " << events << ", shift " << shift;
    }
    reader.release();
  }
}

TEST(ThreadLane, has_each_event_under_its_own_context_where_that_comes_and_goes_within_a_block) {
  FullLane lane(8);
  for (const ContextInForce& context : {ContextInForce{lane.empty, 1}, {lane.filled, 2}, {lane.empty, 3}})
    ASSERT_TRUE(lane.append(context, 48));
  LaneReader& reader = lane.lane.reader();
  for (const bool has_context : {false, true, false}) {
    ASSERT_NE(reader.peek(), nullptr);
    EXPECT_EQ(lane.lane.context() != nullptr, has_context);
    reader.pop();
  }
  reader.release();
}

}  // namespace
