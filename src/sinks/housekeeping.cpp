#include "sinks/housekeeping.hpp"

#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <tuple>
#include <utility>

#include "cairn/detail/compressor.hpp"

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

void Housekeeping::tidy(FileId active) {
  if (kind_ == Compress::none) return do_all(active);
  const std::lock_guard guard(mutex_);
  wanted_ = active;
  wake_.notify_all();
  if (thread_.joinable()) return;
  // The thread must take no signal that is meant for the program.
  sigset_t all, before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, &before);
  try {
    thread_ = std::thread([this] { run(); });
  } catch (const std::system_error& error) {
    wanted_.reset();  // the next roll tries again
    failed(FileCount::compression_errors, {error.code(), "cannot start compressing: " + error.code().message()});
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
    const FileId active = *std::exchange(wanted_, std::nullopt);
    working_ = true;
    guard.unlock();
    do_all(active);
    guard.lock();
    working_ = false;
    idle_.notify_all();
  }
}

void Housekeeping::failed(FileCount counter, const Problem& what) {
  counters_.add(counter);
  const std::int64_t now = clock_.steady().count();
  std::int64_t last = reported_at_.load(std::memory_order_relaxed);
  constexpr std::int64_t minute = 60'000'000'000;
  if (last != INT64_MIN && now - last < minute) return;
  if (!reported_at_.compare_exchange_strong(last, now, std::memory_order_relaxed)) return;  // another was quicker
  if (report_) report_(what.what);
}

void Housekeeping::do_all(FileId active) try {
  Descriptor directory;
  std::vector<Found> found;
  if (kind_ != Compress::none) {
    if (const auto problem = look(active, directory, found)) return failed(FileCount::compression_errors, problem);
    std::shared_ptr<OwnerLock> lock;
    {
      const std::lock_guard guard(mutex_);
      lock = lock_;
    }
    if (lock != nullptr && lock->try_housekeeping()) {
      compress_all(directory.get(), found, *lock);
      lock->end_housekeeping();
    }
    found.clear();
  }
  if (stopping() || (retain_files_ == 0 && !retain_age_ && !retain_bytes_)) return;
  if (const auto problem = look(active, directory, found)) return failed(FileCount::retention_errors, problem);
  retain(directory.get(), found);
} catch (const std::exception& error) {  // out of memory: the next roll does it
  failed(FileCount::retention_errors, {std::make_error_code(std::errc::not_enough_memory), error.what()});
}

Problem Housekeeping::look(FileId active, Descriptor& directory, std::vector<Found>& found) {
  if (auto failed = open_directory(ops_, directory_, trust_folder_, directory)) return failed;
  std::vector<std::string> all;
  if (const int result = ops_.list(directory.get(), all); result < 0) return problem("list", directory_, result);
  if (auto failed = own_.load(directory.get())) return failed;
  std::vector<std::string> others;
  for (auto& name : all) {
    const auto match = names_.parse(name);
    if (!match) continue;
    struct ::stat status {};
    FileIdentity identity;
    if (ops_.stat_at(directory.get(), name.c_str(), status, false) < 0 || !S_ISREG(status.st_mode) ||
        ops_.identify(directory.get(), name.c_str(), identity) < 0)
      continue;
    if (name != names_.given_name() && !own_.contains(identity)) {
      others.push_back(std::move(name));
      continue;
    }
    Found file{std::move(name), *match};
    file.active = match->active || (!names_.keeps_active_name() && match->id >= active);
    file.size = static_cast<std::uint64_t>(status.st_size);
    file.modified = status.st_mtim.tv_sec;
    found.push_back(std::move(file));
  }
  tell_of_others(others);
  std::ranges::sort(found, [](const Found& a, const Found& b) {
    return std::tie(a.match.active, a.match.id, a.name) < std::tie(b.match.active, b.match.id, b.name);
  });
  return {};
}

