#include "output.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

Output::Output(const std::string& path) : name_(path == "-" ? "standard output" : path), fd_(STDOUT_FILENO) {
  if (path != "-") fd_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd_ < 0) {
    complain();
    return;
  }
  struct stat info {};
  is_file_ = ::fstat(fd_, &info) == 0 && S_ISREG(info.st_mode);
  if (is_file_ && info.st_size != 0 && !ends_with_newline()) lines_.append('\n');
}

Output::~Output() {
  if (fd_ > STDERR_FILENO) ::close(fd_);
}

bool Output::settle() {
  if (events_ == settled_events_) return ok_;
  const off_t size_before = is_file_ ? size() : 0;
  Written written;
  if (is_file_) {
    written = write_to_file();
  } else {
    write_to_pipe();
  }
  // A pipe and a terminal have nothing to be kept on.
  if (ok_ && ::fdatasync(fd_) != 0 && errno != EINVAL && errno != EROFS) complain();
  if (ok_) {
    settled_events_ = events_;
  } else if (written.bytes != 0) {
    take_back(written, size_before);
  }
  lines_.clear();
  return ok_;
}

void Output::write_to_pipe() {
  for (std::string_view left = lines_.view(); ok_ && !left.empty();) {
    const ssize_t written = write(left);
    if (written < 0) return complain();
    left.remove_prefix(static_cast<std::size_t>(written));
  }
}

/// In one go: what is written in a second one may stand behind what another appended meanwhile.
Output::Written Output::write_to_file() {
  const std::string_view lines = lines_.view();
  const ssize_t result = write(lines);
  if (result < 0) {
    complain();
    return {};
  }
  Written written{.bytes = static_cast<std::size_t>(result), .end = ::lseek(fd_, 0, SEEK_CUR)};
  if (written.bytes == lines.size()) return written;
  written.torn = written.bytes - (lines.substr(0, written.bytes).rfind('\n') + 1);
  errno = EAGAIN;
  written.ended = write("\n") == 1;  // or it says why there is no room
  complain();
  return written;
}

void Output::take_back(const Written& written, off_t size_before) {
  if (size_before < 0) return;
  const off_t grown_to = size_before + static_cast<off_t>(written.bytes) + (written.ended ? 1 : 0);
  if (cut(grown_to, size_before)) return;
  if (written.bytes != written.torn) say("others write to it: the whole lines stay in it, and come again");
  if (written.torn == 0 || blank(written)) return;
  say("others write to it: a line that is not whole stays in it");
}

/// Cuts the file, if it has grown to `grown_to` and no further: then all that comes off is ours.
bool Output::cut(off_t grown_to, off_t size_before) {
  // With the lease nobody else has it open, and who would open it waits. Where there are no leases the size must do.
  const bool leased = ::fcntl(fd_, F_SETLEASE, F_WRLCK) == 0;
  if (!leased && errno == EAGAIN) return false;
  const bool ours = size() == grown_to;
  if (ours && ::ftruncate(fd_, size_before) != 0) complain();
  if (leased) (void)::fcntl(fd_, F_SETLEASE, F_UNLCK);
  return ours;
}

/// Makes blanks of the line that is not whole, if it is where we think it is.
bool Output::blank(const Written& written) {
  const int file = open_again(O_RDWR);
  if (file < 0) return false;
  const std::string_view torn = lines_.view().substr(written.bytes - written.torn, written.torn);
  const off_t begin = written.end - static_cast<off_t>(written.torn);
  std::string bytes(written.torn, '\0');
  bool done = ::pread(file, bytes.data(), bytes.size(), begin) == static_cast<ssize_t>(bytes.size()) && bytes == torn;
  if (done) {
    bytes.assign(bytes.size(), ' ');
    bytes.back() = '\n';
    done = ::pwrite(file, bytes.data(), bytes.size(), begin) == static_cast<ssize_t>(bytes.size());
  }
  ::close(file);
  return done;
}

ssize_t Output::write(std::string_view bytes) const {
  ssize_t written = 0;
  do {
    written = ::write(fd_, bytes.data(), bytes.size());
  } while (written < 0 && errno == EINTR);
  return written;
}

int Output::open_again(int flags) const {
  return ::open(("/proc/self/fd/" + std::to_string(fd_)).c_str(), flags | O_CLOEXEC);
}

off_t Output::size() const {
  struct stat info {};
  return ::fstat(fd_, &info) == 0 ? info.st_size : -1;
}

/// False where it cannot be read, too: an empty line is better than two in one.
bool Output::ends_with_newline() const {
  const int file = open_again(O_RDONLY);
  if (file < 0) return false;
  char last = '\0';
  const bool read = ::pread(file, &last, 1, size() - 1) == 1;
  ::close(file);
  return read && last == '\n';
}

void Output::complain() {
  ok_ = false;
  say(std::strerror(errno));
}

void Output::say(const char* what) const { std::fprintf(stderr, "cairn-recover: %s: %s\n", name_.c_str(), what); }
