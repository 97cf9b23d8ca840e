// Logs a logger's metrics to itself now and then, from a thread of its own.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>

#include "cairn/detail/fork_mutex.hpp"
#include "cairn/logger.hpp"

namespace cairn::detail {

class PeriodicMetrics final : private ForkHandler {
 public:
  ~PeriodicMetrics() { forget_in_forks(*this); }
  /// `logger` must not keep its root open. Throws std::system_error where there is no thread.
  [[nodiscard]] static std::shared_ptr<PeriodicMetrics> start(const Logger& logger, std::chrono::nanoseconds interval);
  /// No event is begun after it; waits for nothing.
  void stop() noexcept;

 private:
  PeriodicMetrics() { guard_against_forks(*this); }
  void before_fork(std::chrono::steady_clock::time_point deadline) noexcept override {
    held_for_fork_.take(mutex_, deadline);
  }
  void after_fork(bool child) noexcept override {
    if (child) new (&changed_) std::condition_variable;  // the parent's thread waits at it
    held_for_fork_.let_go(mutex_, child);
  }
  void run(const Logger& logger, std::chrono::nanoseconds interval);

  std::mutex mutex_;
  HeldOverFork held_for_fork_;
  std::condition_variable changed_;
  bool stopped_ = false;
};

}  // namespace cairn::detail
