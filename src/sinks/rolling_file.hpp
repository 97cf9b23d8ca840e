// A log file on the disk: opening it with care, appending whole units, rolling, surviving what happens to files. Knows
// nothing of events and formats: it is given bytes and where each unit ends.
//
//   RollingFile file("logs/app.log", {.rolling = Rolling::day}, system_file_ops(), system_clock());
//   const RollingFile::Unit units[] = {{4, now}, {8, now}};
//   const AppendResult result = file.append("one\ntwo\n", units);
//
// A unit is one event's line or lines, with its '\n'. It is never split over two files, and never left torn: what could
// not be written whole is cut back off (of an exclusive file) or made a line of its own (in a shared one).
//
// Thread-safety: one thread at a time; the counters excepted, which are safe from all.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "cairn/clock.hpp"
#include "cairn/file_options.hpp"
#include "cairn/output_buffer.hpp"
#include "platform/file_ops.hpp"
#include "platform/fork_generation.hpp"
#include "sinks/file_counters.hpp"
#include "sinks/file_names.hpp"
#include "sinks/housekeeping.hpp"
#include "sinks/own_files.hpp"
#include "sinks/owner_lock.hpp"
#include "sinks/safe_open.hpp"

namespace cairn::detail {

struct AppendResult {
  std::size_t units_written = 0;  ///< A prefix of those given.
  std::uint64_t bytes = 0;        ///< Their bytes.
  std::error_code error{};        ///< Set exactly if it is not all of them.
};

/// True for the troubles of storage that may pass (disk or quota full, the file-size limit, I/O error, out of
/// descriptors or memory, a lock that is held too long): keep the units and append them again a little later.
[[nodiscard]] bool retryable(std::error_code error) noexcept;

/// The file could not be opened. `code()` is the system's reason; `what()` names the path and, where another process
/// holds it, that process.
class FileOpenError : public std::system_error {
 public:
  explicit FileOpenError(const Problem& problem)
      : std::system_error(problem.code), text_(std::make_shared<std::string>(problem.what)) {}
  [[nodiscard]] const char* what() const noexcept override { return text_->c_str(); }

 private:
  std::shared_ptr<const std::string> text_;
};

class RollingFile {
 public:
  struct Unit {
    std::size_t end = 0;  ///< Bytes from the beginning of what is appended to the end of this unit.
    Timestamp timestamp{};
  };

  /// Told a sentence when an older file cannot be compressed, once a minute at most, from another thread.
  using Report = Housekeeping::Report;

  /// Opens the file; a relative path is taken from the working directory of now. Throws FileOpenError if that fails and
  /// `on_open_failure` is `error`, or std::invalid_argument for a path without a file name. Of the options, the ones
  /// about format are not looked at. `ops` and `clock` must outlive this.
  RollingFile(std::string path, const FileOptions& options, FileOps& ops, Clock& clock, Report report = {});
  /// Closes, as close() does: call that first, to know.
  ~RollingFile() { (void)close(); }
  RollingFile(const RollingFile&) = delete;
  RollingFile& operator=(const RollingFile&) = delete;

  /// Appends units; `units.back().end` is `bytes.size()`. Timestamps decide on periods only and need not ascend: a unit
  /// older than the period being written goes to that period. After an error, append the rest again.
  [[nodiscard]] AppendResult append(std::string_view bytes, std::span<const Unit> units);
  /// Where a unit may be written in place, to be kept by keep_unit(); null where there is no buffer, and units are
  /// handed to append(). What stands there and was not kept is forgotten.
  [[nodiscard]] OutputBuffer* buffer() noexcept;
  /// Keeps what was appended to buffer() as one unit: as append() does, without a copy. False: not kept, for that
  /// error.
  [[nodiscard]] bool keep_unit(Timestamp timestamp, std::error_code& error) {
    if (pending_.size() > buffer_bytes) [[unlikely]]
      return keep_long_unit(timestamp, error);
    pending_units_.push_back({pending_.size(), timestamp});
    return true;
  }
  /// Hands the buffer to the kernel. With Durable::batch all that was appended is on the disk already; an error if the
  /// last sync failed.
  [[nodiscard]] std::error_code flush();
  /// Writes the buffer, for the last time: units that cannot be written are lost, counted as `buffered_events_lost`,
  /// and describe() says how many. Nothing may be appended afterwards.
  [[nodiscard]] std::error_code close() noexcept;
  /// Closes the file and opens what has its name now (after logrotate's `create`). An error is also tried again by the
  /// next append.
  [[nodiscard]] std::error_code reopen();

