#include "platform/held_by_thread.hpp"

#include <atomic>

namespace cairn::detail {

namespace {
// initial-exec: nothing is made where a signal handler looks first. Of its thread alone: a handler, which comes between
// any two instructions, leaves it as it was.
[[gnu::tls_model("initial-exec")]] constinit thread_local const HeldByThread* innermost = nullptr;
}  // namespace

// The fences are for the compiler: what a handler finds is whole, and is there as long as the lock may be.
HeldByThread::HeldByThread(const void* what) noexcept : what_(what), outer_(innermost) {
  std::atomic_signal_fence(std::memory_order_seq_cst);
  innermost = this;
  std::atomic_signal_fence(std::memory_order_seq_cst);
}

HeldByThread::~HeldByThread() {
  std::atomic_signal_fence(std::memory_order_seq_cst);
  innermost = outer_;
}

bool HeldByThread::contains(const void* what) noexcept {
  for (const HeldByThread* at = innermost; at != nullptr; at = at->outer_) {
    if (at->what_ == what) return true;
  }
  return false;
}

}  // namespace cairn::detail
