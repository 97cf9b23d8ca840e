#include "pipeline/watchdog.hpp"

#include <pthread.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "cairn/detail/fork_mutex.hpp"
#include "cairn/detail/pause_watch.hpp"
#include "capture/thread_state.hpp"
#include "pipeline/sink_worker.hpp"
#include "platform/made_once.hpp"
#include "platform/own_thread.hpp"

namespace cairn::detail {

namespace {

using Steady = std::chrono::steady_clock;

class Watchdog final : private ForkHandler {
 public:
  Watchdog() { guard_against_forks(*this); }
  ~Watchdog() { forget_in_forks(*this); }

  void add(const std::shared_ptr<SinkWorker>& worker, std::chrono::nanoseconds beat) {
    const CriticalSection here;
    const std::lock_guard lock(mutex_);
    const auto same = [&](const Entry& entry) {
      return !entry.worker.owner_before(worker) && !worker.owner_before(entry.worker);
    };
    if (std::none_of(entries_.begin(), entries_.end(), same)) entries_.push_back({worker, beat});
    if (!running_) {
      own_thread("cairn-watch", [this] { run(); }).detach();
      running_ = true;
    }
    changed_.notify_one();  // the beat may be a shorter one
  }

 private:
  struct Entry {
    std::weak_ptr<SinkWorker> worker;
    std::chrono::nanoseconds beat{};
  };

  void run() noexcept {
    if (ThreadState* thread = thread_state()) thread->of_cairn = true;
    std::unique_lock lock(mutex_);
    while (true) {
      std::erase_if(entries_, [](const Entry& entry) { return entry.worker.expired(); });
      if (entries_.empty()) break;
      std::chrono::nanoseconds beat = std::chrono::seconds(1);
      for (const Entry& entry : entries_) beat = std::min(beat, entry.beat);
      const auto slept_from = Steady::now();
      changed_.wait_for(lock, beat);
      // What went by while the process stood still is nobody's fault.
      const bool paused = Steady::now() - slept_from > beat + pause_of_the_process;
      for (std::size_t i = 0; i < entries_.size(); ++i) {
        std::shared_ptr<SinkWorker> worker = entries_[i].worker.lock();
        lock.unlock();  // what comes of a look, or of letting the last of a logger go, may be anything
        if (worker) worker->look(paused);
        worker.reset();
        lock.lock();
      }
    }
    running_ = false;
  }

  void before_fork(Steady::time_point deadline) noexcept override { held_.take(mutex_, deadline); }
  /// Its thread is the parent's; a worker that is started in the child is watched over again.
  void after_fork(bool child) noexcept override {
    if (child) {
      new (&changed_) std::condition_variable;
      entries_.clear();
      running_ = false;
    }
    held_.let_go(mutex_, child);
  }

  std::mutex mutex_;
  HeldOverFork held_;
  std::condition_variable changed_;
  std::vector<Entry> entries_;
  bool running_ = false;
};

}  // namespace

void watch_over(const std::shared_ptr<SinkWorker>& worker, std::chrono::nanoseconds beat) {
  static constinit MadeOnce<Watchdog> made;
  made.get().add(worker, beat);
}

}  // namespace cairn::detail
