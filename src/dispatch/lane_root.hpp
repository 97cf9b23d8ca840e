// A root whose sinks are all queued, as its threads' lanes and the dispatcher know it.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "cairn/detail/capture_writer.hpp"
#include "dispatch/ring_checkpoints.hpp"
#include "lane/block.hpp"
#include "pipeline/pipeline.hpp"
#include "ring/crash_ring.hpp"

namespace cairn::detail {

/// A sink that callers wait for.
struct BlockingSink {
  Credit* credit = nullptr;  // in places and, where its queue has a limit of them, in bytes
  std::chrono::nanoseconds timeout{};
  std::size_t max_size = 0;
  std::optional<Level> protect{};
};

struct LaneRoot {
  std::uint64_t key = 0;  // no other root of this process ever has it
  std::shared_ptr<Pipeline> pipeline;
  CaptureLimits limits;
  LaneShape shape;
  bool ticks = false;                                                   // times are the processor's time stamp counter
  std::chrono::nanoseconds patience = std::chrono::nanoseconds::max();  // so long its events may wait in lanes
  std::vector<BlockingSink> blocking;
  bool by_bytes = false;               // the queue of one of these has a limit of bytes: each call takes those
  std::size_t batch_bytes = SIZE_MAX;  // then: what goes into the queues at a time, a part of the smallest limit
  std::shared_ptr<CrashRing> ring;     // null: what its threads log is in their lanes alone
  std::shared_ptr<RingCheckpoints> checkpoints;

  /// How long a call waits for room; for none where no sink blocks.
  [[nodiscard]] std::chrono::nanoseconds longest_wait() const noexcept {
    std::chrono::nanoseconds longest{};
    for (const BlockingSink& sink : blocking) longest = std::max(longest, sink.timeout);
    return longest;
  }

  /// What a call takes of bytes for a record to which so many were `added` at its capture. The dispatcher finds the
  /// same number, of what is in the lane. What the event will cost may be another: enrichers are yet to come.
  [[nodiscard]] std::size_t bytes_for(const RecordHeader& record, std::size_t added) const noexcept {
    return by_bytes ? record.size() + sizeof(Event) + added : 0;
  }
  /// What is added to events on their way, by enrichers say, has filled one of those queues far over its limit.
  [[nodiscard]] bool overfull() const noexcept {
    return std::any_of(blocking.begin(), blocking.end(), [](const BlockingSink& sink) {
      return sink.credit->bytes() != nullptr && sink.credit->bytes()->overfull();
    });
  }
  /// An event for which a call took so many costs so many: from now on they are what it has.
  void settle_bytes(std::size_t taken, std::size_t cost) const noexcept {
    if (taken == cost) return;
    for (const BlockingSink& sink : blocking) sink.credit->settle(taken, cost);
  }

  /// In a process just forked, which has none of its parent's lanes.
  void begin_anew() noexcept {
    lane_count.store(0, std::memory_order_relaxed);
    captured_before = overrun_before = drained = 0;
    left = false;
    ends.store(false, std::memory_order_relaxed);  // it is the parent that was at it
  }

  std::atomic<bool> closed{false};  // its lanes go at their next slow path
  /// Its shutdown has begun, or the program dies: what is in its lanes waits for no memory any more, lest one sink
  /// holds up the others. Relaxed: whoever sets it asks for a drain next.
  std::atomic<bool> ends{false};
  std::atomic<std::uint32_t> lane_count{0};  // a hint, for the size of credits

  // Of lanes that are gone; guarded by the dispatcher's token. In a line that callers do not read.
  alignas(64) std::uint64_t captured_before = 0;
  std::uint64_t overrun_before = 0;

  // Of its drains; guarded by the dispatcher's lock for them.
  std::uint64_t drained = 0;  // the latest that it left nothing behind
  bool left = false;          // its last sweep did: there was no memory
};

}  // namespace cairn::detail
