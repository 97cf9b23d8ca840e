#include "pipeline/notifier.hpp"

#include <cxxabi.h>
#include <pthread.h>

#include <condition_variable>
#include <deque>
#include <thread>

#include "cairn/detail/critical_section.hpp"
#include "cairn/detail/fork_mutex.hpp"
#include "capture/thread_state.hpp"
#include "platform/fork_generation.hpp"
#include "platform/made_once.hpp"
#include "platform/own_thread.hpp"

namespace cairn::detail {

namespace {

using Steady = std::chrono::steady_clock;

constinit thread_local bool is_notifier = false;

/// One call after the other. The next does not wait for one that takes longer than `patience`, while there are threads.
class Notifier : private ForkHandler {
 public:
  Notifier(const char* name, unsigned most_threads) : name_(name), most_threads_(most_threads) {
    guard_against_forks(*this);
  }
  ~Notifier() { forget_in_forks(*this); }

  bool put(std::function<void()> call) {
    const CriticalSection here;
    const std::lock_guard lock(mutex_);
    if (calls_.size() >= most) return false;
    if (generation_ != fork_generation()) {  // nothing that it counts is this process's
      threads_ = running_ = 0;
      latest_runs_ = false;
      generation_ = fork_generation();
    }
    try {
      ensure_thread();
    } catch (...) {
      if (threads_ == 0) throw;  // else those that there are do it
    }
    calls_.push_back(std::move(call));
    came_.notify_one();
    return true;
  }

 private:
  static constexpr std::size_t most = 1024;
  static constexpr auto patience = std::chrono::seconds(1);

  void before_fork(Steady::time_point deadline) noexcept override { held_.take(mutex_, deadline); }
  /// What waits is the parent's, who tells it.
  void after_fork(bool child) noexcept override {
    if (child) {
      new (&came_) std::condition_variable;  // the parent's threads wait at it, for ever
      new (&calls_) std::deque<std::function<void()>>;
    }
    held_.let_go(mutex_, child);
  }

  /// Under the lock: one that is free for what waits, as long as there may be more.
  void ensure_thread() {
    if (threads_ != running_ || threads_ >= most_threads_) return;
    own_thread(name_, [this] { run(); }).detach();
    ++threads_;
  }

  /// Under the lock: the call of that number is over.
  void ends(std::uint64_t call) noexcept {
    --running_;
    if (call == latest_) latest_runs_ = false;
  }

  /// Sees the thread's end, whatever ended it: a callback may call pthread_exit, or be cancelled.
  class Watch {
   public:
    explicit Watch(Notifier& notifier) noexcept : notifier_(notifier) {}
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;
    void calls(std::uint64_t call) noexcept { call_ = call; }  // 0: none
    ~Watch() {
      const std::lock_guard lock(notifier_.mutex_);
      if (notifier_.generation_ != fork_generation()) return;  // of a child, forked in a callback: it counted nothing
      if (call_ != 0) notifier_.ends(call_);
      --notifier_.threads_;
      try {
        if (!notifier_.calls_.empty()) notifier_.ensure_thread();
      } catch (...) {  // the next call tries again
      }
      notifier_.came_.notify_one();
    }

   private:
    Notifier& notifier_;
    std::uint64_t call_ = 0;
  };

  void run() {
    is_notifier = true;
    Watch watch(*this);
    std::unique_lock lock(mutex_);
    while (true) {
      while (calls_.empty() || (latest_runs_ && Steady::now() < latest_since_ + patience)) {
        if (calls_.empty())
          came_.wait(lock);
        else
          came_.wait_until(lock, latest_since_ + patience);
      }
      std::function<void()> call = std::move(calls_.front());
      calls_.pop_front();
      const std::uint64_t number = ++latest_;
      latest_since_ = Steady::now();
      latest_runs_ = true;
      ++running_;
      watch.calls(number);
      lock.unlock();
      try {
        call();
      } catch (const abi::__forced_unwind&) {
        throw;
      } catch (...) {  // of the program: nobody is left to tell
      }
      call = nullptr;
      // It calls rarely, and what it logged to may be gone by then: a lane is not kept that long.
      if (ThreadState* thread = thread_state()) thread->let_go_attachments();
      lock.lock();
      ends(number);
      watch.calls(0);
      came_.notify_one();
    }
  }

  const char* const name_;
  const unsigned most_threads_;
  std::mutex mutex_;
  HeldOverFork held_;
  std::condition_variable came_;
  std::deque<std::function<void()>> calls_;
  std::uint64_t generation_ = 0;  // of the process that has the threads
  unsigned threads_ = 0;
  unsigned running_ = 0;      // calls
  std::uint64_t latest_ = 0;  // of the calls
  bool latest_runs_ = false;
  Steady::time_point latest_since_;
};

// Never destroyed: their threads live as long as the process.
struct Callbacks final : Notifier {
  Callbacks() : Notifier("cairn-notify", 8) {}
};
struct Ends final : Notifier {
  Ends() : Notifier("cairn-end", 1) {}
};

}  // namespace

bool notify(std::function<void()> call) noexcept try {
  static constinit MadeOnce<Callbacks> made;
  return made.get().put(std::move(call));
} catch (...) {
  return false;
}

bool end_in_background(std::function<void()> call) noexcept try {
  static constinit MadeOnce<Ends> made;
  return made.get().put(std::move(call));
} catch (...) {
  return false;
}

bool on_notifier_thread() noexcept { return is_notifier; }

}  // namespace cairn::detail
