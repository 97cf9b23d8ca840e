// A file system that remembers what was done to it, and what a disk may hold after a power cut: any of the 512-byte
// pieces written to a file since its last sync, any of its truncations, and the first of the changes to the folder
// since that was synced. Everything really happens, too.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "platform/file_ops.hpp"

namespace cairn::testing {

class RecordingFileOps final : public detail::FileOps {
 public:
  struct Operation {
    enum class Kind : std::uint8_t { write, truncate, sync, create, rename, unlink, sync_folder, promise };
    Kind kind{};
    ino_t file = 0;
    std::uint64_t at = 0;  // of a write; the size of a truncation; what is promised
    std::string bytes{};   // of a write; the name of a change to the folder
    std::string to{};      // of a rename
  };

  /// From now on the first `events` must survive.
  void promise(std::uint64_t events) { add({.kind = Operation::Kind::promise, .at = events}); }
  [[nodiscard]] std::size_t size() const {
    const std::lock_guard lock(mutex_);
    return operations_.size();
  }

  /// Writes into `folder`, which is empty, one of the states that a power cut behind the first `count` operations may
  /// leave; gives what is promised there. No two threads at once, nor while operations are made.
  template <class Random>
  std::uint64_t cut(std::size_t count, Random& random, const std::string& folder) const {
    using Kind = Operation::Kind;
    struct Content {
      std::string stable;
      std::vector<const Operation*> pending;
    };
    std::map<ino_t, Content> files;
    std::map<std::string, ino_t> names;
    std::vector<const Operation*> changes;  // of the folder, not synced
    std::uint64_t promised = 0;
    const auto apply_change = [&](const Operation& change) {
      if (change.kind == Kind::create) {
        names[change.bytes] = change.file;
      } else {
        const auto found = names.find(change.bytes);
        if (found == names.end()) return;
        if (change.kind == Kind::rename) names[change.to] = found->second;
        names.erase(change.bytes);
      }
    };
    for (const Operation& operation : std::span(operations_).first(count)) {
      switch (operation.kind) {
        case Kind::write:
        case Kind::truncate: files[operation.file].pending.push_back(&operation); break;
        case Kind::sync: {
          Content& content = files[operation.file];
          for (const Operation* pending : content.pending) apply(*pending, content.stable, [] { return true; });
          content.pending.clear();
          break;
        }
        case Kind::create:
        case Kind::rename:
        case Kind::unlink: changes.push_back(&operation); break;
        case Kind::sync_folder:
          for (const Operation* change : changes) apply_change(*change);
          changes.clear();
          break;
        case Kind::promise: promised = operation.at; break;
      }
    }
    const std::size_t kept = std::uniform_int_distribution<std::size_t>(0, changes.size())(random);
    for (const Operation* change : std::span(changes).first(kept)) apply_change(*change);
    // All, none, or any.
    const auto chance = std::uniform_int_distribution<unsigned>(0, 4)(random) * 25;
    const auto survives = [&] { return std::uniform_int_distribution<unsigned>(0, 99)(random) < chance; };
    for (const auto& [name, file] : names) {
      std::string bytes;
      if (const auto found = files.find(file); found != files.end()) {
        bytes = found->second.stable;
        for (const Operation* pending : found->second.pending) apply(*pending, bytes, survives);
      }
      std::ofstream(folder + '/' + name, std::ios::binary) << bytes;
    }
    for (const auto& [name, file] : names) {
      if (name.ends_with(".files")) give_new_inodes(folder, name, names);
    }
    return promised;
  }

