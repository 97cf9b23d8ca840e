// Writing: the buffer, what goes into which file, and what is done when a write fails.
#include "sinks/rolling_file.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "platform/no_cancellation.hpp"
#include "sinks/rolling_file_turn.hpp"

namespace cairn::detail {

namespace {
using namespace std::chrono_literals;
constexpr std::size_t shared_write_bytes = std::size_t{1} << 20;
}  // namespace

bool retryable(std::error_code error) noexcept {
  if (error.category() != std::generic_category() && error.category() != std::system_category()) return false;
  switch (error.value()) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case EIO:
    case EAGAIN:
    case EINTR:
    case ENOMEM:
    case EMFILE:
    case ENFILE:
    case ETIMEDOUT:
    case ENOLCK: return true;
    default: return false;
  }
}

AppendResult RollingFile::append(std::string_view bytes, std::span<const Unit> units) {
  if (units.empty()) return {};
  if (collects()) {
    leave_to_the_parent();
    pending_.truncate(pending_bytes());
    if (pending_.size() + bytes.size() > buffer_bytes) {
      if (const auto error = write_pending()) return {0, 0, error};
      if (bytes.size() >= buffer_bytes) return write_through(bytes, units);
    }
    const std::size_t before = pending_.size();
    if (pending_units_.capacity() - pending_units_.size() < units.size()) {
      // doubled: an exact reserve moves all of them each time
      pending_units_.reserve(2 * pending_units_.size() + units.size() + 64);
    }
    pending_.append(bytes);
    for (const Unit& unit : units) pending_units_.push_back({before + unit.end, unit.timestamp});
    return {units.size(), bytes.size(), {}};
  }
  if (units.size() == 1 && may_write_at_once(units.front(), bytes.size())) {
    return write_run(bytes, units);
  }
  return write_through(bytes, units);
}

OutputBuffer* RollingFile::buffer() noexcept {
  if (!collects()) return nullptr;
  leave_to_the_parent();
  pending_.truncate(pending_bytes());
  return &pending_;
}

bool RollingFile::keep_long_unit(Timestamp timestamp, std::error_code& error) {
  const std::size_t length = pending_.size() - pending_bytes();
  error = write_pending();
  if (error) {
    pending_.truncate(pending_bytes());
    return false;
  }
  const Unit unit{length, timestamp};
  if (length < buffer_bytes) {
    pending_units_.push_back(unit);
    return true;
  }
  const AppendResult result = write_through(pending_.view(), {&unit, 1});
  pending_.clear();
  error = result.error;
  return result.units_written == 1;
}

std::error_code RollingFile::flush() {
  if (const auto error = write_pending()) return error;
  return unsynced_;
}

std::error_code RollingFile::close() noexcept {
  std::error_code error;
  const bool ours = fork_generation() == generation_;
  try {
    error = write_pending();
  } catch (...) {
    error = std::make_error_code(std::errc::not_enough_memory);
  }
  lost_units_ += pending_units_.size();
  counters_.add(FileCount::buffered_events_lost, pending_units_.size());
  pending_.clear();
  pending_units_.clear();
  if (ours) save_own();
  return error;
}

std::string RollingFile::describe(std::error_code error) const {
  std::string what = last_problem_.code == error ? last_problem_.what : error.message();
  if (lost_units_ == 1) what += "; one event that was in its buffer is lost";
  if (lost_units_ > 1) what += "; " + std::to_string(lost_units_) + " events that were in its buffer are lost";
  return what;
}

void RollingFile::leave_to_the_parent(std::uint64_t generation) noexcept {
  generation_ = generation;
  pending_.clear();
  pending_units_.clear();
}

std::error_code RollingFile::write_pending() {
  leave_to_the_parent();
  if (pending_units_.empty()) return {};
  const AppendResult result = write_through(pending_.view().substr(0, pending_bytes()), pending_units_);
  pending_.remove_prefix(static_cast<std::size_t>(result.bytes));
  pending_units_.erase(pending_units_.begin(),
                       pending_units_.begin() + static_cast<std::ptrdiff_t>(result.units_written));
  for (Unit& unit : pending_units_) unit.end -= static_cast<std::size_t>(result.bytes);
  return result.error;
}

