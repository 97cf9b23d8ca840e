#include "lifecycle/exit_hook.hpp"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "cairn/detail/fork_mutex.hpp"
#include "lifecycle/signal_thread.hpp"
#include "logger/root.hpp"
#include "platform/fork_generation.hpp"
#include "platform/made_once.hpp"
#include "platform/no_cancellation.hpp"
#include "platform/own_thread.hpp"

namespace cairn::detail {

namespace {

using namespace std::chrono_literals;
using Steady = std::chrono::steady_clock;

constexpr auto to_come_back = 15ms;  // after its time a shutdown is back within 10 ms

struct Registry {
  ForkMutex mutex;
  std::vector<Root*> roots;
  bool hooked = false;  // a hook is to come that will see all that are in the list
  // Since the first hook of an exit began:
  std::uint64_t exiting = 0;  // the generation of the process that exits
  std::thread::id thread{};   // which exits
  Steady::time_point until{};
};

Registry& registry() {
  static constinit MadeOnce<Registry> made;  // never destroyed: it is read after the statics are gone
  return made.get();
}

/// All that are open, the last made first. They stay in the list meanwhile: who comes here while another thread is at
/// it waits for them too.
std::vector<Root*> open_roots() {
  const std::lock_guard lock(registry().mutex);
  std::vector<Root*> roots(registry().roots.rbegin(), registry().roots.rend());
  for (Root* root : roots) root->add_reference();  // a handle in a static may go at the same time
  return roots;
}

/// Of all that are open; nothing: none is.
std::chrono::nanoseconds longest_timeout() noexcept {
  const std::lock_guard lock(registry().mutex);
  std::chrono::nanoseconds longest{};
  for (const Root* root : registry().roots) longest = std::max(longest, root->shutdown_timeout());
  return longest;
}

/// Loggers that end side by side, under one deadline. Shared with their threads.
class Ends {
 public:
  Ends(const std::vector<Root*>& roots, Steady::time_point begun, Steady::time_point deadline)
      : begun_(begun), deadline_(deadline) {
    for (Root* root : roots) ends_.push_back({root, false});
  }

  /// The last made comes first, for it may write to those before it: they are begun when it has ended. For one that
  /// takes long they do not wait.
  static void run(const std::shared_ptr<Ends>& ends) {
    const std::size_t count = ends->ends_.size();
    const auto patience = (ends->deadline_ - ends->begun_) / 10;
    for (std::size_t i = 0; i < count; ++i) {
      ends->start(ends, i);
      ends->await(ends->begun_ + patience * (i + 1) / count, i);
    }
    ends->await(ends->deadline_ + to_come_back, count - 1);
    const std::lock_guard lock(ends->mutex_);
    for (const End& end : ends->ends_) {
      if (end.root != nullptr) forget_at_exit(*end.root);  // it is left behind
    }
  }

 private:
  struct End {
    Root* root;  // guarded by mutex_, as what follows; null once it has ended
    bool ended;  // and nothing of it is under way any more
  };

  /// The last runs here: there is nothing else to do meanwhile.
  void start(const std::shared_ptr<Ends>& self, std::size_t i) noexcept {
    const bool last = i + 1 == ends_.size();
    try {
      if (!last) return own_thread("cairn-exit", [self, i] { self->end(i, self->deadline_); }).detach();
    } catch (...) {  // no thread: here, with its part of the time
    }
    const auto now = Steady::now();
    const auto left = std::max(deadline_ - now, Steady::duration(0));
    end(i, now + left / static_cast<std::int64_t>(ends_.size() - i));
  }

  void end(std::size_t i, Steady::time_point deadline) noexcept {
    Root& root = *ends_[i].root;
    await_writers(root, i);
    root.end_at_exit(std::min(deadline, Steady::now() + root.shutdown_timeout()));
    forget_at_exit(root);
    change([&] { ends_[i].root = nullptr; });
    root.drop_reference();
    change([&] { ends_[i].ended = true; });
  }
  template <class F>
  void change(F&& f) noexcept {
    const std::lock_guard lock(mutex_);
    f();
    changed_.notify_all();
  }

