// CLOCK_REALTIME at about half its price: the processor's time stamp counter, counted on from a moment at which both
// were read, for a millisecond at most. Whoever comes later asks the system, and leaves a new such moment.
//
// So it is never off by more than the counter's rate differs in a millisecond (nanoseconds), a wall clock that was set
// is followed within one, and a counter that stops or jumps (a suspended or moved virtual machine) harms nothing. Where
// the wall clock is found to be a little behind what was shown, it is caught up with over the next millisecond by going
// slower: times of one thread keep their order, unless the wall clock was set back by over 100 µs, to within what two
// readings of the clocks differ by (some 20 ns).
//
// Where the counter is not invariant, it is CLOCK_REALTIME itself. Safe from every thread and signal handler:
// nobody waits for anybody.
#pragma once

#include <atomic>
#include <cstdint>

#include "platform/sequence_lock.hpp"
#include "platform/tsc_clock.hpp"

namespace cairn::detail {

/// What times are made of after a look at the clocks; by itself, so that it can be tried with any clocks.
class WallClockFit {
 public:
  using Moment = TscClock::Sample;
  struct Scale {
    std::uint64_t ticks = 0;
    std::int64_t wall = 0;  // what is shown then
    double nanoseconds_a_tick = 0;
    std::int64_t window = 0;  // ticks for which it holds; 0: no rate is known
    /// `since`: ticks after `ticks`.
    [[nodiscard]] std::int64_t at(std::int64_t since) const noexcept {
      return wall + static_cast<std::int64_t>(static_cast<double>(since) * nanoseconds_a_tick);
    }
  };
  [[nodiscard]] Scale next(const Moment& now) noexcept;

 private:
  Scale last_;
  Moment first_;     // what the rate is measured from
  double rate_ = 0;  // nanoseconds a tick; 0: not known yet
};

class WallClock {
 public:
  /// Nanoseconds since 1970.
  [[nodiscard]] std::int64_t now() noexcept {
    const std::uint64_t ticks = TscClock::ticks();
    WallClockFit::Scale scale;
    if (!scale_.read(scale)) [[unlikely]]
      return look();
    const auto since = static_cast<std::int64_t>(ticks - scale.ticks);
    if (since < -scale.window || since >= scale.window) [[unlikely]]
      return look();
    return scale.at(since);
  }
  /// In a process just forked, whose other threads are gone, maybe in the middle of a look.
  void free_after_fork() noexcept;

 private:
  class SharedScale {
   public:
    [[nodiscard]] bool read(WallClockFit::Scale& to) const noexcept {
      return lock_.read([&] {
        to.ticks = ticks_.load(std::memory_order_acquire);
        to.wall = wall_.load(std::memory_order_acquire);
        to.nanoseconds_a_tick = nanoseconds_a_tick_.load(std::memory_order_acquire);
        to.window = window_.load(std::memory_order_acquire);
      });
    }
    void write(const WallClockFit::Scale& from) noexcept {
      lock_.change([&] {
        ticks_.store(from.ticks, std::memory_order_release);
        wall_.store(from.wall, std::memory_order_release);
        nanoseconds_a_tick_.store(from.nanoseconds_a_tick, std::memory_order_release);
        window_.store(from.window, std::memory_order_release);
      });
    }

    void free_after_fork() noexcept {
      lock_.free_after_fork();
      write({});
    }

   private:
    SequenceLock lock_;
    std::atomic<std::uint64_t> ticks_{0};
    std::atomic<std::int64_t> wall_{0};
    std::atomic<double> nanoseconds_a_tick_{0};
    std::atomic<std::int64_t> window_{0};
  };

  [[nodiscard, gnu::cold]] std::int64_t look() noexcept;
  [[nodiscard]] std::int64_t system_time() const noexcept;

  SharedScale scale_;
  std::atomic<bool> busy_{false};  // somebody looks; guards fit_
  const bool invariant_ = TscClock::invariant();
  WallClockFit fit_;
};

}  // namespace cairn::detail
