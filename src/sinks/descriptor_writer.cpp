#include "sinks/descriptor_writer.hpp"

#include <poll.h>

#include "platform/no_cancellation.hpp"
#include "sinks/safe_open.hpp"

namespace cairn::detail {

namespace {

/// 0 when it is worth trying again; a descriptor that is closed or broken is, for the write then says so.
int wait_until_writable(int fd) noexcept {
  const NoCancellation uncancelled;
  for (;;) {
    struct ::pollfd what {};
    what.fd = fd;
    what.events = POLLOUT;
    if (::poll(&what, 1, -1) >= 0) return 0;  // as long as a blocking write would
    if (errno != EINTR) return -errno;
  }
}

}  // namespace

std::error_code DescriptorWriter::write_all(std::string_view bytes, std::uint64_t& written) noexcept {
  for (;;) {
    const Written done = write_fully(*ops_, fd_, bytes);
    written += done.bytes;
    bytes.remove_prefix(done.bytes);
    if (done.error == 0) return {};
    if (done.error != -EAGAIN) return error_of(done.error);
    if (const int failed = wait_until_writable(fd_); failed < 0) return error_of(failed);
  }
}

LinesWritten DescriptorWriter::write(std::string_view lines, std::span<const std::size_t> ends) noexcept {
  LinesWritten result;
  const OutputTurn turn(*turns_);
  result.error = turn.error();
  if (result.error) return result;
  if (turns_->torn) {
    std::uint64_t ignored = 0;
    result.error = write_all("\n", ignored);
    if (result.error) return result;
    turns_->torn = false;
  }
  result.error = write_all(lines, result.bytes);
  while (result.events < ends.size() && ends[result.events] <= result.bytes) ++result.events;
  turns_->torn = result.bytes > 0 && lines[result.bytes - 1] != '\n';
  return result;
}

}  // namespace cairn::detail
