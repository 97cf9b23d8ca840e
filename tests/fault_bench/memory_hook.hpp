// The program's malloc and its kin: counts what a thread allocates, and fails allocations as a figure says. Nothing of
// it is there under a sanitizer, which has a malloc of its own.
#pragma once

#include <cstdint>

namespace cairn::fault_bench {

/// False: built with a sanitizer.
[[nodiscard]] bool memory_is_hooked() noexcept;

/// As long as it lives, allocations of this thread are counted.
class CountAllocations {
 public:
  CountAllocations() noexcept;
  CountAllocations(const CountAllocations&) = delete;
  CountAllocations& operator=(const CountAllocations&) = delete;
  ~CountAllocations();
  /// Those of every thread that counted, so far.
  [[nodiscard]] static std::uint64_t counted() noexcept;
};

/// Allocations of every thread fail: the `nth` from now on, and all after it, `for_good`. `nth` 0: none fails.
void fail_allocations(std::uint64_t nth, bool for_good) noexcept;
/// Allocations since fail_allocations().
[[nodiscard]] std::uint64_t allocations_tried() noexcept;

}  // namespace cairn::fault_bench
