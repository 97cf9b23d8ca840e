#include "sinks/housekeeping.hpp"

#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <tuple>
#include <utility>

#include "cairn/detail/compressor.hpp"
#include "platform/own_thread.hpp"
#include "text/text_escape.hpp"

namespace cairn::detail {

namespace {
constexpr std::size_t chunk = 128 * 1024;

/// Nothing a log file compresses for is worth a log call's time.
void lowest_priority() noexcept {
  const auto thread = static_cast<id_t>(::syscall(SYS_gettid));
  (void)::setpriority(PRIO_PROCESS, thread, 19);
  constexpr int only_this_thread = 1, idle_class = 3 << 13;
  (void)::syscall(SYS_ioprio_set, only_this_thread, 0, idle_class);
}
}  // namespace

Housekeeping::Housekeeping(std::string directory, const FileNames& names, const FileOptions& options, FileOps& ops,
                           Clock& clock, FileCounters counters, Report report)
    : directory_(std::move(directory)),
      names_(names),
      unfinished_(names.given_name().append(compressing_extension)),
      retain_files_(options.retain_files),
      retain_age_(options.retain_age),
      retain_bytes_(options.retain_bytes),
      kind_(options.compress),
      trust_folder_(options.trust_folder),
      adopts_(options.adopt_files),
      ops_(ops),
      clock_(clock),
      report_(std::move(report)),
      own_(ops, directory_, names.given_name(), options.mode, options.durable == Durable::batch),
      counters_(std::move(counters)) {
  guard_against_forks(*this);
}

/// The thread is the parent's: nobody can wait for it here. What it was at is its own to finish; the next roll begins
/// anew.
void Housekeeping::after_fork(bool child) noexcept {
  if (child) {
    new (&wake_) std::condition_variable;
    new (&idle_) std::condition_variable;
    new (&thread_) std::thread;
    wanted_.reset();
    working_ = false;
  }
  held_for_fork_.let_go(mutex_, child);
}

Housekeeping::~Housekeeping() {
  forget_in_forks(*this);
  {
    const std::lock_guard guard(mutex_);
    stop_.store(true, std::memory_order_relaxed);
    wake_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void Housekeeping::tidy(FileId active, const OwnFiles& own, std::vector<std::string>& notes) try {
  const bool compresses = kind_ != Compress::none;
  if (!retains() && !compresses && told_of_others_) return;
  Descriptor directory;
  std::vector<Found> found;
  std::vector<std::string> others;
  if (const auto problem = look(active, own, directory, found, others)) {
    counters_.add(FileCount::retention_errors);
    if (may_tell()) notes.push_back(problem.what);
    return;
  }
  if (!std::exchange(told_of_others_, true) && !others.empty()) notes.push_back(sentence_on(others));
  if (retains()) retain(directory.get(), found, notes);
  if (!compresses) return;
  std::erase_if(found, [](const Found& file) { return file.active || file.match.compressed != Compress::none; });
  if (!found.empty()) start_compressing(std::move(found));
} catch (const std::exception&) {  // out of memory: the next roll does it
  counters_.add(FileCount::retention_errors);
}

void Housekeeping::start_compressing(std::vector<Found> found) {
  const std::lock_guard guard(mutex_);
  wanted_ = std::move(found);
  wake_.notify_all();
  if (thread_.joinable()) return;
  // The thread must take no signal that is meant for the program; a fault of its own is none.
  sigset_t all, before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, &before);
  try {
    thread_ = own_thread("cairn-compress", [this] { run(); });
  } catch (const std::system_error& error) {
    wanted_.reset();  // the next roll tries again
    compressing_failed({error.code(), "cannot start compressing: " + error.code().message()});
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void Housekeeping::wait_until_idle() {
  std::unique_lock guard(mutex_);
  idle_.wait(guard, [this] { return (!wanted_ && !working_) || !thread_.joinable(); });
}

void Housekeeping::run() {
  lowest_priority();
  std::unique_lock guard(mutex_);
  for (;;) {
    wake_.wait(guard, [this] { return wanted_ || stopping(); });
    if (stopping()) return;
    const std::vector<Found> found = *std::exchange(wanted_, std::nullopt);
    working_ = true;
    guard.unlock();
    compress_all(found);
    guard.lock();
    working_ = false;
    idle_.notify_all();
  }
}

bool Housekeeping::may_tell() {
  const std::int64_t now = clock_.steady().count();
  std::int64_t last = reported_at_.load(std::memory_order_relaxed);
  constexpr std::int64_t minute = 60'000'000'000;
  if (last != INT64_MIN && now - last < minute) return false;
  return reported_at_.compare_exchange_strong(last, now, std::memory_order_relaxed);  // else another was quicker
}

void Housekeeping::compressing_failed(const Problem& what) {
  counters_.add(FileCount::compression_errors);
  if (report_ && may_tell()) report_(what.what);
}

Problem Housekeeping::look(FileId active, const OwnFiles& own, Descriptor& directory, std::vector<Found>& found,
                           std::vector<std::string>& others) {
  if (auto failed = open_directory(ops_, directory_, trust_folder_, directory)) return failed;
  std::vector<std::string> all;
  if (const int result = ops_.list(directory.get(), all); result < 0) return problem("list", directory_, result);
  for (auto& name : all) {
    const auto match = names_.parse(name);
    if (!match) continue;
    struct ::stat status {};
    FileIdentity identity;
    if (ops_.stat_at(directory.get(), name.c_str(), status, false) < 0 || !S_ISREG(status.st_mode) ||
        ops_.identify(directory.get(), name.c_str(), identity) < 0)
      continue;
    if (name != names_.given_name() && !own.contains(identity)) {
      // One without a byte may be what a kill left before it was on the list.
      if (status.st_size != 0) others.push_back(std::move(name));
      continue;
    }
    Found file{std::move(name), identity, *match};
    file.older = own.is_older(identity);
    file.active = match->active || (!names_.keeps_active_name() && match->id >= active);
    file.size = static_cast<std::uint64_t>(status.st_size);
    file.modified = status.st_mtim.tv_sec;
    found.push_back(std::move(file));
  }
  std::ranges::sort(found, [](const Found& a, const Found& b) {
    return std::tie(a.match.active, b.older, a.match.id, a.name) <
           std::tie(b.match.active, a.older, b.match.id, b.name);
  });
  return {};
}

std::string Housekeeping::sentence_on(const std::vector<std::string>& others) const {
  OutputBuffer shown;
  format::append_text_escaped(shown, path_in(directory_, *std::ranges::min_element(others)));
  const std::string first(shown.view());
  if (others.size() == 1)
    return first + " has a name of this log, which did not make it: it is left alone" +
           (adopts_ ? " (even with `adopt_files`: its number leaves none to come)"
                    : " (`adopt_files` takes it for the log's own)");
  return first + " and " + std::to_string(others.size() - 1) +
         " more have names of this log, which did not make them: they are left alone" +
         (adopts_ ? " (even with `adopt_files`: their numbers leave none to come)"
                  : " (`adopt_files` takes them for the log's own)");
}

void Housekeeping::retain(int directory, std::vector<Found>& found, std::vector<std::string>& notes) {
  // A file and what it is compressed to, while both are there, are one.
  const auto ends_a_file = [&](std::size_t i) {
    return i + 1 == found.size() || found[i].match.id != found[i + 1].match.id ||
           found[i].match.active != found[i + 1].match.active;
  };
  std::size_t files = 0;
  std::size_t empty = 0;  // of them: they go before any that has lines
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    files += ends_a_file(i) ? 1 : 0;
    found[i].empty = found[i].size == 0 && !found[i].active && ends_a_file(i) && (i == 0 || ends_a_file(i - 1));
    empty += found[i].empty ? 1 : 0;
    bytes += found[i].size;
  }
  const std::int64_t now = std::chrono::floor<std::chrono::seconds>(clock_.now()).time_since_epoch().count();
  std::vector<Found> kept;
  for (std::size_t i = 0; i < found.size(); ++i) {
    Found& file = found[i];
    const bool ends = ends_a_file(i);
    const bool too_many = retain_files_ != 0 && (file.empty ? files : files - empty) > retain_files_;
    const bool too_old = retain_age_ && file.modified < now && now - file.modified > retain_age_->count();
    const bool too_much = retain_bytes_ && bytes > *retain_bytes_;
    if (file.active || !(too_many || too_old || too_much)) {
      kept.push_back(std::move(file));
      continue;
    }
    if (const int result = ops_.unlink(directory, file.name.c_str()); result < 0 && result != -ENOENT) {
      counters_.add(FileCount::retention_errors);
      if (may_tell()) notes.push_back(problem("delete", path_in(directory_, file.name), result).what);
      kept.push_back(std::move(file));
      continue;
    }
    counters_.add(FileCount::files_deleted);
    files -= ends ? 1 : 0;
    empty -= file.empty ? 1 : 0;
    bytes -= file.size;
  }
  found = std::move(kept);
}

void Housekeeping::compress_all(const std::vector<Found>& found) try {
  std::shared_ptr<OwnerLock> lock;
  {
    const std::lock_guard guard(mutex_);
    lock = lock_;
  }
  Descriptor directory;
  if (const auto problem = open_directory(ops_, directory_, trust_folder_, directory))
    return compressing_failed(problem);
  if (lock == nullptr || !lock->try_housekeeping()) return;
  struct Ended {
    OwnerLock& lock;
    ~Ended() { lock.end_housekeeping(); }
  } const ended{*lock};
  (void)ops_.unlink(directory.get(), unfinished_.c_str());  // an earlier run was interrupted
  for (const auto& file : found) {
    if (stopping()) break;
    if (const auto problem = compress(directory.get(), file, *lock)) {
      // Deleted meanwhile: by another roll, or by another process.
      if (!stopping() && problem.code != std::errc::no_such_file_or_directory) compressing_failed(problem);
    } else {
      counters_.add(FileCount::files_compressed);
    }
  }
} catch (const std::exception& error) {  // out of memory: the next roll does it
  compressing_failed({std::make_error_code(std::errc::not_enough_memory), error.what()});
}

/// To be called in a turn.
Problem Housekeeping::add_to_own(int directory, const OpenedFile& file, bool older) {
  FileIdentity identity;
  if (const int result = ops_.identify(file.descriptor.get(), "", identity); result < 0)
    return problem("examine a file in", directory_, result);
  if (auto failed = own_.load(directory)) return failed;
  return own_.add(directory, identity, older);
}

Problem Housekeeping::compress(int directory, const Found& file, OwnerLock& lock) {
  const std::string path = path_in(directory_, file.name);
  const std::string final_name = file.name + std::string(compressed_extension(kind_));
  OpenedFile source;
  if (auto failed = open_file(ops_, directory, file.name, path, OpenMode::existing, 0, source)) return failed;
  FileIdentity identity;
  if (const int result = ops_.identify(source.descriptor.get(), "", identity); result < 0)
    return problem("examine", path, result);
  if (identity != file.identity) return problem("compress", path, -ENOENT, "it has been replaced");
  struct ::stat status {};
  if (ops_.stat_at(directory, final_name.c_str(), status, false) == 0) {
    // A run that ended between its last two steps left both. The time tells that one was made of the other.
    if (auto failed = own_.load(directory)) return failed;
    const auto& mine = source.status.st_mtim;
    if (ops_.identify(directory, final_name.c_str(), identity) < 0 || !own_.contains(identity) ||
        status.st_mtim.tv_sec != mine.tv_sec || status.st_mtim.tv_nsec != mine.tv_nsec)
      return problem("compress", path, -EEXIST, "a different " + final_name + " exists");
    const int result = ops_.unlink(directory, file.name.c_str());
    return result < 0 ? problem("delete", path, result) : Problem{};
  }
  OpenedFile target;
  const auto mode = static_cast<mode_t>(source.status.st_mode & 07777U);
  if (auto failed = open_file(ops_, directory, unfinished_, path, OpenMode::create, mode, target)) return failed;
  Problem failure = copy_compressed(source.descriptor.get(), target.descriptor.get(), path);
  const auto step = [&](int result) {
    if (!failure && result < 0) failure = problem("compress", path, result);
  };
  if (!failure) step(ops_.set_times(target.descriptor.get(), source.status.st_atim, source.status.st_mtim));
  if (!failure) step(uninterrupted([&] { return ops_.fsync(target.descriptor.get()); }));
  // Nobody writes to a file that was rolled away from; should someone have done so all the same, it stays as it is.
  if (!failure) step(ops_.stat(source.descriptor.get(), status));
  if (!failure && status.st_size != source.status.st_size) step(-EBUSY);
  if (!failure) step(lock.enter());
  if (!failure) {
    // In one turn: retention must not delete the one before the other is there, and a list that is shortened keeps what
    // has a name of the log.
    step(ops_.stat(source.descriptor.get(), status));
    if (!failure && status.st_nlink == 0) step(-ENOENT);
    if (!failure) failure = add_to_own(directory, target, file.older);
    if (!failure) step(ops_.rename_new(directory, unfinished_.c_str(), final_name.c_str()));
    lock.leave();
  }
  if (failure) {
    (void)ops_.unlink(directory, unfinished_.c_str());
    return failure;
  }
  // The new name must be on the disk before the old one goes, or a power cut could take both.
  step(uninterrupted([&] { return ops_.fsync(directory); }));
  if (!failure) step(ops_.unlink(directory, file.name.c_str()));
  return failure;
}

Problem Housekeeping::copy_compressed(int from, int to, const std::string& path) {
  const auto stream = make_compressor(kind_);
  if (!stream) return problem("compress", path, -ENOSYS, "the component for this compression is not in use");
  const auto input = std::make_unique<char[]>(chunk);
  OutputBuffer out;
  const auto put = [&](std::size_t least) -> int {
    if (out.size() < least) return 0;
    const Written written = write_fully(ops_, to, out.view(), WritesTo::regular_file);
    out.clear();
    return written.error;
  };
  for (;;) {
    if (stopping()) return problem("compress", path, -ECANCELED);
    const ssize_t count = uninterrupted([&] { return ops_.read(from, input.get(), chunk); });
    if (count < 0) return problem("read", path, static_cast<int>(count));
    const bool ok = count == 0 ? stream->finish(out) : stream->add({input.get(), static_cast<std::size_t>(count)}, out);
    if (!ok) return problem("compress", path, -EIO, "the compression failed");
    if (const int error = put(count == 0 ? 0 : chunk); error < 0) return problem("compress", path, error);
    if (count == 0) return {};
  }
}

}  // namespace cairn::detail
