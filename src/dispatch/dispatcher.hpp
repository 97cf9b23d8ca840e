// The thread that empties the lanes: one a process, started by the first queued root. It reads each record once, finds
// what it needs (template, logger, context), runs enrichers and filters, and puts batches into the queues of the sinks.
//
// Order: strict within a thread; across the threads of a root by time, among all calls that had returned when a sweep
// of the lanes began. It never spins: it looks each 50 µs while many events come, each 5 ms where few do, up to 32 ms
// after the newest event where few keep coming, and after 10 ms of silence sleeps until a caller wakes it.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "cairn/detail/write_window.hpp"
#include "capture/site_table.hpp"
#include "dispatch/thread_lane.hpp"
#include "platform/timed_lock.hpp"
#include "platform/tsc_clock.hpp"

namespace cairn::detail {

/// What became of a root's events up to the sinks. captured == dispatched + filtered + overrun + in_lane, of which the
/// first two are the pipeline's.
struct LaneCounts {
  std::uint64_t captured = 0;
  std::uint64_t overrun = 0;
  std::uint64_t in_lane = 0;
};

class Dispatcher {
 public:
  /// The process's; never destroyed. A process that was forked has one of its own.
  [[nodiscard]] static Dispatcher& instance();

  // ---- callers, off their hot path

  /// The calling thread's lane in that root, made if there is none. Null: the memory budget has no room for it; a
  /// thread that heard that hears it at once for the next millisecond, where it does not wait. `wait`: where a sink
  /// blocks, it is waited for as for room in its queue. Throws std::bad_alloc.
  [[nodiscard]] ThreadLane* lane_for(ThreadState& thread, const std::shared_ptr<LaneRoot>& root, RoomWait& wait);
  /// Has everything logged to that root before the call, on whatever thread, reach the queues of the sinks. False: not
  /// by then.
  [[nodiscard]] bool drain(const LaneRoot& root, std::chrono::steady_clock::time_point deadline);
  /// If `crashed`, a thread that stands still and never goes on, is the dispatcher's: takes its place and empties the
  /// lanes, without enrichers and filters, one of which it crashed in. False: it is another. Several may ask at once.
  [[nodiscard]] bool take_over_from(std::thread::id crashed, std::chrono::steady_clock::time_point deadline) noexcept;
  [[nodiscard]] std::thread::id thread() const noexcept { return thread_id_.load(std::memory_order_acquire); }
  /// Odd while it is in an enricher or a filter: the same one as long as the number stays the same.
  [[nodiscard]] std::uint64_t user_calls() const noexcept { return user_calls_.load(std::memory_order_relaxed); }
  /// Looks soon.
  void wake() noexcept;
  /// Runs `f(counts)` at one moment of all of that root's lanes, with nothing on its way from a lane to a queue. False:
  /// it did not, since a filter or an enricher has hung for `patience`.
  template <class F>
  [[nodiscard]] bool at_rest(const LaneRoot& root, F&& f, std::chrono::nanoseconds patience) {
    if (std::this_thread::get_id() == thread_id_.load(std::memory_order_acquire)) {  // a filter or an enricher asks
      f(counts(root));
      return true;
    }
    const std::unique_lock lock(token_, patience);
    if (!lock.owns_lock()) return false;
    adopt_new_lanes();
    f(counts(root));
    return true;
  }

 private:
  struct Route;  // route.hpp
  class UserCall;
  static constexpr std::size_t most_pooled = 64;  // lanes' memory that waits for the next

  Dispatcher();
  struct Making;
  static void forget_all() noexcept;
  void run();
  [[nodiscard]] std::chrono::nanoseconds age_of_newest() const noexcept;
  [[nodiscard]] std::chrono::nanoseconds doze_time(bool tells_gaps) const noexcept;
  [[nodiscard]] bool waits_for_memory() const noexcept;
  /// For a lane of that root; null: there is no room.
  [[nodiscard]] std::unique_ptr<LaneMemory> lane_memory(const LaneRoot& root);
  static bool drop_pooled_lanes() noexcept;
  void announce_lane(ThreadLane* lane) noexcept;
  [[nodiscard]] bool note_drained(std::uint64_t wanted);
  [[nodiscard]] bool anything_visible();

  // ---- sweep.cpp
  [[nodiscard]] std::uint64_t sweep();  // how many events it took
  void adopt_new_lanes() noexcept;
  void adopt(ThreadLane* lane);
  [[nodiscard]] std::uint64_t sweep_root(Route& route, std::uint64_t cutoff);
  [[nodiscard]] bool find_head(ThreadLane& lane, const LaneRoot& root, std::uint64_t cutoff);
  void note_overrun(Route& route, ThreadLane& lane);
  void let_go_closed_lanes(Route& route);

  // ---- batching.cpp
  struct Incoming;
  enum class Outcome : std::uint8_t { in_batch, gone, stays };
  /// Takes what a lane has next to its batch, or to its end. False: there is no memory to take it out, or a queue is
  /// overfull; it stays where it is.
  [[nodiscard]] bool take_event(Route& route, ThreadLane& lane);
  void bind(const LaneRoot& root, Incoming& event);
  [[nodiscard]] Outcome make_room(Route& route, const Incoming& event);
  [[nodiscard]] Outcome put_in(Route& route, const Incoming& event);
  [[nodiscard]] static Outcome without_memory(const LaneRoot& root, const Incoming& event) noexcept;
  void hand_over(Route& route);
  void enqueue_batch(Route& route);

  [[nodiscard]] LaneCounts counts(const LaneRoot& root);

  TimedLock token_;  // the reader's role
  std::atomic<std::thread::id> thread_id_{};
  TscClock clock_;
  std::vector<std::unique_ptr<Route>> routes_;
  CaptureBuffer rewritten_;
  RecentSites sites_;
  bool a_lane_fills_quickly_ = false;  // a sweep found a quarter of what one of them holds, or more
  std::uint64_t newest_ = 0;           // ticks of the newest event of a sweep; 0: not known
  TimedLock taking_over_;
  bool without_user_code_ = false;
  std::atomic<std::uint64_t> user_calls_{0};  // relaxed: changes under the token, and stands for itself

  std::atomic<ThreadLane*> new_lanes_{nullptr};
  std::mutex pool_mutex_;
  std::vector<std::unique_ptr<LaneMemory>> pool_;  // of lanes that are gone

  std::atomic<std::uint32_t> pulse_{0};  // what it sleeps on
  std::mutex drain_mutex_;
  std::condition_variable drained_;
  std::atomic<std::uint64_t> drains_wanted_{0};
  std::uint64_t drains_done_ = 0;  // guarded by drain_mutex_
};

}  // namespace cairn::detail
