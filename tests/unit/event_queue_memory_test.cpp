// A queue of which no allocation is sure: what it says it holds is what it gives.
#include <gtest/gtest.h>

#include <memory>
#include <new>
#include <vector>

#include "pipeline/event_batch.hpp"
#include "pipeline/event_queue.hpp"
#include "support/allocation_probe.hpp"
#include "support/logged_events.hpp"

namespace {

using cairn::detail::EventBatch;
using cairn::detail::EventQueue;
using cairn::detail::EventRange;
using cairn::testing::LoggedEvents;
using cairn::testing_support::FailingAllocations;

TEST(EventQueueMemory, holds_what_it_counts_whichever_allocation_fails) {
  const LoggedEvents events;
  for (int i = 0; i < 60; ++i) events.log.information("{Number}", i);
  const auto kept = events.kept();
  const auto views = cairn::testing::batch_of(kept);
  const std::shared_ptr<const EventBatch> big = EventBatch::copy(views, nullptr);
  bool all_passed = false;
  std::size_t refused = 0;
  for (std::size_t left = 0; left < 200 && !all_passed; ++left) {
    EventQueue queue({});
    std::size_t came = 0;
    {
      const FailingAllocations failing(left);
      // Every other one, so that each is an entry of its own that pins the whole batch: they are copied together.
      for (std::size_t i = 0; i < 60; i += 2) {
        try {
          static_cast<void>(queue.push({big, i, 1}));
          ++came;
        } catch (const std::bad_alloc&) {
        }
      }
    }
    EXPECT_EQ(queue.size(), came) << left;
    std::vector<EventRange> out;
    {
      const FailingAllocations failing(0);
      EXPECT_EQ(queue.take(SIZE_MAX, SIZE_MAX, out), 0U) << "there is no memory to take anything out: it stays";
    }
    EXPECT_EQ(queue.take(SIZE_MAX, SIZE_MAX, out), came) << left;
    EXPECT_TRUE(queue.empty());
    EXPECT_EQ(queue.bytes(), 0U) << left;
    std::int64_t last = -1;
    std::size_t given = 0;
    for (const EventRange& range : out) {
      for (const cairn::Event& event : range.events()) {
        const auto number = event.property("Number")->as_int64().value();
        EXPECT_GT(number, last) << left;
        last = number;
        ++given;
      }
    }
    EXPECT_EQ(given, came) << left;
    refused += came < 30 ? 1U : 0U;
    all_passed = came == 30 && left > 30;
  }
  EXPECT_TRUE(all_passed);
  EXPECT_GT(refused, 0U);
}

}  // namespace
