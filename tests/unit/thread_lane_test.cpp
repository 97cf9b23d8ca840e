// What a thread's lane does where a sink blocks and the lane is full.
#include "dispatch/thread_lane.hpp"

#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "cairn/value.hpp"

namespace {

using namespace cairn::detail;

/// A lane of which a sink that blocks is read, and no dispatcher.
struct FullLane {
  explicit FullLane(std::size_t shift) {
    root->key = UINT64_MAX;  // no other has it
    root->blocking.push_back({.credit = &credit, .timeout = {}, .max_size = 100'000});
    filled.add("Turn", cairn::OwnedValue(std::string(shift, 'x')).view());
  }
  [[nodiscard]] bool append(const ContextInForce& context, std::size_t bytes) {
    std::vector<std::uint64_t> memory(bytes / 8);
    auto& record = *new (memory.data()) RecordHeader;
    record.size_and_flags = RecordWord::make(bytes);
    RoomWait none(*root, false);
    return lane.append(*thread_state(), context, record, nullptr, none) == ThreadLane::Opened::yes;
  }

  Credit credit{100'000, 0};
  std::shared_ptr<LaneRoot> root = std::make_shared<LaneRoot>();
  ThreadLane lane{root, LaneMemory::make({.block_bytes = 16 << 10, .slots = 4})};
  PropertyBlock filled;
  PropertyBlock empty;
};

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

}  // namespace
