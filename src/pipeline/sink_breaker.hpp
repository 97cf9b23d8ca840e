// The circuit breaker of one sink, and what follows from it for deliveries: what counts as a failure, how much is tried
// at a time, how soon again, and when a batch was tried often enough.
//
// Thread-safety: circuit() and judge() from every thread; what is said to be the worker's, from one.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>

#include "cairn/circuit_breaker.hpp"

namespace cairn::detail {

enum class FailReason : std::uint8_t;

class SinkBreaker {
 public:
  /// `on_change` comes before the listener of the options. `wake`: an attempt that was refused may be made by now;
  /// called past any listener that hangs. It must not throw.
  SinkBreaker(CircuitBreakerOptions options, Clock& clock, std::function<void()> wake, CircuitListener on_change);

  [[nodiscard]] CircuitBreaker& circuit() noexcept { return circuit_; }
  [[nodiscard]] const CircuitBreaker& circuit() const noexcept { return circuit_; }
  /// Is nothing but a probe to reach the sink?
  [[nodiscard]] bool spares() const noexcept;

  /// Tells the breaker what came of an attempt that took so long. One that met what `may_pass`, such as a full disk,
  /// says nothing about the sink; an I/O error does.
  static void judge(CircuitBreaker::Attempt& attempt, std::optional<FailReason> failed, bool may_pass,
                    std::chrono::nanoseconds took) noexcept;

  /// The end is near: from now on an open breaker lets a probe through, whatever is left of its wait.
  void hurry() noexcept { hurries_.store(true, std::memory_order_relaxed); }

  // ---- the worker's
  /// An attempt, or a refusal. In a hurry `again` tells whether there is time for more than one early probe.
  [[nodiscard]] CircuitBreaker::Attempt attempt(bool again) noexcept;
  /// Events to try at once: few of them as a probe, then twice as many each time.
  [[nodiscard]] std::size_t share_of(const CircuitBreaker::Attempt& attempt, std::size_t events) noexcept;
  /// After an attempt that all of its events came through.
  void note_success() noexcept;
  /// Where events may go that the sink does not take.
  enum class Elsewhere : std::uint8_t {
    nowhere,
    at_last,  // those that were tried often enough; what an open breaker refuses is kept for the probe
    at_once,  // what an open breaker refuses, too
  };
  /// After one that failed, some events came through or none. True: its events were tried often enough.
  [[nodiscard]] bool note_failure(bool progress, Elsewhere elsewhere) noexcept;
  /// Of a breaker that refuses for that long.
  void note_refusal(std::chrono::nanoseconds retry_in) noexcept { pause_ = retry_in; }
  void note_throttled() noexcept;
  /// What failed went elsewhere: what comes next has not been tried yet.
  void note_diverted() noexcept { tries_ = 0; }
  /// How long to wait before what is left is tried.
  [[nodiscard]] std::chrono::nanoseconds pause() const noexcept;

 private:
  Clock& clock_;
  CircuitBreaker circuit_;
  std::atomic<bool> hurries_{false};  // relaxed: who sets it wakes the worker next, under its lock

  // of the worker alone
  bool probed_early_ = false;
  std::size_t share_ = SIZE_MAX;
  std::size_t tries_ = 0;  // of the events at the head that failed
  std::chrono::nanoseconds first_try_{};
  std::chrono::nanoseconds pause_{};
};

}  // namespace cairn::detail
