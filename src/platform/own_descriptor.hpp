// A descriptor that the library opened for itself is never 0, 1 or 2: in a program that was started without them, what
// it prints would land in the log.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace cairn::detail {

/// Takes what open() and its like gave. A descriptor below 3 is moved up, close-on-exec, and the low one is closed; do
/// it before the file is locked, for closing ends the lock. -1 with errno where that fails, or `fd` was negative.
[[nodiscard]] inline int own_descriptor(int fd) noexcept {
  constexpr int first = STDERR_FILENO + 1;
  if (fd < 0 || fd >= first) return fd;
  const int moved = ::fcntl(fd, F_DUPFD_CLOEXEC, first);
  const int error = errno;
  ::close(fd);
  errno = error;
  return moved;
}

}  // namespace cairn::detail
