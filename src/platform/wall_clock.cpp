#include "platform/wall_clock.hpp"

#include <algorithm>
#include <cmath>
#include <ctime>

namespace cairn::detail {

namespace {

std::int64_t read(clockid_t clock) noexcept {
  timespec time{};
  clock_gettime(clock, &time);
  return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

constexpr std::int64_t window = 1'000'000;              // nanoseconds a moment is counted on from
constexpr std::int64_t shortest_baseline = 10'000'000;  // of a rate; the clocks' reading is some 20 ns off
constexpr std::int64_t longest_baseline = 10'000'000'000;
constexpr double most_change = 0.001;
constexpr std::int64_t caught_up_with = 100'000;  // what is worked in over a window
constexpr std::uint64_t disturbed = 400;          // ticks between two readings that say too little about the third

}  // namespace

/// Never before what was shown, where that is a little ahead.
std::int64_t WallClock::system_time() const noexcept {
  const std::int64_t wall = read(CLOCK_REALTIME);
  WallClockFit::Scale scale;
  if (!scale_.read(scale)) return wall;
  const auto since = static_cast<std::int64_t>(TscClock::ticks() - scale.ticks);
  const std::int64_t shown = scale.at(std::clamp<std::int64_t>(since, 0, scale.window));
  return shown > wall && shown - wall <= caught_up_with ? shown : wall;
}

void WallClock::free_after_fork() noexcept {
  fit_ = {};
  scale_.free_after_fork();
  busy_.store(false, std::memory_order_relaxed);
}

std::int64_t WallClock::look() noexcept {
  // acquire and release: the next that looks sees what this one noted
  if (!invariant_) return read(CLOCK_REALTIME);
  if (busy_.exchange(true, std::memory_order_acquire)) return system_time();
  WallClockFit::Moment now;
  const std::uint64_t before = TscClock::ticks();
  now.wall = read(CLOCK_REALTIME);
  const std::uint64_t took = TscClock::ticks() - before;
  now.ticks = before + took / 2;
  std::int64_t shown = 0;
  if (took < disturbed) {
    now.steady = read(CLOCK_MONOTONIC);
    const WallClockFit::Scale scale = fit_.next(now);
    shown = scale.wall;
    scale_.write(scale);
  } else {
    shown = system_time();
  }
  busy_.store(false, std::memory_order_release);
  return shown;
}

WallClockFit::Scale WallClockFit::next(const Moment& now) noexcept {
  const std::int64_t baseline = now.steady - first_.steady;
  const auto ticks = static_cast<std::int64_t>(now.ticks - first_.ticks);
  if (first_.ticks == 0 || ticks <= 0) {
    first_ = now;
    rate_ = 0;
  } else if (baseline >= shortest_baseline) {
    const double rate = static_cast<double>(baseline) / static_cast<double>(ticks);
    // The machine was suspended, say, or is another by now: begun anew.
    const bool doubtful = rate_ > 0 && std::abs(rate / rate_ - 1) > most_change;
    rate_ = doubtful ? 0 : rate;
    if (doubtful || baseline > longest_baseline) first_ = now;
  }
  if (rate_ <= 0) return last_ = {now.ticks, now.wall, 0, 0};

  const auto held_for = static_cast<std::int64_t>(static_cast<double>(window) / rate_);
  // What was shown so far at most: beyond its window a scale was not used.
  const auto since = static_cast<std::int64_t>(now.ticks - last_.ticks);
  const std::int64_t ahead = last_.at(std::clamp<std::int64_t>(since, 0, last_.window)) - now.wall;
  if (ahead <= 0 || ahead > caught_up_with) return last_ = {now.ticks, now.wall, rate_, held_for};
  const double slower = rate_ * (1 - static_cast<double>(ahead) / static_cast<double>(window));
  return last_ = {now.ticks, now.wall + ahead, slower, held_for};
}

}  // namespace cairn::detail
