#include "sinks/safe_open.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "platform/file_size_signal.hpp"
#include "platform/no_cancellation.hpp"
#include "text/text_escape.hpp"

namespace cairn::detail {

namespace {

/// Why a file of this status must not be written, or nothing.
std::string_view refusal(const struct ::stat& status) noexcept {
  if (S_ISLNK(status.st_mode)) return "it is a symbolic link";
  if (!S_ISREG(status.st_mode)) return "it is not a regular file";
  if (status.st_nlink > 1) return "it has a second name (hard link)";
  if (status.st_uid != ::geteuid() && status.st_uid != 0) return "it belongs to another user";
  return {};
}

constexpr int directory_flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;

/// Makes one directory with 0750, whatever the umask is; what it inherits beyond permissions (the group's bit) stays.
int make_directory(FileOps& ops, const std::string& path, std::vector<std::string>& made_ones) {
  constexpr mode_t mode = 0750;
  made_ones.push_back(path);  // first, while there is memory for it
  if (const int made = ops.mkdir(path.c_str(), mode); made < 0) {
    made_ones.pop_back();
    return made == -EEXIST ? 0 : made;
  }
  // A link that took its place meanwhile is not followed.
  const int fd = uninterrupted([&] { return ops.open(AT_FDCWD, path.c_str(), directory_flags | O_NOFOLLOW, 0); });
  if (fd < 0) return fd;
  const Descriptor made(ops, fd);
  struct ::stat status {};
  if (const int result = ops.stat(fd, status); result < 0) return result;
  if ((status.st_mode & 0777U) == mode) return 0;
  return ops.chmod(fd, (status.st_mode & 07000U) | mode);
}

int make_directories(FileOps& ops, const std::string& path, std::vector<std::string>& made_ones) {
  const int made = make_directory(ops, path, made_ones);
  if (made != -ENOENT) return made;
  const std::size_t slash = path.find_last_of('/');
  if (slash == std::string::npos || slash == 0) return made;
  if (const int parent = make_directories(ops, path.substr(0, slash), made_ones); parent < 0) return parent;
  return make_directory(ops, path, made_ones);
}

/// May anyone rename what is in a directory of this status, and put something else there?
bool is_open_to_all(const struct ::stat& status) noexcept {
  return (status.st_mode & S_IWOTH) != 0 && (status.st_mode & S_ISVTX) == 0;
}

/// The first directory by way of which anyone could put another in the place of `path`, whose descriptor is `fd`:
/// along the path, or above where its links lead. What cannot be looked at is not judged.
std::string open_to_all(FileOps& ops, const std::string& path, int fd) {
  struct ::stat status {};
  for (std::size_t end = path.size(); end != std::string::npos;
       end = end == 0 ? std::string::npos : path.rfind('/', end - 1)) {
    std::string folder = end == 0 ? "/" : path.substr(0, end);
    if (ops.stat_at(AT_FDCWD, folder.c_str(), status, true) == 0 && is_open_to_all(status)) return folder;
  }
  struct ::stat below {};
  if (ops.stat(fd, below) < 0) return {};
  for (std::string up = ".."; up.size() < 3 * 256; up += "/..") {
    if (ops.stat_at(fd, up.c_str(), status, true) < 0) return {};
    if (is_open_to_all(status)) return std::string(path).append(1, '/').append(up);
    if (status.st_ino == below.st_ino && status.st_dev == below.st_dev) return {};  // the root
    below = status;
  }
  return {};
}

}  // namespace

std::string path_in(const std::string& folder, const std::string& name) {
  return folder.ends_with('/') ? folder + name : folder + '/' + name;
}

Problem problem(std::string_view deed, std::string_view path, int error, std::string_view reason) {
  Problem result;
  result.code = error_of(error);
  OutputBuffer shown;
  format::append_text_escaped(shown, path);
  result.what.append("cannot ").append(deed).append(" ").append(shown.view()).append(": ");
  if (reason.empty())
    result.what += result.code.message();
  else
    result.what += reason;
  return result;
}

Problem open_directory(FileOps& ops, const std::string& path, bool trusted, Descriptor& directory) {
  std::vector<std::string> made;
  return open_directory(ops, path, trusted, directory, made);
}

Problem open_directory(FileOps& ops, const std::string& path, bool trusted, Descriptor& directory,
                       std::vector<std::string>& made_ones) {
  int fd = uninterrupted([&] { return ops.open(AT_FDCWD, path.c_str(), directory_flags, 0); });
  if (fd == -ENOENT) {
    if (const int made = make_directories(ops, path, made_ones); made < 0)
      return problem("create directory", path, made);
    fd = uninterrupted([&] { return ops.open(AT_FDCWD, path.c_str(), directory_flags, 0); });
  }
  if (fd < 0) return problem("open directory", path, fd);
  Descriptor opened(ops, fd);
  struct ::stat status {};
  if (const int result = ops.stat(fd, status); result < 0) return problem("examine directory", path, result);
  if (!trusted) {
    const std::string folder = is_open_to_all(status) ? "it" : open_to_all(ops, path, fd);
    if (!folder.empty())
      return problem("use directory", path, -EPERM,
                     "everyone may write to " + folder + ", and it has no sticky bit" +
                         " (set `trust_folder` to write there all the same)");
  }
  directory = std::move(opened);
  return {};
}

Problem sync_parents(FileOps& ops, std::vector<std::string>& directories) {
  while (!directories.empty()) {
    // A directory has one parent, whatever the path to it looks like.
    const std::string parent = path_in(directories.back(), "..");
    const int fd = uninterrupted([&] { return ops.open(AT_FDCWD, parent.c_str(), directory_flags, 0); });
    if (fd == -ENOENT) {  // it is gone again: whoever makes it anew has it synced
      directories.pop_back();
      continue;
    }
    if (fd < 0) return problem("open directory", parent, fd);
    const Descriptor opened(ops, fd);
    if (const int synced = uninterrupted([&] { return ops.fsync(fd); }); synced < 0)
      return problem("sync", parent, synced);
    directories.pop_back();
  }
  return {};
}

Problem examine_file(FileOps& ops, int directory, const std::string& name, const std::string& path) {
  struct ::stat status {};
  if (ops.stat_at(directory, name.c_str(), status, false) < 0) return {};  // opening it will tell
  const auto reason = refusal(status);
  return reason.empty() ? Problem() : problem("open", path, -EPERM, reason);
}

Problem open_file(FileOps& ops, int directory, const std::string& name, const std::string& path, OpenMode open_mode,
                  mode_t mode, OpenedFile& file) {
  // O_NONBLOCK: a FIFO that took the file's place must not hold us up; on a regular file it means nothing.
  constexpr int flags = O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
  struct ::stat status {};
  for (int attempt = 0; attempt < 8; ++attempt) {
    if (open_mode != OpenMode::create) {
      // Looking first keeps us from opening a device, which may do something by being opened.
      const int seen = ops.stat_at(directory, name.c_str(), status, false);
      if (seen < 0 && seen != -ENOENT) return problem("open", path, seen);
      if (seen == 0) {
        if (const auto reason = refusal(status); !reason.empty()) return problem("open", path, -EPERM, reason);
        const int fd = uninterrupted([&] { return ops.open(directory, name.c_str(), flags, 0); });
        if (fd == -ENOENT) continue;
        if (fd < 0) return problem("open", path, fd);
        Descriptor opened(ops, fd);
        if (const int result = ops.stat(fd, status); result < 0) return problem("open", path, result);
        if (const auto reason = refusal(status); !reason.empty()) return problem("open", path, -EPERM, reason);
        file.descriptor = std::move(opened);
        file.status = status;
        file.created = false;
        return {};
      }
      if (open_mode == OpenMode::existing) return problem("open", path, -ENOENT);
    }
    const int fd = uninterrupted([&] { return ops.open(directory, name.c_str(), flags | O_CREAT | O_EXCL, mode); });
    if (fd == -EEXIST && open_mode == OpenMode::either) continue;
    if (fd < 0) return problem("create", path, fd);
    Descriptor opened(ops, fd);
    int result = ops.chmod(fd, mode);  // whatever the umask is
    if (result == 0) result = ops.stat(fd, status);
    if (result < 0) {
      (void)ops.unlink(directory, name.c_str());  // ours since O_EXCL, and empty
      return problem("create", path, result);
    }
    file.descriptor = std::move(opened);
    file.status = status;
    file.created = true;
    return {};
  }
  return problem("open", path, -EBUSY, "it appears and disappears");
}

int repair_tail(FileOps& ops, int fd, std::uint64_t size, bool may_cut, TailRepair& repair) {
  constexpr std::uint64_t reach = std::uint64_t{1} << 20;
  constexpr std::uint64_t chunk = 64 * 1024;
  repair = {size, 0, false};
  if (size == 0) return 0;
  char last = 0;
  const auto read_at = [&](char* to, std::uint64_t count, std::uint64_t offset) -> int {
    while (count != 0) {
      const ssize_t got =
          uninterrupted([&] { return ops.pread(fd, to, static_cast<std::size_t>(count), static_cast<off_t>(offset)); });
      if (got < 0) return static_cast<int>(got);
      if (got == 0) return -EAGAIN;  // it shrank under us; look again later
      to += got;
      offset += static_cast<std::uint64_t>(got);
      count -= static_cast<std::uint64_t>(got);
    }
    return 0;
  };
  if (const int result = read_at(&last, 1, size - 1); result < 0) return result;
  if (last == '\n') return 0;
  const auto buffer = std::make_unique<char[]>(chunk);
  std::uint64_t begin = size;
  const std::uint64_t floor = size > reach ? size - reach : 0;
  while (begin > floor) {
    const std::uint64_t count = std::min(chunk, begin - floor);
    begin -= count;
    if (const int result = read_at(buffer.get(), count, begin); result < 0) return result;
    if (const void* found = ::memrchr(buffer.get(), '\n', static_cast<std::size_t>(count))) {
      begin += static_cast<std::uint64_t>(static_cast<const char*>(found) - buffer.get()) + 1;
      repair.torn = size - begin;
      break;
    }
  }
  const bool no_line_end = repair.torn == 0;
  if (no_line_end) repair.torn = size - begin;
  if (may_cut && (!no_line_end || begin == 0)) {
    const int cut = uninterrupted([&] { return ops.truncate(fd, static_cast<off_t>(begin)); });
    if (cut == 0) {
      repair.size = begin;
      return 0;
    }
    if (cut != -EPERM) return cut;  // EPERM: an append-only file; end the torn line instead
  }
  repair.needs_newline = true;
  return 0;
}

Written write_fully(FileOps& ops, int fd, std::string_view bytes, WritesTo target) noexcept {
  Written done;
  const NoCancellation uncancelled;
  WriteShield shield(target == WritesTo::anything);
  while (done.bytes < bytes.size()) {
    const ssize_t count = ops.write(fd, bytes.data() + done.bytes, bytes.size() - done.bytes);
    if (count == -EINTR) continue;
    if (count <= 0) {
      done.error = count == 0 ? -EIO : static_cast<int>(count);
      if (done.error == -EFBIG || done.error == -EPIPE) shield.take_back(-done.error);
      break;
    }
    done.bytes += static_cast<std::size_t>(count);
  }
  return done;
}

}  // namespace cairn::detail
