// Lines to an open descriptor that is somebody else's: a terminal, a pipe, a file.
//
// A batch is one write(2) where the kernel takes it whole. What it does not is seen to: interruptions, short writes, a
// descriptor that does not block and is full (waited for), a reader that went away (an error, never SIGPIPE). A pipe
// takes more than 4 KiB in pieces, between which others may write: all writers to one output take turns.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <system_error>

#include "platform/file_ops.hpp"
#include "sinks/output_turn.hpp"

namespace cairn::detail {

struct LinesWritten {
  std::size_t events = 0;  ///< Written whole.
  std::uint64_t bytes = 0;
  std::error_code error{};
};

/// For one thread at a time. Does not own the descriptor.
class DescriptorWriter {
 public:
  explicit DescriptorWriter(int fd, FileOps& ops) : fd_(fd), ops_(&ops), turns_(OutputTurns::of_descriptor(fd, ops)) {}
  /// `ends[i]`: where in `lines` the lines of the i-th event end. After a line that was cut short, whoever wrote it,
  /// the next begins on a line of its own.
  LinesWritten write(std::string_view lines, std::span<const std::size_t> ends) noexcept;
  [[nodiscard]] int fd() const noexcept { return fd_; }

 private:
  std::error_code write_all(std::string_view bytes, std::uint64_t& written) noexcept;

  int fd_;
  FileOps* ops_;
  std::shared_ptr<OutputTurns> turns_;
};

}  // namespace cairn::detail
