// The thread on which the program's callbacks run (back-pressure, errors, memory): never the caller's, nor one that
// delivers. Started by the first of them, one a process.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>

namespace cairn::detail {

/// Has `call` run soon, under no lock; what it throws is dropped. At most 1 024 wait: then, or where memory or a thread
/// cannot be had, false, and it is not run.
bool notify(std::function<void()> call) noexcept;

/// Is this that thread? What waits for something that it does must not be run there.
[[nodiscard]] bool on_notifier_thread() noexcept;

/// At most once a second.
class OncePerSecond {
 public:
  /// True when it may happen now; `now` is a steady time.
  [[nodiscard]] bool may(std::chrono::nanoseconds now) noexcept {
    std::chrono::nanoseconds next = next_.load(std::memory_order_relaxed);  // relaxed: stands for itself
    return now >= next && next_.compare_exchange_strong(next, now + std::chrono::seconds(1), std::memory_order_relaxed);
  }

 private:
  std::atomic<std::chrono::nanoseconds> next_{};
};

}  // namespace cairn::detail
