// Counts what a thread allocates, and lets allocations fail. The replaced operator new is in
// tests/unit/allocation_probe.cpp.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace cairn::testing_support {

/// Calls of operator new on this thread so far.
[[nodiscard]] std::size_t allocations() noexcept;

/// As long as it lives, the thread's allocations throw std::bad_alloc after `left` more have succeeded: so many of
/// them.
class FailingAllocations {
 public:
  explicit FailingAllocations(std::size_t left, std::size_t count = SIZE_MAX) noexcept;
  FailingAllocations(const FailingAllocations&) = delete;
  FailingAllocations& operator=(const FailingAllocations&) = delete;
  ~FailingAllocations();
};

/// Where a thread stands still: inside its allocation number `before` (from 0) of `least_bytes` or more, until it is
/// let go. Whatever it does there is half done, and what it holds is held.
class AllocationGate {
 public:
  explicit AllocationGate(std::size_t before, std::size_t least_bytes = 0) noexcept
      : before_(before), least_bytes_(least_bytes) {}

  /// Runs `f` on the calling thread, which stands still on the way.
  template <class F>
  void run(F&& f) {
    begin();
    f();
    end();
  }
  /// From another thread: true when it stands still, false when it came to its end without.
  [[nodiscard]] bool wait() noexcept;
  void let_go() noexcept;

  /// Of operator new.
  void pass(std::size_t size) noexcept;

 private:
  void begin() noexcept;
  void end() noexcept;
  enum State : std::uint32_t { running, still, ended };
  std::size_t before_;
  const std::size_t least_bytes_;
  std::atomic<std::uint32_t> state_{running};
  std::atomic<bool> open_{false};
};

}  // namespace cairn::testing_support