  /// A logger that others write to takes what they still bring: until they have let go of it, or have ended. A fifth of
  /// the time is kept for it.
  void await_writers(const Root& root, std::size_t i) noexcept {
    const auto until = begun_ + (deadline_ - begun_) / 5 * 4;
    std::unique_lock lock(mutex_);
    while (root.has_writers() && !ended_up_to(i)) {
      const auto now = Steady::now();
      if (now >= until) return;
      changed_.wait_until(lock, std::min(until, now + 1ms));  // a sink that lets go of it does not say so
    }
  }

  /// Waits for the first ones, those with numbers up to `last`.
  void await(Steady::time_point until, std::size_t last) {
    std::unique_lock lock(mutex_);
    changed_.wait_until(lock, until, [&] { return ended_up_to(last + 1); });
  }
  /// Under the lock.
  [[nodiscard]] bool ended_up_to(std::size_t end) const noexcept {
    return std::all_of(ends_.begin(), ends_.begin() + static_cast<std::ptrdiff_t>(end),
                       [](const End& each) { return each.ended; });
  }

  const Steady::time_point begun_;
  const Steady::time_point deadline_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<End> ends_;
};

}  // namespace

void forget_at_exit(Root& root) noexcept {
  const std::lock_guard lock(registry().mutex);
  std::erase(registry().roots, &root);
}

namespace {

/// The last made that is open: with a reference, and out of the list. Null: there is none.
Root* take_open_root(std::size_t& left) noexcept {
  auto& roots = registry().roots;
  const std::lock_guard lock(registry().mutex);
  left = roots.size();
  if (roots.empty()) return nullptr;
  Root* const root = roots.back();
  roots.pop_back();
  root->add_reference();
  return root;
}

/// Where there is no memory: one after the other, each with its part of the time.
void close_here(Steady::time_point deadline) noexcept {
  std::size_t left = 0;
  while (Root* const root = take_open_root(left)) {
    const auto now = Steady::now();
    const auto part = std::max(deadline - now, Steady::duration(0)) / static_cast<std::int64_t>(left);
    root->end_at_exit(now + std::min<std::chrono::nanoseconds>(part, root->shutdown_timeout()));
    root->drop_reference();
  }
}

}  // namespace

void close_all_now() noexcept {
  const NoCancellation uncancelled;
  const auto begun = Steady::now();
  wait_for_messages_of_handlers(begun + std::min<std::chrono::nanoseconds>(1s, longest_timeout() / 5));
  std::chrono::nanoseconds longest{};
  do {  // a handler may make another, and other threads one after the other
    longest = std::max(longest, longest_timeout());
    std::vector<Root*> roots;
    std::shared_ptr<Ends> ends;
    try {
      roots = open_roots();
      if (roots.empty()) return;
      ends = std::make_shared<Ends>(roots, begun, begun + longest);
    } catch (...) {
      for (Root* root : roots) root->drop_reference();
      return close_here(begun + longest);
    }
    Ends::run(ends);
  } while (Steady::now() < begun + longest);
}

namespace {

/// The first hook takes note of the exit. Before it looks, so that a logger made meanwhile has a hook of its own.
void close_all_at_exit() noexcept {
  {
    const auto until = Steady::now() + longest_timeout();
    Registry& all = registry();
    const std::lock_guard lock(all.mutex);
    all.hooked = false;
    if (std::exchange(all.exiting, fork_generation()) != fork_generation()) {
      all.thread = std::this_thread::get_id();
      all.until = until;
    }
  }
  close_all_now();
}

/// Under the lock. A thread that makes loggers while another exits would have the exit go on for ever: it is let do so
/// as long as the exit takes. What exit handlers make is closed whenever they do.
bool may_hook(const Registry& all) noexcept {
  return all.exiting != fork_generation() || all.thread == std::this_thread::get_id() || Steady::now() < all.until;
}

}  // namespace

void close_at_exit(Root& root) {
  Registry& all = registry();
  const std::lock_guard lock(all.mutex);
  all.roots.push_back(&root);
  if (all.hooked || !may_hook(all)) return;
  const bool at_exit = std::atexit(close_all_at_exit) == 0;  // also during one: it is called next
  const bool at_quick_exit = std::at_quick_exit(close_all_at_exit) == 0;
  all.hooked = at_exit && at_quick_exit;
}

}  // namespace cairn::detail
