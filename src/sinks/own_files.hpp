// Which files of a folder a log has made: their inodes and birth times, in a file beside it (`app.log.files`), a line
// each. A name alone says little: `report_2023.log` may be the 2023rd file of `report.log`, and may be the user's. What
// is not in the list is neither written nor compressed nor deleted.
//
// The line of a file that was adopted may say that it is older than what the log made itself, whatever their numbers:
// those began anew when the list was lost.
//
// A file is added before its first byte is written, or before it gets a name of the log. So what is lost in a crash, or
// with the list, is at most knowledge: a file that is left alone for ever. Where the list cannot be had or written
// (a full disk, somebody else's), the log goes on: what it has made since it was opened it knows all the same, and it
// writes that down when it can.
//
// Thread-safety: an object is one thread's. Several objects, of this process and others, may be of one list, if all
// that change it take turns (OwnerLock::enter); reading needs no turn.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "platform/file_ops.hpp"
#include "sinks/file_names.hpp"
#include "sinks/safe_open.hpp"

namespace cairn::detail {

class OwnFiles {
 public:
  /// Of the log `file_name` (the last part of its path) in `folder`. The list gets `mode`; with `durable`, what is
  /// added is on the disk when add() returns. (A new list's name is not: whoever syncs the folder for the log's file
  /// syncs both.)
  OwnFiles(FileOps& ops, const std::string& folder, std::string_view file_name, mode_t mode, bool durable);

  /// Adds what others have written to the list. A missing one is empty; lines that are not understood are passed over.
  [[nodiscard]] Problem load(int directory);
  /// Is it known: of the list as it was loaded, or added since?
  [[nodiscard]] bool contains(const FileIdentity& file) const noexcept { return find(file) != nullptr; }
  /// Is it known to come before all that are not, whatever its number?
  [[nodiscard]] bool is_older(const FileIdentity& file) const noexcept;
  /// The file is known from now on; and written to the list, with those before it that could not be. On failure the
  /// list is as it was.
  [[nodiscard]] Problem add(int directory, const FileIdentity& file, bool older = false);
  /// The file is known from now on; it is written to the list with the next that is, or by save().
  void know(const FileIdentity& file, bool older = false);
  /// Is something known that could not be written down, or was the list deleted?
  [[nodiscard]] bool is_unsaved(int directory) const noexcept;
  /// Writes that down.
  [[nodiscard]] Problem save(int directory) { return is_unsaved(directory) ? write_unsaved(directory) : Problem{}; }
  [[nodiscard]] std::size_t size() const noexcept { return files_.size(); }
  /// Forgets all that are not among these. On failure nothing has changed.
  [[nodiscard]] Problem keep_only(int directory, std::span<const FileIdentity> files);

 private:
  struct Known {
    FileIdentity file{};
    bool older = false;
    friend auto operator<=>(const Known&, const Known&) = default;
  };
  [[nodiscard]] static std::string line_of(const Known& known);
  [[nodiscard]] static bool parse_line(std::string_view line, Known& known) noexcept;
  [[nodiscard]] const Known* find(const FileIdentity& file) const noexcept;
  [[nodiscard]] Problem write_unsaved(int directory);
  [[nodiscard]] Problem write_list(int directory);

  FileOps* ops_;
  std::string name_;
  std::string new_name_;  // of a list that is not whole yet
  std::string path_;
  mode_t mode_;
  bool durable_;
  std::vector<Known> files_;    // ascending
  std::vector<Known> unsaved_;  // of them
};

}  // namespace cairn::detail
