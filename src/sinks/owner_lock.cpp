#include "sinks/owner_lock.hpp"
#include "cairn/detail/critical_section.hpp"
#include "cairn/detail/fork_mutex.hpp"
#include "platform/crc32c.hpp"
#include "platform/made_once.hpp"
#include "platform/timed_lock.hpp"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstring>
#include <mutex>
#include <thread>
#include <vector>

namespace cairn::detail {

namespace {
using namespace std::chrono_literals;

// Byte 0 is held as long as the file is open (to write by the only owner, to read by each sharer); byte 1 for the
// length of one append by a sharer; byte 2 while one of them compresses.
constexpr off_t presence = 0;
constexpr off_t turn = 1;
constexpr off_t housekeeping = 2;

int set_lock(FileOps& ops, int fd, off_t byte, short kind) noexcept {
  struct flock what {};
  what.l_type = kind;
  what.l_whence = SEEK_SET;
  what.l_start = byte;
  what.l_len = 1;
  return uninterrupted([&] { return ops.lock(fd, F_SETLK, what); });
}

bool is_held(int result) noexcept { return result == -EAGAIN || result == -EACCES; }

pid_t holder_of(FileOps& ops, int fd, off_t byte) noexcept {
  struct flock what {};
  what.l_type = F_WRLCK;
  what.l_whence = SEEK_SET;
  what.l_start = byte;
  what.l_len = 1;
  return ops.lock(fd, F_GETLK, what) == 0 && what.l_type != F_UNLCK ? what.l_pid : 0;
}

Problem held_by(const std::string& path, pid_t pid) {
  std::string who = "it is in use by ";
  who += pid > 0 ? "process " + std::to_string(pid) : std::string("another process");
  return problem("lock", path, -EBUSY, who + " (set `shared` to write from several processes)");
}

struct State {
  char magic[8];
  std::uint64_t period;
  std::uint64_t inode;
  std::int64_t born;
  std::uint32_t number;
  std::uint32_t check;  // a torn or foreign record does not pass
  static constexpr char expected[8] = {'c', 'a', 'i', 'r', 'n', '-', '2', '\n'};
  [[nodiscard]] std::uint32_t sum() const noexcept { return crc32c(this, offsetof(State, check)); }
};
}  // namespace

struct OwnerLock::Entry {
  FileOps* ops = nullptr;
  std::string path;
  Descriptor descriptor;
  dev_t device = 0;
  ino_t inode = 0;
  pid_t owner = 0;
  bool shared = false;
  std::size_t users = 0;
  std::atomic<bool> housekeeping{false};
  TimedLock turn;  // the lock's second half: keeps the sharers of one process apart
};

struct OwnerLock::Register final : private ForkHandler {
  Register() { guard_against_forks(*this); }
  ~Register() { forget_in_forks(*this); }
  std::mutex mutex;
  std::vector<std::shared_ptr<Entry>> entries;

