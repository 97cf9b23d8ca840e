#include "ring/ring_file.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <system_error>

#include "platform/fork_generation.hpp"
#include "platform/no_cancellation.hpp"
#include "platform/timed_lock.hpp"

namespace cairn::detail {

namespace {

constexpr std::string_view ending = ".ring";
constexpr std::string_view claimed_ending = ".recovering";
constexpr std::size_t largest_file = std::size_t{8} << 30U;

std::string reason(const char* deed, int error) {
  return std::string(deed) + ": " + std::generic_category().message(error);
}

/// The rings that this process has open.
struct Register {
  struct Entry {
    dev_t device = 0;
    ino_t inode = 0;
    int fd = -1;
  };
  TimedLock lock;
  std::vector<Entry> entries;

  [[nodiscard]] bool contains(const struct stat& info) noexcept {
    return std::any_of(entries.begin(), entries.end(),
                       [&](const Entry& entry) { return entry.device == info.st_dev && entry.inode == info.st_ino; });
  }
};
std::atomic<Register*> current{nullptr};
bool held_for_fork = false;  // by the thread that forks

void before_fork() noexcept {
  held_for_fork = current.load(std::memory_order_relaxed)->lock.try_lock_for(std::chrono::milliseconds(10));
}
void after_fork_in_parent() noexcept {
  if (held_for_fork) current.load(std::memory_order_relaxed)->lock.unlock();
}
/// The rings are the parent's: their memory is not there, their descriptors would keep it from being freed.
void after_fork_in_child() noexcept {
  Register& mine = *current.load(std::memory_order_relaxed);
  if (held_for_fork) {
    for (const Register::Entry& entry : mine.entries) ::close(entry.fd);
    mine.entries.clear();
  } else {
    new (&mine.entries) std::vector<Register::Entry>;  // it may have been changing: let it be
  }
  mine.lock.free_after_fork();
}

Register& own_rings() {
  static Register* const made = [] {
    auto* fresh = new Register;  // never destroyed: a fork may come at any time
    current.store(fresh, std::memory_order_relaxed);
    (void)pthread_atfork(&before_fork, &after_fork_in_parent, &after_fork_in_child);
    return fresh;
  }();
  return *made;
}

/// 0, or an errno.
int lock_file(int fd, short type) noexcept {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  return ::fcntl(fd, F_SETLK, &lock) == 0 ? 0 : errno;
}

}  // namespace

std::string current_boot_id() {
  char text[37]{};
  const int fd = ::open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
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
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
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

std::vector<std::string> RingFolder::names() const {
  std::vector<std::string> found;
  const int fd = ::openat(fd_, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return found;
  DIR* const directory = ::fdopendir(fd);
  if (directory == nullptr) {
    ::close(fd);
    return found;
  }
  while (const dirent* entry = ::readdir(directory)) {
    const std::string_view name = entry->d_name;
    if (name.ends_with(ending) || name.ends_with(claimed_ending)) found.emplace_back(name);
  }
  ::closedir(directory);
  std::ranges::sort(found);
  return found;
}

// ---- rings of this process

std::shared_ptr<OwnRing> OwnRing::create(std::shared_ptr<RingFolder> folder, std::size_t bytes,
                                         std::string_view boot_id, std::string& problem) {
  const NoCancellation uncancelled;
  static std::atomic<std::uint64_t> numbers{0};
  std::shared_ptr<OwnRing> ring(new OwnRing);
  ring->folder_ = std::move(folder);
  ring->process_ = fork_generation();
  const std::lock_guard held(own_rings().lock);
  own_rings().entries.reserve(own_rings().entries.size() + 1);
  for (int attempt = 0; ring->fd_ < 0; ++attempt) {
    ring->name_ = std::to_string(::getpid()) + '-' + std::to_string(numbers.fetch_add(1)) + std::string(ending);
    ring->fd_ = ::openat(ring->folder_->descriptor(), ring->name_.c_str(),
                         O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    // Of a process of that number that is gone: it may be of another pid namespace, or wait to be recovered.
    if (ring->fd_ < 0 && (errno != EEXIST || attempt == 1000)) {
      problem = reason("cannot make a ring", errno);
      return nullptr;
    }
  }
  const auto fail = [&](const char* deed, int error) {
    problem = reason(deed, error);
    ::unlinkat(ring->folder_->descriptor(), ring->name_.c_str(), 0);
    ::close(ring->fd_);
    ring->fd_ = -1;
    return nullptr;
  };
  if (const int error = lock_file(ring->fd_, F_WRLCK); error != 0) return fail("cannot lock a ring", error);
  if (::fchmod(ring->fd_, 0600) != 0) return fail("cannot set the mode of a ring", errno);
  if (const int error = ::posix_fallocate(ring->fd_, 0, static_cast<off_t>(bytes)); error != 0)
    return fail("there is no room for a ring", error);
  void* const memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring->fd_, 0);
  if (memory == MAP_FAILED) return fail("cannot map a ring", errno);
  ring->memory_ = {static_cast<std::byte*>(memory), bytes};
  (void)::madvise(memory, bytes, MADV_DONTFORK);  // else a child would write into its parent's
  struct stat info {};
  if (::fstat(ring->fd_, &info) != 0) return fail("cannot look at a ring", errno);
  ring->writer_ = std::make_unique<RingWriter>(ring->memory_, boot_id, static_cast<std::uint64_t>(::getpid()));
  own_rings().entries.push_back({info.st_dev, info.st_ino, ring->fd_});
  return ring;
}

void OwnRing::let_go() noexcept {
  if (fd_ < 0 || process_ != fork_generation()) return;
  const std::lock_guard held(own_rings().lock);
  std::erase_if(own_rings().entries, [&](const Register::Entry& entry) { return entry.fd == fd_; });
  ::close(fd_);
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
}

// ---- rings of others

LeftRing::Found LeftRing::claim(const std::shared_ptr<RingFolder>& folder, const std::string& name, bool rename,
                                std::unique_ptr<LeftRing>& ring, std::string& problem) {
  const NoCancellation uncancelled;
  struct stat info {};
  const std::lock_guard held(own_rings().lock);
  // A look before the opening: a FIFO must not be opened, nor a ring of our own, whose lock the closing would end.
  if (::fstatat(folder->descriptor(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) return Found::gone;
  if (!S_ISREG(info.st_mode) || info.st_uid != ::geteuid() || info.st_nlink != 1) {
    problem = "it is no plain file of this user with one name";
    return Found::refused;
  }
  if (own_rings().contains(info)) return Found::in_use;
  if (static_cast<std::uint64_t>(info.st_size) > largest_file) {
    problem = "it is larger than any ring";
    return Found::refused;
  }
  std::unique_ptr<LeftRing> made(new LeftRing);
  made->folder_ = folder;
  made->name_ = made->original_ = name;
  made->fd_ = ::openat(folder->descriptor(), name.c_str(), O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
  if (made->fd_ < 0) {
    if (errno == ENOENT) return Found::gone;
    problem = reason("cannot open it", errno);
    return Found::refused;
  }
  struct stat opened {};
  if (::fstat(made->fd_, &opened) != 0 || opened.st_dev != info.st_dev || opened.st_ino != info.st_ino)
    return Found::gone;
  if (const int error = lock_file(made->fd_, F_WRLCK); error != 0) {
    if (error == EACCES || error == EAGAIN) return Found::in_use;
    problem = reason("cannot lock it", error);
    return Found::refused;
  }
  // Between the look and the lock somebody else may have recovered it.
  if (::fstatat(folder->descriptor(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0 || info.st_ino != opened.st_ino)
    return Found::gone;
  if (rename && !name.ends_with(claimed_ending)) {
    const std::string claimed = name + std::string(claimed_ending);
    if (::renameat2(folder->descriptor(), name.c_str(), folder->descriptor(), claimed.c_str(), RENAME_NOREPLACE) != 0) {
      problem = reason("cannot rename it", errno);
      return Found::refused;
    }
    made->name_ = claimed;
  }
  made->size_ = static_cast<std::size_t>(opened.st_size);
  made->words_.resize((made->size_ + 7) / 8);
  auto* const to = reinterpret_cast<char*>(made->words_.data());
  for (std::size_t at = 0; at < made->size_;) {
    const ssize_t got = ::pread(made->fd_, to + at, made->size_ - at, static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {  // it was cut off meanwhile
      made->size_ = at;
      break;
    }
    at += static_cast<std::size_t>(got);
  }
  ring = std::move(made);
  return Found::claimed;
}

void LeftRing::acknowledge(std::uint64_t number) noexcept {
  (void)!::pwrite(fd_, &number, sizeof(number), offsetof(RingHeader, acknowledged));
}
void LeftRing::remove() noexcept { ::unlinkat(folder_->descriptor(), name_.c_str(), 0); }
void LeftRing::leave() noexcept {
  if (name_ == original_) return;
  (void)::renameat2(folder_->descriptor(), name_.c_str(), folder_->descriptor(), original_.c_str(), RENAME_NOREPLACE);
}

LeftRing::~LeftRing() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace cairn::detail