  int open(int directory, const char* path, int flags, mode_t mode) noexcept override {
    const int fd = real_.open(directory, path, flags, mode);
    struct ::stat status {};
    if (fd < 0 || real_.stat(fd, status) != 0 || !S_ISREG(status.st_mode)) return fd;
    const std::string name = std::filesystem::path(path).filename();
    if (name.ends_with(".lock")) return fd;
    const std::lock_guard lock(mutex_);
    logs_[fd] = status.st_ino;
    if (names_.emplace(name, status.st_ino).second)
      operations_.push_back({.kind = Operation::Kind::create, .file = status.st_ino, .bytes = name});
    return fd;
  }
  int close(int fd) noexcept override {
    {
      const std::lock_guard lock(mutex_);
      logs_.erase(fd);
    }
    return real_.close(fd);
  }
  ssize_t read(int fd, char* to, std::size_t size) noexcept override { return real_.read(fd, to, size); }
  ssize_t pread(int fd, char* to, std::size_t size, off_t offset) noexcept override {
    return real_.pread(fd, to, size, offset);
  }
  ssize_t write(int fd, const char* from, std::size_t size) noexcept override {
    struct ::stat status {};
    real_.stat(fd, status);
    const bool appends = (::fcntl(fd, F_GETFL) & O_APPEND) != 0;
    const off_t at = appends ? status.st_size : real_.seek(fd, 0, SEEK_CUR);
    const ssize_t result = real_.write(fd, from, size);
    note_write(fd, at, from, result);
    return result;
  }
  ssize_t pwrite(int fd, const char* from, std::size_t size, off_t offset) noexcept override {
    const ssize_t result = real_.pwrite(fd, from, size, offset);
    note_write(fd, offset, from, result);
    return result;
  }
  off_t seek(int fd, off_t offset, int whence) noexcept override { return real_.seek(fd, offset, whence); }
  int fsync(int fd) noexcept override { return note_sync(fd); }
  int fdatasync(int fd) noexcept override { return note_sync(fd); }
  int truncate(int fd, off_t size) noexcept override {
    const int result = real_.truncate(fd, size);
    if (result == 0) note(fd, {.kind = Operation::Kind::truncate, .at = static_cast<std::uint64_t>(size)});
    return result;
  }
  int chmod(int fd, mode_t mode) noexcept override { return real_.chmod(fd, mode); }
  int set_times(int fd, const struct timespec& accessed, const struct timespec& modified) noexcept override {
    return real_.set_times(fd, accessed, modified);
  }
  int stat(int fd, struct ::stat& status) noexcept override { return real_.stat(fd, status); }
  int stat_at(int directory, const char* path, struct ::stat& status, bool follow) noexcept override {
    return real_.stat_at(directory, path, status, follow);
  }
  int identify(int directory, const char* path, detail::FileIdentity& identity) noexcept override {
    return real_.identify(directory, path, identity);
  }
  int rename_new(int directory, const char* from, const char* to) noexcept override {
    return note_rename(real_.rename_new(directory, from, to), from, to);
  }
  int rename_over(int directory, const char* from, const char* to) noexcept override {
    return note_rename(real_.rename_over(directory, from, to), from, to);
  }
  int unlink(int directory, const char* path) noexcept override {
    const int result = real_.unlink(directory, path);
    if (result != 0) return result;
    const std::lock_guard lock(mutex_);
    if (names_.erase(path) != 0) operations_.push_back({.kind = Operation::Kind::unlink, .bytes = path});
    return result;
  }
  int mkdir(const char* path, mode_t mode) noexcept override { return real_.mkdir(path, mode); }
  int lock(int fd, int command, struct flock& what) noexcept override { return real_.lock(fd, command, what); }
  int list(int directory, std::vector<std::string>& names) override { return real_.list(directory, names); }

 private:
  static constexpr std::uint64_t sector = 512;

  /// What a list says of files is true of those in `folder`, which are others.
  void give_new_inodes(const std::string& folder, const std::string& list,
                       const std::map<std::string, ino_t>& names) const {
    std::ifstream in(folder + '/' + list, std::ios::binary);
    std::string text;
    for (std::string line; std::getline(in, line);) {
      for (const auto& [name, file] : names) {
        detail::FileIdentity now;
        if (line.starts_with(std::to_string(file) + ' ') &&
            real_.identify(AT_FDCWD, (folder + '/' + name).c_str(), now) == 0) {
          line = std::to_string(now.inode) + ' ' + std::to_string(now.born);
          break;
        }
      }
      text += line + (in.eof() ? "" : "\n");
    }
    std::ofstream(folder + '/' + list, std::ios::binary) << text;
  }

  /// Each piece of a write only if it `survives`; what lies between is zeros.
  template <class Survives>
  static void apply(const Operation& operation, std::string& bytes, Survives&& survives) {
    if (operation.kind == Operation::Kind::truncate) {
      if (survives()) bytes.resize(operation.at);
      return;
    }
    for (std::uint64_t from = 0; from < operation.bytes.size();) {
      const std::uint64_t at = operation.at + from;
      const std::uint64_t length = std::min<std::uint64_t>(sector - at % sector, operation.bytes.size() - from);
      if (survives()) {
        if (bytes.size() < at + length) bytes.resize(at + length);
        bytes.replace(at, length, operation.bytes, from, length);
      }
      from += length;
    }
  }

  void add(Operation operation) {
    const std::lock_guard lock(mutex_);
    operations_.push_back(std::move(operation));
  }
  int note_rename(int result, const char* from, const char* to) {
    if (result != 0) return result;
    const std::lock_guard lock(mutex_);
    if (const auto found = names_.find(from); found != names_.end()) {
      names_[to] = found->second;
      names_.erase(from);
      operations_.push_back({.kind = Operation::Kind::rename, .bytes = from, .to = to});
    }
    return result;
  }
  void note(int fd, Operation operation) {
    const std::lock_guard lock(mutex_);
    const auto found = logs_.find(fd);
    if (found == logs_.end()) return;
    operation.file = found->second;
    operations_.push_back(std::move(operation));
  }
  void note_write(int fd, off_t at, const char* from, ssize_t result) {
    if (result <= 0) return;
    note(fd, {.kind = Operation::Kind::write,
              .at = static_cast<std::uint64_t>(at),
              .bytes = std::string(from, static_cast<std::size_t>(result))});
  }
  int note_sync(int fd) {
    struct ::stat status {};
    if (real_.stat(fd, status) == 0 && S_ISDIR(status.st_mode)) {
      add({.kind = Operation::Kind::sync_folder});
    } else {
      note(fd, {.kind = Operation::Kind::sync});
    }
    return 0;  // of memory there is nothing to sync
  }

  detail::FileOps& real_ = detail::system_file_ops();
  mutable std::mutex mutex_;
  std::vector<Operation> operations_;
  std::map<std::string, ino_t> names_;
  std::map<int, ino_t> logs_;
};

}  // namespace cairn::testing
