// What the calling thread holds, or is about to take, of what others have to wait for: a signal handler that interrupts
// it and comes to the same would wait for ever. Kept beside the locks and not in them, so that there is no moment at
// which a lock is taken and nobody knows by whom.
#pragma once

namespace cairn::detail {

/// Has to live around the lock: made before it is asked for, ended after it is let go. On the stack of one thread.
class HeldByThread {
 public:
  /// `what`: an address that stands for it.
  explicit HeldByThread(const void* what) noexcept;
  HeldByThread(const HeldByThread&) = delete;
  HeldByThread& operator=(const HeldByThread&) = delete;
  ~HeldByThread();

  /// Does the calling thread? Safe in signal handlers.
  [[nodiscard]] static bool contains(const void* what) noexcept;

 private:
  const void* const what_;
  const HeldByThread* const outer_;
};

}  // namespace cairn::detail
