// The queue alone: what it drops when both its limits are reached at once.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "pipeline/event_batch.hpp"
#include "pipeline/event_queue.hpp"
#include "support/logged_events.hpp"

namespace {

using cairn::Overflow;
using cairn::detail::EventBatch;
using cairn::detail::EventQueue;
using cairn::detail::EventRange;
using cairn::testing::LoggedEvents;

std::vector<std::int64_t> numbers_in(EventQueue& queue) {
  std::vector<EventRange> out;
  queue.take(SIZE_MAX, SIZE_MAX, out);
  std::vector<std::int64_t> numbers;
  for (const EventRange& range : out) {
    for (const cairn::Event& event : range.events()) numbers.push_back(event.property("Number")->as_int64().value());
  }
  return numbers;
}

/// Events 0 to 3 are small, 4 and 5 larger than the queue may be.
class TwoLimits : public testing::Test {
 protected:
  TwoLimits() {
    for (int i = 0; i < 4; ++i) events_.log.information("{Number} {Text}", i, "");
    for (int i = 4; i < 6; ++i) events_.log.information("{Number} {Text}", i, std::string(5000, 'x'));
    kept_ = events_.kept();
    batch_ = EventBatch::copy(cairn::testing::batch_of(kept_), nullptr);
  }
  LoggedEvents events_;
  std::vector<cairn::OwnedEvent> kept_;
  std::shared_ptr<const EventBatch> batch_;
};

TEST_F(TwoLimits, an_event_that_is_too_large_pushes_nothing_out) {
  for (const Overflow overflow : {Overflow::drop_oldest, Overflow::drop_newest}) {
    EventQueue queue({.max_size = 4, .max_bytes = 4096, .overflow = overflow});
    EXPECT_EQ(queue.push({batch_, 0, 4}).queue_full, 0U);
    const EventQueue::Dropped dropped = queue.push({batch_, 4, 2});
    EXPECT_EQ(dropped.queue_full + dropped.memory_limit, 2U);
    EXPECT_EQ(numbers_in(queue), (std::vector<std::int64_t>{0, 1, 2, 3}));
  }
}

TEST_F(TwoLimits, of_a_run_only_those_make_room_that_come_in) {
  EventQueue queue({.max_size = 4, .max_bytes = 4096});
  EXPECT_EQ(queue.push({batch_, 0, 3}).queue_full, 0U);
  const EventQueue::Dropped dropped = queue.push({batch_, 3, 3});  // one that fits, two that do not
  EXPECT_EQ(dropped.queue_full, 0U);
  EXPECT_EQ(dropped.memory_limit, 2U);
  EXPECT_EQ(numbers_in(queue), (std::vector<std::int64_t>{0, 1, 2, 3}));
}

TEST(ProtectedBytes, are_not_for_events_of_lower_levels) {
  LoggedEvents events;
  for (int i = 0; i < 3; ++i) events.log.error("{Number} {Text}", i, "");
  for (int i = 3; i < 5; ++i) events.log.information("{Number} {Text}", i, "");
  events.log.information("{Number} {Text}", 5, std::string(300, 'x'));
  for (int i = 6; i < 9; ++i) events.log.error("{Number} {Text}", i, "");
  const std::vector<cairn::OwnedEvent> kept = events.kept();
  const std::shared_ptr<const EventBatch> batch = EventBatch::copy(cairn::testing::batch_of(kept), nullptr);
  const std::size_t five = EventBatch::cost(batch->events().first(5));
  const std::size_t lower = EventBatch::cost(batch->events().subspan(5, 1));
  ASSERT_LE(lower, five);
  ASSERT_GT(EventBatch::cost(batch->events().first(3)) + lower, five) << "it would have room if protected ones went";
  EventQueue queue({.max_size = 64, .max_bytes = five, .protect = cairn::Level::error});
  EXPECT_EQ(queue.push({batch, 0, 5}).memory_limit, 0U);
  EXPECT_EQ(queue.push({batch, 5, 1}).memory_limit, 1U) << "nothing goes for what does not get in";
  EXPECT_EQ(queue.bytes(), five);
  EXPECT_EQ(queue.push({batch, 6, 3}).memory_limit, 3U) << "the others, and then the oldest of their own";
  EXPECT_EQ(numbers_in(queue), (std::vector<std::int64_t>{1, 2, 6, 7, 8}));
  EXPECT_EQ(queue.bytes(), 0U);
}

TEST(ProtectedBytes, are_left_to_them_where_nothing_goes_for_what_comes) {
  LoggedEvents events;
  for (int i = 0; i < 100; ++i) events.log.information("{Number} {Text}", i, "");
  for (int i = 100; i < 104; ++i) events.log.error("{Number} {Text}", i, "");
  const std::vector<cairn::OwnedEvent> kept = events.kept();
  const std::shared_ptr<const EventBatch> batch = EventBatch::copy(cairn::testing::batch_of(kept), nullptr);
  const std::size_t each = EventBatch::cost(batch->events().first(1));
  for (const std::size_t at_once : {1U, 50U}) {
    EventQueue queue(
        {.max_size = 200, .max_bytes = 32 * each, .overflow = Overflow::drop_newest, .protect = cairn::Level::error});
    std::uint64_t dropped = 0;
    for (std::size_t i = 0; i < 100; i += at_once) dropped += queue.push({batch, i, at_once}).memory_limit;
    EXPECT_EQ(dropped, 72U) << "seven eighths are theirs";
    EXPECT_EQ(queue.push({batch, 100, 4}).memory_limit, 0U);
    EXPECT_EQ(queue.bytes(), 32 * each);
    const std::vector<std::int64_t> numbers = numbers_in(queue);
    EXPECT_EQ(numbers.size(), 32U);
    EXPECT_EQ(numbers.front(), 0);
    EXPECT_EQ(numbers[27], 27);
    EXPECT_EQ(numbers.back(), 103);
  }
}

TEST_F(TwoLimits, drop_nothing_where_who_brings_events_waits_for_room) {
  EventQueue queue({.max_size = 4, .max_bytes = 4096, .overflow = Overflow::block, .protect = cairn::Level::error});
  for (const std::size_t first : {0U, 3U}) {
    const EventQueue::Dropped dropped = queue.push({batch_, first, 3});
    EXPECT_EQ(dropped.queue_full + dropped.memory_limit, 0U);
  }
  EXPECT_EQ(numbers_in(queue), (std::vector<std::int64_t>{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(queue.bytes(), 0U);
}

}  // namespace
