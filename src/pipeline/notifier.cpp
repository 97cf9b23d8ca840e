#include "pipeline/notifier.hpp"

#include <pthread.h>

#include <condition_variable>
#include <deque>
#include <thread>

#include "cairn/detail/fork_mutex.hpp"
#include "capture/thread_state.hpp"
#include "platform/fork_generation.hpp"
#include "platform/made_once.hpp"
#include "platform/own_thread.hpp"

namespace cairn::detail {

namespace {

constinit thread_local bool is_notifier = false;

struct Notifier final : private ForkHandler {
  static constexpr std::size_t most = 1024;
  std::mutex mutex;
  HeldOverFork held;
  std::condition_variable came;
  std::deque<std::function<void()>> calls;
  std::uint64_t generation = 0;  // of the process that has the thread

  Notifier() { guard_against_forks(*this); }
  ~Notifier() { forget_in_forks(*this); }

  void before_fork(std::chrono::steady_clock::time_point deadline) noexcept override { held.take(mutex, deadline); }
  /// What waits is the parent's, who tells it.
  void after_fork(bool child) noexcept override {
    if (child) {
      new (&came) std::condition_variable;  // the parent's thread waits at it, for ever
      new (&calls) std::deque<std::function<void()>>;
    }
    held.let_go(mutex, child);
  }

  void run() {
    is_notifier = true;
    while (true) {
      std::function<void()> call;
      {
        std::unique_lock lock(mutex);
        came.wait(lock, [&] { return !calls.empty(); });
        call = std::move(calls.front());
        calls.pop_front();
      }
      try {
        call();
      } catch (...) {  // of the program: nobody is left to tell
      }
      call = nullptr;
      // It calls rarely, and what it logged to may be gone by then: a lane is not kept that long.
      if (ThreadState* thread = thread_state()) thread->let_go_attachments();
    }
  }
};

Notifier& notifier() {
  static constinit MadeOnce<Notifier> made;  // never destroyed: its thread lives as long as the process
  return made.get();
}

}  // namespace

bool notify(std::function<void()> call) noexcept {
  try {
    Notifier& n = notifier();
    const std::lock_guard lock(n.mutex);
    if (n.calls.size() >= Notifier::most) return false;
    if (n.generation != fork_generation()) {
      own_thread("cairn-notify", [&n] { n.run(); }).detach();
      n.generation = fork_generation();
    }
    n.calls.push_back(std::move(call));
    n.came.notify_one();
    return true;
  } catch (...) {
    return false;
  }
}

bool on_notifier_thread() noexcept { return is_notifier; }

}  // namespace cairn::detail
