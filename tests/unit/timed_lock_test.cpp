#include "platform/timed_lock.hpp"

#include <gtest/gtest.h>

#include <mutex>
#include <thread>
#include <vector>

namespace {
using namespace cairn::detail;
using namespace std::chrono_literals;

TEST(TimedLock, lets_one_thread_in_at_a_time_and_forgets_no_waiter) {
  TimedLock lock;
  long counted = 0;  // no atomic: the lock is what keeps it right
  constexpr int each = 50'000;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < each; ++n) {
        const std::lock_guard held(lock);
        counted = counted + 1;
        if (n % 256 == 0) std::this_thread::yield();  // so that others come to wait
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(counted, 4L * each);
}

TEST(TimedLock, gives_up_at_the_deadline_and_not_before) {
  TimedLock lock;
  const std::lock_guard held(lock);
  const auto start = std::chrono::steady_clock::now();
  const auto deadline = start + 20ms;
  bool got = true;
  std::thread([&] { got = std::unique_lock(lock, deadline).owns_lock(); }).join();
  EXPECT_FALSE(got);
  EXPECT_GE(std::chrono::steady_clock::now(), deadline);
}

TEST(TimedLock, is_taken_by_a_waiter_as_soon_as_it_is_let_go) {
  TimedLock lock;
  std::atomic<bool> waits{false};
  std::atomic<bool> got{false};
  lock.lock();
  std::thread waiter([&] {
    waits = true;
    if (!lock.try_lock_until(std::chrono::steady_clock::now() + 1h)) return;
    got = true;
    lock.unlock();
  });
  while (!waits) std::this_thread::yield();
  lock.unlock();
  waiter.join();
  EXPECT_TRUE(got);
  EXPECT_TRUE(lock.try_lock()) << "and free afterwards";
}

TEST(TimedLock, refuses_a_second_holder_at_once) {
  TimedLock lock;
  EXPECT_TRUE(lock.try_lock());
  EXPECT_FALSE(lock.try_lock());
  EXPECT_FALSE(lock.try_lock_until(std::chrono::steady_clock::now() - 1s));
  lock.unlock();
  EXPECT_TRUE(lock.try_lock());
}
}  // namespace
