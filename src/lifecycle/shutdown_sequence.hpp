// One shutdown: who began it, how long it has, its handlers, and what comes after them. The thread that calls execute()
// waits and never runs anything that may hang; that is for tasks, threads which are left behind when time is over.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "cairn/detail/fork_mutex.hpp"
#include "cairn/shutdown.hpp"

namespace cairn::detail {

class ShutdownSequence final : public std::enable_shared_from_this<ShutdownSequence>, private ForkHandler {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using Kind = ShutdownStrategy::Kind;
  /// What follows the handlers; has the rest of the time. Called under no lock.
  using Ending = std::function<void(ShutdownSequence&, ShutdownReport&)>;

  ShutdownSequence() { guard_against_forks(*this); }
  ~ShutdownSequence() { forget_in_forks(*this); }
  ShutdownSequence(const ShutdownSequence&) = delete;
  ShutdownSequence& operator=(const ShutdownSequence&) = delete;

  ShutdownHandlerId add(ShutdownHandler handler, ShutdownHandlerOptions options);
  bool remove(ShutdownHandlerId handler) noexcept;
  /// See Shutdown::execute.
  [[nodiscard]] ShutdownReport execute(const ShutdownStrategy& strategy, const Ending& ending) noexcept;
  /// Waits for one under way; not longer than `timeout`.
  void wait(std::chrono::nanoseconds timeout) noexcept;
  [[nodiscard]] bool begun() const noexcept;
  [[nodiscard]] bool finished() const noexcept;
  void reset() noexcept;
  /// The calling thread is one of this shutdown's.
  [[nodiscard]] bool runs_here() const noexcept;

  // ---- for the ending

  [[nodiscard]] Kind kind() const noexcept;
  /// When time is over. May come nearer.
  [[nodiscard]] Time deadline() const noexcept;
  /// Runs `task` on a thread of its own, or here where there is none, or no memory for one; then it takes as long as it
  /// takes. What it throws is dropped.
  template <class F>
  void start(const F& task) {
    bool aside = false;
    try {
      aside = start_aside(task);
    } catch (...) {  // no memory for the function
    }
    if (!aside) run(std::cref(task));
  }
  /// The same without the second: false where there is no thread, or no memory for one.
  [[nodiscard]] bool start_aside(const std::function<void()>& task) noexcept;
  /// Changes what an await() looks at.
  template <class F>
  void change(F&& f) noexcept {
    const std::lock_guard lock(mutex_);
    f();
    changed_.notify_all();
  }
  /// Waits until ready(kind), which runs under the lock. False: not by `until`, nor while there was time.
  template <class F>
  bool await(F&& ready, Time until = Time::max()) {
    std::unique_lock lock(mutex_);
    while (!ready(kind_)) {
      const Time end = std::min(until, deadline_);
      if (std::chrono::steady_clock::now() >= end) return false;
      changed_.wait_until(lock, end);
    }
    return true;
  }
  /// The same with `until` alone: for what may take a moment more after the time.
  template <class F>
  bool await_past_deadline(F&& ready, Time until) {
    std::unique_lock lock(mutex_);
    return changed_.wait_until(lock, until, [&] { return ready(kind_); });
  }

 private:
  enum class State : std::uint8_t { open, running, finished };
  struct Handler;
  void before_fork(Time deadline) noexcept override { held_for_fork_.take(mutex_, deadline); }
  void after_fork(bool child) noexcept override;
  /// Under the lock: it was under way in the parent of a process that was made past fork(), where nobody goes on with
  /// it.
  [[nodiscard]] bool is_the_parents() const noexcept;
  void let_handlers_go() noexcept;
  void begin_handlers_anew() noexcept;
  [[nodiscard]] bool is_registered(const Handler& handler) const noexcept;
  void run(const std::function<void()>& task);
  void run_handlers(std::vector<ShutdownHandlerResult>& results, bool all_the_time);
  /// Those of one priority.
  void run_group(std::span<const std::shared_ptr<Handler>> group, bool all_the_time,
                 std::unique_lock<std::mutex>& lock);
  void start_handler(const std::shared_ptr<Handler>& handler, std::unique_lock<std::mutex>& lock);
  /// Until when handlers may run; nothing may be started after it.
  [[nodiscard]] Time handlers_end(bool all_the_time) const noexcept {
    if (kind_ == Kind::immediate) return Time::min();
    return all_the_time ? deadline_ : begun_ + (deadline_ - begun_) / 2;
  }

  mutable std::mutex mutex_;  // never held while anything else runs
  HeldOverFork held_for_fork_;
  std::condition_variable changed_;
  State state_ = State::open;
  std::uint64_t process_ = 0;  // fork_generation() of who began it
  Kind kind_ = Kind::graceful;
  Time begun_{};
  Time deadline_{};
  ShutdownReport report_;  // once finished
  std::vector<std::shared_ptr<Handler>> handlers_;
  std::vector<std::shared_ptr<Handler>> room_;  // empty; for a list of them all
  std::uint64_t last_id_ = 0;
  bool over_ = false;  // no handler will run any more
};

}  // namespace cairn::detail
