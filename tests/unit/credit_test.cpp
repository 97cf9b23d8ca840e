// Room in the queue of a sink that blocks.
#include "pipeline/credit.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

namespace {

using namespace std::chrono_literals;
using cairn::detail::Credit;
using Steady = std::chrono::steady_clock;

TEST(Credit, that_comes_back_a_little_at_a_time_is_found_by_who_waits) {
  Credit credit(100);
  ASSERT_EQ(credit.take_now(100), 100u);
  const auto begun = Steady::now();
  std::uint64_t taken = 0;
  std::thread waiting([&] { taken = credit.take(10, begun + 60s); });
  credit.give(1);  // not worth waking anybody up
  waiting.join();
  EXPECT_EQ(taken, 1u);
  EXPECT_LT(Steady::now() - begun, 30s);
}

TEST(Credit, that_comes_back_in_numbers_is_all_there_for_who_waits) {
  Credit credit(100);
  ASSERT_EQ(credit.take_now(100), 100u);
  std::uint64_t taken = 0;
  std::thread waiting([&] { taken = credit.take(10, Steady::now() + 60s); });
  credit.give(100);
  waiting.join();
  EXPECT_EQ(taken, 10u);
  EXPECT_EQ(credit.take_now(100), 90u);
}

TEST(Credit, is_not_waited_for_beyond_the_deadline) {
  Credit credit(4);
  ASSERT_EQ(credit.take_now(4), 4u);
  EXPECT_EQ(credit.take(1, Steady::now() + 20ms), 0u);
  EXPECT_EQ(credit.take(1, Steady::now() - 1s), 0u);
}

TEST(Credit, that_has_ended_is_waited_for_by_nobody) {
  Credit credit(4);
  ASSERT_EQ(credit.take_now(4), 4u);
  const auto begun = Steady::now();
  std::thread waiting([&] { EXPECT_EQ(credit.take(1, begun + 60s), 0u); });
  credit.end();
  waiting.join();
  EXPECT_LT(Steady::now() - begun, 30s);
}

TEST(Credit, that_is_reserved_is_for_the_protected_alone) {
  Credit credit(16, 2);
  EXPECT_EQ(credit.take_now(100), 14u);
  EXPECT_EQ(credit.take_now(1), 0u);
  EXPECT_EQ(credit.take(1, Steady::now() + 5ms), 0u);
  EXPECT_EQ(credit.take(1, Steady::now(), Credit::For::the_protected), 1u);
  credit.give(1);  // of whomever it was
  EXPECT_EQ(credit.take_now(1), 0u);
  EXPECT_EQ(credit.take_now(100, Credit::For::the_protected), 2u);
  credit.give(3);
  EXPECT_EQ(credit.take_now(100), 1u);
}

}  // namespace
