// Logs a logger's metrics to itself now and then, from a thread of its own.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>

#include "cairn/logger.hpp"

namespace cairn::detail {

class PeriodicMetrics {
 public:
  /// `logger` must not keep its root open. Throws std::system_error where there is no thread.
  [[nodiscard]] static std::shared_ptr<PeriodicMetrics> start(const Logger& logger, std::chrono::nanoseconds interval);
  /// No event is begun after it; waits for nothing.
  void stop() noexcept;

 private:
  PeriodicMetrics() = default;
  void run(const Logger& logger, std::chrono::nanoseconds interval);

  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopped_ = false;
};

}  // namespace cairn::detail
