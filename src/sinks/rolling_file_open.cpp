// Which file: opening at the start and again, rolling, and noticing what others did to the file.
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "platform/file_size_signal.hpp"
#include "platform/fork_generation.hpp"
#include "sinks/rolling_file.hpp"
#include "sinks/rolling_file_turn.hpp"

namespace cairn::detail {

namespace {
using namespace std::chrono_literals;

constexpr int most_collisions = 1000;
constexpr std::uint32_t most_taken = FileNames::highest_number / 2;

std::string absolute(std::string path) {
  if (path.empty() || path.find('\0') != std::string::npos)
    throw std::invalid_argument("a log file needs a path, without NUL characters");
  if (path.front() != '/') {
    char* const here = ::getcwd(nullptr, 0);
    if (here != nullptr) path = std::string(here) + '/' + path;
    std::free(here);
  }
  const std::string_view name = std::string_view(path).substr(path.find_last_of('/') + 1);
  if (name.empty() || name == "." || name == "..") throw std::invalid_argument("a log file needs a name: " + path);
  return path;
}

bool out_of_descriptors(const Problem& problem) noexcept {
  return problem.code == std::errc::too_many_files_open || problem.code == std::errc::too_many_files_open_in_system;
}

std::string directory_of(const std::string& path) { return path.substr(0, std::max<std::size_t>(path.rfind('/'), 1)); }
std::string name_of(const std::string& path) { return path.substr(path.rfind('/') + 1); }
}  // namespace

RollingFile::RollingFile(std::string path, const FileOptions& options, FileOps& ops, Clock& clock, Report report)
    : options_(options),
      ops_(ops),
      clock_(clock),
      directory_path_(directory_of(path = absolute(std::move(path)))),
      active_name_(name_of(path)),
      names_(active_name_, options.rolling, options.keep_active_name),
      periods_(options.rolling, options.time_zone),
      base_name_(active_name_),
      own_(ops, directory_path_, base_name_, options.mode, options.durable == Durable::batch),
      housekeeping_(directory_path_, names_, options, ops, clock, counters_, std::move(report)),
      open_again_at_(std::chrono::nanoseconds::min()),
      roll_again_at_(std::chrono::nanoseconds::min()),
      generation_(fork_generation()),
      note_again_at_(std::chrono::nanoseconds::min()) {
  id_ = {periods_.of(clock.now()), 0};
  active_name_ = names_.active_name(id_);
  if (options.buffered) pending_.reserve(buffer_bytes + 16 * 1024);  // and a line that goes over it
  if (auto problem = open_now(); problem && options.on_open_failure == OnOpenFailure::error)
    throw FileOpenError(problem);
}

std::error_code RollingFile::reopen() {
  // What is in the buffer was logged before: it belongs to the file that is about to be left.
  const auto unwritten = write_pending();
  counters_.add(FileCount::reopened);
  close_file();
  open_again_at_ = std::chrono::nanoseconds::min();
  if (const auto problem = open_now()) return problem.code;
  return unwritten;
}

void RollingFile::close_file() noexcept {
  if (cut_pending_) (void)cut_torn_tail();
  file_.reset();
  cut_pending_ = needs_newline_ = false;
}

void RollingFile::keep_reserve() noexcept {
  if (reserve_) return;
  const int fd = ops_.open(AT_FDCWD, "/dev/null", O_RDONLY | O_CLOEXEC, 0);
  if (fd >= 0) reserve_ = Descriptor(ops_, fd);
}

Problem RollingFile::open_now() {
  const auto now = clock_.steady();
  if (now < open_again_at_) return last_problem_;
  const auto open = [this]() -> Problem {
    if (auto failed = open_directory_and_lock()) return failed;
    const Turn turn(*this);
    if (turn.error() < 0) return problem("lock", current_path(), turn.error());
    if (auto unopened = open_log()) return unopened;
    save_own();
    if (tidy_due_ && options_.durable != Durable::batch) tidy();  // what an earlier run left
    return {};
  };
  auto failed = open();
  if (out_of_descriptors(failed) && reserve_) {
    reserve_.reset();
    failed = open();
  }
  if (failed) {
    file_.reset();
    open_again_at_ = now + 250ms;
    last_problem_ = failed;
    return failed;
  }
  keep_reserve();
  watch_file_size_signal();
  looked_at_ = now;
  return {};
}

Problem RollingFile::open_directory_and_lock() {
  auto failed = open_directory(ops_, directory_path_, options_.trust_folder, directory_, new_directories_);
  if (options_.durable != Durable::batch) new_directories_.clear();
  if (failed) return failed;
  if (auto unsynced = sync_parents(ops_, new_directories_)) return unsynced;
  if (lock_ && lock_->still_in_place()) return {};
  // What stands in the log's place is judged before the lock, which the reader did not ask for. In the place of a
  // period's file it is only passed over.
  if (active_name_ == base_name_) {
    if (auto refused = examine_file(ops_, directory_.get(), active_name_, current_path())) return refused;
  }
  std::unique_ptr<OwnerLock> lock;
  failed = OwnerLock::acquire(ops_, path_of(base_name_).append(lock_extension), options_.shared, options_.mode, lock);
  if (failed) {
    if (failed.code != std::errc::device_or_resource_busy)
      failed.what = problem("open", current_path(), 0, "its lock cannot be had: " + failed.what).what;
    return failed;
  }
  lock_ = std::move(lock);
  housekeeping_.use_lock(lock_);
  return {};
}

/// What has names of files of one period, or of later ones.
struct RollingFile::Names {
  std::optional<FileNames::Match> newest;  // of our own
  bool newest_is_older = false;            // than what the log has made since its list was lost: no more goes there
  std::vector<FileId> others;              // that something else has the name of
  [[nodiscard]] bool has_other(FileId id) const { return std::ranges::find(others, id) != others.end(); }
};

Problem RollingFile::look_at_names(std::uint64_t period, Names& names) {
  names = {};
  if (!may_roll()) return {};
  note(own_.load(directory_.get()));
  std::vector<std::string> all;
  if (const int result = ops_.list(directory_.get(), all); result < 0) return problem("list", directory_path_, result);
  for (const auto& name : all) {
    const auto match = names_.parse(name);
    if (!match || match->active || match->id.period < period) continue;
    FileIdentity file;
    if (const int result = ops_.identify(directory_.get(), name.c_str(), file); result < 0) {
      if (result == -ENOENT) continue;
      return problem("examine", path_of(name), result);
    }
    auto& newest = names.newest;
    // A number that leaves none to come is no log's to go on from.
    if ((name != base_name_ && !own_.contains(file)) || match->id.number > most_taken) {
      names.others.push_back(match->id);
      // A compressed file and its source have one number; the compressed one counts: that number is used up.
    } else if (!newest || match->id > newest->id || (match->id == newest->id && match->compressed != Compress::none)) {
      newest = match;
      names.newest_is_older = own_.is_older(file);
    }
  }
  return {};
}

/// Opens what has that name if the log made it; else EEXIST. What it creates is the log's from then on.
Problem RollingFile::open_own(const std::string& name, OpenMode mode, OpenedFile& file) {
  if (auto failed = open_file(ops_, directory_.get(), name, path_of(name), mode, options_.mode, file)) {
    // It was made by the log, but has been given to somebody else, or a second name: it is passed over.
    const bool refused =
        failed.code == std::errc::operation_not_permitted || failed.code == std::errc::permission_denied;
    if (refused && name != base_name_ && mode == OpenMode::either)
      failed.code = make_error_code(std::errc::file_exists);
    return failed;
  }
  if (name == base_name_) return {};
  FileIdentity identity;
  const int result = ops_.identify(file.descriptor.get(), "", identity);
  if (file.created) {
    if (result == 0)
      add_to_own(identity);
    else
      note(problem("examine", path_of(name), result));
    return {};
  }
  if (result < 0) return problem("examine", path_of(name), result);
  return own_.contains(identity) ? Problem{} : problem("open", path_of(name), -EEXIST);
}

void RollingFile::add_to_own(const FileIdentity& file, bool older) { note(own_.add(directory_.get(), file, older)); }

/// What could not be written to the list may be by now. What still stands in the way was told when it came.
void RollingFile::save_own() noexcept try {
  if (!may_roll() || !directory_ || !own_.is_unsaved(directory_.get())) return;  // a turn may have to be waited for
  const Turn turn(*this);
  if (turn.error() == 0) (void)own_.save(directory_.get());
} catch (...) {  // no memory: another time
}

/// What goes wrong with the list costs knowledge, and no event.
void RollingFile::note(const Problem& problem) noexcept try {
  if (!problem) return;
  counters_.add(FileCount::retention_errors);
  const auto now = clock_.steady();
  if (now < note_again_at_) return;
  note_again_at_ = now + 1min;
  notes_.push_back(problem.what + "; the log goes on, but the next start may leave files alone that it makes now");
} catch (...) {  // no memory for the sentence: the count tells
}

/// With Durable::batch nothing is deleted for a new file before something was synced in it: it may be that nothing ever
/// can be.
void RollingFile::tidy() {
  const Turn turn(*this);
  if (turn.error() < 0) return;  // with the next batch
  tidy_due_ = false;
  if (may_roll()) housekeeping_.tidy(id_, own_, notes_);
}

/// `deed` takes a name and fails with EEXIST where there is something of that name, whatever it is: even a link to
/// nowhere is not ours to replace.
template <class Deed>
Problem RollingFile::with_next_name(std::uint64_t period, FileId& id, Deed&& deed) {
  Names names;
  if (auto failed = look_at_names(period, names)) return failed;
  // A clock that went back does not begin a file of an earlier period.
  id = {period, names_.first_number()};
  if (names.newest) id = {names.newest->id.period, names.newest->id.number + 1};
  if (!names_.keeps_active_name() && id.period == id_.period && file_) id.number = std::max(id.number, id_.number + 1);
  for (int tries = 0;; ++id.number) {
    if (names.has_other(id)) continue;
    auto failed = deed(names_.name(id));
    if (failed.code != std::errc::file_exists || ++tries == most_collisions) return failed;
  }
}

Problem RollingFile::create_next(std::uint64_t period, OpenedFile& file, FileId& id) {
  return with_next_name(period, id, [&](const std::string& name) { return open_own(name, OpenMode::create, file); });
}

/// Where the log did not know them, its numbers may have begun anew: then they are older than what has lower ones.
/// Their times tell, as they are of the same log.
Problem RollingFile::adopt_files() {
  note(own_.load(directory_.get()));
  std::vector<std::string> all;
  if (const int result = ops_.list(directory_.get(), all); result < 0) return problem("list", directory_path_, result);
  using Time = std::pair<std::time_t, long>;
  struct Named {
    FileId id;
    FileIdentity file;
    Time modified;
    bool own;
  };
  std::vector<Named> found;
  for (const auto& name : all) {
    const auto match = names_.parse(name);
    struct ::stat status {};
    FileIdentity file;
    if (!match || match->active || match->id.number > most_taken ||
        ops_.stat_at(directory_.get(), name.c_str(), status, false) < 0 || !S_ISREG(status.st_mode))
      continue;
    const int result = ops_.identify(directory_.get(), name.c_str(), file);
    if (result == -ENOENT) continue;
    if (result < 0) return problem("examine", path_of(name), result);
    if (own_.is_older(file)) continue;
    const bool own = name == base_name_ || own_.contains(file);
    found.push_back({match->id, file, {status.st_mtim.tv_sec, status.st_mtim.tv_nsec}, own});
  }
  std::ranges::sort(found, {}, &Named::id);
  std::optional<Time> first;  // that one of its own with a lower number was written to last
  for (const Named& named : found) {
    if (named.own)
      first = std::min(first.value_or(named.modified), named.modified);
    else
      add_to_own(named.file, first && named.modified < *first);
  }
  return {};
}

/// Files that are deleted leave their lines in the list: they go when they are most of it.
Problem RollingFile::forget_deleted_files() {
  constexpr std::size_t few = 256;
  if (own_.size() < few) return {};
  if (auto failed = own_.load(directory_.get())) return failed;
  std::vector<std::string> all;
  if (const int result = ops_.list(directory_.get(), all); result < 0) return problem("list", directory_path_, result);
  std::erase_if(all, [this](const std::string& name) { return !names_.parse(name); });
  if (own_.size() < 2 * all.size()) return {};
  std::vector<FileIdentity> here;
  for (const auto& name : all) {
    FileIdentity file;
    if (ops_.identify(directory_.get(), name.c_str(), file) == 0) here.push_back(file);
  }
  return own_.keep_only(directory_.get(), here);
}

Problem RollingFile::open_log() {
  const std::uint64_t now = std::max(id_.period, periods_.of(clock_.now()));
  FileId id{now, now == id_.period ? id_.number : 0};
  if (options_.shared) {
    if (const auto agreed = lock_->agreed()) {
      id = std::max(id, agreed->id);
      own_.know(agreed->file);
    }
  }
  OpenedFile file;
  if (options_.adopt_files && may_roll() && !adopted_) {
    if (auto failed = adopt_files()) return failed;
    adopted_ = true;
  }
  if (names_.keeps_active_name()) {
    if (abandon_) {
      if (auto failed = free_the_active_name()) return failed;
      if (id == id_) ++id.number;
    }
    if (may_roll()) note(own_.load(directory_.get()));
    if (auto failed =
            open_file(ops_, directory_.get(), base_name_, path_of(base_name_), OpenMode::either, options_.mode, file))
      return failed;
    if (file.status.st_size != 0 && !options_.shared) {
      // Its lines are of the period it was last written in, and that is the name it will get.
      const auto& modified = file.status.st_mtim;
      const Timestamp written{std::chrono::seconds(modified.tv_sec) + std::chrono::nanoseconds(modified.tv_nsec)};
      id.period = std::min(id.period, periods_.of(written));
    }
    return take(std::move(file), id);
  }
  Names names;
  if (auto failed = look_at_names(id.period, names)) return failed;
  const auto& last = names.newest;
  bool used_up = last && last->id >= id && (last->compressed != Compress::none || names.newest_is_older);
  if (last && last->id > id) id = last->id;
  used_up = used_up || (abandon_ && id == id_);
  if (!used_up && !names.has_other(id)) {
    auto failed = open_own(names_.name(id), OpenMode::either, file);
    if (!failed) {
      used_up = options_.max_file_bytes != 0 && !options_.shared &&
                static_cast<std::uint64_t>(file.status.st_size) >= options_.max_file_bytes;
      if (!used_up) return take(std::move(file), id);
    } else if (failed.code != std::errc::file_exists) {
      return failed;
    }
  }
  if (auto failed = create_next(id.period, file, id)) return failed;
  return take(std::move(file), id);
}

Problem RollingFile::take(OpenedFile file, FileId id) {
  const int fd = file.descriptor.get();
  TailRepair tail;
  const auto size = static_cast<std::uint64_t>(file.status.st_size);
  const std::string name = names_.active_name(id);
  const auto refuse = [&](Problem failed) {
    // What is ours since O_EXCL, and empty, must not be left behind: the next attempt makes another.
    if (file.created) (void)ops_.unlink(directory_.get(), name.c_str());
    return failed;
  };
  if (const int result = repair_tail(ops_, fd, size, !options_.shared, tail); result < 0)
    return refuse(problem("repair", path_of(name), result));
  // From here on the kernel's position is the end of our own last byte (see note_failed_write).
  if (const off_t moved = ops_.seek(fd, static_cast<off_t>(tail.size), SEEK_SET); moved < 0)
    return refuse(problem("open", path_of(name), static_cast<int>(moved)));
  if (file.created && options_.durable == Durable::batch) {
    // The name must survive a power cut as well as the bytes.
    if (const int synced = uninterrupted([&] { return ops_.fsync(directory_.get()); }); synced < 0)
      return refuse(problem("sync", directory_path_, synced));
  }
  if (options_.shared) {
    if (const int result = ops_.identify(fd, "", identity_); result < 0)
      return refuse(problem("examine", path_of(name), result));
    if (const int agreed = lock_->agree({id, identity_}); agreed < 0)
      return refuse(problem("lock", path_of(name), agreed));
  }
  close_file();
  file_ = std::move(file.descriptor);
  id_ = id;
  active_name_ = name;
  device_ = file.status.st_dev;
  inode_ = file.status.st_ino;
  size_ = tail.size;
  needs_newline_ = tail.needs_newline;
  torn_ = tail.needs_newline ? tail.torn : 0;
  abandon_ = false;
  disposable_ = file.created && options_.durable == Durable::batch;
  roll_again_at_ = std::chrono::nanoseconds::min();
  if (!tail.needs_newline) counters_.add(FileCount::torn_bytes, tail.torn);
  counters_.add(FileCount::files_created, file.created ? 1 : 0);
  return {};
}

Problem RollingFile::follow_the_others() {
  const auto agreed = lock_->agreed();
  if (agreed && agreed->id > id_) return open_log();
  if (const OwnerLock::Agreement ours{id_, identity_}; agreed != ours) {
    if (const int result = lock_->agree(ours); result < 0) return problem("lock", current_path(), result);
  }
  struct ::stat status {};
  if (const int result = ops_.stat(file_.get(), status); result < 0) return problem("examine", current_path(), result);
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (size == size_) return {};
  disposable_ = false;
  if (size < size_) counters_.add(FileCount::external_truncate);  // sharers only append
  // Somebody else wrote last, and may have died in the middle of a line.
  TailRepair tail;
  if (const int result = repair_tail(ops_, file_.get(), size, false, tail); result < 0)
    return problem("examine", current_path(), result);
  needs_newline_ = tail.needs_newline;
  torn_ = tail.torn;
  size_ = size;
  return {};
}

Problem RollingFile::look_around() {
  if (!is_time_to_look()) return {};
  looked_at_ = clock_.coarse_steady();
  watch_file_size_signal();
  struct ::stat ours {};
  struct ::stat there {};
  if (ops_.stat(file_.get(), ours) < 0) return {};  // the write will tell
  const int found = ops_.stat_at(AT_FDCWD, current_path().c_str(), there, false);
  const bool gone = ours.st_nlink == 0 || found == -ENOENT || found == -ENOTDIR ||
                    (found == 0 && (there.st_ino != inode_ || there.st_dev != device_));
  if (gone || !lock_->still_in_place()) {
    counters_.add(FileCount::reopened);
    close_file();
    open_again_at_ = std::chrono::nanoseconds::min();
    return open_now();
  }
  const auto size = static_cast<std::uint64_t>(ours.st_size);
  if (!options_.shared && !cut_pending_) {  // of a shared file each turn begins with its size
    if (size < size_) counters_.add(FileCount::external_truncate);
    size_ = size;
  }
  save_own();
  return {};
}

Problem RollingFile::roll(std::uint64_t period) {
  const Turn turn(*this);
  if (turn.error() < 0) return problem("lock", current_path(), turn.error());
  auto failed = roll_once(period);
  if (out_of_descriptors(failed) && reserve_) {
    reserve_.reset();
    failed = roll_once(period);
    keep_reserve();
  }
  return failed;
}

Problem RollingFile::roll_once(std::uint64_t period) {
  OpenedFile file;
  FileId id;
  if (names_.keeps_active_name()) {
    id = {period, id_.number + 1};
    if (size_ == 0 && !abandon_) {  // nothing to keep under another name
      if (options_.shared) {
        if (const int agreed = lock_->agree({id, identity_}); agreed < 0)
          return problem("lock", current_path(), agreed);
      }
      id_ = id;
      return {};
    }
    if (auto failed = free_the_active_name()) return failed;
    if (auto failed =
            open_file(ops_, directory_.get(), base_name_, path_of(base_name_), OpenMode::either, options_.mode, file))
      return failed;
  } else if (auto failed = create_next(period, file, id)) {
    return failed;
  }
  if (auto failed = take(std::move(file), id)) return failed;
  counters_.add(FileCount::rolls);
  note(forget_deleted_files());
  tidy_due_ = true;
  if (options_.durable != Durable::batch) tidy();
  return {};
}

Problem RollingFile::free_the_active_name() {
  struct ::stat status {};
  const int found = ops_.stat_at(directory_.get(), base_name_.c_str(), status, false);
  // Renamed by a roll that failed later, or by somebody else, who may have put a new file there.
  if (found == -ENOENT || (found == 0 && (status.st_ino != inode_ || status.st_dev != device_))) return {};
  FileIdentity file;
  if (const int result = ops_.identify(directory_.get(), base_name_.c_str(), file); result < 0)
    return problem("examine", current_path(), result);
  FileId id;
  return with_next_name(id_.period, id, [&](const std::string& name) {
    add_to_own(file);
    const int result = ops_.rename_new(directory_.get(), base_name_.c_str(), name.c_str());
    return result < 0 ? problem("rename", current_path(), result) : Problem{};
  });
}

}  // namespace cairn::detail
