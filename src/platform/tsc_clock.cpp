#include "platform/tsc_clock.hpp"

#include <cpuid.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>

namespace cairn::detail {

namespace {

std::int64_t read(clockid_t clock) noexcept {
  timespec time{};
  clock_gettime(clock, &time);
  return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

constexpr std::int64_t jump = 1'000'000;             // over this the wall clock was set
constexpr double correction_time = 100'000'000;      // over which less is worked in
constexpr std::int64_t shortest_baseline = 100'000;  // for a rate

}  // namespace

bool TscClock::invariant() noexcept {
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  return __get_cpuid(0x80000007U, &a, &b, &c, &d) != 0 && (d & 1U << 8U) != 0;
}

TscClock::Sample TscClock::sample() noexcept {
  Sample best;
  std::uint64_t shortest = UINT64_MAX;
  for (int attempt = 0; attempt < 3; ++attempt) {  // the one that was disturbed least
    const std::uint64_t before = ticks();
    const std::int64_t wall = read(CLOCK_REALTIME);
    const std::uint64_t after = ticks();
    if (after - before < shortest) {
      shortest = after - before;
      best = {before + shortest / 2, wall, read(CLOCK_MONOTONIC)};
    }
    if (shortest < 500) break;
  }
  return best;
}

void TscClock::refresh(const Sample& now) noexcept {
  const std::int64_t steady = now.steady - first_.steady;
  const auto ticks = static_cast<double>(now.ticks - first_.ticks);
  if (steady < shortest_baseline || ticks <= 0) {
    anchor_ = now;
    return;
  }
  const double rate = static_cast<double>(steady) / ticks;
  if (nanoseconds_per_tick_ == 0) {
    anchor_ = now;
    nanoseconds_per_tick_ = rate;
    return;
  }
  const std::int64_t shown = wall_time(now.ticks);
  const std::int64_t off = now.wall - shown;
  anchor_ = now;
  if (std::abs(off) > jump) {
    nanoseconds_per_tick_ = rate;
    return;
  }
  anchor_.wall = shown;
  nanoseconds_per_tick_ = rate * (1 + static_cast<double>(off) / correction_time);
}

}  // namespace cairn::detail
