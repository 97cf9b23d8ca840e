// The process-wide logger: read without a lock, replaced at any time.
#include <atomic>
#include <chrono>
#include <thread>

#include "cairn/detail/fork_mutex.hpp"
#include "cairn/logger.hpp"
#include "cairn/metrics.hpp"
#include "lifecycle/signal_thread.hpp"
#include "logger/logger_state.hpp"
#include "platform/made_once.hpp"

namespace cairn {

namespace {

// Readers announce themselves in one of two counters while they copy the handle, so that a setter can wait until nobody
// can still be copying the one it took out. Copying is a few instructions: nobody waits for I/O or user code here.
struct Global final : private detail::ForkHandler {
  Global() { guard_against_forks(*this); }
  ~Global() { forget_in_forks(*this); }
  Logger places[2];  // the one that is not in use is empty, so that the end of a program needs no memory
  std::atomic<Logger*> logger{&places[0]};
  std::atomic<unsigned> phase{0};
  std::atomic<std::uint64_t> readers[2]{};
  std::mutex setter;

 private:
  void before_fork(std::chrono::steady_clock::time_point deadline) noexcept override { held_.take(setter, deadline); }
  void after_fork(bool child) noexcept override {
    if (child) readers[0] = readers[1] = 0;  // threads of the parent, which a setter would wait for
    held_.let_go(setter, child);
  }
  detail::HeldOverFork held_;
};

Global& global() noexcept {
  static constinit detail::MadeOnce<Global> made;
  return made.get();
}

}  // namespace

namespace detail {
constinit LevelWord global_ended{level_ended};
constinit std::atomic<const LevelWord*> global_threshold{&global_ended};
}  // namespace detail

Logger log() noexcept {
  Global& g = global();
  while (true) {
    // seq_cst throughout: the announcement must come before the load of the logger in the order that the setter sees
    const unsigned phase = g.phase.load();
    g.readers[phase & 1U].fetch_add(1);
    if (g.phase.load() == phase) {
      Logger copy = *g.logger.load();
      g.readers[phase & 1U].fetch_sub(1);
      return copy;
    }
    g.readers[phase & 1U].fetch_sub(1);
  }
}

void set_logger(Logger logger) noexcept {
  Global& g = global();
  Logger before;  // when it goes, it may close a root: under no lock
  const std::lock_guard lock(g.setter);
  Logger& fresh = g.places[g.logger.load() == &g.places[0] ? 1 : 0];
  fresh = std::move(logger);
  Logger& replaced = *g.logger.exchange(&fresh);
  // release: pairs with global_admits
  detail::global_threshold.store(detail::LoggerAccess::state(fresh)->threshold, std::memory_order_release);
  const unsigned phase = g.phase.fetch_add(1);
  while (g.readers[phase & 1U].load() != 0) std::this_thread::yield();  // a handful of instructions of other threads
  before = std::move(replaced);
}

void close_and_flush() noexcept {
  detail::wait_for_messages_of_handlers(std::chrono::steady_clock::now() + std::chrono::seconds(1));
  const Logger before = log();
  set_logger(Logger());
  try {
    (void)before.close();
  } catch (...) {
    // no memory for the result; the sinks were closed
  }
}

bool is_enabled(Level level) noexcept {
  return detail::passes(level, detail::global_threshold.load(std::memory_order_acquire)
                                   ->load(std::memory_order_relaxed));  // as in global_admits
}

}  // namespace cairn
