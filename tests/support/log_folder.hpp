// A directory of its own for a test, gone afterwards, and what tests of files ask about it.
#pragma once

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include "cairn/clock.hpp"
#include "sinks/rolling_file.hpp"

namespace cairn::testing {

class LogFolder {
 public:
  LogFolder() {
    // Memory is quick; a disk where there is none.
    char name[] = "/dev/shm/cairn-files-XXXXXX";
    char on_disk[] = "/tmp/cairn-files-XXXXXX";
    const char* made = ::mkdtemp(name);
    path_ = made != nullptr ? made : ::mkdtemp(on_disk);
  }
  ~LogFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  LogFolder(const LogFolder&) = delete;
  LogFolder& operator=(const LogFolder&) = delete;

  [[nodiscard]] std::string path(const std::string& name = {}) const {
    return name.empty() ? path_ : path_ + '/' + name;
  }
  [[nodiscard]] std::string read(const std::string& name) const {
    std::ifstream in(path(name), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(path(name), std::ios::binary) << text;
  }
  [[nodiscard]] bool exists(const std::string& name) const { return ::access(path(name).c_str(), F_OK) == 0; }
  /// All names but those of the lock and of the list of files, sorted.
  [[nodiscard]] std::vector<std::string> names() const {
    std::vector<std::string> result;
    for (const auto& entry : std::filesystem::directory_iterator(path_)) {
      const std::string name = entry.path().filename();
      if (!name.ends_with(".lock") && name.find(".files") == std::string::npos) result.push_back(name);
    }
    std::ranges::sort(result);
    return result;
  }
  /// The lines of all files.
  [[nodiscard]] std::vector<std::string> lines() const {
    std::vector<std::string> result;
    for (const auto& name : names()) {
      std::istringstream in(read(name));
      for (std::string line; std::getline(in, line);) result.push_back(line);
    }
    return result;
  }

 private:
  std::string path_;
};

/// A clock that stands still until it is moved.
struct ManualClock : Clock {
  Timestamp wall{std::chrono::sys_days(std::chrono::year(2026) / 1 / 31) + std::chrono::hours(12)};
  std::chrono::nanoseconds since_start = std::chrono::hours(1);
  Timestamp now() noexcept override { return wall; }
  std::chrono::nanoseconds steady() noexcept override { return since_start; }
  void pass(std::chrono::nanoseconds time) {
    wall += time;
    since_start += time;
  }
};

/// Units made of lines, as append() takes them.
struct Lines {
  std::string bytes;
  std::vector<detail::RollingFile::Unit> units;
  Lines& add(const std::string& line, Timestamp at) {
    bytes += line + '\n';
    units.push_back({bytes.size(), at});
    return *this;
  }
};

inline detail::AppendResult append(detail::RollingFile& file, const Lines& lines) {
  return file.append(lines.bytes, lines.units);
}
inline detail::AppendResult append(detail::RollingFile& file, const std::string& line, Timestamp at) {
  return append(file, Lines{}.add(line, at));
}

}  // namespace cairn::testing
