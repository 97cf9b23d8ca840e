// How long a call waits for room, where a sink blocks.
#pragma once

#include <chrono>
#include <optional>
#include <thread>

#include "dispatch/lane_root.hpp"
#include "platform/no_cancellation.hpp"

namespace cairn::detail {

/// Has the dispatcher look at the lanes soon, if it sleeps or pauses.
void request_sweep() noexcept;

/// Of one call: all that it waits for, one thing after another, takes the longest `block_timeout` together. Who waits
/// is let go when the root ends.
class RoomWait {
 public:
  /// `waits` false: this call waits for nothing, as does each where no sink blocks.
  RoomWait(const LaneRoot& root, bool waits) noexcept : root_(root), waits_(waits && !root.blocking.empty()) {}

  [[nodiscard]] bool waits() const noexcept { return waits_; }
  /// When the call began to wait.
  [[nodiscard]] std::chrono::steady_clock::time_point begun() noexcept {
    if (!begun_) begun_ = std::chrono::steady_clock::now();
    return *begun_;
  }
  /// A moment, in which room may come. False: it is over.
  [[nodiscard]] bool pause() noexcept {
    if (!waits_ || root_.closed.load(std::memory_order_relaxed)) return false;
    if (std::chrono::steady_clock::now() >= begun() + root_.longest_wait()) return false;
    const NoCancellation uncancelled;
    request_sweep();  // what is in the lanes makes room as it leaves them
    std::this_thread::sleep_for(std::chrono::microseconds(20));
    return true;
  }

 private:
  const LaneRoot& root_;
  const bool waits_;
  std::optional<std::chrono::steady_clock::time_point> begun_;
};

}  // namespace cairn::detail
