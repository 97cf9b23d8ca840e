#include "lifecycle/ending_roots.hpp"

#include <condition_variable>
#include <mutex>

#include "cairn/detail/fork_mutex.hpp"
#include "pipeline/notifier.hpp"
#include "platform/made_once.hpp"

namespace cairn::detail {

namespace {

struct Ends final : private ForkHandler {
  std::mutex mutex;
  HeldOverFork held;
  std::condition_variable changed;
  std::uint64_t ending = 0;
  std::uint64_t ended = 0;

  Ends() { guard_against_forks(*this); }
  ~Ends() { forget_in_forks(*this); }

  void before_fork(std::chrono::steady_clock::time_point deadline) noexcept override { held.take(mutex, deadline); }
  void after_fork(bool child) noexcept override {
    if (child) {
      new (&changed) std::condition_variable;
      ending = 0;  // the threads that are at it are the parent's
    }
    held.let_go(mutex, child);
  }
};

Ends& ends() {
  static constinit MadeOnce<Ends> made;  // never destroyed: a static may let go of the last handle
  return made.get();
}

}  // namespace

void root_begins_to_end() noexcept {
  Ends& e = ends();
  const std::lock_guard lock(e.mutex);
  ++e.ending;
}

void root_has_ended() noexcept {
  Ends& e = ends();
  const std::lock_guard lock(e.mutex);
  if (e.ending != 0) --e.ending;
  ++e.ended;
  e.changed.notify_all();
}

std::uint64_t roots_ended() noexcept {
  Ends& e = ends();
  const std::lock_guard lock(e.mutex);
  return e.ended;
}

bool wait_for_an_end(std::uint64_t ended, std::chrono::steady_clock::time_point deadline) noexcept {
  if (on_notifier_thread()) return false;  // it is this thread that ends them
  Ends& e = ends();
  std::unique_lock lock(e.mutex);
  const auto done = [&] { return e.ended != ended || e.ending == 0; };
  (void)e.changed.wait_until(lock, deadline, done);
  return e.ended != ended;
}

}  // namespace cairn::detail