  /// Sentences about the log's other files, since they were last taken: what cannot be deleted or written down (of each
  /// once a minute at most), and once what is not the log's.
  [[nodiscard]] bool has_notes() const noexcept { return !notes_.empty(); }
  [[nodiscard]] std::vector<std::string> take_notes() noexcept { return std::exchange(notes_, {}); }

  [[nodiscard]] std::uint64_t count(FileCount what) const noexcept { return counters_.value(what); }
  /// The same, safe from every thread, and beyond the life of this.
  [[nodiscard]] const std::shared_ptr<SinkCounters>& counters() const noexcept { return counters_.shared(); }
  /// Where the next unit goes, as far as is known now; absolute.
  [[nodiscard]] std::string current_path() const { return path_in(directory_path_, active_name_); }
  /// False after a failure to open that has not healed yet; last_problem() says which.
  [[nodiscard]] bool is_open() const noexcept { return static_cast<bool>(file_); }
  [[nodiscard]] const std::string& last_problem() const noexcept { return last_problem_.what; }
  /// After a call that failed with `error`: what failed, on which path, why, and what is lost of the buffer.
  [[nodiscard]] std::string describe(std::error_code error) const;
  [[nodiscard]] std::size_t buffered_units() const noexcept { return pending_units_.size(); }
  /// Waits for the background work; for tests and tools.
  void wait_for_housekeeping() { housekeeping_.wait_until_idle(); }

 private:
  class Turn;
  static constexpr std::size_t buffer_bytes = std::size_t{256} * 1024;  // so much is collected before a write

  // rolling_file.cpp: writing
  [[nodiscard]] AppendResult write_through(std::string_view bytes, std::span<const Unit> units);
  [[nodiscard]] AppendResult write_run(std::string_view bytes, std::span<const Unit> units);
  [[nodiscard]] bool keep_long_unit(Timestamp timestamp, std::error_code& error);
  [[nodiscard]] bool may_write_at_once(const Unit& unit, std::size_t length);
  [[nodiscard]] std::size_t run_length(std::span<const Unit> units, std::size_t first, std::size_t begin);
  [[nodiscard]] bool must_roll(const Unit& unit, std::uint64_t size, std::size_t length);
  [[nodiscard]] Problem prepare_to_write();
  [[nodiscard]] Problem roll_before(const Unit& unit, std::size_t length);
  /// In a forked child: forgets what its parent had collected, and will write.
  void leave_to_the_parent() noexcept {
    if (const std::uint64_t generation = fork_generation(); generation != generation_) [[unlikely]]
      leave_to_the_parent(generation);
  }
  void leave_to_the_parent(std::uint64_t generation) noexcept;
  [[nodiscard]] std::error_code write_pending();
  [[nodiscard]] Problem cut_torn_tail();
  void note_failed_write(std::size_t torn, int error);
  void leave_unsynced(std::uint64_t size_before, int error);
  [[nodiscard]] bool discard();
  void remember(std::string_view deed, int error) noexcept;

