// A histogram of times with a bounded error and a fixed size, for percentiles of latencies.
//
//   cairn::LatencyHistogram times;
//   times.record(std::chrono::microseconds(12));
//   std::chrono::nanoseconds p99 = times.percentile(0.99);
//
// Buckets are 64 to each power of two: a percentile is off by less than 1/128 of its value (0.8 %), and exact below
// 128 ns. Times from 0 to 2^42 ns (73 minutes) are told apart; longer ones are taken for the longest. The maximum, the
// count and the sum are exact. 19 KiB, all of it in the object; nothing allocates, nothing throws.
//
// A plain value: copied, merged, compared by its figures. Not safe from several threads at once.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

namespace cairn {

class LatencyHistogram {
 public:
  /// By how much of its value a percentile may be off.
  static constexpr double max_error = 1.0 / 128;
  /// From here on times are no longer told apart.
  static constexpr std::chrono::nanoseconds highest{(std::int64_t{1} << 42) - 1};

  /// Counts a time `count` times. One below 0 is 0.
  void record(std::chrono::nanoseconds time, std::uint64_t count = 1) noexcept {
    const auto value = static_cast<std::uint64_t>(std::max<std::int64_t>(time.count(), 0));
    buckets_[bucket_of(value)] += count;
    count_ += count;
    sum_ += value * count;
    max_ = std::max(max_, value);
  }

  /// Counts each of these times once. In less time than one by one: neighbours mostly are in one bucket.
  void record(std::span<const std::chrono::nanoseconds> times) noexcept {
    std::size_t bucket = 0;
    std::uint64_t low = 0;  // of it
    std::uint64_t width = 0;
    std::uint64_t run = 0;
    std::uint64_t sum = 0;
    std::uint64_t highest_seen = max_;
    for (const std::chrono::nanoseconds time : times) {
      const auto value = static_cast<std::uint64_t>(std::max<std::int64_t>(time.count(), 0));
      if (value - low >= width) {
        buckets_[bucket] += run;
        run = 0;
        bucket = bucket_of(value);
        low = bucket + 1 == buckets_.size() ? value : lowest_of(bucket);
        width = bucket + 1 == buckets_.size() ? 1 : width_of(bucket);
      }
      ++run;
      sum += value;
      highest_seen = std::max(highest_seen, value);
    }
    buckets_[bucket] += run;
    count_ += times.size();
    sum_ += sum;
    max_ = highest_seen;
  }

  /// The time that the share `share` (0 to 1) of all times does not exceed: the middle of the bucket it falls in, and
  /// never more than the maximum. 0 where nothing was recorded.
  [[nodiscard]] std::chrono::nanoseconds percentile(double share) const noexcept {
    if (count_ == 0) return {};
    const double wanted = std::ceil(std::clamp(share, 0.0, 1.0) * static_cast<double>(count_));
    const std::uint64_t rank = std::clamp<std::uint64_t>(static_cast<std::uint64_t>(wanted), 1, count_);
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < buckets_.size(); ++i) {
      seen += buckets_[i];
      if (seen >= rank) return nanoseconds(i + 1 == buckets_.size() ? max_ : std::min(middle_of(i), max_));
    }
    return nanoseconds(max_);
  }

  [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
  [[nodiscard]] std::chrono::nanoseconds sum() const noexcept { return nanoseconds(sum_); }
  [[nodiscard]] std::chrono::nanoseconds max() const noexcept { return nanoseconds(max_); }

  /// Adds what another one counted.
  void merge(const LatencyHistogram& other) noexcept {
    for (std::size_t i = 0; i < buckets_.size(); ++i) buckets_[i] += other.buckets_[i];
    count_ += other.count_;
    sum_ += other.sum_;
    max_ = std::max(max_, other.max_);
  }
  void reset() noexcept { *this = LatencyHistogram(); }

 private:
  static constexpr unsigned precision = 6;  // bits of a value, behind its first, that its bucket keeps
  static constexpr unsigned highest_bit = 41;
  static constexpr std::size_t buckets =  // the last is for what is too long
      ((highest_bit - precision) << precision) + (std::size_t{2} << precision) + 1;

  static constexpr std::size_t bucket_of(std::uint64_t value) noexcept {
    const unsigned bit = static_cast<unsigned>(std::bit_width(value | (std::uint64_t{1} << precision))) - 1;
    if (bit > highest_bit) return buckets - 1;
    const unsigned shift = bit - precision;
    return (std::size_t{shift} << precision) + static_cast<std::size_t>(value >> shift);
  }
  static constexpr std::size_t shift_of(std::size_t bucket) noexcept {
    return bucket < (std::size_t{2} << precision) ? 0 : (bucket >> precision) - 1;
  }
  static constexpr std::uint64_t width_of(std::size_t bucket) noexcept { return std::uint64_t{1} << shift_of(bucket); }
  static constexpr std::uint64_t lowest_of(std::size_t bucket) noexcept {
    const std::size_t shift = shift_of(bucket);
    return std::uint64_t{bucket - (shift << precision)} << shift;
  }
  static constexpr std::uint64_t middle_of(std::size_t bucket) noexcept {
    return lowest_of(bucket) + (width_of(bucket) >> 1U);
  }
  static std::chrono::nanoseconds nanoseconds(std::uint64_t value) noexcept {
    return std::chrono::nanoseconds(
        static_cast<std::int64_t>(std::min<std::uint64_t>(value, static_cast<std::uint64_t>(INT64_MAX))));
  }

  std::array<std::uint64_t, buckets> buckets_{};
  std::uint64_t count_ = 0;
  std::uint64_t sum_ = 0;
  std::uint64_t max_ = 0;
};

}  // namespace cairn
