// The accounts of what callers deliver themselves: of a pipeline, and of a synchronous sink. Each is exact at whatever
// moment it is read: an event is counted in and counted out, and in between it is under way.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>

#include "pipeline/sink_times.hpp"
#include "platform/timed_lock.hpp"

namespace cairn::detail {

/// Events between their record and their sinks, on the threads that log them. Threads share sixteen accounts, so that
/// they seldom meet; the sum of what each shows at its own moment adds up, since no event is in two of them. A thread
/// that counts must be marked as inside of the pipeline (ActivePipeline), or a signal handler that logs would wait for
/// the thread it interrupts.
class CallLedger {
 public:
  struct Totals {
    std::uint64_t captured = 0;
    std::uint64_t dispatched = 0;
    std::uint64_t filtered = 0;
    std::uint64_t under_way = 0;
    void add(const Totals& other) noexcept {
      captured += other.captured;
      dispatched += other.dispatched;
      filtered += other.filtered;
      under_way += other.under_way;
    }
  };

  /// An event on its way, as long as it lives.
  class Call {
   public:
    explicit Call(CallLedger& ledger) noexcept;
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;
    ~Call() = default;
    /// It is one of the sample, and stands for so many; 0: it is not.
    [[nodiscard]] std::uint64_t weight() const noexcept { return weight_; }
    /// It has come to its end; once.
    void ends(bool dispatched) noexcept;

   private:
    CallLedger& ledger_;
    std::size_t account_;
    std::uint64_t weight_ = 0;
  };

  [[nodiscard]] Totals totals() const noexcept;
  /// In a process just forked, whose other threads are gone with their calls; `own`: this thread is in a call.
  void after_fork(bool own) noexcept;

 private:
  struct alignas(64) Account {
    mutable TimedLock mutex;
    Totals totals;
    CallSample sample;
  };
  [[nodiscard]] static std::size_t account_of_thread() noexcept;
  std::array<Account, 16> accounts_;
};

/// A synchronous sink's. One thread at a time counts, which has the sink's lock; whoever reads waits for no lock, since
/// the sink may hang.
class CallerLedger {
 public:
  static constexpr std::size_t reasons = 10;
  struct Totals {
    std::uint64_t accepted = 0;
    std::uint64_t emitted = 0;
    std::uint64_t diverted = 0;
    std::uint64_t bytes = 0;
    std::uint64_t pending = 0;
    std::array<std::uint64_t, reasons> failed{};
  };

  void accept(std::uint64_t events) noexcept {
    change([&] {
      add(accepted_, events);
      add(pending_, events);
    });
  }
  /// Of `events` accepted ones the first `emitted` are, the others were handed to the fallback or failed for `reason`.
  void settle(std::uint64_t events, std::uint64_t emitted, std::uint64_t bytes, bool diverted,
              std::size_t reason) noexcept {
    change([&] {
      add(emitted_, emitted);
      add(bytes_, bytes);
      if (emitted != events) add(diverted ? diverted_ : failed_[reason], events - emitted);
      add(pending_, 0 - events);
    });
  }
  [[nodiscard]] Totals totals() const noexcept;
  /// In a process just forked, whose other threads are gone with their calls.
  void after_fork() noexcept;

 private:
  using Counter = std::atomic<std::uint64_t>;
  /// release: who sees the new value sees that the version is odd
  static void add(Counter& counter, std::uint64_t by) noexcept {
    counter.store(counter.load(std::memory_order_relaxed) + by, std::memory_order_release);
  }
  template <class F>
  void change(F&& f) noexcept {
    const std::uint64_t version = version_.load(std::memory_order_relaxed);
    version_.store(version + 1, std::memory_order_relaxed);  // the stores of add() keep it before them
    f();
    version_.store(version + 2, std::memory_order_release);  // pairs with totals(): the changes are before it
  }

  Counter version_{0};  // odd: a change is under way
  Counter accepted_{0};
  Counter emitted_{0};
  Counter diverted_{0};
  Counter bytes_{0};
  Counter pending_{0};
  std::array<Counter, reasons> failed_{};
};

}  // namespace cairn::detail
