// The processor's time stamp counter as a wall clock: a log call reads the counter, whoever delivers makes it a time.
//
// The counter is compared with CLOCK_REALTIME each time refresh() is called, and what it is off by is worked in over
// the next 100 ms, by going a little faster or slower: times keep their order. Only a difference of over a millisecond
// (the wall clock was set) is taken over at once. The rate comes from CLOCK_MONOTONIC, over as long a time as there is.
#pragma once

#include <chrono>
#include <cstdint>

namespace cairn::detail {

class TscClock {
 public:
  /// A moment on the three clocks.
  struct Sample {
    std::uint64_t ticks = 0;
    std::int64_t wall = 0;    // nanoseconds since 1970
    std::int64_t steady = 0;  // nanoseconds
  };

  /// Does the counter run at one rate, on every core, whatever the power state?
  [[nodiscard]] static bool invariant() noexcept;
  [[nodiscard]] static std::uint64_t ticks() noexcept { return __builtin_ia32_rdtsc(); }
  [[nodiscard]] static Sample sample() noexcept;

  TscClock() noexcept : TscClock(sample()) {}
  explicit TscClock(const Sample& first) noexcept : first_(first), anchor_(first) {}

  /// To be called at least each 40 ms while times are made; not from two threads at once.
  void refresh() noexcept { refresh(sample()); }
  void refresh(const Sample& now) noexcept;
  /// Nanoseconds since 1970 of a moment near the last refresh, before or after it.
  [[nodiscard]] std::int64_t wall_time(std::uint64_t ticks) const noexcept {
    return anchor_.wall +
           static_cast<std::int64_t>(static_cast<double>(static_cast<std::int64_t>(ticks - anchor_.ticks)) *
                                     nanoseconds_per_tick_);
  }
  /// How many ticks that is; 0 where no rate is known yet.
  [[nodiscard]] std::uint64_t ticks_in(std::chrono::nanoseconds time) const noexcept {
    return nanoseconds_per_tick_ == 0
               ? 0
               : static_cast<std::uint64_t>(static_cast<double>(time.count()) / nanoseconds_per_tick_);
  }

 private:
  Sample first_;
  Sample anchor_;                    // its wall time is what this clock showed then
  double nanoseconds_per_tick_ = 0;  // what the next times are made with; 0: no rate is known yet
};

}  // namespace cairn::detail
