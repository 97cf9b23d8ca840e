#include "lifecycle/ending_roots.hpp"

#include <condition_variable>
#include <mutex>

#include "pipeline/notifier.hpp"
#include "platform/fork_generation.hpp"

namespace cairn::detail {

namespace {

struct Ends {
  std::mutex mutex;
  std::condition_variable changed;
  std::uint64_t ending = 0;
  std::uint64_t ended = 0;
  std::uint64_t generation = 0;  // of the process whose threads are at it: a forked child has none of them
};

Ends& ends() {
  static Ends* const made = new Ends;  // never destroyed: a static may let go of the last handle
  return *made;
}

}  // namespace

void root_begins_to_end() noexcept {
  Ends& e = ends();
  const std::lock_guard lock(e.mutex);
  if (e.generation != fork_generation()) {
    e.generation = fork_generation();
    e.ending = 0;
  }
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
  const auto done = [&] { return e.ended != ended || e.ending == 0 || e.generation != fork_generation(); };
  (void)e.changed.wait_until(lock, deadline, done);
  return e.ended != ended;
}

}  // namespace cairn::detail
