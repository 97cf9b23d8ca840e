// The threads on which things are done that are neither the caller's nor a sink's business: the program's callbacks
// (back-pressure, errors, memory) on one, the end of loggers whose last handle went on the other, so that neither waits
// for the other. Started by the first of each, one a process. A callback that has not returned for a second does not
// hold up the next: they go on on another thread, of eight at most.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>

namespace cairn::detail {

/// Has `call` run soon, under no lock; what it throws is dropped. At most 1 024 wait: then, or where memory or a thread
/// cannot be had, false, and it is not run.
bool notify(std::function<void()> call) noexcept;
/// The same for the end of a logger: `call` waits for a bounded time, and calls nothing of the program's but sinks.
bool end_in_background(std::function<void()> call) noexcept;

/// Is this one of those threads? What waits for something that they do must not be run there.
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
