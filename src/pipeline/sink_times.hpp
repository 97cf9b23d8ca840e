// How long the events of one sink took: from the call to the end of emit(), and emit() alone. Recorded a batch at a
// time, by the thread that delivers.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <span>
#include <tuple>

#include "cairn/event.hpp"
#include "cairn/latency_histogram.hpp"
#include "cairn/metrics.hpp"
#include "capture/event_parts.hpp"
#include "platform/timed_lock.hpp"

namespace cairn::detail {

/// Safe from every thread; the lock is held for a batch's worth of additions.
class SinkTimes {
 public:
  /// Events that were emitted in a call of emit() that took so long and ended then; each stands for `weight` of them,
  /// or for itself where this was reset since the call began: those before it are not to be seen any more.
  void record(std::span<const Event> events, std::chrono::nanoseconds took, Timestamp ended,
              std::uint64_t weight) noexcept {
    const std::lock_guard lock(mutex_);
    if (reset_.load(std::memory_order_relaxed)) weight = 1;
    emit_.record(took, weight);
    for (const Event& event : events) latency_.record(ended - event.timestamp(), weight);
  }
  /// Before a batch is emitted, by the thread that does it: looks when its events were logged. What they are read from
  /// is cold then, and fetched several at a time; the sink finds it warm.
  void begin(std::span<const Event> events) noexcept {
    const std::size_t count = std::min(events.size(), logged_.size());
    for (std::size_t i = 0; i < count; ++i)
      logged_[i] = Timestamp(std::chrono::nanoseconds(EventParts::record(events[i]).time));
  }
  /// After it, by the same: so many of these events, from the first on, were emitted.
  void end(std::span<const Event> emitted, std::chrono::nanoseconds took, Timestamp ended) noexcept {
    const std::lock_guard lock(mutex_);
    emit_.record(took);
    std::array<std::chrono::nanoseconds, std::tuple_size_v<decltype(logged_)>> latencies;
    for (std::size_t from = 0; from < emitted.size(); from += latencies.size()) {
      const std::size_t count = std::min(emitted.size() - from, latencies.size());
      if (from != 0) begin(emitted.subspan(from, count));  // a batch larger than usual
      for (std::size_t i = 0; i < count; ++i) latencies[i] = ended - logged_[i];
      latency_.record(std::span(latencies).first(count));
    }
  }
  void record_latency(std::chrono::nanoseconds time, std::uint64_t events) noexcept {
    const std::lock_guard lock(mutex_);
    latency_.record(time, events);
  }
  void record_emit(std::chrono::nanoseconds time) noexcept {
    const std::lock_guard lock(mutex_);
    emit_.record(time);
  }
  void show(SinkCounts& counts) const noexcept;
  void reset() noexcept {
    const std::lock_guard lock(mutex_);
    latency_.reset();
    emit_.reset();
    reset_.store(true, std::memory_order_relaxed);
  }
  /// Before a call whose sample is weighted, by the thread that delivers: was it reset since the last?
  [[nodiscard]] bool was_reset() noexcept {
    return reset_.load(std::memory_order_relaxed) && reset_.exchange(false, std::memory_order_relaxed);
  }
  void free_after_fork() noexcept { mutex_.free_after_fork(); }

 private:
  mutable TimedLock mutex_;
  // Set under the lock, where whoever records looks: relaxed. Who misses it outside of it finds it there.
  std::atomic<bool> reset_{false};
  LatencyHistogram latency_;
  LatencyHistogram emit_;
  std::array<Timestamp, 512> logged_{};  // of the thread that delivers
};

/// Which calls on a synchronous sink are timed: the first 1024, then one in 256 or so, at irregular distances so that
/// nothing that comes at regular ones is missed or favoured. For one thread at a time.
class CallSample {
 public:
  /// Is this call one of the sample?
  [[nodiscard]] bool take() noexcept { return --until_next_ == 0; }
  /// After one that was: how many calls it stands for.
  [[nodiscard]] std::uint64_t weight() noexcept {
    const std::uint64_t stands_for = distance_;
    if (first_ != 0) {
      --first_;
      distance_ = 1;
    } else {
      random_ = random_ * 6364136223846793005U + 1442695040888963407U;
      distance_ = 1 + (random_ >> 55U);  // 1 to 512
    }
    until_next_ = distance_;
    return stands_for;
  }

 private:
  std::uint64_t until_next_ = 1;
  std::uint64_t distance_ = 1;
  std::uint32_t first_ = 1023;
  std::uint64_t random_ = 0x2545F4914F6CDD1D;
};

}  // namespace cairn::detail
