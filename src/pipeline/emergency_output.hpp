// Where an event goes that the last sink of a chain of fallbacks could not take: a line on stderr, ten a second at
// most. What there is no room for there is counted as failed, and holds its caller up for a moment only
// (platform/bounded_write.hpp).
//
// Thread-safety: every function from every thread; there is no lock, so that a fork finds none held.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "cairn/clock.hpp"
#include "cairn/event.hpp"
#include "cairn/metrics.hpp"

namespace cairn::detail {

class EmergencyOutput {
 public:
  static constexpr std::uint64_t lines_a_second = 10;
  static constexpr std::string_view name = "emergency";  // in metrics; no sink of a logger may have it

  explicit EmergencyOutput(Clock& clock) : clock_(clock) {}
  void take(const Event& event) noexcept;
  /// Appends what it counted, as a sink named `emergency`; nothing, if nothing ever came.
  void counts_into(std::vector<SinkCounts>& out) const;
  /// In a process just forked: what was counted is the parent's.
  void forget_counts() noexcept {
    for (auto* const counter : {&emitted_, &rate_limited_, &failed_, &bytes_})
      counter->store(0, std::memory_order_relaxed);
  }

 private:
  [[nodiscard]] bool may_write() noexcept;

  Clock& clock_;
  // relaxed, all: counters; a second's word stands for itself
  std::atomic<std::uint64_t> second_{0};  // the second, and how many lines it had
  std::atomic<std::uint64_t> emitted_{0};
  std::atomic<std::uint64_t> rate_limited_{0};
  std::atomic<std::uint64_t> failed_{0};
  std::atomic<std::uint64_t> bytes_{0};
};

}  // namespace cairn::detail
