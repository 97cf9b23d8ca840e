#include <atomic>
#include <cstdint>
#include <mutex>
#include <thread>

#include "cairn/detail/pause_watch.hpp"
#include "platform/fork_generation.hpp"
#include "platform/made_once.hpp"
#include "platform/own_thread.hpp"

namespace cairn::detail {

namespace {

using namespace std::chrono_literals;
using Steady = std::chrono::steady_clock;

constexpr std::chrono::nanoseconds beat = 250ms;
constexpr int idle_beats = 4;

std::int64_t now() noexcept { return Steady::now().time_since_epoch().count(); }

struct Monitor {
  // relaxed, all: each is a moment or a count that stands for itself
  std::atomic<std::int64_t> last_beat{0};    // 0: it does not beat
  std::atomic<std::int64_t> last_pause{0};   // when the last one ended
  std::atomic<std::int64_t> watches{0};      // that live
  std::atomic<std::uint64_t> begun{0};       // watches ever
  std::atomic<std::uint64_t> generation{0};  // of the process that has the thread
  std::mutex mutex;                          // for starting and ending it

  void start() noexcept {
    try {
      const std::unique_lock lock(mutex, std::try_to_lock);  // else another thread is starting or ending it
      if (!lock.owns_lock() || generation.load(std::memory_order_relaxed) == fork_generation()) return;
      // In a forked child the other threads' watches are not there to end.
      if (generation.load(std::memory_order_relaxed) != 0) watches.store(1, std::memory_order_relaxed);
      last_beat.store(now(), std::memory_order_relaxed);
      own_thread("cairn-pause", [this] { run(); }).detach();
      generation.store(fork_generation(), std::memory_order_relaxed);
    } catch (...) {  // no thread: no pause is seen
      last_beat.store(0, std::memory_order_relaxed);
    }
  }

  void run() noexcept {
    std::uint64_t seen = 0;
    for (int idle = 0; idle < idle_beats; ++idle) {
      std::this_thread::sleep_for(beat);
      const std::int64_t at = now();
      if (at - last_beat.load(std::memory_order_relaxed) > (pause_of_the_process + beat).count())
        last_pause.store(at, std::memory_order_relaxed);
      last_beat.store(at, std::memory_order_relaxed);
      const std::uint64_t ever = begun.load(std::memory_order_relaxed);
      if (ever != seen || watches.load(std::memory_order_relaxed) > 0) idle = -1;
      seen = ever;
    }
    const std::lock_guard lock(mutex);
    last_beat.store(0, std::memory_order_relaxed);
    generation.store(0, std::memory_order_relaxed);
  }
};

Monitor& monitor() noexcept {
  static constinit MadeOnce<Monitor> made;  // never destroyed: its thread may outlive every static
  return made.get();
}

}  // namespace

PauseWatch::PauseWatch() noexcept : since_(Steady::now()) {
  Monitor& m = monitor();
  m.watches.fetch_add(1, std::memory_order_relaxed);
  m.begun.fetch_add(1, std::memory_order_relaxed);
  if (m.generation.load(std::memory_order_relaxed) != fork_generation()) m.start();
}

void PauseWatch::end() noexcept { monitor().watches.fetch_sub(1, std::memory_order_relaxed); }

bool PauseWatch::saw_pause_since(std::chrono::steady_clock::time_point moment) noexcept {
  const Monitor& m = monitor();
  const std::int64_t since = moment.time_since_epoch().count();
  const std::int64_t at = now();
  if (at - since < pause_of_the_process.count()) return false;
  if (m.last_pause.load(std::memory_order_relaxed) > since) return true;
  const std::int64_t last = m.last_beat.load(std::memory_order_relaxed);
  return last != 0 && at - last > (pause_of_the_process + beat).count();
}

}  // namespace cairn::detail
