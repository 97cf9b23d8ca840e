// A gap in an output, and the event that tells of it there.
#pragma once

#include <cstdint>

#include "cairn/clock.hpp"
#include "cairn/detail/capture_writer.hpp"
#include "cairn/event.hpp"
#include "capture/property_block.hpp"

namespace cairn::detail {

/// What a sink did not get, by reason.
struct DroppedEvents {
  std::uint64_t queue_full = 0;
  std::uint64_t memory_limit = 0;
  std::uint64_t block_timeout = 0;
  std::uint64_t lane_overrun = 0;
  std::uint64_t retry_expired = 0;
  Timestamp since{};  // of the first of them

  [[nodiscard]] std::uint64_t total() const noexcept {
    return queue_full + memory_limit + block_timeout + lane_overrun + retry_expired;
  }
  void add(const DroppedEvents& other) noexcept {
    if (total() == 0) since = other.since;
    queue_full += other.queue_full;
    memory_limit += other.memory_limit;
    block_timeout += other.block_timeout;
    lane_overrun += other.lane_overrun;
    retry_expired += other.retry_expired;
  }
};

/// `{DroppedCount} events dropped ({Reason}) since {Since}`, a warning with the source `Cairn`.
class DroppedEventsRecord {
 public:
  /// Throws std::bad_alloc.
  DroppedEventsRecord(const DroppedEvents& dropped, Timestamp now);
  [[nodiscard]] Event event() const;

 private:
  CaptureBuffer bytes_;
  PropertyBlock source_;
};

}  // namespace cairn::detail