AppendResult RollingFile::write_through(std::string_view bytes, std::span<const Unit> units) {
  AppendResult total;
  const NoCancellation uncancelled;  // opening, rolling, locks
  const auto failed = [&](const Problem& problem) {
    last_problem_ = problem;
    total.error = problem.code;
    return total;
  };
  if (const auto problem = prepare_to_write()) return failed(problem);
  const Turn turn(*this, options_.shared);
  if (turn.error() < 0) return failed(detail::problem("lock", current_path(), turn.error()));
  if (options_.shared) {
    if (const auto problem = follow_the_others()) return failed(problem);
  }
  std::size_t begin = 0;
  while (total.units_written < units.size()) {
    const Unit& first = units[total.units_written];
    if (const auto problem = roll_before(first, first.end - begin)) return failed(problem);
    const std::size_t count = run_length(units, total.units_written, begin);
    const auto run = units.subspan(total.units_written, count);
    // The ends of the run's units are taken from the beginning of `bytes`, like those of all units.
    const AppendResult written = write_run(bytes.substr(begin, run.back().end - begin), run);
    total.units_written += written.units_written;
    total.bytes += written.bytes;
    begin += static_cast<std::size_t>(written.bytes);
    if (written.error) {
      total.error = written.error;
      return total;
    }
  }
  return total;
}

Problem RollingFile::prepare_to_write() {
  if (abandon_ && clock_.steady() < roll_again_at_) return last_problem_;
  if (file_) {
    if (auto problem = look_around()) return problem;
  }
  if (!file_) {
    if (auto problem = open_now()) return problem;
  }
  return cut_pending_ ? cut_torn_tail() : Problem{};
}

bool RollingFile::must_roll(const Unit& unit, std::uint64_t size, std::size_t length) {
  if (periods_.of(unit.timestamp) > id_.period) return true;
  return options_.max_file_bytes != 0 && size != 0 && size + length > options_.max_file_bytes;
}

Problem RollingFile::roll_before(const Unit& unit, std::size_t length) {
  if (!abandon_ && !must_roll(unit, size_, length)) return {};
  const auto now = clock_.steady();
  if (!abandon_ && now < roll_again_at_) return {};
  auto problem = roll(std::max(id_.period, periods_.of(unit.timestamp)));
  if (!problem) return {};
  counters_.add(FileCount::roll_errors);
  roll_again_at_ = now + 250ms;
  // A file that is too long, or of yesterday, is better than an event lost; one whose sync failed is not.
  if (abandon_ || !file_) return problem;
  last_problem_ = std::move(problem);
  return {};
}

/// Is there nothing to see to before this unit: the file open and whole, looked at a moment ago, and not to be rolled?
bool RollingFile::may_write_at_once(const Unit& unit, std::size_t length) {
  return file_ && !cut_pending_ && !abandon_ && !options_.shared && !is_time_to_look() &&
         !must_roll(unit, size_, length);
}

std::size_t RollingFile::run_length(std::span<const Unit> units, std::size_t first, std::size_t begin) {
  if (first + 1 == units.size()) return 1;
  const std::size_t length = units.back().end - begin;
  if (options_.rolling == Rolling::none && !options_.shared &&
      (options_.max_file_bytes == 0 || size_ + length <= options_.max_file_bytes)) {
    return units.size() - first;  // they all fit: no need to ask for each
  }
  const bool may_roll = clock_.steady() >= roll_again_at_;
  std::size_t last = first;
  while (last + 1 < units.size()) {
    const Unit& next = units[last + 1];
    if (may_roll && must_roll(next, size_ + (units[last].end - begin), next.end - units[last].end)) break;
    if (options_.shared && next.end - begin > shared_write_bytes) break;
    ++last;
  }
  return last + 1 - first;
}

AppendResult RollingFile::write_run(std::string_view bytes, std::span<const Unit> units) {
  AppendResult result;
  if (needs_newline_) {
    const Written newline = write_fully(ops_, file_.get(), "\n", WritesTo::regular_file);
    size_ += newline.bytes;
    if (newline.error < 0) {
      remember("write to", newline.error);
      result.error = error_of(newline.error);
      return result;
    }
    needs_newline_ = false;
    // By whoever ends the torn line: all who share the file may have seen it.
    counters_.add(FileCount::torn_bytes, std::exchange(torn_, 0));
  }
  const std::uint64_t size_before = size_;
  const Written written = write_fully(ops_, file_.get(), bytes, WritesTo::regular_file);
  size_ += written.bytes;
  const std::size_t begin = units.back().end - bytes.size();
  if (written.error < 0) {
    result.error = error_of(written.error);
    while (result.units_written < units.size() && units[result.units_written].end - begin <= written.bytes)
      result.bytes = units[result.units_written++].end - begin;
    note_failed_write(written.bytes - static_cast<std::size_t>(result.bytes), written.error);
    remember("write to", written.error);
  } else {
    result.units_written = units.size();
    result.bytes = bytes.size();
  }
  if (options_.durable == Durable::batch && result.units_written != 0) {
    const int synced = uninterrupted([&] { return ops_.fdatasync(file_.get()); });
    if (synced < 0) {
      leave_unsynced(size_before, synced);
      return {0, 0, error_of(synced)};
    }
    unsynced_ = {};
    disposable_ = false;
    if (tidy_due_) tidy();
  }
  return result;
}

