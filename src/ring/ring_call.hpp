// The calls into crash rings that a thread is in: a signal handler may fork in the middle of one, which then goes on in
// the child, where the ring's memory is not.
#pragma once

#include <atomic>
#include <cstddef>
#include <span>

namespace cairn::detail {

/// One call, as long as it lives; a handler's own comes on top of the one that it interrupts.
class RingCall {
 public:
  explicit RingCall(std::span<std::byte> file) noexcept : file_(file), outer_(innermost_) {
    innermost_ = this;
    std::atomic_signal_fence(std::memory_order_seq_cst);  // a handler finds it before the ring is touched,
  }
  RingCall(const RingCall&) = delete;
  RingCall& operator=(const RingCall&) = delete;
  ~RingCall() {
    std::atomic_signal_fence(std::memory_order_seq_cst);  // and as long as it is
    innermost_ = outer_;
  }
  /// Is the calling thread in a call into the ring in that memory?
  [[nodiscard]] static bool is_in(const std::byte* file) noexcept {
    for (const RingCall* call = innermost_; call != nullptr; call = call->outer_) {
      if (call->file_.data() == file) return true;
    }
    return false;
  }

 private:
  static inline constinit thread_local const RingCall* innermost_ = nullptr;
  std::span<std::byte> file_;
  const RingCall* outer_;
};

}  // namespace cairn::detail
