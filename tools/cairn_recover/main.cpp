// cairn-recover: what a process left in its crash rings, as CLEF.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cairn/output_buffer.hpp"
#include "format/clef_formatter.hpp"
#include "ring/ring_recovery.hpp"

namespace {

constexpr const char* usage =
    "usage: cairn-recover [--output FILE|-] [--keep] FOLDER|RING...\n"
    "Writes the events that dead processes left in crash rings as CLEF, one a line, in the order of time, to standard\n"
    "output or to the end of FILE, and removes the rings. --keep: the rings stay as they are. Rings of processes that\n"
    "live are passed over. Exits with 0; with 1 if a ring was left alone or something in one was damaged or lost; "
    "with\n"
    "2 on an error, the rings then stay.\n";

constexpr int fine = 0, not_all = 1, trouble = 2;

struct Options {
  std::string output = "-";
  bool keep = false;
  std::vector<std::string> sources;
};

/// Where the lines go. In a file, what another left without an end is not gone on in, and of what could not be written
/// whole nothing stays.
class Output {
 public:
  explicit Output(const std::string& path) : name_(path == "-" ? "standard output" : path) {
    if (path != "-") fd_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd_ < 0) {
      complain();
      return;
    }
    struct stat info {};
    is_file_ = ::fstat(fd_, &info) == 0 && S_ISREG(info.st_mode);
    settled_ = info.st_size;
    if (is_file_ && settled_ != 0 && !ends_with_newline()) lines_.append('\n');
  }
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;
  ~Output() {
    if (fd_ > STDERR_FILENO) ::close(fd_);
  }
  [[nodiscard]] bool ok() const noexcept { return ok_; }
  [[nodiscard]] unsigned long long events() const noexcept { return settled_events_; }
  void add(const cairn::Event& event) {
    formatter_.format(event, lines_);
    ++events_;
  }
  /// False: it is not written.
  [[nodiscard]] bool settle() {
    const char* at = lines_.data();
    for (std::size_t left = lines_.size(); ok_ && left != 0;) {
      const ssize_t written = ::write(fd_, at, left);
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) {
        complain();
      } else {
        at += written;
        left -= static_cast<std::size_t>(written);
      }
    }
    lines_.clear();
    // A pipe and a terminal have nothing to be kept on.
    if (ok_ && ::fdatasync(fd_) != 0 && errno != EINVAL && errno != EROFS) complain();
    if (ok_) {
      settled_events_ = events_;
      if (is_file_) settled_ = ::lseek(fd_, 0, SEEK_CUR);
    } else if (is_file_ && ::ftruncate(fd_, settled_) != 0) {
      complain();
    }
    return ok_;
  }

 private:
  /// The descriptor is one for writing.
  [[nodiscard]] bool ends_with_newline() {
    const int in = ::open(("/proc/self/fd/" + std::to_string(fd_)).c_str(), O_RDONLY | O_CLOEXEC);
    char last = '\n';
    if (in < 0 || ::pread(in, &last, 1, settled_ - 1) != 1) complain();
    if (in >= 0) ::close(in);
    return last == '\n';
  }
  void complain() {
    ok_ = false;
    std::fprintf(stderr, "cairn-recover: %s: %s\n", name_.c_str(), std::strerror(errno));
  }
  std::string name_;
  int fd_ = STDOUT_FILENO;
  bool ok_ = true;
  bool is_file_ = false;
  off_t settled_ = 0;  // the size of what is whole
  unsigned long long events_ = 0;
  unsigned long long settled_events_ = 0;
  cairn::detail::ClefFormatter formatter_;
  cairn::OutputBuffer lines_;
};

int run(const Options& options) {
  using namespace cairn::detail;
  RingRecovery recovery(current_boot_id(), options.keep);
  for (const std::string& source : options.sources) {
    struct stat info {};
    if (::stat(source.c_str(), &info) != 0) {
      std::fprintf(stderr, "cairn-recover: %s: %s\n", source.c_str(), std::strerror(errno));
      return trouble;
    }
    const bool is_folder = S_ISDIR(info.st_mode);
    const std::size_t slash = source.rfind('/');
    const std::string path = is_folder ? source : slash == std::string::npos ? "." : source.substr(0, slash + 1);
    std::string problem;
    const auto folder = std::make_shared<RingFolder>(path, false, problem);
    if (!*folder) {
      std::fprintf(stderr, "cairn-recover: %s\n", problem.c_str());
      return trouble;
    }
    if (is_folder) {
      recovery.add_folder(folder);
    } else {
      recovery.add(folder, slash == std::string::npos ? source : source.substr(slash + 1));
    }
  }
  Output output(options.output);
  if (!output.ok()) return trouble;
  const auto settle = [&](bool) {
    if (!output.settle()) return false;
    recovery.acknowledge();
    return true;
  };
  constexpr std::size_t part = 4096;
  const RecoveryReport report = recovery.run([&](RecoveredEvent& event) { output.add(event.view()); }, settle, part);
  for (const std::string& left : report.left_alone)
    std::fprintf(stderr, "cairn-recover: left alone: %s\n", left.c_str());
  const auto number = [](std::uint64_t value) { return static_cast<unsigned long long>(value); };
  std::fprintf(stderr, "cairn-recover: %llu events of %llu rings", output.events(), number(report.rings));
  if (!output.ok()) std::fprintf(stderr, "; the others stay in the rings");
  if (report.in_use != 0) std::fprintf(stderr, "; %llu rings are in use", number(report.in_use));
  const std::uint64_t lost = report.damaged + report.overwritten + report.left_out;
  if (lost != 0) {
    std::fprintf(stderr, "; %llu entries were damaged, %llu events had been overwritten, %llu had no room",
                 number(report.damaged), number(report.overwritten), number(report.left_out));
  }
  std::fprintf(stderr, "\n");
  if (!output.ok()) return trouble;
  return report.left_alone.empty() && lost == 0 ? fine : not_all;
}

}  // namespace

int main(int count, char** arguments) {
  Options options;
  bool options_end = false;
  for (int i = 1; i < count; ++i) {
    const std::string_view argument = arguments[i];
    if (options_end || argument.empty() || argument.front() != '-') {
      options.sources.emplace_back(argument);
    } else if (argument == "--") {
      options_end = true;
    } else if (argument == "--keep") {
      options.keep = true;
    } else if (argument == "--output" && i + 1 < count) {
      options.output = arguments[++i];
    } else if (argument == "--help") {
      std::fputs(usage, stdout);
      return fine;
    } else {
      std::fprintf(stderr, "cairn-recover: no option '%s'\n%s", arguments[i], usage);
      return trouble;
    }
  }
  if (options.sources.empty()) {
    std::fputs(usage, stderr);
    return trouble;
  }
  try {
    return run(options);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "cairn-recover: %s\n", e.what());
    return trouble;
  }
}
