// The histogram of latencies against the sorted values themselves.
#include <gtest/gtest.h>

#include <algorithm>
#include <cairn/latency_histogram.hpp>
#include <cmath>
#include <random>
#include <vector>

namespace {

using cairn::LatencyHistogram;
using namespace std::chrono_literals;

std::int64_t exact_percentile(const std::vector<std::int64_t>& sorted, double share) {
  const auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(sorted.size())));
  return sorted[std::clamp<std::size_t>(rank, 1, sorted.size()) - 1];
}

TEST(LatencyHistogram, is_never_off_by_more_than_it_says_over_twelve_decades) {
  std::mt19937_64 random(20260125);
  for (int spread = 1; spread <= 12; ++spread) {
    LatencyHistogram times;
    std::vector<std::int64_t> values;
    std::uniform_real_distribution<double> exponent(0, spread);
    for (int i = 0; i < 5000; ++i) values.push_back(static_cast<std::int64_t>(std::pow(10.0, exponent(random))));
    for (const std::int64_t value : values) times.record(std::chrono::nanoseconds(value));
    std::sort(values.begin(), values.end());
    for (const double share : {0.001, 0.25, 0.5, 0.95, 0.99, 0.999, 1.0}) {
      const auto exact = static_cast<double>(exact_percentile(values, share));
      const auto said = static_cast<double>(times.percentile(share).count());
      EXPECT_LE(std::abs(said - exact), exact * LatencyHistogram::max_error) << spread << " decades, " << share;
    }
  }
}

TEST(LatencyHistogram, is_exact_below_128_nanoseconds) {
  for (int value = 0; value < 128; ++value) {
    LatencyHistogram times;
    times.record(std::chrono::nanoseconds(value));
    times.record(1s);
    EXPECT_EQ(times.percentile(0.5).count(), value);
  }
}

TEST(LatencyHistogram, has_no_gap_and_no_step_back_from_one_bucket_to_the_next) {
  std::int64_t before = -1;
  for (std::int64_t value = 1; value < std::int64_t{1} << 42; value += 1 + value / 500) {
    LatencyHistogram times;
    times.record(std::chrono::nanoseconds(value));
    times.record(100h);
    const std::int64_t said = times.percentile(0.5).count();
    EXPECT_GE(said, before);
    EXPECT_LE(std::abs(said - value), value / 128) << value;
    before = said;
  }
}

TEST(LatencyHistogram, keeps_count_sum_and_maximum_exactly) {
  LatencyHistogram times;
  times.record(1ms, 3);
  times.record(-5ns);
  times.record(1'000'001ns);
  EXPECT_EQ(times.count(), 5U);
  EXPECT_EQ(times.sum(), 4'000'001ns);
  EXPECT_EQ(times.max(), 1'000'001ns);
  EXPECT_EQ(times.percentile(0.01), 0ns) << "a time below 0 is 0";
  EXPECT_EQ(times.percentile(1.0), 1'000'001ns) << "never more than the maximum";
}

TEST(LatencyHistogram, of_many_at_once_is_that_of_each_by_itself) {
  std::mt19937_64 random(20261126);
  for (const std::int64_t spread : {0, 3, 1000, 50'000'000}) {  // long runs in one bucket, and hardly any
    LatencyHistogram at_once;
    LatencyHistogram one_by_one;
    at_once.record(7us);
    one_by_one.record(7us);
    for (const std::size_t size : {0U, 1U, 2U, 511U}) {
      std::vector<std::chrono::nanoseconds> times;
      for (std::size_t i = 0; i < size; ++i)
        times.emplace_back(1'000'000 + static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(spread + 1)));
      if (size > 2) {
        times[1] = -5ns;
        times[2] = 1000h;
      }
      at_once.record(times);
      for (const auto time : times) one_by_one.record(time);
    }
    EXPECT_EQ(at_once.count(), one_by_one.count());
    EXPECT_EQ(at_once.sum(), one_by_one.sum());
    EXPECT_EQ(at_once.max(), one_by_one.max());
    for (int share = 0; share <= 1000; ++share)
      EXPECT_EQ(at_once.percentile(share / 1000.0), one_by_one.percentile(share / 1000.0)) << spread << ' ' << share;
  }
}

TEST(LatencyHistogram, of_nothing_is_zero_and_takes_any_share) {
  LatencyHistogram times;
  EXPECT_EQ(times.percentile(0.99), 0ns);
  times.record(7ns);
  EXPECT_EQ(times.percentile(-1), 7ns);
  EXPECT_EQ(times.percentile(2), 7ns);
}

TEST(LatencyHistogram, takes_what_is_too_long_for_the_longest_and_still_knows_the_maximum) {
  LatencyHistogram times;
  times.record(1ms, 99);
  times.record(200h);
  EXPECT_EQ(times.percentile(1.0), 200h);
  EXPECT_EQ(times.max(), 200h);
  EXPECT_LT(times.percentile(0.99), 2ms);
}

TEST(LatencyHistogram, merged_says_what_one_of_both_would_say) {
  LatencyHistogram one;
  LatencyHistogram other;
  LatencyHistogram both;
  std::mt19937_64 random(7);
  for (int i = 0; i < 10'000; ++i) {
    const std::chrono::nanoseconds time(static_cast<std::int64_t>(random() % 10'000'000));
    (i % 3 == 0 ? one : other).record(time);
    both.record(time);
  }
  one.merge(other);
  EXPECT_EQ(one.count(), both.count());
  EXPECT_EQ(one.sum(), both.sum());
  EXPECT_EQ(one.max(), both.max());
  for (const double share : {0.5, 0.95, 0.99, 0.999}) EXPECT_EQ(one.percentile(share), both.percentile(share));
  one.reset();
  EXPECT_EQ(one.count(), 0U);
  EXPECT_EQ(one.percentile(0.5), 0ns);
}

static_assert(sizeof(LatencyHistogram) <= 20 * 1024, "the header says 19 KiB");

}  // namespace
