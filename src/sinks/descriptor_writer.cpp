#include "sinks/descriptor_writer.hpp"

#include <poll.h>
#include <signal.h>

#include <cerrno>

#include "sinks/safe_open.hpp"

namespace cairn::detail {

namespace {

/// 0 when it is worth trying again; a descriptor that is closed or broken is, for the write then says so.
int wait_until_writable(int fd) noexcept {
  for (;;) {
    struct ::pollfd what {};
    what.fd = fd;
    what.events = POLLOUT;
    if (::poll(&what, 1, -1) >= 0) return 0;  // as long as a blocking write would
    if (errno != EINTR) return -errno;
  }
}

/// Holds SIGPIPE back while this thread writes, and takes back the one that its write raised. write_fully() does not:
/// it is made for files, which have no reader that could go away.
class PipeGuard {
 public:
  PipeGuard() noexcept {
    ::sigemptyset(&pipe_);
    ::sigaddset(&pipe_, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
    // One that the caller holds back and that waits already is the caller's; it must not be taken.
    sigset_t pending;
    ours_ =
        ::sigismember(&before_, SIGPIPE) == 0 || ::sigpending(&pending) != 0 || ::sigismember(&pending, SIGPIPE) == 0;
  }
  ~PipeGuard() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  PipeGuard(const PipeGuard&) = delete;
  PipeGuard& operator=(const PipeGuard&) = delete;
  void take_back() noexcept {
    const struct timespec at_once {};
    while (ours_ && ::sigtimedwait(&pipe_, nullptr, &at_once) < 0 && errno == EINTR) {
    }
  }

 private:
  sigset_t pipe_;
  sigset_t before_;
  bool ours_ = true;
};

}  // namespace

std::error_code DescriptorWriter::write_all(std::string_view bytes, std::uint64_t& written) noexcept {
  PipeGuard guard;
  for (;;) {
    const Written done = write_fully(*ops_, fd_, bytes);
    written += done.bytes;
    bytes.remove_prefix(done.bytes);
    if (done.error == 0) return {};
    if (done.error == -EPIPE) guard.take_back();
    if (done.error != -EAGAIN) return error_of(done.error);
    if (const int failed = wait_until_writable(fd_); failed < 0) return error_of(failed);
  }
}

LinesWritten DescriptorWriter::write(std::string_view lines, std::span<const std::size_t> ends) noexcept {
  LinesWritten result;
  if (torn_) {
    std::uint64_t ignored = 0;
    result.error = write_all("\n", ignored);
    if (result.error) return result;
    torn_ = false;
  }
  result.error = write_all(lines, result.bytes);
  while (result.events < ends.size() && ends[result.events] <= result.bytes) ++result.events;
  torn_ = result.bytes > 0 && lines[result.bytes - 1] != '\n';
  return result;
}

}  // namespace cairn::detail
