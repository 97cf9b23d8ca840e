#include "cairn/memory_budget.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <future>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace {

using cairn::MemoryBudget;
using cairn::MemoryCharge;
using cairn::MemoryExceeded;

TEST(MemoryBudget, charges_what_fits_and_nothing_of_what_does_not) {
  MemoryBudget budget({.max_bytes = 100});
  const MemoryCharge first = budget.hold(60);
  ASSERT_TRUE(first);
  EXPECT_EQ(first.bytes(), 60U);
  EXPECT_FALSE(budget.charge(41));
  EXPECT_EQ(budget.usage(), 60U);
  const MemoryCharge rest = budget.hold(40);
  EXPECT_TRUE(rest);
  EXPECT_EQ(budget.usage(), 100U);
  EXPECT_FALSE(budget.charge(1));
  EXPECT_EQ(budget.refused(), 2U);
  EXPECT_FALSE(budget.charge(SIZE_MAX)) << "no sum overflows";
  EXPECT_EQ(budget.usage(), 100U);
}

TEST(MemoryBudget, gives_back_when_a_charge_ends_once_however_often_it_was_moved) {
  MemoryBudget budget({.max_bytes = 100});
  {
    MemoryCharge a = budget.hold(10);
    MemoryCharge b = std::move(a);
    MemoryCharge c = budget.hold(20);
    c = std::move(b);
    EXPECT_EQ(budget.usage(), 10U) << "what it had was released";
    c.reset();
    EXPECT_EQ(budget.usage(), 0U);
    EXPECT_FALSE(c);
    b = budget.hold(30);
  }
  EXPECT_EQ(budget.usage(), 0U);
  EXPECT_EQ(budget.peak(), 30U);
}

TEST(MemoryBudget, releasing_more_than_is_charged_releases_all_of_it) {
  MemoryBudget budget({.max_bytes = 100});
  MemoryCharge charge = budget.hold(50);
  budget.release(70);
  EXPECT_EQ(budget.usage(), 0U);
  charge.reset();
  EXPECT_EQ(budget.usage(), 0U);
}

TEST(MemoryBudget, reclaims_the_oldest_until_a_charge_fits) {
  std::deque<MemoryCharge> held;
  MemoryBudget budget({.max_bytes = 100}, [&] {
    if (held.empty()) return false;
    held.pop_front();
    return true;
  });
  for (int i = 0; i < 10; ++i) held.push_back(budget.hold(10));
  MemoryCharge charge = budget.hold(25);
  EXPECT_TRUE(charge);
  EXPECT_EQ(held.size(), 7U) << "three went, no more than had to";
  EXPECT_EQ(budget.usage(), 95U);
  EXPECT_EQ(budget.exceeded(), 1U);
  EXPECT_EQ(budget.refused(), 0U);
  EXPECT_FALSE(budget.try_charge(10));
  EXPECT_EQ(held.size(), 7U) << "try_charge reclaims nothing";
  EXPECT_FALSE(budget.charge(101));
  EXPECT_EQ(held.size(), 7U) << "nothing goes for what can never fit";
  EXPECT_FALSE(budget.charge(76));
  EXPECT_TRUE(held.empty());
  EXPECT_EQ(budget.refused(), 2U);
}

TEST(MemoryBudget, a_lower_limit_holds_for_what_comes_and_trim_gets_under_it) {
  std::vector<MemoryCharge> held;
  MemoryBudget budget({.max_bytes = 1000, .max_event_bytes = 100}, [&] {
    if (held.size() <= 1) return false;
    held.pop_back();
    return true;
  });
  for (int i = 0; i < 10; ++i) held.push_back(budget.hold(100));
  EXPECT_FALSE(budget.is_over());
  EXPECT_EQ(budget.max_event_bytes(), 100U);
  budget.set_limits(450, 100);
  EXPECT_TRUE(budget.is_over());
  EXPECT_EQ(budget.max_event_bytes(), 56U) << "an eighth";
  EXPECT_TRUE(budget.trim());
  EXPECT_EQ(budget.usage(), 400U);
  budget.set_limits(50, 100);
  EXPECT_FALSE(budget.trim()) << "there was nothing more to give";
  EXPECT_EQ(budget.usage(), 100U);
  EXPECT_TRUE(budget.is_over());
  EXPECT_FALSE(budget.try_charge(1));
  budget.set_limits(MemoryBudget::unlimited, 100);
  EXPECT_TRUE(budget.charge(std::size_t{1} << 40));
  held.clear();  // before the budget they are charged to ends
}

