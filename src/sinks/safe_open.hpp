// Opening files and directories as a log must: nothing followed, nothing overwritten, nothing that can hang, nothing
// left readable to everyone. Knows nothing of logs, names or rolling.
#pragma once

#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "platform/file_ops.hpp"

namespace cairn::detail {

/// A file descriptor and who must close it.
class Descriptor {
 public:
  Descriptor() noexcept = default;
  Descriptor(FileOps& ops, int fd) noexcept : ops_(&ops), fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : ops_(other.ops_), fd_(other.release()) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    if (this != &other) {
      reset();
      ops_ = other.ops_;
      fd_ = other.release();
    }
    return *this;
  }
  ~Descriptor() { reset(); }
  [[nodiscard]] int get() const noexcept { return fd_; }
  [[nodiscard]] explicit operator bool() const noexcept { return fd_ >= 0; }
  void reset() noexcept {
    if (fd_ >= 0) (void)ops_->close(fd_);
    fd_ = -1;
  }
  int release() noexcept {
    const int fd = fd_;
    fd_ = -1;
    return fd;
  }

 private:
  FileOps* ops_ = nullptr;
  int fd_ = -1;
};

/// What went wrong, for the machine and for the reader.
struct Problem {
  std::error_code code{};
  std::string what{};
  [[nodiscard]] explicit operator bool() const noexcept { return static_cast<bool>(code); }
};

/// "cannot <deed> <path>: <reason>".
[[nodiscard]] Problem problem(std::string_view deed, std::string_view path, int error, std::string_view reason = {});

/// The path of `name` in a folder, which may be `/`.
[[nodiscard]] std::string path_in(const std::string& folder, const std::string& name);

/// Opens a directory, making it and its parents (0750, whatever the umask) where missing. Refuses one that everyone may
/// write to, or that is below such a one, unless the sticky bit is set: there, anyone could put another file in the
/// log's place, or another directory in the directory's. Links on the way are followed. `trusted`: nothing of that is
/// looked at.
[[nodiscard]] Problem open_directory(FileOps& ops, const std::string& path, bool trusted, Descriptor& directory);
/// The same; adds those that it made to `made_ones`, also where it fails.
[[nodiscard]] Problem open_directory(FileOps& ops, const std::string& path, bool trusted, Descriptor& directory,
                                     std::vector<std::string>& made_ones);

/// Has the names of these directories on the disk, and takes from the list those that are.
[[nodiscard]] Problem sync_parents(FileOps& ops, std::vector<std::string>& directories);

/// Says what open_file() would refuse about what has that name now; nothing if there is nothing, or nothing wrong.
[[nodiscard]] Problem examine_file(FileOps& ops, int directory, const std::string& name, const std::string& path);

struct OpenedFile {
  Descriptor descriptor{};
  struct ::stat status {};
  bool created = false;
};

enum class OpenMode { create, existing, either };

/// Opens `name` in `directory` to read and append. It must be a regular file with one name, owned by this user or root;
/// a created one has exactly `mode`. `create` fails with EEXIST if there is something of that name, whatever it is.
/// `path` is for the message. A FIFO, a device or a link never blocks and is never written.
[[nodiscard]] Problem open_file(FileOps& ops, int directory, const std::string& name, const std::string& path,
                                OpenMode open_mode, mode_t mode, OpenedFile& file);

struct TailRepair {
  std::uint64_t size = 0;      ///< The file's size afterwards.
  std::uint64_t torn = 0;      ///< Bytes of the line that had no end.
  bool needs_newline = false;  ///< It could not be cut: what is written next must begin with '\n'.
};

/// Sees to it that the file ends with a whole line. With `may_cut` the torn line is cut off, unless no line ends within
/// its last MiB: a crash tears one event, so what has such a tail is no log of ours, and is not ours to shorten.
[[nodiscard]] int repair_tail(FileOps& ops, int fd, std::uint64_t size, bool may_cut, TailRepair& repair);

struct Written {
  std::size_t bytes = 0;
  int error = 0;  ///< Negative errno, or 0 if all was written.
};

/// What a descriptor is known to be: a regular file never raises SIGPIPE.
enum class WritesTo : std::uint8_t { regular_file, anything };

/// Writes all of it: goes on after a short write and an interruption. The limit of file sizes is an error (EFBIG) and a
/// reader that went away is one (EPIPE), never the signal that kills the process (file_size_signal.hpp).
[[nodiscard]] Written write_fully(FileOps& ops, int fd, std::string_view bytes,
                                  WritesTo target = WritesTo::anything) noexcept;

}  // namespace cairn::detail
