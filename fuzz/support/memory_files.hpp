// One folder in memory behind the seam to the file system, whose writes, reads and cuts go wrong as an input says. Each
// call that is told of takes the next trouble; without one it does what a healthy disk does.
#pragma once

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "platform/file_ops.hpp"

namespace cairn_fuzz {

class MemoryFiles final : public cairn::detail::FileOps {
 public:
  struct Trouble {
    enum class Kind : std::uint8_t {
      none,
      interrupted,
      short_count,  // `bytes` at most
      no_space,     // after `bytes`
      io_error,     // after `bytes`, which the caller hears nothing of
      refused       // a cut: EPERM, as of an append-only file
    };
    Kind kind = Kind::none;
    std::uint64_t bytes = 0;
  };

  std::deque<Trouble> of_writes;
  std::deque<Trouble> of_reads;
  std::deque<Trouble> of_cuts;

  /// What the file of that name holds; made when there is none.
  std::string& content(const std::string& name) {
    auto& file = names_[name];
    if (!file) file = std::make_shared<File>(File{++last_inode_, {}});
    return file->content;
  }

  int open(int, const char* path, int flags, mode_t) noexcept override {
    const std::string name = name_of(path);
    const auto found = names_.find(name);
    if (found == names_.end() && is_folder(path)) return add({nullptr, 0});
    if (found == names_.end() && (flags & O_CREAT) == 0) return -ENOENT;
    if (found != names_.end() && (flags & O_EXCL) != 0) return -EEXIST;
    (void)content(name);
    return add({names_[name], 0});
  }
  int close(int fd) noexcept override { return opened_.erase(fd) == 1 ? 0 : -EBADF; }
  ssize_t read(int, char*, std::size_t) noexcept override { return -EINVAL; }
  ssize_t pread(int fd, char* to, std::size_t size, off_t offset) noexcept override {
    const std::string& from = opened_.at(fd).file->content;
    const auto at = static_cast<std::size_t>(offset);
    if (at >= from.size()) return 0;
    const Trouble trouble = next(of_reads);
    if (trouble.kind == Trouble::Kind::interrupted) return -EINTR;
    if (trouble.kind == Trouble::Kind::io_error) return -EIO;
    if (trouble.kind == Trouble::Kind::short_count) size = std::min<std::size_t>(size, 1 + trouble.bytes);
    const std::size_t count = std::min(size, from.size() - at);
    std::memcpy(to, from.data() + at, count);
    return static_cast<ssize_t>(count);
  }
  ssize_t write(int fd, const char* from, std::size_t size) noexcept override {
    using Kind = Trouble::Kind;
    Open& open = opened_.at(fd);
    const Trouble trouble = next(of_writes);
    if (trouble.kind == Kind::interrupted) return -EINTR;
    if (trouble.kind == Kind::no_space && trouble.bytes == 0) return -ENOSPC;
    const std::size_t lands = trouble.kind == Kind::none
                                  ? size
                                  : std::min<std::size_t>(size, trouble.bytes + (trouble.kind == Kind::short_count));
    open.file->content.append(from, lands);  // O_APPEND
    if (trouble.kind == Kind::io_error) return -EIO;
    open.position = open.file->content.size();
    if (trouble.kind == Kind::no_space) of_writes.push_front({Kind::no_space, 0});  // then it is full
    return static_cast<ssize_t>(lands);
  }
  ssize_t pwrite(int fd, const char* from, std::size_t size, off_t) noexcept override {
    return write_record(fd, from, size);
  }
  off_t seek(int fd, off_t offset, int whence) noexcept override {
    Open& open = opened_.at(fd);
    if (whence == SEEK_SET) open.position = static_cast<std::size_t>(offset);
    return static_cast<off_t>(open.position);
  }
  int fsync(int) noexcept override { return 0; }
  int fdatasync(int) noexcept override { return 0; }
  int truncate(int fd, off_t size) noexcept override {
    std::string& content = opened_.at(fd).file->content;
    if (content.size() != static_cast<std::size_t>(size)) {  // a real cut
      const Trouble trouble = next(of_cuts);
      if (trouble.kind == Trouble::Kind::interrupted) return -EINTR;
      if (trouble.kind == Trouble::Kind::io_error) return -EIO;
      if (trouble.kind == Trouble::Kind::refused) return -EPERM;
    }
    content.resize(static_cast<std::size_t>(size));
    return 0;
  }
  int chmod(int, mode_t) noexcept override { return 0; }
  int set_times(int, const struct timespec&, const struct timespec&) noexcept override { return 0; }
  int stat(int fd, struct ::stat& status) noexcept override { return tell(opened_.at(fd).file.get(), status); }
  int stat_at(int, const char* path, struct ::stat& status, bool) noexcept override {
    const auto found = names_.find(name_of(path));
    if (found != names_.end()) return tell(found->second.get(), status);
    return is_folder(path) ? tell(nullptr, status) : -ENOENT;
  }
  int identify(int directory, const char* path, cairn::detail::FileIdentity& identity) noexcept override {
    struct ::stat status {};
    const int result = *path == '\0' ? stat(directory, status) : stat_at(directory, path, status, false);
    if (result == 0) identity = {status.st_ino, 0};
    return result;
  }
  int rename_new(int, const char*, const char*) noexcept override { return -EXDEV; }
  int rename_over(int, const char*, const char*) noexcept override { return -EXDEV; }
  int unlink(int, const char* path) noexcept override { return names_.erase(name_of(path)) == 1 ? 0 : -ENOENT; }
  int mkdir(const char*, mode_t) noexcept override { return -EEXIST; }
  int lock(int, int, struct flock& what) noexcept override {
    what.l_type = F_UNLCK;
    return 0;
  }
  int list(int, std::vector<std::string>& names) override {
    for (const auto& [name, file] : names_) names.push_back(name);
    return 0;
  }

 private:
  struct File {
    ino_t inode = 0;
    std::string content;
  };
  struct Open {
    std::shared_ptr<File> file;  // null: the folder, or above
    std::size_t position = 0;
  };

  static std::string name_of(std::string_view path) { return std::string(path.substr(path.find_last_of('/') + 1)); }
  static bool is_folder(std::string_view path) { return path == "/" || path == "/logs" || path.starts_with(".."); }
  static Trouble next(std::deque<Trouble>& troubles) {
    if (troubles.empty()) return {};
    const Trouble first = troubles.front();
    troubles.pop_front();
    return first;
  }
  int add(Open open) {
    opened_[++last_fd_] = std::move(open);
    return last_fd_;
  }
  ssize_t write_record(int fd, const char* from, std::size_t size) {
    opened_.at(fd).file->content.append(from, size);
    return static_cast<ssize_t>(size);
  }
  static int tell(const File* file, struct ::stat& status) {
    status = {};
    status.st_mode = file != nullptr ? S_IFREG | 0640 : S_IFDIR | 0755;
    status.st_ino = file != nullptr ? file->inode : 1;
    status.st_nlink = 1;
    status.st_size = file != nullptr ? static_cast<off_t>(file->content.size()) : 0;
    return 0;
  }

  std::map<std::string, std::shared_ptr<File>> names_;
  std::map<int, Open> opened_;
  int last_fd_ = 1000;
  ino_t last_inode_ = 1;
};

}  // namespace cairn_fuzz
