// What a thread is at that no log call may come between: a signal handler that interrupts it and logs would read what
// is half changed, or wait for a lock that the thread itself holds. Its calls are refused meanwhile (`reentrant`).
#pragma once

#include <atomic>
#include <cstdint>

namespace cairn::detail {

// How many of them the calling thread is in. initial-exec: one load from the thread's own register, and nothing is made
// where a handler looks first.
[[gnu::tls_model("initial-exec")]] extern constinit thread_local std::uint32_t critical_sections;

[[nodiscard]] inline bool in_critical_section() noexcept { return critical_sections != 0; }

// The fences keep the compiler from moving what is guarded out of the section. A handler leaves the number as it was.
inline void enter_critical_section() noexcept {
  ++critical_sections;
  std::atomic_signal_fence(std::memory_order_seq_cst);
}
inline void leave_critical_section() noexcept {
  std::atomic_signal_fence(std::memory_order_seq_cst);
  --critical_sections;
}

/// The calling thread is in one as long as it lives. Two additions; they nest.
class CriticalSection {
 public:
  CriticalSection() noexcept { enter_critical_section(); }
  CriticalSection(const CriticalSection&) = delete;
  CriticalSection& operator=(const CriticalSection&) = delete;
  ~CriticalSection() { leave_critical_section(); }
};

}  // namespace cairn::detail