void Housekeeping::tell_of_others(const std::vector<std::string>& others) {
  if (others.empty() || told_of_others_) return;
  told_of_others_ = true;
  if (!report_) return;
  const std::string first = path_in(directory_, *std::ranges::min_element(others));
  report_(others.size() == 1 ? first + " has a name of this log, which did not make it: it is left alone" +
                                   " (`adopt_files` takes it for the log's own)"
                             : first + " and " + std::to_string(others.size() - 1) +
                                   " more have names of this log, which did not make them: they are left alone" +
                                   " (`adopt_files` takes them for the log's own)");
}

void Housekeeping::retain(int directory, std::vector<Found>& found) {
  std::size_t files = found.size();
  std::uint64_t bytes = 0;
  for (const auto& file : found) bytes += file.size;
  const std::int64_t now = std::chrono::floor<std::chrono::seconds>(clock_.now()).time_since_epoch().count();
  for (const auto& file : found) {
    const bool too_many = retain_files_ != 0 && files > retain_files_;
    const bool too_old = retain_age_ && file.modified < now && now - file.modified > retain_age_->count();
    const bool too_much = retain_bytes_ && bytes > *retain_bytes_;
    if (file.active || !(too_many || too_old || too_much)) continue;
    if (const int result = ops_.unlink(directory, file.name.c_str()); result < 0 && result != -ENOENT) {
      failed(FileCount::retention_errors, problem("delete", path_in(directory_, file.name), result));
      continue;
    }
    counters_.add(FileCount::files_deleted);
    --files;
    bytes -= file.size;
  }
}

void Housekeeping::compress_all(int directory, const std::vector<Found>& found, OwnerLock& lock) {
  (void)ops_.unlink(directory, unfinished_.c_str());  // an earlier run was interrupted
  for (const auto& file : found) {
    if (stopping()) return;
    if (file.active || file.match.compressed != Compress::none) continue;
    if (const auto problem = compress(directory, file.name, lock)) {
      if (!stopping()) failed(FileCount::compression_errors, problem);
    } else {
      counters_.add(FileCount::files_compressed);
    }
  }
}

Problem Housekeeping::add_to_own(int directory, const OpenedFile& file, OwnerLock& lock) {
  FileIdentity identity;
  if (const int result = ops_.identify(file.descriptor.get(), "", identity); result < 0)
    return problem("examine a file in", directory_, result);
  if (const int entered = lock.enter(); entered < 0) return problem("lock the files in", directory_, entered);
  auto failed = own_.load(directory);
  if (!failed) failed = own_.add(directory, identity);
  lock.leave();
  return failed;
}

Problem Housekeeping::compress(int directory, const std::string& name, OwnerLock& lock) {
  const std::string path = path_in(directory_, name);
  const std::string final_name = name + std::string(compressed_extension(kind_));
  OpenedFile source;
  if (auto failed = open_file(ops_, directory, name, path, OpenMode::existing, 0, source)) return failed;
  struct ::stat status {};
  if (ops_.stat_at(directory, final_name.c_str(), status, false) == 0) {
    // A run that ended between its last two steps left both. The time tells that one was made of the other.
    const auto& mine = source.status.st_mtim;
    FileIdentity identity;
    if (ops_.identify(directory, final_name.c_str(), identity) < 0 || !own_.contains(identity) ||
        status.st_mtim.tv_sec != mine.tv_sec || status.st_mtim.tv_nsec != mine.tv_nsec)
      return problem("compress", path, -EEXIST, "a different " + final_name + " exists");
    const int result = ops_.unlink(directory, name.c_str());
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
  if (!failure) failure = add_to_own(directory, target, lock);
  if (!failure) step(ops_.rename_new(directory, unfinished_.c_str(), final_name.c_str()));
  if (failure) {
    (void)ops_.unlink(directory, unfinished_.c_str());
    return failure;
  }
  // The new name must be on the disk before the old one goes, or a power cut could take both.
  step(uninterrupted([&] { return ops_.fsync(directory); }));
  if (!failure) step(ops_.unlink(directory, name.c_str()));
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