  // rolling_file_open.cpp: which file
  [[nodiscard]] Problem open_now();
  [[nodiscard]] Problem open_directory_and_lock();
  [[nodiscard]] Problem open_log();
  [[nodiscard]] Problem take(OpenedFile file, FileId id);
  struct Names;
  [[nodiscard]] Problem look_at_names(std::uint64_t period, Names& names);
  [[nodiscard]] Problem open_own(const std::string& name, OpenMode mode, OpenedFile& file);
  void add_to_own(const FileIdentity& file, bool older = false);
  void save_own() noexcept;
  void note(const Problem& problem) noexcept;
  void tidy();
  [[nodiscard]] Problem adopt_files();
  [[nodiscard]] Problem forget_deleted_files();
  [[nodiscard]] bool may_roll() const noexcept {
    return options_.rolling != Rolling::none || options_.max_file_bytes != 0;
  }
  template <class Deed>
  [[nodiscard]] Problem with_next_name(std::uint64_t period, FileId& id, Deed&& deed);
  [[nodiscard]] Problem create_next(std::uint64_t period, OpenedFile& file, FileId& id);
  [[nodiscard]] Problem follow_the_others();
  [[nodiscard]] bool is_time_to_look() noexcept {
    return clock_.coarse_steady() - looked_at_ >= std::chrono::seconds(1);
  }
  [[nodiscard]] Problem look_around();
  [[nodiscard]] Problem roll(std::uint64_t period);
  [[nodiscard]] Problem roll_once(std::uint64_t period);
  [[nodiscard]] Problem free_the_active_name();
  void close_file() noexcept;
  void keep_reserve() noexcept;
  [[nodiscard]] std::string path_of(const std::string& name) const { return path_in(directory_path_, name); }

  const FileOptions options_;
  FileOps& ops_;
  Clock& clock_;
  std::string directory_path_;
  std::string active_name_;
  FileNames names_;
  Periods periods_;
  std::string base_name_;
  std::shared_ptr<OwnerLock> lock_;
  Descriptor directory_;
  std::vector<std::string> new_directories_;  ///< With Durable::batch: made by us, and their names not synced yet.
  OwnFiles own_;
  FileCounters counters_;
  Housekeeping housekeeping_;

  Descriptor file_;
  Descriptor reserve_;  ///< Given up to open a file when descriptors have run out.
  FileId id_{};
  dev_t device_ = 0;
  ino_t inode_ = 0;
  FileIdentity identity_{};  ///< Of a shared log's.
  std::uint64_t size_ = 0;
  std::uint64_t cut_to_ = 0;  ///< With `cut_pending_`: where the last whole unit ends.
  bool cut_pending_ = false;
  bool needs_newline_ = false;  ///< A torn line stands at the end and could not be cut off.
  std::uint64_t torn_ = 0;      ///< With `needs_newline_`: its length.
  bool abandon_ = false;        ///< A sync failed: nothing more may go into this file.
  std::error_code unsynced_;    ///< Why the last sync failed; none: it did not.
  bool disposable_ = false;     ///< With Durable::batch: made by us, and nothing in it that was synced or is another's.
  std::chrono::nanoseconds looked_at_{};
  std::chrono::nanoseconds open_again_at_{};  ///< Steady time before which no open is tried again.
  std::chrono::nanoseconds roll_again_at_{};
  Problem last_problem_;
  std::uint64_t generation_;  // of the process whose lines the buffer holds

  bool in_turn_ = false;  ///< The others are kept out.
  std::vector<std::string> notes_;
  std::chrono::nanoseconds note_again_at_;  ///< Steady time before which nothing is said of the list of files.
  bool adopted_ = false;
  bool tidy_due_ = true;

  [[nodiscard]] bool collects() const noexcept { return options_.buffered && options_.durable != Durable::batch; }
  [[nodiscard]] std::size_t pending_bytes() const noexcept {
    return pending_units_.empty() ? 0 : pending_units_.back().end;
  }
  OutputBuffer pending_;
  std::vector<Unit> pending_units_;
  std::size_t lost_units_ = 0;  // of the buffer, when it was closed
};

}  // namespace cairn::detail
