// What a queued sink tells its user's callbacks: each at most once a second, on the notifier's threads.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "cairn/queue_options.hpp"
#include "pipeline/notifier.hpp"

namespace cairn::detail {

/// Thread-safety: every function from every thread. To be called under no lock.
class SinkNotices {
 public:
  /// `name`: the sink's. Both outlive it.
  SinkNotices(const std::string& name, const QueueOptions& options) noexcept : name_(name), options_(options) {}

  /// The queue holds so many events; told from the threshold on.
  void depth(std::size_t events) noexcept;
  /// So many events were dropped for want of memory.
  void dropped_for_memory(std::uint64_t events) noexcept;
  /// The sink failed.
  void error(std::string_view what) noexcept;
  /// From the oldest event's call to the end of emit(), or of an emit() that is not at its end, so far; told from the
  /// limit on.
  void latency(std::chrono::nanoseconds latency) noexcept;

 private:
  const std::string& name_;
  const QueueOptions& options_;
  OncePerSecond pressure_;
  OncePerSecond memory_;
  OncePerSecond errors_;
  OncePerSecond slow_;
  std::atomic<std::uint64_t> memory_untold_{0};  // relaxed: a number by itself
};

}  // namespace cairn::detail