 private:
  void before_fork(std::chrono::steady_clock::time_point deadline) noexcept override { held_.take(mutex, deadline); }
  void after_fork(bool child) noexcept override {
    if (child) {  // who had a turn, or compresses, does so in the parent
      for (const std::shared_ptr<Entry>& entry : entries) {
        entry->turn.free_after_fork();
        entry->housekeeping.store(false, std::memory_order_relaxed);
      }
    }
    held_.let_go(mutex, child);
  }
  HeldOverFork held_;
};

OwnerLock::Register& OwnerLock::processwide() noexcept {
  static constinit MadeOnce<Register> made;  // never destroyed: files may be closed by static destructors
  return made.get();
}

Problem OwnerLock::acquire(FileOps& ops, const std::string& path, bool shared, mode_t mode,
                           std::unique_ptr<OwnerLock>& lock) {
  Register& known = processwide();
  const CriticalSection here;  // another logger of a signal handler's may open or close its file
  const std::lock_guard guard(known.mutex);
  const auto same_file = [](const struct ::stat& a, const struct ::stat& b) {
    return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
  };
  for (int attempt = 0; attempt < 100; ++attempt) {
    struct ::stat status {};
    // The register comes first: opening the file a second time and closing it again would drop the lock.
    if (ops.stat_at(AT_FDCWD, path.c_str(), status, false) == 0) {
      const auto found = std::ranges::find_if(known.entries, [&](const auto& entry) {
        return entry->device == status.st_dev && entry->inode == status.st_ino && entry->owner == ::getpid();
      });
      if (found != known.entries.end()) {
        if (!shared || !(*found)->shared) return problem("lock", path, -EBUSY, "it is open in this process already");
        lock.reset(new OwnerLock(ops, *found));
        ++(*found)->users;
        return {};
      }
    }
    OpenedFile file;
    if (auto failed = open_file(ops, AT_FDCWD, path, path, OpenMode::either, mode, file)) return failed;
    const int fd = file.descriptor.get();
    int result = set_lock(ops, fd, presence, F_WRLCK);
    const bool alone = result == 0;
    if (is_held(result) && shared) result = set_lock(ops, fd, presence, F_RDLCK);
    if (is_held(result)) {
      const pid_t pid = holder_of(ops, fd, presence);
      // A sharer holds it alone for a moment when it starts; and it may have been let go since we looked.
      if (attempt < (shared ? 50 : 2)) {
        std::this_thread::sleep_for(shared || pid == 0 ? 2ms : 0ms);
        continue;
      }
      return held_by(path, pid);
    }
    if (result < 0) return problem("lock", path, result);
    // Its last owner may have removed it between our open and our lock; what we hold then, nobody else can see.
    struct ::stat now {};
    if (ops.stat_at(AT_FDCWD, path.c_str(), now, false) < 0 || !same_file(now, file.status)) continue;
    if (alone) {
      // What an earlier generation of sharers agreed on is out of date.
      if (result = ops.truncate(fd, 0); result < 0) return problem("lock", path, result);
      if (shared && (result = set_lock(ops, fd, presence, F_RDLCK)) < 0) return problem("lock", path, result);
    }
    auto entry = std::make_shared<Entry>();
    entry->ops = &ops;
    entry->path = path;
    entry->device = file.status.st_dev;
    entry->inode = file.status.st_ino;
    entry->descriptor = std::move(file.descriptor);
    entry->owner = ::getpid();
    entry->shared = shared;
    entry->users = 1;
    known.entries.reserve(known.entries.size() + 1);  // or an entry could stay whose lock there was no memory for
    lock.reset(new OwnerLock(ops, entry));
    known.entries.push_back(std::move(entry));
    return {};
  }
  return held_by(path, 0);
}

OwnerLock::~OwnerLock() {
  Register& known = processwide();
  const CriticalSection here;  // another logger of a signal handler's may open or close its file
  const std::lock_guard guard(known.mutex);
  if (--entry_->users != 0) return;
  std::erase(known.entries, entry_);
  // In a forked child neither the lock nor the file is ours. Sharers leave the file: others may be waiting on it.
  if (!entry_->shared && entry_->owner == ::getpid() && still_in_place())
    (void)ops_->unlink(AT_FDCWD, entry_->path.c_str());
  entry_->descriptor.reset();
}

bool OwnerLock::still_in_place() noexcept {
  struct ::stat status {};
  return ops_->stat_at(AT_FDCWD, entry_->path.c_str(), status, false) == 0 && status.st_dev == entry_->device &&
         status.st_ino == entry_->inode;
}

int OwnerLock::enter() {
  using Steady = std::chrono::steady_clock;
  const auto deadline = Steady::now() + 2s;
  if (!entry_->turn.try_lock_until(deadline)) return -ETIMEDOUT;
  for (auto pause = 20us;; pause = std::min<std::chrono::microseconds>(pause * 2, 500us)) {
    int result = set_lock(*ops_, entry_->descriptor.get(), turn, F_WRLCK);
    if (result == 0) return 0;
    if (is_held(result) && Steady::now() < deadline) {
      std::this_thread::sleep_for(pause);
      continue;
    }
    entry_->turn.unlock();
    return is_held(result) ? -ETIMEDOUT : result;
  }
}

void OwnerLock::leave() noexcept {
  (void)set_lock(*ops_, entry_->descriptor.get(), turn, F_UNLCK);
  entry_->turn.unlock();
}

bool OwnerLock::try_housekeeping() noexcept {
  if (entry_->housekeeping.exchange(true, std::memory_order_acquire)) return false;  // with end_housekeeping
  if (!entry_->shared || set_lock(*ops_, entry_->descriptor.get(), housekeeping, F_WRLCK) == 0) return true;
  entry_->housekeeping.store(false, std::memory_order_release);
  return false;
}

void OwnerLock::end_housekeeping() noexcept {
  if (entry_->shared) (void)set_lock(*ops_, entry_->descriptor.get(), housekeeping, F_UNLCK);
  entry_->housekeeping.store(false, std::memory_order_release);  // with try_housekeeping
}

std::optional<OwnerLock::Agreement> OwnerLock::agreed() noexcept {
  State state{};
  char bytes[sizeof state];
  if (ops_->pread(entry_->descriptor.get(), bytes, sizeof bytes, 0) != ssize_t{sizeof bytes}) return std::nullopt;
  std::memcpy(&state, bytes, sizeof state);
  if (std::memcmp(state.magic, State::expected, sizeof state.magic) != 0 || state.check != state.sum())
    return std::nullopt;
  return Agreement{{state.period, state.number}, {state.inode, state.born}};
}

int OwnerLock::agree(const Agreement& agreement) noexcept {
  State state{};
  std::memcpy(state.magic, State::expected, sizeof state.magic);
  state.period = agreement.id.period;
  state.number = agreement.id.number;
  state.inode = agreement.file.inode;
  state.born = agreement.file.born;
  state.check = state.sum();
  char bytes[sizeof state];
  std::memcpy(bytes, &state, sizeof state);
  // O_APPEND makes Linux append even with pwrite, so the old record goes first; everyone reads inside enter().
  const int fd = entry_->descriptor.get();
  if (const int result = ops_->truncate(fd, 0); result < 0) return result;
  const ssize_t count = uninterrupted([&] { return ops_->pwrite(fd, bytes, sizeof bytes, 0); });
  if (count < 0) return static_cast<int>(count);
  return count == ssize_t{sizeof bytes} ? 0 : -EIO;
}

}  // namespace cairn::detail
