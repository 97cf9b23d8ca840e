#include "platform/timed_lock.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>

#include "platform/barrier.hpp"

namespace cairn::detail {

bool TimedLock::wait(std::chrono::steady_clock::time_point deadline) noexcept {
  using namespace std::chrono;
  constexpr nanoseconds longest = hours(1);
  waiters_.fetch_add(1, std::memory_order_relaxed);  // relaxed: the barrier below orders it for unlock
  // Without a barrier a wake-up may be missed, once in a long while: then nobody sleeps longer than that.
  const nanoseconds nap = barrier_everywhere() ? longest : nanoseconds(milliseconds(1));
  bool taken = try_lock();
  while (!taken) {
    nanoseconds left = longest;
    if (deadline != steady_clock::time_point::max()) {
      left = deadline - steady_clock::now();
      if (left <= nanoseconds::zero()) break;
    }
    left = std::min(left, nap);
    const struct timespec time {
      static_cast<std::time_t>(left.count() / 1'000'000'000), static_cast<long>(left.count() % 1'000'000'000)
    };
    ::syscall(SYS_futex, &held_, FUTEX_WAIT_PRIVATE, 1, &time, nullptr, 0);
    taken = try_lock();
  }
  waiters_.fetch_sub(1, std::memory_order_relaxed);  // relaxed: at worst one needless wake-up
  // A wake-up meant for one that gave up at that moment goes on to the next.
  if (!taken && waiters_.load(std::memory_order_relaxed) != 0) wake_one();
  return taken;
}

void TimedLock::wake_one() noexcept { ::syscall(SYS_futex, &held_, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0); }

}  // namespace cairn::detail
