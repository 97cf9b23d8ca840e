#include "sinks/own_files.hpp"

#include <algorithm>
#include <charconv>
#include <memory>
#include <utility>

namespace cairn::detail {

namespace {

constexpr std::string_view head =
    "# The files that this log made, as inode and birth time in nanoseconds. Others of its names are left alone.\n";
constexpr std::string_view older_mark = " older";
constexpr std::uint64_t most_bytes = std::uint64_t{16} << 20;

/// Where the file system has no birth time, the inode has to do.
bool same(const FileIdentity& a, const FileIdentity& b) noexcept {
  return a.inode == b.inode && (a.born == b.born || a.born == 0 || b.born == 0);
}

}  // namespace

std::string OwnFiles::line_of(const Known& known) {
  std::string line = std::to_string(known.file.inode).append(1, ' ').append(std::to_string(known.file.born));
  if (known.older) line += older_mark;
  return line += '\n';
}

bool OwnFiles::parse_line(std::string_view line, Known& known) noexcept {
  FileIdentity& file = known.file;
  known.older = line.ends_with(older_mark);
  if (known.older) line.remove_suffix(older_mark.size());
  const char* const end = line.data() + line.size();
  const auto inode = std::from_chars(line.data(), end, file.inode);
  if (inode.ec != std::errc{} || inode.ptr == end || *inode.ptr != ' ') return false;
  const auto born = std::from_chars(inode.ptr + 1, end, file.born);
  return born.ec == std::errc{} && born.ptr == end;
}

OwnFiles::OwnFiles(FileOps& ops, const std::string& folder, std::string_view file_name, mode_t mode, bool durable)
    : ops_(&ops),
      name_(std::string(file_name).append(list_extension)),
      new_name_(std::string(file_name).append(new_list_extension)),
      path_(path_in(folder, name_)),
      mode_(mode),
      durable_(durable) {}

Problem OwnFiles::load(int directory) {
  OpenedFile file;
  if (auto failed = open_file(*ops_, directory, name_, path_, OpenMode::existing, 0, file))
    return failed.code == std::errc::no_such_file_or_directory ? Problem{} : failed;
  const auto size = static_cast<std::uint64_t>(file.status.st_size);
  if (size > most_bytes) return problem("read", path_, -EFBIG, "it is no list of Cairn's: it is over 16 MiB");
  std::string text(static_cast<std::size_t>(size), '\0');
  std::size_t length = 0;
  while (length < text.size()) {
    const ssize_t count = uninterrupted([&] {
      return ops_->pread(file.descriptor.get(), text.data() + length, text.size() - length, static_cast<off_t>(length));
    });
    if (count < 0) return problem("read", path_, static_cast<int>(count));
    if (count == 0) break;
    length += static_cast<std::size_t>(count);
  }
  std::vector<Known> files = files_;
  std::string_view rest(text.data(), length);
  for (std::size_t end = 0; (end = rest.find('\n')) != std::string_view::npos; rest.remove_prefix(end + 1)) {
    Known found;
    if (parse_line(rest.substr(0, end), found)) files.push_back(found);
  }
  std::ranges::sort(files);
  files.erase(std::unique(files.begin(), files.end()), files.end());
  files_ = std::move(files);
  return {};
}

const OwnFiles::Known* OwnFiles::find(const FileIdentity& file) const noexcept {
  const auto below = [](const Known& known, std::uint64_t inode) { return known.file.inode < inode; };
  auto at = std::lower_bound(files_.begin(), files_.end(), file.inode, below);
  for (; at != files_.end() && at->file.inode == file.inode; ++at) {
    if (same(at->file, file)) return &*at;
  }
  return nullptr;
}

bool OwnFiles::is_older(const FileIdentity& file) const noexcept {
  const Known* const known = find(file);
  return known != nullptr && known->older;
}

void OwnFiles::know(const FileIdentity& file, bool older) {
  if (contains(file)) return;
  const Known known{file, older};
  unsaved_.push_back(known);
  files_.insert(std::lower_bound(files_.begin(), files_.end(), known), known);
}

Problem OwnFiles::add(int directory, const FileIdentity& file, bool older) {
  know(file, older);
  return unsaved_.empty() ? Problem{} : write_unsaved(directory);
}

bool OwnFiles::is_unsaved(int directory) const noexcept {
  if (files_.empty()) return false;
  struct ::stat status {};
  return !unsaved_.empty() || ops_->stat_at(directory, name_.c_str(), status, false) == -ENOENT;
}

Problem OwnFiles::write_unsaved(int directory) {
  OpenedFile file;
  if (auto failed = open_file(*ops_, directory, name_, path_, OpenMode::either, mode_, file)) return failed;
  const int fd = file.descriptor.get();
  // A line that a crash tore would take in the new one.
  TailRepair tail;
  if (const int result = repair_tail(*ops_, fd, static_cast<std::uint64_t>(file.status.st_size), true, tail);
      result < 0)
    return problem("repair", path_, result);
  // Of a list that was deleted meanwhile, what was known is written anew.
  std::string text(tail.size == 0 ? head : "");
  if (tail.needs_newline) text += '\n';
  for (const Known& own : tail.size == 0 ? files_ : unsaved_) text += line_of(own);
  const Written written = write_fully(*ops_, fd, text, WritesTo::regular_file);
  int failed = written.error;
  if (failed == 0 && durable_) failed = uninterrupted([&] { return ops_->fdatasync(fd); });
  if (failed < 0) {
    (void)ops_->truncate(fd, static_cast<off_t>(tail.size));
    return problem("write to", path_, failed);
  }
  unsaved_.clear();
  return {};
}

Problem OwnFiles::keep_only(int directory, std::span<const FileIdentity> files) {
  std::vector<Known> kept;
  for (const FileIdentity& file : files) {
    if (const Known* const known = find(file)) kept.push_back({file, known->older});
  }
  std::ranges::sort(kept);
  std::swap(files_, kept);
  auto failed = write_list(directory);
  if (failed)
    std::swap(files_, kept);
  else
    unsaved_.clear();
  return failed;
}

Problem OwnFiles::write_list(int directory) {
  OpenedFile file;
  if (auto failed = open_file(*ops_, directory, new_name_, path_, OpenMode::either, mode_, file)) return failed;
  const int fd = file.descriptor.get();
  std::string text(head);
  for (const Known& own : files_) text += line_of(own);
  int failed = ops_->truncate(fd, 0);  // what a crash left of an earlier one
  if (failed == 0) failed = write_fully(*ops_, fd, text, WritesTo::regular_file).error;
  // Whatever `durable` is: of the old list and the new one a power cut must leave one.
  if (failed == 0) failed = uninterrupted([&] { return ops_->fsync(fd); });
  if (failed == 0) failed = ops_->rename_over(directory, new_name_.c_str(), name_.c_str());
  if (failed == 0) return {};
  (void)ops_->unlink(directory, new_name_.c_str());
  return problem("write", path_, failed);
}

}  // namespace cairn::detail
