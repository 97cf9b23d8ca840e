// The seam to the file system: one virtual function for each system call the library makes on files. Production is the
// system call and nothing else; tests put a script in its place, so that every call can fail, on its own and for good.
//
// Every function returns what the kernel does, with failures as the negative errno (never through `errno`), so that
// there is one thing to look at. EINTR is passed on; `uninterrupted` repeats. Safe from every thread.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/types.h>

#include <cerrno>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>
#include <system_error>
#include <vector>

namespace cairn::detail {

/// A file, whatever its names: inodes are given anew when a file is deleted, the two together are not.
struct FileIdentity {
  std::uint64_t inode = 0;
  std::int64_t born = 0;  ///< Nanoseconds since 1970; 0 where the file system does not say.
  friend auto operator<=>(const FileIdentity&, const FileIdentity&) = default;
};

class FileOps {
 public:
  virtual ~FileOps() = default;

  /// `directory` may be AT_FDCWD. Never gives 0, 1 or 2.
  virtual int open(int directory, const char* path, int flags, mode_t mode) noexcept = 0;
  virtual int close(int fd) noexcept = 0;
  virtual ssize_t read(int fd, char* to, std::size_t size) noexcept = 0;
  virtual ssize_t pread(int fd, char* to, std::size_t size, off_t offset) noexcept = 0;
  virtual ssize_t write(int fd, const char* from, std::size_t size) noexcept = 0;
  virtual ssize_t pwrite(int fd, const char* from, std::size_t size, off_t offset) noexcept = 0;
  virtual off_t seek(int fd, off_t offset, int whence) noexcept = 0;
  virtual int fsync(int fd) noexcept = 0;
  virtual int fdatasync(int fd) noexcept = 0;
  virtual int truncate(int fd, off_t size) noexcept = 0;
  virtual int chmod(int fd, mode_t mode) noexcept = 0;
  virtual int set_times(int fd, const struct timespec& accessed, const struct timespec& modified) noexcept = 0;
  virtual int stat(int fd, struct ::stat& status) noexcept = 0;
  /// Does not follow a link at the end of the path unless `follow`.
  virtual int stat_at(int directory, const char* path, struct ::stat& status, bool follow) noexcept = 0;
  /// Follows no link. An empty path: of `directory` itself, which may then be a file.
  virtual int identify(int directory, const char* path, FileIdentity& identity) noexcept = 0;
  /// Within one directory; -EEXIST if `to` exists, which is then untouched, also where the file system lacks renameat2.
  virtual int rename_new(int directory, const char* from, const char* to) noexcept = 0;
  /// Within one directory; what has the name `to` is replaced at once.
  virtual int rename_over(int directory, const char* from, const char* to) noexcept = 0;
  virtual int unlink(int directory, const char* path) noexcept = 0;
  virtual int mkdir(const char* path, mode_t mode) noexcept = 0;
  /// A POSIX owner lock: F_SETLK, F_SETLKW or F_GETLK.
  virtual int lock(int fd, int command, struct flock& what) noexcept = 0;
  /// The names in a directory without "." and "..", in no order.
  virtual int list(int directory, std::vector<std::string>& names) = 0;
};

/// The kernel's. Lives for ever.
[[nodiscard]] FileOps& system_file_ops() noexcept;

/// Repeats `call` while it is interrupted.
template <class Call>
auto uninterrupted(Call&& call) noexcept {
  for (;;) {
    const auto result = call();
    if (result != -EINTR) return result;
  }
}

/// What a negative result means.
[[nodiscard]] inline std::error_code error_of(long long result) noexcept {
  return {static_cast<int>(-result), std::generic_category()};
}

}  // namespace cairn::detail
