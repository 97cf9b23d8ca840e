// A file system whose calls fail as a test says. Everything that is not told to fail really happens.
#pragma once

#include <unistd.h>

#include <algorithm>
#include <functional>
#include <map>
#include <mutex>
#include <string>

#include "platform/file_ops.hpp"

namespace cairn::testing {

class ScriptedFileOps : public detail::FileOps {
 public:
  /// Called before every call with its name and running number (from 1); a negative errno makes it fail.
  std::function<int(const std::string& call, int number)> script;
  /// A write takes at most so many bytes.
  std::size_t longest_write = SIZE_MAX;
  /// So many bytes can be written in all; then ENOSPC, after a short write.
  std::uint64_t space = UINT64_MAX;

  /// Off where a test makes thousands of syncs and none is about the disk.
  bool really_sync = true;

  [[nodiscard]] int calls() const { return number_; }
  [[nodiscard]] int calls(const std::string& call) const {
    const auto found = counts_.find(call);
    return found == counts_.end() ? 0 : found->second;
  }

  /// The `nth` of these calls (all if `call` is empty) fails, and, `for_good`, all after it.
  void fail(const std::string& call, int nth, int error, bool for_good = false) {
    int seen = 0;
    script = [=](const std::string& name, int) mutable {
      if (!call.empty() && name != call) return 0;
      ++seen;
      return seen == nth || (for_good && seen > nth) ? -error : 0;
    };
  }
  void heal() { script = nullptr; }

  int open(int directory, const char* path, int flags, mode_t mode) noexcept override {
    const int error = step("open");
    return error < 0 ? error : real_.open(directory, path, flags, mode);
  }
  int close(int fd) noexcept override {
    const int error = step("close");
    const int result = real_.close(fd);  // Linux closes even when it reports an error
    return error < 0 ? error : result;
  }
  ssize_t read(int fd, char* to, std::size_t size) noexcept override {
    const int error = step("read");
    return error < 0 ? error : real_.read(fd, to, size);
  }
  ssize_t pread(int fd, char* to, std::size_t size, off_t offset) noexcept override {
    const int error = step("pread");
    return error < 0 ? error : real_.pread(fd, to, size, offset);
  }
  ssize_t write(int fd, const char* from, std::size_t size) noexcept override {
    if (const int error = step("write"); error < 0) return error;
    if (space == 0) return -ENOSPC;
    size = std::min({size, longest_write, static_cast<std::size_t>(space)});
    const ssize_t result = real_.write(fd, from, size);
    if (result > 0 && space != UINT64_MAX) space -= static_cast<std::uint64_t>(result);
    return result;
  }
  ssize_t pwrite(int fd, const char* from, std::size_t size, off_t offset) noexcept override {
    const int error = step("pwrite");
    return error < 0 ? error : real_.pwrite(fd, from, size, offset);
  }
  off_t seek(int fd, off_t offset, int whence) noexcept override {
    const int error = step("seek");
    return error < 0 ? error : real_.seek(fd, offset, whence);
  }
  int fsync(int fd) noexcept override {
    const int error = step("fsync");
    return error < 0 || !really_sync ? error : real_.fsync(fd);
  }
  int fdatasync(int fd) noexcept override {
    const int error = step("fdatasync");
    return error < 0 || !really_sync ? error : real_.fdatasync(fd);
  }
  int truncate(int fd, off_t size) noexcept override {
    const int error = step("truncate");
    return error < 0 ? error : real_.truncate(fd, size);
  }
  int chmod(int fd, mode_t mode) noexcept override {
    const int error = step("chmod");
    return error < 0 ? error : real_.chmod(fd, mode);
  }
  int set_times(int fd, const struct timespec& accessed, const struct timespec& modified) noexcept override {
    const int error = step("set_times");
    return error < 0 ? error : real_.set_times(fd, accessed, modified);
  }
  int stat(int fd, struct ::stat& status) noexcept override {
    const int error = step("stat");
    return error < 0 ? error : real_.stat(fd, status);
  }
  int stat_at(int directory, const char* path, struct ::stat& status, bool follow) noexcept override {
    const int error = step("stat_at");
    return error < 0 ? error : real_.stat_at(directory, path, status, follow);
  }
  int identify(int directory, const char* path, detail::FileIdentity& identity) noexcept override {
    const int error = step("identify");
    return error < 0 ? error : real_.identify(directory, path, identity);
  }
  int rename_new(int directory, const char* from, const char* to) noexcept override {
    const int error = step("rename_new");
    return error < 0 ? error : real_.rename_new(directory, from, to);
  }
  int rename_over(int directory, const char* from, const char* to) noexcept override {
    const int error = step("rename_over");
    return error < 0 ? error : real_.rename_over(directory, from, to);
  }
  int unlink(int directory, const char* path) noexcept override {
    const int error = step("unlink");
    return error < 0 ? error : real_.unlink(directory, path);
  }
  int mkdir(const char* path, mode_t mode) noexcept override {
    const int error = step("mkdir");
    return error < 0 ? error : real_.mkdir(path, mode);
  }
  int lock(int fd, int command, struct flock& what) noexcept override {
    // A lock that cannot be let go is no state a kernel can be in.
    const int error = what.l_type == F_UNLCK ? 0 : step("lock");
    return error < 0 ? error : real_.lock(fd, command, what);
  }
  int list(int directory, std::vector<std::string>& names) override {
    const int error = step("list");
    return error < 0 ? error : real_.list(directory, names);
  }

 private:
  int step(const char* call) noexcept {
    const std::lock_guard guard(mutex_);
    ++number_;
    ++counts_[call];
    return script ? script(call, number_) : 0;
  }

  detail::FileOps& real_ = detail::system_file_ops();
  std::mutex mutex_;
  int number_ = 0;
  std::map<std::string, int> counts_;
};

}  // namespace cairn::testing
