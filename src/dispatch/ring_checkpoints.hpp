// When an event in a crash ring is done with: once every queued sink has brought to its end, and flushed, what it was
// given up to then. The dispatcher notes how far it has read each lane and how much each sink has got by then; sinks
// say how far they are.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "pipeline/pipeline.hpp"
#include "platform/per_process.hpp"
#include "platform/timed_lock.hpp"
#include "ring/ring_file.hpp"

namespace cairn::detail {

/// Thread-safe. In a forked child, nothing of the parent's is waited for.
class RingCheckpoints {
 public:
  struct Position {
    std::shared_ptr<AcknowledgedRing> ring;
    std::uint64_t number = 0;  // events below it were handed to the sinks
  };
  /// The sinks are all there. Has each of them say when it has settled something; `self` is what they tell.
  static std::shared_ptr<RingCheckpoints> watch(Pipeline& pipeline);

  /// The dispatcher's: `hand_over()` gives the sinks what comes before `positions()`. No sink settles anything between
  /// the two, so that none is a batch ahead of what may be acknowledged.
  template <class HandOver, class Positions>
  void around(HandOver&& hand_over, Positions&& positions) {
    Pending& pending = pending_.get();
    {
      const std::lock_guard held(pending.lock);
      hand_over();
      add(pending, positions());
    }
    settle();  // where no sink got anything, none will say so
  }
  /// Acknowledges what may be by now.
  void settle() noexcept;
  /// The sinks are closed: nothing more is acknowledged, and rings that were not recovered to their end are let go.
  void end() noexcept;

 private:
  /// A sink, then its fallback, and so on: one after the other, as an event may go from each to the next.
  using Chain = std::vector<SinkStage*>;
  struct Progress {
    std::size_t stage = 0;     // of the chain: those before are done
    std::uint64_t wanted = 0;  // by that one
  };
  struct Checkpoint {
    std::vector<Position> positions;
    std::vector<Progress> chains;
  };
  struct Pending {
    TimedLock lock;
    std::deque<Checkpoint> checkpoints;  // oldest first
  };
  void add(Pending& pending, std::vector<Position> positions);
  [[nodiscard]] static bool done(const Chain& chain, Progress& progress) noexcept;

  std::vector<Chain> chains_;
  PerProcess<Pending> pending_;
  std::atomic<bool> hangs_{false};  // who hands over held the lock for longer than the sinks wait
};

}  // namespace cairn::detail
