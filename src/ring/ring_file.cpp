#include "ring/ring_file.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <new>
#include <system_error>

#include "cairn/detail/fork_mutex.hpp"
#include "platform/file_size_signal.hpp"
#include "platform/fork_generation.hpp"
#include "platform/made_once.hpp"
#include "platform/no_cancellation.hpp"
#include "platform/own_descriptor.hpp"
#include "platform/timed_lock.hpp"

namespace cairn::detail {

namespace {

constexpr std::string_view ending = ".ring";
constexpr std::string_view claimed_ending = ".recovering";
constexpr std::string_view set_aside_ending = ".set-aside";
constexpr std::size_t largest_file = std::size_t{1} << 30U;  // as CrashRingOptions::thread_bytes may be

std::string reason(const char* deed, int error) {
  return std::string(deed) + ": " + std::generic_category().message(error);
}

/// The rings that this process has open, its own and those it recovers.
class Register final : private ForkHandler {
 public:
  Register() { guard_against_forks(*this); }
  ~Register() { forget_in_forks(*this); }
  TimedLock lock;

  [[nodiscard]] bool contains(const struct stat& info) const noexcept {
    return std::ranges::any_of(
        entries_, [&](const Entry& entry) { return entry.device == info.st_dev && entry.inode == info.st_ino; });
  }
  void add(const struct stat& info, int fd) { entries_.push_back({info.st_dev, info.st_ino, fd, {}}); }
  /// Where it is written, if it is this process's own.
  void mapped(int fd, std::span<std::byte> memory) noexcept {
    for (Entry& entry : entries_) {
      if (entry.fd == fd) entry.memory = memory;
    }
  }
  /// Closes it: not before it is here no more, as that ends the lock.
  void remove_and_close(int fd) noexcept {
    std::erase_if(entries_, [&](const Entry& entry) { return entry.fd == fd; });
    ::close(fd);
  }

 private:
  struct Entry {
    dev_t device = 0;
    ino_t inode = 0;
    int fd = -1;
    std::span<std::byte> memory;
  };
  // Some system calls may be under way under it, and none of the program's code.
  void before_fork(std::chrono::steady_clock::time_point deadline) noexcept override {
    held_for_fork_ = lock.try_lock_until(deadline + std::chrono::milliseconds(90));
  }
  /// In a child they are the parent's: their memory is not there, their descriptors would keep it from being freed.
  void after_fork(bool child) noexcept override {
    if (!child) {
      if (held_for_fork_) lock.unlock();
      return;
    }
    if (held_for_fork_) {
      for (const Entry& entry : entries_) {
        ::close(entry.fd);
        const bool in_a_call = RingCall::is_in(entry.memory.data());
        fill_hole(
            entry.memory.first(in_a_call ? entry.memory.size() : std::min(entry.memory.size(), RingHeader::bytes)));
      }
      entries_.clear();
    } else {
      new (&entries_) std::vector<Entry>;  // it may have been changing: let it be
    }
    lock.free_after_fork();
  }

  /// A signal handler may have forked in the middle of a call, which goes on in the child: it writes an event there, or
  /// reads what the header counts.
  static void fill_hole(std::span<std::byte> memory) noexcept {
    if (memory.empty()) return;
    constexpr int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE;
    (void)::mmap(memory.data(), memory.size(), PROT_READ | PROT_WRITE, flags, -1, 0);
  }

  std::vector<Entry> entries_;
  bool held_for_fork_ = false;
};

Register& register_of_rings() {
  static constinit MadeOnce<Register> made;  // never destroyed: a fork may come at any time
  return made.get();
}

/// 0, or an errno.
int lock_file(int fd, short type) noexcept {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  return ::fcntl(fd, F_SETLK, &lock) == 0 ? 0 : errno;
}

/// 0, or an errno: where it would pass the limit of file sizes, too.
int make_room(int fd, std::size_t bytes) noexcept {
  watch_file_size_signal();
  WriteShield shield(false);
  const int error = ::posix_fallocate(fd, 0, static_cast<off_t>(bytes));
  if (error != 0) shield.take_back(error);
  return error;
}

}  // namespace

std::string current_boot_id() {
  char text[37]{};
  const int fd = own_descriptor(::open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC));
  if (fd < 0) return {};
  const ssize_t size = ::read(fd, text, 36);
  ::close(fd);
  return size == 36 ? std::string(text, 36) : std::string();
}

