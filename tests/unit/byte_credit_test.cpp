// Bytes of the queue of a sink that blocks.
#include "pipeline/byte_credit.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using cairn::detail::ByteCredit;
using Steady = std::chrono::steady_clock;

/// Until somebody waits: then nobody gets past, though it is there.
void await_waiting(ByteCredit& credit) {
  while (credit.take_now(1)) {
    credit.give(1);
    std::this_thread::yield();
  }
}

TEST(ByteCredit, is_taken_whole_or_not_at_all) {
  ByteCredit credit(100);
  EXPECT_TRUE(credit.take_now(60));
  EXPECT_FALSE(credit.take_now(41));
  EXPECT_FALSE(credit.take(41, Steady::now() + 5ms));
  EXPECT_TRUE(credit.take_now(40));
  EXPECT_FALSE(credit.take_now(1));
  credit.give(100);
  EXPECT_TRUE(credit.take(100, Steady::now()));
}

TEST(ByteCredit, of_more_than_there_is_needs_all_of_it_and_is_a_debt_until_it_comes_back) {
  ByteCredit credit(100);
  ASSERT_TRUE(credit.take_now(1));
  EXPECT_FALSE(credit.take_now(1000));
  credit.give(1);
  EXPECT_TRUE(credit.take_now(1000));
  credit.give(999);
  EXPECT_FALSE(credit.take_now(100));
  credit.give(1);
  EXPECT_TRUE(credit.take_now(100));
}

TEST(ByteCredit, of_an_event_that_turned_out_larger_is_a_debt_too) {
  ByteCredit credit(100);
  ASSERT_TRUE(credit.take_now(90));
  credit.give(-30);
  EXPECT_FALSE(credit.take_now(1));
  credit.give(20);
  EXPECT_FALSE(credit.take_now(1));
  credit.give(100);
  EXPECT_TRUE(credit.take_now(100));
}

TEST(ByteCredit, is_had_in_the_order_of_the_calls) {
  ByteCredit credit(100);
  ASSERT_TRUE(credit.take_now(90));
  std::atomic<bool> has_all{false};
  std::thread large([&] { has_all = credit.take(100, Steady::now() + 60s); });
  await_waiting(credit);
  EXPECT_FALSE(credit.take(10, Steady::now() + 5ms)) << "they are there, and kept for the one before";
  credit.give(90);
  large.join();
  EXPECT_TRUE(has_all);
}

TEST(ByteCredit, that_one_waited_for_in_vain_is_there_for_those_behind_it) {
  ByteCredit credit(100);
  ASSERT_TRUE(credit.take_now(90));
  const auto begun = Steady::now();
  std::thread large([&] { EXPECT_FALSE(credit.take(100, begun + 200ms)); });
  await_waiting(credit);
  EXPECT_TRUE(credit.take(10, begun + 60s));
  large.join();
  EXPECT_LT(Steady::now() - begun, 30s);
  EXPECT_FALSE(credit.take_now(1));
  credit.give(100);
  EXPECT_TRUE(credit.take_now(100)) << "nobody is taken for waiting any more";
}

TEST(ByteCredit, that_has_ended_is_waited_for_by_nobody) {
  ByteCredit credit(100);
  ASSERT_TRUE(credit.take_now(90));
  const auto begun = Steady::now();
  std::thread waiting([&] { EXPECT_FALSE(credit.take(20, begun + 60s)); });
  await_waiting(credit);
  credit.end();
  waiting.join();
  EXPECT_FALSE(credit.take(20, begun + 60s));
  EXPECT_LT(Steady::now() - begun, 30s);
}

TEST(ByteCredit, begins_anew_with_all_of_it) {
  ByteCredit credit(100);
  ASSERT_TRUE(credit.take_now(1000));
  credit.start_anew();
  EXPECT_TRUE(credit.take_now(100));
  EXPECT_FALSE(credit.take_now(1));
}

TEST(ByteCredit, of_many_threads_is_never_more_than_there_is_and_all_comes_back) {
  constexpr std::int64_t all = 1000;
  ByteCredit credit(all);
  std::atomic<std::int64_t> held{0};
  std::atomic<std::uint64_t> over{0};
  const auto work = [&](unsigned seed) {
    for (int i = 0; i < 5000; ++i) {
      seed = seed * 1664525 + 1013904223;
      const std::int64_t bytes = i % 50 == 49 ? 5 * all : 1 + (seed >> 16) % all;
      ASSERT_TRUE(credit.take(static_cast<std::uint64_t>(bytes), Steady::now() + 60s));
      const std::int64_t now = held.fetch_add(bytes) + bytes;
      if (now > std::max(all, bytes)) ++over;
      if (i % 7 == 0) std::this_thread::yield();
      held.fetch_sub(bytes);
      if (i % 3 == 0) {  // as where it turned out smaller and larger
        credit.give(-20);
        credit.give(20 + bytes);
      } else {
        credit.give(bytes);
      }
    }
  };
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < 4; ++i) threads.emplace_back(work, i);
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(over, 0U);
  EXPECT_TRUE(credit.take_now(all));
  EXPECT_FALSE(credit.take_now(1));
}

}  // namespace
