// Locks across a fork. Whatever another thread of the parent holds at that moment is held in the child for ever, and
// what it was changing stays half changed. So the thread that forks takes the library's locks first, and lets them go
// on both sides. A lock that it did not get in time is made anew in the child: it waits 10 ms for code of the program
// (a sink, a filter), and 100 ms where nothing of it runs, and who holds a lock may at most be waiting for a processor.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <new>
#include <thread>

#include "cairn/detail/critical_section.hpp"

namespace cairn::detail {

/// Who holds an outer lock may take an inner one, never the other way round. Of two of one turn the younger is taken
/// first: it is the one that may lead to the older.
enum class ForkTurn : std::uint8_t { outermost, outer, inner };

/// Is told of forks, from guard_against_forks() to forget_in_forks(), by the thread that forks.
class ForkHandler {
 public:
  ForkHandler(const ForkHandler&) = delete;
  ForkHandler& operator=(const ForkHandler&) = delete;
  virtual void before_fork(std::chrono::steady_clock::time_point deadline) noexcept = 0;
  virtual void after_fork(bool child) noexcept = 0;

 protected:
  ForkHandler() = default;
  ~ForkHandler() = default;

 private:
  friend struct ForkHandlerList;
  ForkHandler* next_ = nullptr;
  ForkHandler* previous_ = nullptr;
};

void guard_against_forks(ForkHandler& handler, ForkTurn turn = ForkTurn::inner) noexcept;
void forget_in_forks(ForkHandler& handler) noexcept;

/// Holds one mutex over a fork, under which no code of the program runs.
class HeldOverFork {
 public:
  void take(std::mutex& mutex, std::chrono::steady_clock::time_point deadline) noexcept {
    deadline += std::chrono::milliseconds(90);
    while (!(held_ = mutex.try_lock()) && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  }
  void let_go(std::mutex& mutex, bool child) noexcept {
    if (held_) {
      mutex.unlock();
    } else if (child) {
      new (&mutex) std::mutex;
    }
    held_ = false;
  }

 private:
  bool held_ = false;
};

/// A std::mutex that is free in a forked child. For short work, under which no code of the program runs and no lock of
/// the same turn is taken; not with a condition variable, which a child must make anew as well. What a signal handler
/// logs while its thread holds one is refused: it might wait for it.
class ForkMutex final : private ForkHandler {
 public:
  explicit ForkMutex(ForkTurn turn = ForkTurn::inner) noexcept { guard_against_forks(*this, turn); }
  ForkMutex(const ForkMutex&) = delete;
  ForkMutex& operator=(const ForkMutex&) = delete;
  ~ForkMutex() { forget_in_forks(*this); }

  void lock() {
    enter_critical_section();
    mutex_.lock();
  }
  [[nodiscard]] bool try_lock() {
    enter_critical_section();
    const bool taken = mutex_.try_lock();
    if (!taken) leave_critical_section();
    return taken;
  }
  void unlock() {
    mutex_.unlock();
    leave_critical_section();
  }

 private:
  void before_fork(std::chrono::steady_clock::time_point deadline) noexcept override { held_.take(mutex_, deadline); }
  void after_fork(bool child) noexcept override { held_.let_go(mutex_, child); }

  std::mutex mutex_;
  HeldOverFork held_;
};

}  // namespace cairn::detail
