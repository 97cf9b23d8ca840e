// How long a call waits for room, where a sink blocks.
#pragma once

#include <chrono>
#include <optional>
#include <thread>

#include "dispatch/lane_root.hpp"
#include "platform/fork_generation.hpp"
#include "platform/no_cancellation.hpp"

namespace cairn::detail {

/// Has the dispatcher look at the lanes soon, if it sleeps or pauses.
void request_sweep() noexcept;

/// Of one call: all that it waits for, one thing after another, takes the longest `block_timeout` together. Who waits
/// is let go when the root ends.
class RoomWait {
 public:
  /// `waits` false: this call waits for nothing, as does each where no sink blocks.
  RoomWait(const LaneRoot& root, bool waits) noexcept
      : root_(root), waits_(waits && !root.blocking.empty() && !made_past_fork()) {}

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

/// What a call takes of the bytes of each sink that blocks and counts them. Given back, unless the event came into its
/// lane.
class CallBytes {
 public:
  explicit CallBytes(const LaneRoot& root) noexcept : root_(root) {}
  CallBytes(const CallBytes&) = delete;
  CallBytes& operator=(const CallBytes&) = delete;
  ~CallBytes() {
    for (std::size_t i = 0; i < sinks_; ++i) root_.blocking[i].credit->give(0, bytes_);
  }
  /// False: there is none, nor did there come any while the call waits.
  [[nodiscard]] bool take(std::size_t bytes, RoomWait& wait) {
    bytes_ = bytes;
    for (const BlockingSink& sink : root_.blocking) {
      ByteCredit* const credit = sink.credit->bytes();
      if (credit != nullptr && !credit->take_now(bytes)) {
        if (!wait.waits()) return false;
        request_sweep();  // what has them may still be in the lanes, and not be for this sink
        if (!credit->take(bytes, wait.begun() + sink.timeout)) return false;
      }
      ++sinks_;
    }
    return true;
  }
  /// They go with the event.
  void keep() noexcept { sinks_ = 0; }

 private:
  const LaneRoot& root_;
  std::size_t bytes_ = 0;
  std::size_t sinks_ = 0;  // of which they are taken: so many, from the first on
};

}  // namespace cairn::detail
