// SIGXFSZ: what the kernel sends a thread whose write would pass the limit of file sizes (RLIMIT_FSIZE). Its default is
// the end of the process, and a log must not be the reason for that.
//
// Where the program leaves the signal alone, a handler of ours takes its place, once: it ignores the signal during a
// write of ours, and does elsewhere what the default does. So no write has to ask the kernel for anything, and a limit
// that is set from outside at any moment harms nothing. A handler of the program's own stays where it is; the signal is
// then held back around each of our writes. A program that ignores the signal needs neither.
//
//   watch_file_size_signal();                 // when a file is opened, and now and then
//   WriteShield shield(false);
//   if (::write(…) < 0 && errno == EFBIG) shield.take_back(errno);
#pragma once

#include <signal.h>

#include <cstdint>

namespace cairn::detail {

/// What the program does with the signal.
enum class FileSizeSignal : std::uint8_t { not_known, left_to_us, ignored, handled };

/// Looks again: a system call. Safe from every thread. A program that changes its mind between two looks is noticed at
/// the next one.
FileSizeSignal watch_file_size_signal() noexcept;
/// What the last look found; looks where there was none.
[[nodiscard]] FileSizeSignal file_size_signal() noexcept;

/// While it lives, a write of this thread past the limit gives EFBIG and no more; and, where `pipe` is said, one to a
/// pipe that nobody reads EPIPE (two system calls).
class WriteShield {
 public:
  explicit WriteShield(bool pipe) noexcept;
  ~WriteShield();
  WriteShield(const WriteShield&) = delete;
  WriteShield& operator=(const WriteShield&) = delete;
  /// After a write that gave `error`, EFBIG or EPIPE: takes the signal away where it was held back. One that waited
  /// before, since the program holds it back, is left to the program.
  void take_back(int error) noexcept;

 private:
  void hold_back(bool pipe, bool file_size) noexcept;

  bool held_ = false;  // `signals_` are blocked by us
  bool held_file_size_ = false;
  bool was_inside_;   // a signal handler that logs may have interrupted a write of ours
  sigset_t signals_;  // what may be taken back
  sigset_t mask_before_;
};

}  // namespace cairn::detail
