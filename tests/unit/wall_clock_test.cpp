#include "platform/wall_clock.hpp"

#include <gtest/gtest.h>
#include <time.h>

#include <atomic>
#include <thread>
#include <vector>

#include "cairn/clock.hpp"

namespace {
using namespace cairn::detail;
using Moment = WallClockFit::Moment;

constexpr std::int64_t millisecond = 1'000'000;
constexpr std::int64_t start = 1'769'879'109'000 * millisecond;

/// Clocks that run as told: 2.5 ticks a nanosecond.
struct Clocks {
  Moment moment{1'000, start, 77};
  void pass(std::int64_t nanoseconds) {
    moment.ticks += static_cast<std::uint64_t>(nanoseconds * 5 / 2);
    moment.wall += nanoseconds;
    moment.steady += nanoseconds;
  }
};

/// A fit that knows the rate, and the clocks it knows it from.
struct Fitted {
  Clocks clocks;
  WallClockFit fit;
  WallClockFit::Scale scale;
  Fitted() {
    scale = fit.next(clocks.moment);
    clocks.pass(20 * millisecond);
    scale = fit.next(clocks.moment);
  }
};

TEST(WallClockFit, knows_no_rate_before_ten_milliseconds_have_passed) {
  Clocks clocks;
  WallClockFit fit;
  EXPECT_EQ(fit.next(clocks.moment).window, 0);
  clocks.pass(9 * millisecond);
  const auto early = fit.next(clocks.moment);
  EXPECT_EQ(early.window, 0);
  EXPECT_EQ(early.wall, clocks.moment.wall) << "the moment itself is right all the same";
  clocks.pass(millisecond);
  EXPECT_EQ(fit.next(clocks.moment).window, 2'500'000) << "a millisecond in ticks";
}

TEST(WallClockFit, counts_on_from_the_last_moment_at_the_rate_it_measured) {
  const Fitted fitted;
  EXPECT_EQ(fitted.scale.at(0), fitted.clocks.moment.wall);
  EXPECT_NEAR(static_cast<double>(fitted.scale.at(2'000'000) - fitted.clocks.moment.wall), 800'000, 1);
  EXPECT_NEAR(static_cast<double>(fitted.scale.at(-250) - fitted.clocks.moment.wall), -100, 1)
      << "a thread that read the counter a little before the last look";
}

TEST(WallClockFit, follows_a_wall_clock_that_was_set_either_way) {
  for (const std::int64_t step :
       {std::int64_t{3'600'000} * millisecond, -std::int64_t{3'600'000} * millisecond, -millisecond}) {
    Fitted fitted;
    fitted.clocks.pass(millisecond);
    fitted.clocks.moment.wall += step;
    const auto scale = fitted.fit.next(fitted.clocks.moment);
    EXPECT_EQ(scale.at(0), fitted.clocks.moment.wall) << step;
    EXPECT_NEAR(scale.nanoseconds_a_tick, 0.4, 1e-9) << step << ": the rate is the steady clock's";
  }
}

TEST(WallClockFit, catches_up_with_a_wall_clock_a_little_behind_and_never_goes_back) {
  Fitted fitted;
  const std::int64_t shown = fitted.scale.at(2'500'000 - 1);
  fitted.clocks.pass(millisecond);
  fitted.clocks.moment.wall -= 50'000;
  const auto slow = fitted.fit.next(fitted.clocks.moment);
  EXPECT_GE(slow.at(0), shown);
  EXPECT_LT(slow.nanoseconds_a_tick, 0.4);
  fitted.clocks.pass(millisecond);
  const auto right = fitted.fit.next(fitted.clocks.moment);
  EXPECT_NEAR(static_cast<double>(right.at(0) - fitted.clocks.moment.wall), 0, 2);
  EXPECT_GE(right.at(0), slow.at(2'500'000 - 1) - 1);
}

TEST(WallClockFit, begins_anew_where_the_counter_jumped_or_ran_at_another_rate) {
  Fitted suspended;  // the counter went on, the steady clock did not
  suspended.clocks.pass(20 * millisecond);
  suspended.clocks.moment.ticks += 1'000'000'000'000;
  EXPECT_EQ(suspended.fit.next(suspended.clocks.moment).window, 0);
  suspended.clocks.pass(10 * millisecond);
  EXPECT_NEAR(suspended.fit.next(suspended.clocks.moment).nanoseconds_a_tick, 0.4, 1e-9);

  Fitted moved;  // to a machine whose counter shows less
  moved.clocks.pass(20 * millisecond);
  moved.clocks.moment.ticks = 5;
  const auto scale = moved.fit.next(moved.clocks.moment);
  EXPECT_EQ(scale.window, 0);
  EXPECT_EQ(scale.wall, moved.clocks.moment.wall);
}

std::int64_t realtime() {
  timespec time{};
  clock_gettime(CLOCK_REALTIME, &time);
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

TEST(WallClock, shows_what_the_system_shows_and_never_goes_back_on_any_thread) {
  WallClock clock;
  std::vector<std::thread> threads;
  std::atomic<int> early{0};
  std::atomic<int> late{0};
  std::atomic<int> back{0};
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&] {
      // As long as several looks and the rate's first baseline take. A system that slews its clock does so by up to
      // 500 ns in the millisecond for which nobody asks it.
      constexpr std::int64_t slewed = 500 + 100;
      std::int64_t last = 0;
      const std::int64_t end = realtime() + 60 * millisecond;
      for (std::int64_t before = realtime(); before < end; before = realtime()) {
        const std::int64_t shown = clock.now();
        const std::int64_t after = realtime();
        if (shown < before - slewed) ++early;
        if (shown > after + slewed) ++late;
        if (shown < last - 100) ++back;  // what two readings of the clocks may differ by
        last = shown;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(early, 0);
  EXPECT_EQ(late, 0);
  EXPECT_EQ(back, 0);
}

TEST(WallClock, is_what_the_systems_clock_of_a_logger_reads) {
  const auto before = std::chrono::system_clock::now();
  const cairn::Timestamp shown = cairn::system_clock().now();
  EXPECT_LT(std::chrono::abs(shown - before), std::chrono::seconds(1));
}

}  // namespace
