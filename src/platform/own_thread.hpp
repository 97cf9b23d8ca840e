// Threads of Cairn's own: each has a name, and is known as Cairn's to a signal handler that runs there from its first
// moment on.
#pragma once

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <thread>
#include <utility>

namespace cairn::detail {

/// Is the calling thread one of Cairn's? Safe in signal handlers.
[[nodiscard]] bool on_own_thread() noexcept;

/// With a zero at the end.
using ThreadName = std::array<char, 16>;

/// The calling thread is one of Cairn's from now on.
void become_own_thread(const ThreadName& name) noexcept;

/// What a fault of the thread's own raises: where it is blocked, the kernel ends the process without asking a handler.
/// SIGABRT is not among them: abort() opens it by itself, and a program may wait for one that is sent.
inline constexpr std::array faults{SIGSEGV, SIGBUS, SIGILL, SIGFPE};

/// Starts a thread that runs `f`, with the caller's mask of signals, except that no fault is blocked: where a handler
/// runs there, it knows whose thread it is. Of `name` 15 characters count. Throws what std::thread does.
template <class F>
[[nodiscard]] std::thread own_thread(std::string_view name, F f) {
  struct AllHeld {
    AllHeld() noexcept {
      sigset_t all;
      sigfillset(&all);
      pthread_sigmask(SIG_SETMASK, &all, &before);
    }
    AllHeld(const AllHeld&) = delete;
    AllHeld& operator=(const AllHeld&) = delete;
    ~AllHeld() { pthread_sigmask(SIG_SETMASK, &before, nullptr); }
    sigset_t before{};
  };
  ThreadName label{};
  std::copy_n(name.data(), std::min(name.size(), label.size() - 1), label.data());
  const AllHeld held;
  sigset_t own = held.before;
  for (const int fault : faults) sigdelset(&own, fault);
  return std::thread([label, mask = own, run = std::move(f)]() mutable {
    become_own_thread(label);
    pthread_sigmask(SIG_SETMASK, &mask, nullptr);
    run();
  });
}

}  // namespace cairn::detail