TEST(MemoryBudget, is_never_above_its_limit_whoever_charges) {
  constexpr std::uint64_t most = 1000;
  std::mutex mutex;
  std::deque<MemoryCharge> held;
  MemoryBudget budget({.max_bytes = most}, [&] {
    MemoryCharge oldest;
    const std::lock_guard lock(mutex);
    if (held.empty()) return false;
    oldest = std::move(held.front());
    held.pop_front();
    return true;
  });
  std::atomic<std::uint64_t> granted{0};
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = 0; i < 20'000; ++i) {
        MemoryCharge charge = budget.hold(static_cast<std::size_t>(1 + (i * 7 + thread * 13) % 200));
        ASSERT_LE(budget.usage(), most);
        if (!charge) continue;
        ++granted;
        const std::lock_guard lock(mutex);
        held.push_back(std::move(charge));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(budget.peak(), most);
  EXPECT_GT(granted, 70'000U);
  std::uint64_t sum = 0;
  for (const MemoryCharge& charge : held) sum += charge.bytes();
  EXPECT_EQ(budget.usage(), sum) << "to the byte";
  held.clear();
  EXPECT_EQ(budget.usage(), 0U);
}

TEST(MemoryBudget, tells_from_another_thread_at_most_once_a_second) {
  struct Told {
    std::mutex mutex;
    std::condition_variable changed;
    std::vector<MemoryExceeded> what;
    std::thread::id from;
  };
  const auto told = std::make_shared<Told>();  // whatever comes late finds it
  const auto begun = std::chrono::steady_clock::now();
  MemoryBudget budget({.max_bytes = 100, .on_exceeded = [told](const MemoryExceeded& what) {
                         const std::lock_guard lock(told->mutex);
                         told->what.push_back(what);
                         told->from = std::this_thread::get_id();
                         told->changed.notify_all();
                         throw 1;  // nobody minds
                       }});
  const MemoryCharge all = budget.hold(100);
  EXPECT_FALSE(budget.try_charge(5)) << "of this nobody is told";
  for (int i = 0; i < 1000; ++i) EXPECT_FALSE(budget.charge(static_cast<std::size_t>(7 + i)));
  std::unique_lock lock(told->mutex);
  told->changed.wait(lock, [&] { return !told->what.empty(); });
  EXPECT_EQ(told->what[0].wanted_bytes, 7U);
  EXPECT_EQ(told->what[0].used_bytes, 100U);
  EXPECT_EQ(told->what[0].max_bytes, 100U);
  EXPECT_NE(told->from, std::this_thread::get_id());
  const auto seconds = (std::chrono::steady_clock::now() - begun) / std::chrono::seconds(1);
  EXPECT_LE(told->what.size(), 1U + static_cast<std::size_t>(seconds));
}

TEST(MemoryBudget, may_be_gone_before_it_is_told) {
  auto told = std::make_shared<std::promise<std::uint64_t>>();
  auto future = told->get_future();
  {
    MemoryBudget budget(
        {.max_bytes = 10, .on_exceeded = [told](const MemoryExceeded& what) { told->set_value(what.wanted_bytes); }});
    EXPECT_FALSE(budget.charge(11));
  }
  EXPECT_EQ(future.get(), 11U);
}

}  // namespace
