// Counts what a thread allocates, and lets allocations fail. The replaced operator new is in
// tests/unit/allocation_probe.cpp.
#pragma once

#include <cstddef>

namespace cairn::testing_support {

/// Calls of operator new on this thread so far.
[[nodiscard]] std::size_t allocations() noexcept;

/// As long as it lives, the thread's allocations throw std::bad_alloc after `left` more have succeeded.
class FailingAllocations {
 public:
  explicit FailingAllocations(std::size_t left) noexcept;
  FailingAllocations(const FailingAllocations&) = delete;
  FailingAllocations& operator=(const FailingAllocations&) = delete;
  ~FailingAllocations();
};

}  // namespace cairn::testing_support
