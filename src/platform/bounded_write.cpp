#include "platform/bounded_write.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdint>
#include <thread>

#include "platform/file_size_signal.hpp"
#include "platform/fork_generation.hpp"
#include "platform/no_cancellation.hpp"

namespace cairn::detail {

namespace {

using namespace std::chrono_literals;
using Steady = std::chrono::steady_clock;

/// One write that does not wait, of as much as there is room for.
ssize_t write_now(int fd, mode_t kind, std::string_view bytes) noexcept {
  if (S_ISREG(kind)) return ::write(fd, bytes.data(), bytes.size());
  if (S_ISSOCK(kind)) return ::send(fd, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  const struct iovec piece { const_cast<char*>(bytes.data()), bytes.size() };
  const ssize_t count = ::pwritev2(fd, &piece, 1, -1, RWF_NOWAIT);
  if (count >= 0 || (errno != EOPNOTSUPP && errno != EINVAL && errno != ENOSYS)) return count;
  // An older kernel: a pipe that has room has it for so much, unless another writer was quicker.
  return ::write(fd, bytes.data(), std::min<std::size_t>(bytes.size(), PIPE_BUF));
}

/// False: there is no room until then.
bool wait_for_room(int fd, Steady::time_point deadline) noexcept {
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Steady::now());
    struct ::pollfd what {};
    what.fd = fd;
    what.events = POLLOUT;
    const int ready = ::poll(&what, 1, static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, INT_MAX)));
    if (ready > 0) return true;  // also one that is broken: the write says so
    if (ready == 0 || errno != EINTR) return false;
  }
}

bool write_until(int fd, std::string_view bytes, Steady::time_point deadline, std::size_t& written) noexcept {
  const NoCancellation uncancelled;
  watch_file_size_signal();
  WriteShield shield(true);
  struct ::stat status {};
  if (::fstat(fd, &status) != 0) return false;
  while (written < bytes.size()) {
    if (!wait_for_room(fd, deadline)) return false;
    const ssize_t count = write_now(fd, status.st_mode, bytes.substr(written));
    if (count > 0) {
      written += static_cast<std::size_t>(count);
    } else if (count == 0 || (errno != EINTR && errno != EAGAIN)) {
      if (count < 0) shield.take_back(errno);
      return false;
    } else if (Steady::now() > deadline) {
      return false;
    }
  }
  return true;
}

/// Whose turn it is to write to stderr. Of a turn that another process had when it was forked nothing is left.
class StderrTurn {
 public:
  explicit StderrTurn(Steady::time_point deadline) noexcept {
    const std::uint64_t here = fork_generation();
    for (;;) {
      std::uint64_t seen = taken_.load(std::memory_order_relaxed);  // relaxed: the exchange looks again
      // acquire: the end of the turn before
      if (seen != here && taken_.compare_exchange_weak(seen, here, std::memory_order_acquire)) {
        mine_ = true;
        return;
      }
      if (Steady::now() >= deadline) return;
      std::this_thread::sleep_for(1ms);
    }
  }
  StderrTurn(const StderrTurn&) = delete;
  StderrTurn& operator=(const StderrTurn&) = delete;
  ~StderrTurn() {
    if (mine_) taken_.store(0, std::memory_order_release);  // for the next turn
  }
  [[nodiscard]] bool mine() const noexcept { return mine_; }

 private:
  static constinit std::atomic<std::uint64_t> taken_;  // by a thread of the process of that generation; 0: by none
  bool mine_ = false;
};
constinit std::atomic<std::uint64_t> StderrTurn::taken_{0};

// relaxed, both: they change in a turn; who reads before may be a line late
constinit std::atomic<bool> stands_still{false};  // there was no room for the last line
constinit std::atomic<bool> torn{false};          // the last line was cut short

}  // namespace

bool write_bounded(int fd, std::string_view bytes, std::chrono::nanoseconds patience) noexcept {
  std::size_t written = 0;
  return write_until(fd, bytes, Steady::now() + patience, written);
}

bool write_to_stderr(std::string_view line) noexcept {
  const NoCancellation uncancelled;
  const auto deadline = Steady::now() + (stands_still.load(std::memory_order_relaxed) ? 0ms : 100ms);
  const StderrTurn turn(deadline);
  if (!turn.mine()) return false;
  std::size_t written = 0;
  bool done = true;
  if (torn.load(std::memory_order_relaxed)) {
    done = write_until(STDERR_FILENO, "\n", deadline, written);
    if (done) torn.store(false, std::memory_order_relaxed);
    written = 0;
  }
  if (done) done = write_until(STDERR_FILENO, line, deadline, written);
  if (written != 0) torn.store(!done, std::memory_order_relaxed);
  stands_still.store(!done, std::memory_order_relaxed);
  return done;
}

}  // namespace cairn::detail
