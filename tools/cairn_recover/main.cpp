// cairn-recover: what a process left in its crash rings, as CLEF.
#include <fcntl.h>
#include <signal.h>
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

#include "output.hpp"
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

/// What was started without standard input, output or error must not open a ring or its output in their place, where
/// messages would land in it. What stands there now is for neither reading nor writing.
void occupy_standard_descriptors() {
  int fd = STDIN_FILENO;
  while (fd >= 0 && fd <= STDERR_FILENO) fd = ::open("/", O_PATH | O_CLOEXEC);
  if (fd >= 0) ::close(fd);
}

int run(const Options& options) {
  using namespace cairn::detail;
  RingRecovery recovery(current_boot_id(), options.keep ? RingRecovery::Use::look : RingRecovery::Use::tool);
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
  constexpr std::size_t part = 512;  // comes twice at most, where it is killed
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
  occupy_standard_descriptors();
  ::signal(SIGXFSZ, SIG_IGN);  // a limit is an error like any other of a file
  ::signal(SIGIO, SIG_IGN);    // of a lease
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
