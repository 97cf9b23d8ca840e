// Which files of a folder a log has made: their inodes and birth times, in a file beside it (`app.log.files`), a line
// each. A name alone says little: `report_2023.log` may be the 2023rd file of `report.log`, and may be the user's. What
// is not in the list is neither written nor compressed nor deleted.
//
// A file is added before its first byte is written, or before it gets a name of the log. So what is lost in a crash, or
// with the list, is at most knowledge: a file that is left alone for ever.
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
  OwnFiles(FileOps& ops, std::string folder, std::string_view file_name, mode_t mode, bool durable);

  /// Reads the list, anew. A missing one is empty; lines that are not understood are passed over.
  [[nodiscard]] Problem load(int directory);
  /// Is it in the list as it was loaded, or added since?
  [[nodiscard]] bool contains(const FileIdentity& file) const noexcept;
  /// Adds what is not in it. On failure nothing has changed.
  [[nodiscard]] Problem add(int directory, const FileIdentity& file);
  [[nodiscard]] std::size_t size() const noexcept { return files_.size(); }
  /// Forgets all that are not among these. On failure nothing has changed.
  [[nodiscard]] Problem keep_only(int directory, std::span<const FileIdentity> files);

 private:
  [[nodiscard]] Problem write_list(int directory);

  FileOps* ops_;
  std::string name_;
  std::string new_name_;  // of a list that is not whole yet
  std::string path_;
  mode_t mode_;
  bool durable_;
  std::vector<FileIdentity> files_;  // ascending by inode
};

}  // namespace cairn::detail
