#include "platform/file_ops.hpp"
#include "platform/made_once.hpp"
#include "platform/own_descriptor.hpp"

#include <dirent.h>
#include <unistd.h>

#include <cstdio>
#include <string_view>

namespace cairn::detail {

namespace {

template <class Result>
Result checked(Result result) noexcept {
  return result < 0 ? static_cast<Result>(-errno) : result;
}

class SystemFileOps final : public FileOps {
 public:
  int open(int directory, const char* path, int flags, mode_t mode) noexcept override {
    return checked(own_descriptor(::openat(directory, path, flags, mode)));
  }
  int close(int fd) noexcept override { return checked(::close(fd)); }
  ssize_t read(int fd, char* to, std::size_t size) noexcept override { return checked(::read(fd, to, size)); }
  ssize_t pread(int fd, char* to, std::size_t size, off_t offset) noexcept override {
    return checked(::pread(fd, to, size, offset));
  }
  ssize_t write(int fd, const char* from, std::size_t size) noexcept override {
    return checked(::write(fd, from, size));
  }
  ssize_t pwrite(int fd, const char* from, std::size_t size, off_t offset) noexcept override {
    return checked(::pwrite(fd, from, size, offset));
  }
  off_t seek(int fd, off_t offset, int whence) noexcept override { return checked(::lseek(fd, offset, whence)); }
  int fsync(int fd) noexcept override { return checked(::fsync(fd)); }
  int fdatasync(int fd) noexcept override { return checked(::fdatasync(fd)); }
  int truncate(int fd, off_t size) noexcept override { return checked(::ftruncate(fd, size)); }
  int chmod(int fd, mode_t mode) noexcept override { return checked(::fchmod(fd, mode)); }
  int set_times(int fd, const struct timespec& accessed, const struct timespec& modified) noexcept override {
    const struct timespec times[2] = {accessed, modified};
    return checked(::futimens(fd, times));
  }
  int stat(int fd, struct ::stat& status) noexcept override { return checked(::fstat(fd, &status)); }
  int stat_at(int directory, const char* path, struct ::stat& status, bool follow) noexcept override {
    return checked(::fstatat(directory, path, &status, follow ? 0 : AT_SYMLINK_NOFOLLOW));
  }
  int identify(int directory, const char* path, FileIdentity& identity) noexcept override {
    constexpr int flags = AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW;
    struct ::statx more {};
    if (::statx(directory, path, flags, STATX_INO | STATX_BTIME, &more) == 0) {
      const bool has_birth = (more.stx_mask & STATX_BTIME) != 0;
      identity = {more.stx_ino,
                  has_birth ? more.stx_btime.tv_sec * 1'000'000'000 + std::int64_t{more.stx_btime.tv_nsec} : 0};
      return 0;
    }
    if (errno != ENOSYS && errno != EPERM) return -errno;
    // An old kernel, or a sandbox that does not know the call.
    struct ::stat status {};
    if (::fstatat(directory, path, &status, flags) != 0) return -errno;
    identity = {status.st_ino, 0};
    return 0;
  }
  int rename_new(int directory, const char* from, const char* to) noexcept override {
    const int result = checked(::renameat2(directory, from, directory, to, RENAME_NOREPLACE));
    if (result != -EINVAL && result != -ENOSYS) return result;
    // Some network and FUSE file systems lack the flag; a hard link never replaces either.
    const int linked = checked(::linkat(directory, from, directory, to, 0));
    return linked < 0 ? linked : checked(::unlinkat(directory, from, 0));
  }
  int rename_over(int directory, const char* from, const char* to) noexcept override {
    return checked(::renameat(directory, from, directory, to));
  }
  int unlink(int directory, const char* path) noexcept override { return checked(::unlinkat(directory, path, 0)); }
  int mkdir(const char* path, mode_t mode) noexcept override { return checked(::mkdir(path, mode)); }
  int lock(int fd, int command, struct flock& what) noexcept override { return checked(::fcntl(fd, command, &what)); }

  int list(int directory, std::vector<std::string>& names) override {
    const int fd = open(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    if (fd < 0) return fd;
    DIR* const entries = ::fdopendir(fd);
    if (entries == nullptr) {
      const int error = -errno;
      ::close(fd);
      return error;
    }
    struct Closer {
      DIR* entries;
      ~Closer() { ::closedir(entries); }
    } const closer{entries};
    for (;;) {
      errno = 0;
      const dirent* const entry = ::readdir(entries);
      if (entry == nullptr) return -errno;
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") names.emplace_back(name);
    }
  }
};

}  // namespace

FileOps& system_file_ops() noexcept {
  static constinit MadeOnce<SystemFileOps> made;  // never destroyed: static destructors may still log
  return made.get();
}

}  // namespace cairn::detail
