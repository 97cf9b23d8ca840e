// The process's account of memory: who charges it, whose budget holds, and how memory is got back.
//
// Charged are lanes (each whole, when it is made), batches of events (each when it is made) and records larger than a
// block; never anything a call. Where a charge does not fit, memory is reclaimed: what is kept for later, then the
// oldest events in queues, then the oldest large record in a lane. What cannot be reclaimed is bounded by itself: lanes
// take half of the budget at most, events in queues that block a quarter, what a sink is busy with a thirty-second.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "cairn/memory_budget.hpp"
#include "pipeline/internal_errors.hpp"

namespace cairn::detail {

/// Never destroyed; without a limit as long as nobody set one.
[[nodiscard]] MemoryBudget& process_memory() noexcept;
/// Makes it, if it is not there yet: whoever makes a logger does, so that no call is the first to need it. Throws
/// std::bad_alloc.
void make_process_memory();

/// Memory that only the dispatcher knows: `pooled_lanes` are kept for the next thread; `records_in_lanes` gives up the
/// oldest of those larger than a block. True: it gave something back.
struct LaneReclaim {
  bool (*pooled_lanes)() noexcept = nullptr;
  bool (*records_in_lanes)() noexcept = nullptr;
};
void reclaim_lanes_by(const LaneReclaim& functions) noexcept;

/// What a sink may take out of its queue at a time.
[[nodiscard]] std::size_t most_in_flight() noexcept;

/// One logger's memory_budget. As long as it lives, the process's limits are no looser.
class BudgetSeat {
 public:
  /// Warns of another logger's that differs.
  BudgetSeat(MemoryBudgetOptions options, InternalErrors& errors);
  BudgetSeat(const BudgetSeat&) = delete;
  BudgetSeat& operator=(const BudgetSeat&) = delete;
  ~BudgetSeat();

 private:
  friend struct Seats;
  const MemoryBudgetOptions options_;
};

/// What one logger holds that is not dropped for want of memory, since a sink of its blocks: one share is of its
/// queues, another of its large records in lanes, so that these never stand in the way of what came before them. All
/// shares of the process have a quarter of the budget evenly: none can keep the memory of another.
class HeldShare {
 public:
  HeldShare() noexcept;
  HeldShare(const HeldShare&) = delete;
  HeldShare& operator=(const HeldShare&) = delete;
  ~HeldShare();
  /// `in_any_case`: it is of a piece that is held already, and may not be had by waiting.
  [[nodiscard]] bool take(std::size_t bytes, bool in_any_case = false) noexcept;
  void give(std::size_t bytes) noexcept;

 private:
  // relaxed: numbers that guard nothing
  std::atomic<std::uint64_t> used_{0};
  std::atomic<std::uint64_t> process_;  // whose number that is: a forked one begins anew
};

}  // namespace cairn::detail
