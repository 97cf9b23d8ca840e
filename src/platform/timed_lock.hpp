// A lock that is nearly always free: taking it is one exchange, letting it go one store. Waiting is for the kernel, and
// may have an end. In the place of std::timed_mutex, with std::lock_guard and std::unique_lock:
//
//   TimedLock lock;
//   { const std::lock_guard held(lock); … }
//   { const std::unique_lock held(lock, deadline); if (held) … }
//
// Not fair, not recursive. Safe from every thread; noexcept.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace cairn::detail {

class TimedLock {
 public:
  void lock() noexcept {
    if (!try_lock()) [[unlikely]]
      (void)wait(std::chrono::steady_clock::time_point::max());
  }
  [[nodiscard]] bool try_lock() noexcept {
    // acquire: pairs with unlock's release; what the holder before did is seen
    return held_.exchange(1, std::memory_order_acquire) == 0;
  }
  [[nodiscard]] bool try_lock_until(std::chrono::steady_clock::time_point deadline) noexcept {
    return try_lock() || wait(deadline);
  }
  template <class Rep, class Period>
  [[nodiscard]] bool try_lock_for(std::chrono::duration<Rep, Period> time) noexcept {
    return try_lock_until(std::chrono::steady_clock::now() + time);
  }
  void unlock() noexcept {
    held_.store(0, std::memory_order_release);  // pairs with try_lock's acquire
    // The processor may look at waiters_ before the store above is seen by others: who is about to wait makes it not
    // so, with a membarrier between announcing itself and its last look. Here, only the compiler must keep the order.
    std::atomic_signal_fence(std::memory_order_seq_cst);
    if (waiters_.load(std::memory_order_relaxed) != 0) [[unlikely]]  // relaxed: see above
      wake_one();
  }

  /// In a process just forked, whose other threads are gone: free, whoever had it.
  void free_after_fork() noexcept {
    held_.store(0, std::memory_order_relaxed);
    waiters_.store(0, std::memory_order_relaxed);
  }

 private:
  [[nodiscard, gnu::cold]] bool wait(std::chrono::steady_clock::time_point deadline) noexcept;
  [[gnu::cold]] void wake_one() noexcept;

  std::atomic<std::uint32_t> held_{0};
  std::atomic<std::uint32_t> waiters_{0};
};

}  // namespace cairn::detail
