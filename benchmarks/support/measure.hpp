// Time stamps, pinning and percentiles for the benchmark programs.
#pragma once

#include <pthread.h>
#include <sched.h>
#include <x86intrin.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <vector>

namespace bench {

using SteadyTime = std::chrono::steady_clock;

/// The time stamp counter, once everything before it has been executed.
inline std::uint64_t ticks() noexcept {
  unsigned core;
  return __rdtscp(&core);
}

/// Nanoseconds a tick, compared with the steady clock over 100 ms.
inline double nanoseconds_a_tick() {
  static const double value = [] {
    const auto start = SteadyTime::now();
    const std::uint64_t first = ticks();
    while (SteadyTime::now() - start < std::chrono::milliseconds(100)) {
    }
    const std::uint64_t last = ticks();
    return std::chrono::duration<double, std::nano>(SteadyTime::now() - start).count() /
           static_cast<double>(last - first);
  }();
  return value;
}

/// The calling thread, and what it starts from now on, on that core alone. Nothing happens where there is no such core.
inline void pin(unsigned core) noexcept {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core % std::max(1U, std::thread::hardware_concurrency()), &set);
  (void)::pthread_setaffinity_np(::pthread_self(), sizeof(set), &set);
}

/// Busy, as a program that has something to do.
inline void wait_busily(std::chrono::nanoseconds duration) noexcept {
  const auto end = SteadyTime::now() + duration;
  while (SteadyTime::now() < end) {
  }
}

/// The value that the share `p` of them does not exceed; sorts.
inline double percentile(std::vector<double>& values, double p) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const auto rank = static_cast<std::size_t>(std::ceil(p * static_cast<double>(values.size())));
  return values[std::clamp<std::size_t>(rank, 1, values.size()) - 1];
}

inline double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 != 0 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

/// The bounds between which the median is in 95 of 100 cases, by the ranks of the values.
struct Interval {
  double low = 0;
  double high = 0;
};
inline Interval median_interval(std::vector<double> values) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  const auto n = static_cast<double>(values.size());
  const auto rank = static_cast<std::size_t>(std::max(0.0, std::floor((n - 1.96 * std::sqrt(n)) / 2)));
  return {values[rank], values[values.size() - 1 - rank]};
}

/// The ratios of what was measured in the same rounds.
inline std::vector<double> ratios(const std::vector<double>& a, const std::vector<double>& b) {
  std::vector<double> result;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) result.push_back(a[i] / b[i]);
  return result;
}

/// A reference that the compiler cannot see through.
template <class T>
T& opaque(T& value) {
  T* pointer = &value;
  asm volatile("" : "+r"(pointer) : : "memory");
  return *pointer;
}

}  // namespace bench
