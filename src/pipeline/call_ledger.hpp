// The accounts of what callers deliver themselves: of a pipeline, and of a synchronous sink. Each is exact at whatever
// moment it is read: an event is counted in and counted out, and in between it is under way.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>

#include "capture/thread_state.hpp"
#include "pipeline/sink_times.hpp"
#include "platform/sequence_lock.hpp"
#include "platform/timed_lock.hpp"

namespace cairn::detail {

/// Events between their record and their sinks, on the threads that log them. A thread has an account of its own as
/// long as few live, else one that threads share; the sum of what each shows at its own moment adds up, since no event
/// is in two of them. A thread that counts must be marked as inside of the pipeline (ActivePipeline), or a signal
/// handler that logs would count in the middle of it.
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

 private:
  using Counter = std::atomic<std::uint64_t>;
  struct alignas(64) Account {
    SequenceLock version;
    TimedLock mutex;  // taken where threads share it
    Counter captured{0};
    Counter dispatched{0};
    Counter filtered{0};
    Counter under_way{0};
    CallSample sample;
    std::uint64_t sample_number = 0;
  };

 public:
  /// An event of `thread` on its way, as long as it lives.
  class Call {
   public:
    Call(CallLedger& ledger, const ThreadState* thread) noexcept
        : ledger_(ledger),
          account_(ledger.account_of(thread)),
          shared_(&account_ >= &ledger.accounts_[ThreadNumber::most]) {
      change([this] {
        add(account_.captured, 1);
        add(account_.under_way, 1);
      });
    }
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;
    ~Call() = default;
    /// It is one of the sample, and stands for so many; 0: it is not.
    [[nodiscard]] std::uint64_t weight() const noexcept { return weight_; }
    /// It has come to its end; once.
    void ends(bool dispatched) noexcept {
      change([&] {
        add(dispatched ? account_.dispatched : account_.filtered, 1);
        add(account_.under_way, std::uint64_t{0} - 1);
        // relaxed: a thread that misses it goes by the sample from before for another call
        const std::uint64_t number = ledger_.sample_number_.load(std::memory_order_relaxed);
        if (account_.sample_number != number) [[unlikely]] {
          account_.sample = {};
          account_.sample_number = number;
        }
        if (account_.sample.take()) weight_ = account_.sample.weight();
      });
    }

   private:
    template <class F>
    void change(F&& f) noexcept {
      if (!shared_) [[likely]]
        return account_.version.change(f);
      const std::lock_guard lock(account_.mutex);
      account_.version.change(f);
    }
    CallLedger& ledger_;
    Account& account_;
    const bool shared_;
    std::uint64_t weight_ = 0;
  };

  [[nodiscard]] Totals totals() const noexcept;
  /// What is weighted from now on stands for no call before.
  void begin_samples_anew() noexcept {
    sample_number_.fetch_add(1, std::memory_order_relaxed);  // read as a call ends; orders nothing
  }
  /// In a process just forked, whose other threads are gone with their calls and whose account is its own: from 0;
  /// `own`: this thread is in a call.
  void after_fork(bool own) noexcept;

 private:
  /// release: who sees the new value sees that a change is under way
  static void add(Counter& counter, std::uint64_t by) noexcept {
    counter.store(counter.load(std::memory_order_relaxed) + by, std::memory_order_release);
  }
  static constexpr unsigned shared_accounts = 16;
  [[nodiscard]] Account& account_of(const ThreadState* thread) noexcept {
    if (thread != nullptr && thread->number.value() < ThreadNumber::most) [[likely]]
      return accounts_[thread->number.value()];
    return shared_account();
  }
  [[nodiscard]] Account& shared_account() noexcept;
  std::array<Account, ThreadNumber::most + shared_accounts> accounts_;
  std::atomic<std::uint64_t> sample_number_{0};
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
    version_.change([&] {
      add(accepted_, events);
      add(pending_, events);
    });
  }
  /// Of `events` accepted ones the first `emitted` are, the others were handed to the fallback or failed for `reason`.
  void settle(std::uint64_t events, std::uint64_t emitted, std::uint64_t bytes, bool diverted,
              std::size_t reason) noexcept {
    version_.change([&] {
      add(emitted_, emitted);
      add(bytes_, bytes);
      if (emitted != events) add(diverted ? diverted_ : failed_[reason], events - emitted);
      add(pending_, 0 - events);
    });
  }
  [[nodiscard]] Totals totals() const noexcept;
  /// In a process just forked, whose account is its own: from 0. `own`: the call under way is this thread's, and goes
  /// on; else those that made one are gone.
  void after_fork(bool own) noexcept;

 private:
  using Counter = std::atomic<std::uint64_t>;
  /// release: who sees the new value sees that a change is under way
  static void add(Counter& counter, std::uint64_t by) noexcept {
    counter.store(counter.load(std::memory_order_relaxed) + by, std::memory_order_release);
  }

  SequenceLock version_;
  Counter accepted_{0};
  Counter emitted_{0};
  Counter diverted_{0};
  Counter bytes_{0};
  Counter pending_{0};
  std::array<Counter, reasons> failed_{};
};

}  // namespace cairn::detail