/// The kernel may have thrown the pages away and marked them clean: a second sync would succeed and mean nothing. So
/// the file is left as it was before, and the caller appends the whole run again, to the next one.
void RollingFile::leave_unsynced(std::uint64_t size_before, int error) {
  counters_.add(FileCount::durability_lost);
  remember("sync", error);
  const bool again = static_cast<bool>(std::exchange(unsynced_, error_of(error)));
  if (!options_.shared && !cut_pending_) {
    // As note_failed_write does: others may have cut the file.
    const off_t position = ops_.seek(file_.get(), 0, SEEK_CUR);
    const std::uint64_t written = size_ - size_before;
    const std::uint64_t end = position < 0 ? size_ : static_cast<std::uint64_t>(position);
    const std::uint64_t good = end >= written ? end - written : 0;
    if (ops_.truncate(file_.get(), static_cast<off_t>(good)) == 0) size_ = good;
  }
  const auto later = clock_.steady() + 250ms;
  // Or a disk that syncs nothing would be given a new file by every attempt, and each would cost an older one.
  if (discard() || size_ == 0) {
    close_file();
    open_again_at_ = later;
    return;
  }
  abandon_ = true;
  if (again) roll_again_at_ = later;
}

/// Deletes the file, if we made it and nothing but our own is in it, of which nothing was synced.
bool RollingFile::discard() {
  struct ::stat ours {};
  struct ::stat there {};
  if (!disposable_ || ops_.stat(file_.get(), ours) < 0 || static_cast<std::uint64_t>(ours.st_size) != size_ ||
      ops_.stat_at(directory_.get(), active_name_.c_str(), there, false) < 0 || there.st_ino != inode_ ||
      there.st_dev != device_)
    return false;
  // First those who share it are told of a next one: whoever has this one open leaves it with his next turn.
  if (options_.shared && lock_->agree({{id_.period, id_.number + 1}, identity_}) < 0) return false;
  return ops_.unlink(directory_.get(), active_name_.c_str()) == 0;
}

void RollingFile::note_failed_write(std::size_t torn, int error) {
  if (options_.shared) {
    if (torn != 0) {
      needs_newline_ = true;
      torn_ = torn;
    }
    return;
  }
  // After an I/O error nothing is known about what landed; otherwise there is only the torn unit to take back.
  if (torn == 0 && error != -EIO) return;
  // Where our last byte is, the kernel knows best: others may have appended or cut.
  const off_t position = ops_.seek(file_.get(), 0, SEEK_CUR);
  const std::uint64_t end = position < 0 ? size_ : static_cast<std::uint64_t>(position);
  cut_to_ = end >= torn ? end - torn : 0;
  cut_pending_ = true;
  (void)cut_torn_tail();  // if this fails, the next append begins with it
}

void RollingFile::remember(std::string_view deed, int error) noexcept {
  try {
    last_problem_ = problem(deed, current_path(), error);
  } catch (...) {  // no memory for the sentence: the error alone tells
    last_problem_ = {error_of(error), {}};
  }
}

Problem RollingFile::cut_torn_tail() {
  const int fd = file_.get();
  struct ::stat status {};
  if (const int result = ops_.stat(fd, status); result < 0) return problem("examine", current_path(), result);
  auto size = static_cast<std::uint64_t>(status.st_size);
  if (size > cut_to_) {
    const int cut = uninterrupted([&] { return ops_.truncate(fd, static_cast<off_t>(cut_to_)); });
    if (cut == -EPERM) {  // an append-only file: end the torn line, which is all one can do
      needs_newline_ = true;
      torn_ = size - cut_to_;
      cut_to_ = size;
    } else if (cut < 0) {
      return problem("repair", current_path(), cut);
    }
    size = cut_to_;
  }
  if (const off_t moved = ops_.seek(fd, static_cast<off_t>(size), SEEK_SET); moved < 0)
    return problem("repair", current_path(), static_cast<int>(moved));
  size_ = size;
  cut_pending_ = false;
  return {};
}

}  // namespace cairn::detail