// ---- the folder

RingFolder::RingFolder(const std::string& path, bool make, std::string& problem) : path_(path) {
  const NoCancellation uncancelled;
  if (make && ::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
    problem = reason(("cannot make " + path).c_str(), errno);
    return;
  }
  const int fd = own_descriptor(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (fd < 0) {
    problem = reason(("cannot open " + path).c_str(), errno);
    return;
  }
  struct stat info {};
  if (::fstat(fd, &info) != 0) {
    problem = reason(("cannot look at " + path).c_str(), errno);
  } else if (info.st_uid != ::geteuid()) {
    problem = path + " belongs to another user";
  } else if ((info.st_mode & 077U) != 0) {
    problem = path + " is open to other users: its mode must be 0700";
  } else {
    fd_ = fd;
    return;
  }
  ::close(fd);
}

RingFolder::~RingFolder() {
  if (fd_ >= 0) ::close(fd_);
}

bool RingFolder::exists() const noexcept {
  struct stat info {};
  return ::fstat(fd_, &info) == 0 && info.st_nlink != 0;
}
void RingFolder::remove_if_empty() const noexcept { ::rmdir(path_.c_str()); }

std::vector<std::string> RingFolder::names(bool set_aside) const {
  std::vector<std::string> found;
  const int fd = own_descriptor(::openat(fd_, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd < 0) return found;
  DIR* const directory = ::fdopendir(fd);
  if (directory == nullptr) {
    ::close(fd);
    return found;
  }
  while (const dirent* entry = ::readdir(directory)) {
    const std::string_view name = entry->d_name;
    if (name.ends_with(ending) || name.ends_with(claimed_ending) || (set_aside && name.ends_with(set_aside_ending)))
      found.emplace_back(name);
  }
  ::closedir(directory);
  std::ranges::sort(found);
  return found;
}

// ---- rings of this process

/// Makes a file of a new name, locked and registered. 0, or an errno.
int OwnRing::make_file() {
  static constinit std::atomic<std::uint64_t> numbers{0};
  constexpr int most_attempts = 1000;
  Register& known = register_of_rings();
  int error = EEXIST;
  for (int attempt = 0; attempt < most_attempts; ++attempt) {
    name_ = std::to_string(::getpid()) + '-' + std::to_string(numbers.fetch_add(1)) + std::string(ending);
    const std::lock_guard held(known.lock);
    const int fd = own_descriptor(
        ::openat(folder_->descriptor(), name_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (fd < 0) {
      error = errno;
      // Of a process of that number that is gone: it may be of another pid namespace, or wait to be recovered.
      if (error == EEXIST) continue;
      return error;
    }
    struct stat own {};
    struct stat named {};
    if (::fstat(fd, &own) != 0) own = {};
    error = lock_file(fd, F_WRLCK);
    // Before it was locked, another process may have taken it for one that was left, and removed it.
    const bool ours = error == 0 && ::fstatat(folder_->descriptor(), name_.c_str(), &named, AT_SYMLINK_NOFOLLOW) == 0 &&
                      named.st_dev == own.st_dev && named.st_ino == own.st_ino;
    if (ours) {
      try {
        known.add(own, fd);
        fd_ = fd;
        return 0;
      } catch (...) {
        error = ENOMEM;
        ::unlinkat(folder_->descriptor(), name_.c_str(), 0);
      }
    }
    ::close(fd);
    if (error != 0 && error != EACCES && error != EAGAIN) return error;
  }
  return error != 0 ? error : EAGAIN;
}

std::shared_ptr<OwnRing> OwnRing::create(std::shared_ptr<RingFolder> folder, std::size_t bytes,
                                         std::string_view boot_id, std::string& problem) {
  const NoCancellation uncancelled;
  std::shared_ptr<OwnRing> ring(new OwnRing);
  ring->folder_ = std::move(folder);
  ring->process_ = fork_generation();
  if (const int error = ring->make_file(); error != 0) {
    problem = reason("cannot make a ring", error);
    return nullptr;
  }
  const auto fail = [&](const char* deed, int error) {
    problem = reason(deed, error);
    ring->remove();
    return nullptr;
  };
  if (::fchmod(ring->fd_, 0600) != 0) return fail("cannot set the mode of a ring", errno);
  if (const int error = make_room(ring->fd_, bytes); error != 0) return fail("there is no room for a ring", error);
  void* const memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring->fd_, 0);
  if (memory == MAP_FAILED) return fail("cannot map a ring", errno);
  ring->memory_ = {static_cast<std::byte*>(memory), bytes};
  if (::madvise(memory, bytes, MADV_DONTFORK) != 0)  // else a child would write into its parent's
    return fail("cannot keep a ring from forked processes", errno);
  {
    Register& known = register_of_rings();
    const std::lock_guard held(known.lock);
    known.mapped(ring->fd_, ring->memory_);
  }
  ring->writer_ = std::make_unique<RingWriter>(ring->memory_, boot_id, static_cast<std::uint64_t>(::getpid()));
  return ring;
}

void OwnRing::let_go() noexcept {
  if (fd_ < 0 || process_ != fork_generation()) return;
  Register& known = register_of_rings();
  const std::lock_guard held(known.lock);
  known.remove_and_close(fd_);
  fd_ = -1;
}

void OwnRing::remove() noexcept {
  if (fd_ >= 0 && process_ == fork_generation()) ::unlinkat(folder_->descriptor(), name_.c_str(), 0);
}

OwnRing::~OwnRing() {
  if (process_ != fork_generation()) {  // the memory is not there, the descriptor was closed
    (void)writer_.release();
    return;
  }
  let_go();
  if (!memory_.empty()) ::munmap(memory_.data(), memory_.size());
  if (release_ != nullptr) release_(memory_.size());
}

// ---- rings of others

/// Opens and registers what may be a left ring.
LeftRing::Found LeftRing::open_file(struct stat& info, std::string& problem) {
  Register& known = register_of_rings();
  const std::lock_guard held(known.lock);
  // A look before the opening: a FIFO must not be opened, nor a ring of our own, whose lock the closing would end.
  if (::fstatat(folder_->descriptor(), name_.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) return Found::gone;
  if (!S_ISREG(info.st_mode) || info.st_uid != ::geteuid() || info.st_nlink != 1) {
    problem = "it is no plain file of this user with one name";
    return Found::refused;
  }
  if (known.contains(info)) return Found::in_use;
  if (static_cast<std::uint64_t>(info.st_size) > largest_file) {
    problem = "it is larger than any ring";
    return Found::refused;
  }
  const int fd =
      own_descriptor(::openat(folder_->descriptor(), name_.c_str(), O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
  if (fd < 0) {
    if (errno == ENOENT) return Found::gone;
    problem = reason("cannot open it", errno);
    return Found::refused;
  }
  struct stat opened {};
  if (::fstat(fd, &opened) != 0 || opened.st_dev != info.st_dev || opened.st_ino != info.st_ino) {
    ::close(fd);
    return Found::gone;
  }
  try {
    known.add(info, fd);
  } catch (...) {
    ::close(fd);
    throw;
  }
  fd_ = fd;
  return Found::claimed;
}

LeftRing::Found LeftRing::claim(const std::shared_ptr<RingFolder>& folder, const std::string& name, bool rename,
                                std::shared_ptr<LeftRing>& ring, std::string& problem) {
  const NoCancellation uncancelled;
  std::shared_ptr<LeftRing> made(new LeftRing);
  made->folder_ = folder;
  made->name_ = made->original_ = name;
  made->process_ = fork_generation();
  struct stat info {};
  if (const Found found = made->open_file(info, problem); found != Found::claimed) return found;
  if (const int error = lock_file(made->fd_, F_WRLCK); error != 0) {
    if (error == EACCES || error == EAGAIN) return Found::in_use;
    problem = reason("cannot lock it", error);
    return Found::refused;
  }
  // Between the look and the lock somebody else may have recovered it.
  struct stat named {};
  if (::fstatat(folder->descriptor(), name.c_str(), &named, AT_SYMLINK_NOFOLLOW) != 0 || named.st_ino != info.st_ino)
    return Found::gone;
  if (rename && name.ends_with(ending)) {
    if (const int error = made->rename_to(name, claimed_ending); error != 0) {
      problem = reason("cannot rename it", error);
      return Found::refused;
    }
  }
  made->size_ = static_cast<std::size_t>(info.st_size);
  ring = std::move(made);
  return Found::claimed;
}

/// 0, or an errno. Another file may have that name already (processes of one number, in containers): then with a
/// number.
int LeftRing::rename_to(std::string_view stem, std::string_view with) {
  constexpr int most_attempts = 1000;
  std::string fresh = std::string(stem) += with;
  for (int number = 2;; ++number) {
    if (::renameat2(folder_->descriptor(), name_.c_str(), folder_->descriptor(), fresh.c_str(), RENAME_NOREPLACE) ==
        0) {
      name_ = std::move(fresh);
      return 0;
    }
    if (errno != EEXIST || number > most_attempts) return errno;
    fresh = (std::string(stem) += '.' + std::to_string(number)) += with;
  }
}

std::span<const std::byte> LeftRing::read(std::size_t at, std::size_t size) {
  size = at > size_ || !is_ours() ? 0 : std::min(size, size_ - at);
  if (size > room_size_) {
    drop_bytes();
    room_ = std::make_unique_for_overwrite<std::byte[]>(size);
    room_size_ = size;
  }
  std::size_t have = 0;
  while (have < size) {
    const ssize_t got = ::pread(fd_, room_.get() + have, size - have, static_cast<off_t>(at + have));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;  // it was cut off meanwhile
    have += static_cast<std::size_t>(got);
  }
  return {room_.get(), have};
}

bool LeftRing::is_ours() const noexcept { return fd_ >= 0 && process_ == fork_generation(); }
void LeftRing::write_header(const void* bytes, std::size_t size, std::size_t at) noexcept {
  if (!is_ours()) return;
  WriteShield shield(false);
  if (::pwrite(fd_, bytes, size, static_cast<off_t>(at)) < 0) shield.take_back(errno);
}
void LeftRing::acknowledge(std::uint64_t number) noexcept {
  const std::uint64_t words[2] = {number, 1};
  write_header(words, sizeof(words), offsetof(RingHeader, acknowledged));
}
void LeftRing::note_attempts(std::uint64_t attempts) noexcept {
  write_header(&attempts, sizeof(attempts), offsetof(RingHeader, attempts));
}
void LeftRing::remove() noexcept {
  if (is_ours()) ::unlinkat(folder_->descriptor(), name_.c_str(), 0);
}
void LeftRing::leave() noexcept {
  if (name_ == original_ || !is_ours()) return;
  (void)::renameat2(folder_->descriptor(), name_.c_str(), folder_->descriptor(), original_.c_str(), RENAME_NOREPLACE);
}

void LeftRing::add_attempts(std::uint64_t more) noexcept {
  std::uint64_t now = 0;
  if (is_ours() && ::pread(fd_, &now, sizeof(now), offsetof(RingHeader, attempts)) == ssize_t{sizeof(now)})
    note_attempts(now + more);
}

void LeftRing::set_aside() noexcept {
  if (!is_ours()) return;
  try {
    std::string_view stem = name_;
    if (stem.ends_with(claimed_ending)) stem.remove_suffix(claimed_ending.size());
    (void)rename_to(std::string(stem), set_aside_ending);
  } catch (...) {  // no memory: it is tried again with the next start
  }
}

LeftRing::~LeftRing() {
  if (!is_ours()) return;  // in a child it was closed
  Register& known = register_of_rings();
  const std::lock_guard held(known.lock);
  known.remove_and_close(fd_);
}

}  // namespace cairn::detail
