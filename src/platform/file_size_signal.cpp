#include "platform/file_size_signal.hpp"

#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <ctime>

namespace cairn::detail {

namespace {

// relaxed: each look stands on its own
std::atomic<FileSizeSignal> found{FileSizeSignal::not_known};
std::atomic<bool> retired{false};  // our code may be about to be unloaded: no handler may point to it any more

// Is this thread inside a write of ours? Read by a handler that interrupts the very thread, so relaxed with fences
// towards it is all there is to order. The model keeps a first touch from asking for memory.
[[gnu::tls_model("initial-exec")]] constinit thread_local std::atomic<bool> inside{false};
[[gnu::tls_model("initial-exec")]] constinit thread_local std::atomic<bool> ignored_one{false};

/// Did somebody send it on purpose? The kernel's own looks like a plain kill from this very process.
bool was_sent(const siginfo_t& info) noexcept {
  return info.si_code == SI_TKILL || info.si_code == SI_QUEUE || (info.si_code == SI_USER && info.si_pid != ::getpid());
}

/// A signal of the set that waits, or a negative number. Asked of the kernel directly: the C library's function hides
/// who sent it.
int take(const sigset_t& set, siginfo_t& info) noexcept {
  const struct timespec at_once {};
  for (;;) {
    const auto signal = static_cast<int>(::syscall(SYS_rt_sigtimedwait, &set, &info, &at_once, _NSIG / 8));
    if (signal >= 0 || errno != EINTR) return signal;
  }
}

extern "C" void on_file_size_signal(int signal, siginfo_t* info, void*) {
  if (inside.load(std::memory_order_relaxed) && !was_sent(*info)) {
    ignored_one.store(true, std::memory_order_relaxed);
    return;
  }
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  ::sigaction(signal, &action, nullptr);
  ::raise(signal);  // waits until this handler is left
}

bool is_ours(const struct sigaction& action) noexcept {
  return (action.sa_flags & SA_SIGINFO) != 0 && action.sa_sigaction == on_file_size_signal;
}

FileSizeSignal look() noexcept {
  struct sigaction current {};
  if (::sigaction(SIGXFSZ, nullptr, &current) != 0) return FileSizeSignal::handled;
  if (is_ours(current)) return FileSizeSignal::left_to_us;
  if ((current.sa_flags & SA_SIGINFO) != 0) return FileSizeSignal::handled;
  if (current.sa_handler == SIG_IGN) return FileSizeSignal::ignored;
  if (current.sa_handler != SIG_DFL || retired.load(std::memory_order_relaxed)) return FileSizeSignal::handled;
  struct sigaction ours {};
  ours.sa_sigaction = on_file_size_signal;
  ours.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
  ::sigemptyset(&ours.sa_mask);
  if (::sigaction(SIGXFSZ, &ours, &current) != 0) return FileSizeSignal::handled;
  if ((current.sa_flags & SA_SIGINFO) == 0 && current.sa_handler == SIG_DFL) return FileSizeSignal::left_to_us;
  if (is_ours(current)) return FileSizeSignal::left_to_us;  // two threads looked at once
  ::sigaction(SIGXFSZ, &current, nullptr);                  // the program put its own there in between
  return FileSizeSignal::handled;
}

/// At the process's end, or when the library is unloaded.
[[gnu::destructor]] void retire() noexcept {
  retired.store(true, std::memory_order_relaxed);
  found.store(FileSizeSignal::not_known, std::memory_order_relaxed);
  struct sigaction current {};
  if (::sigaction(SIGXFSZ, nullptr, &current) != 0 || !is_ours(current)) return;
  current = {};
  current.sa_handler = SIG_DFL;
  ::sigaction(SIGXFSZ, &current, nullptr);
}

}  // namespace

FileSizeSignal watch_file_size_signal() noexcept {
  const FileSizeSignal now = look();
  found.store(now, std::memory_order_relaxed);
  return now;
}

FileSizeSignal file_size_signal() noexcept {
  const FileSizeSignal last = found.load(std::memory_order_relaxed);
  return last == FileSizeSignal::not_known ? watch_file_size_signal() : last;
}

WriteShield::WriteShield(bool pipe) noexcept : was_inside_(inside.load(std::memory_order_relaxed)) {
  const bool handled = file_size_signal() == FileSizeSignal::handled;
  if (pipe || handled) hold_back(pipe, handled);
  ignored_one.store(false, std::memory_order_relaxed);
  inside.store(true, std::memory_order_relaxed);
  std::atomic_signal_fence(std::memory_order_seq_cst);  // before the write, as the handler sees it
}

WriteShield::~WriteShield() {
  std::atomic_signal_fence(std::memory_order_seq_cst);  // after the write
  inside.store(was_inside_, std::memory_order_relaxed);
  if (held_) ::pthread_sigmask(SIG_SETMASK, &mask_before_, nullptr);
}

void WriteShield::hold_back(bool pipe, bool file_size) noexcept {
  held_ = true;
  held_file_size_ = file_size;
  ::sigemptyset(&signals_);
  if (pipe) ::sigaddset(&signals_, SIGPIPE);
  if (file_size) ::sigaddset(&signals_, SIGXFSZ);
  ::pthread_sigmask(SIG_BLOCK, &signals_, &mask_before_);
  // One that the caller holds back and that waits already is the caller's; it must not be taken.
  sigset_t pending;
  for (const int signal : {SIGXFSZ, SIGPIPE}) {
    if (::sigismember(&mask_before_, signal) == 1 && ::sigpending(&pending) == 0 &&
        ::sigismember(&pending, signal) == 1) {
      ::sigdelset(&signals_, signal);
    }
  }
}

void WriteShield::take_back(int error) noexcept {
  siginfo_t info{};
  if (held_) (void)take(signals_, info);
  if (error != EFBIG || held_file_size_ || ignored_one.load(std::memory_order_relaxed)) return;
  // No handler has seen it, and we did not hold it back: then the program does, and it would end the process later.
  sigset_t file_size;
  ::sigemptyset(&file_size);
  ::sigaddset(&file_size, SIGXFSZ);
  const int signal = take(file_size, info);
  if (signal > 0 && was_sent(info)) ::raise(signal);  // one waited before ours, which was not added to it
}

}  // namespace cairn::detail
