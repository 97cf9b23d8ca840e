// Where the time comes from. A program may bring its own clock, for tests and simulations.
//
//   struct StandingStill : cairn::Clock {
//     cairn::Timestamp now() noexcept override { return cairn::Timestamp{}; }
//     std::chrono::nanoseconds steady() noexcept override { return std::chrono::nanoseconds{}; }
//   };
//
// A clock is called from every thread that logs and must be safe from all of them; it must not log.
#pragma once

#include "cairn/detail/durations.hpp"

namespace cairn {

/// A moment of the wall clock, UTC, in nanoseconds since 1970.
using Timestamp = std::chrono::sys_time<std::chrono::nanoseconds>;

class Clock {
 public:
  virtual ~Clock() = default;
  /// The wall clock. May jump; it is never used to measure or to order.
  [[nodiscard]] virtual Timestamp now() noexcept = 0;
  /// A clock that only goes forward, for deadlines, timers and rates.
  [[nodiscard]] virtual std::chrono::nanoseconds steady() noexcept = 0;
  /// The same, perhaps some milliseconds behind, for who asks often whether a second is over.
  [[nodiscard]] virtual std::chrono::nanoseconds coarse_steady() noexcept { return steady(); }
};

/// The machine's own clocks: CLOCK_REALTIME and CLOCK_MONOTONIC. Lives for ever.
[[nodiscard]] Clock& system_clock() noexcept;

}  // namespace cairn
