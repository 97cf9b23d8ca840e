// A log file that writers leave torn, on a disk whose writes, reads and cuts go wrong: after any history every unit
// that was said to be written is there, whole, once and in order; every whole line that stood there before still does;
// and no line is torn (of a shared file: what is torn is a line of its own).
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sinks/rolling_file.hpp"
#include "support/fuzz_values.hpp"
#include "support/memory_files.hpp"

namespace {

using cairn::detail::AppendResult;
using cairn::detail::RollingFile;
using cairn_fuzz::MemoryFiles;
using Trouble = MemoryFiles::Trouble;

struct StandingClock final : cairn::Clock {
  cairn::Timestamp now() noexcept override { return cairn::Timestamp{}; }
  std::chrono::nanoseconds steady() noexcept override { return time += std::chrono::milliseconds(300); }
  std::chrono::nanoseconds time{};  // so that what failed may always be tried again
};

[[noreturn]] void stop(const std::string& why) {
  std::fprintf(stderr, "%s\n", why.c_str());
  std::abort();
}

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) {
      lines.push_back(std::string(text) + " (torn)");
      break;
    }
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(end + 1);
  }
  return lines;
}

class History {
 public:
  History(cairn_fuzz::Bytes& bytes, bool shared) : bytes_(bytes), shared_(shared) {}

  void run() {
    leave_behind();
    for (int steps = 0; !bytes_.empty() && steps < 60; ++steps) {
      switch (bytes_.byte() % 5U) {
        case 0: open(); break;
        case 1: close_and_tear(); break;
        case 2: trouble(); break;
        default: append(); break;
      }
    }
    files_.of_writes.clear();
    files_.of_reads.clear();
    files_.of_cuts.clear();
    for (int tries = 0; tries < 4 && !append(); ++tries) {
    }
    file_.reset();
    judge();
  }

 private:
  /// What others wrote: lines, the last one perhaps torn, perhaps longer than what is looked back for.
  void leave_behind() {
    std::string& content = files_.content("app.log");
    for (unsigned pieces = bytes_.byte() % 4U; pieces > 0; --pieces) {
      const unsigned scale = bytes_.byte();
      content.append(std::size_t{bytes_.number<std::uint16_t>()} * (scale % 16 == 0 ? 20U : 1U) % 1'200'000U, 'x');
      if (scale < 160) content += '\n';
    }
    note_foreign(content);
  }
  /// Whole lines that must not go.
  void note_foreign(const std::string& content) {
    const std::size_t end = content.rfind('\n');
    must_begin_with_ = end == std::string::npos ? std::string() : content.substr(0, end + 1);
  }

  void open() {
    file_.reset();
    file_ = std::make_unique<RollingFile>(
        "/logs/app.log",
        cairn::FileOptions{.max_file_bytes = 0, .shared = shared_, .on_open_failure = cairn::OnOpenFailure::retry},
        files_, clock_);
  }
  /// The writer is killed, having written a part of a unit.
  void close_and_tear() {
    file_.reset();
    const std::string unit = next_unit();
    files_.content("app.log").append(unit, 0, bytes_.byte() % unit.size());
  }
  void trouble() {
    const unsigned what = bytes_.byte();
    const Trouble made{static_cast<Trouble::Kind>(what % 6U), bytes_.byte()};
    switch (what / 6 % 4) {
      case 0: files_.of_reads.push_back(made); break;
      case 1:
        files_.of_cuts.push_back(made);
        cuts_refused_ = cuts_refused_ || made.kind == Trouble::Kind::refused;
        cuts_fail_ = cuts_fail_ || made.kind == Trouble::Kind::io_error;
        break;
      default:
        files_.of_writes.push_back(made);
        unknown_ = unknown_ || made.kind == Trouble::Kind::io_error;
        break;
    }
  }
  bool append() {
    if (!file_) open();
    std::string text;
    std::vector<RollingFile::Unit> units;
    std::vector<std::string> given;
    for (unsigned count = 1 + bytes_.byte() % 3U; count > 0; --count) {
      given.push_back(next_unit());
      text += given.back();
      units.push_back({text.size(), cairn::Timestamp{}});
    }
    const AppendResult result = file_->append(text, units);
    if (result.units_written > units.size()) stop("more units than were given");
    if ((result.units_written == units.size()) != !result.error) stop("all of them and an error, or neither");
    for (std::size_t i = 0; i < result.units_written; ++i) written_.push_back(given[i].substr(0, given[i].size() - 1));
#ifdef CAIRN_PLANTED_BUG
    // A unit of which all but the line's end was written counts as written.
    if (std::string_view(files_.content("app.log")).ends_with(';') && result.units_written < given.size())
      written_.push_back(given[result.units_written].substr(0, given[result.units_written].size() - 1));
#endif
    return !result.error;
  }
  std::string next_unit() {
    const std::string number = std::to_string(++last_unit_);
    return 'u' + number + std::string(bytes_.byte() % 8U, '.') + number + ";\n";
  }

  void judge() {
    const std::string& content = files_.content("app.log");
    if (!content.starts_with(must_begin_with_)) stop("whole lines of others are gone");
    if (!content.empty() && content.back() != '\n') stop("it ends with a torn line");
    std::vector<std::string> found;
    for (const std::string& line : lines_of(content)) {
      const bool is_unit = line.starts_with('u') && line.ends_with(';');
      if (!is_unit) {
        // Left torn by a kill or a failed write: an exclusive file has it cut off, unless that was refused.
        if (line.starts_with('u') && !shared_ && !cuts_refused_) stop("a torn line is in an exclusive file: " + line);
        continue;
      }
      // Where what landed is not known, or a line without its end was ended, a unit may be there twice.
      if (!found.empty() && found.back() == line && (shared_ || cuts_refused_ || unknown_)) continue;
      found.push_back(line);
    }
    std::size_t at = 0;
    for (const std::string& line : found) {
      if (at < written_.size() && line == written_[at]) {
        ++at;
      } else if (!shared_ && !cuts_refused_ && !(unknown_ && cuts_fail_)) {
        // (What an I/O error left there and no cut took back is whole lines to whoever opens the file next.)
        stop("not said to be written, but there: " + line);
      }
    }
    if (at != written_.size()) stop("said to be written, but not there, or not in order: " + written_[at]);
  }

  cairn_fuzz::Bytes& bytes_;
  const bool shared_;
  bool cuts_refused_ = false;
  bool cuts_fail_ = false;
  bool unknown_ = false;
  MemoryFiles files_;
  StandingClock clock_;
  std::unique_ptr<RollingFile> file_;
  std::string must_begin_with_;
  std::vector<std::string> written_;
  std::uint64_t last_unit_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  cairn_fuzz::Bytes bytes(data, size);
  const bool shared = bytes.byte() % 2 == 1;
  History(bytes, shared).run();
  return 0;
}
