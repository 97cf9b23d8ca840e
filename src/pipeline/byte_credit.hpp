// Bytes of the queue of a sink that blocks and has a limit of them: callers take what their event needs, all or
// nothing, and wait where it is not there. It comes back when the event leaves the queue, or was not for that sink.
//
// Whoever waits has it in the order of their calls, so that small events do not keep a large one waiting for ever. One
// that needs more than there is at all gets in when nobody has any; it takes the whole of it all the same, so that what
// comes back is always what events take.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <limits>
#include <mutex>
#include <new>

#include "platform/no_cancellation.hpp"

namespace cairn::detail {

class ByteCredit {
 public:
  explicit ByteCredit(std::uint64_t all) noexcept
      : all_(static_cast<std::int64_t>(std::min<std::uint64_t>(all, std::numeric_limits<std::int64_t>::max() / 2))),
        left_(all_) {}

  /// False: it is not there, or somebody waits for it.
  [[nodiscard]] bool take_now(std::uint64_t bytes) noexcept { return waiting_.load() == 0 && try_take(bytes); }
  /// False: it did not come to this call by `deadline`.
  [[nodiscard]] bool take(std::uint64_t bytes, std::chrono::steady_clock::time_point deadline) {
    if (take_now(bytes)) return true;
    const NoCancellation uncancelled;
    Call call{bytes};
    std::unique_lock lock(mutex_);
    Call** last = &first_;
    while (*last != nullptr) last = &(*last)->next;
    *last = &call;
    ++waiting_;  // seq_cst: either give() sees it, or serve() sees what give() added
    serve();
    call.came.wait_until(lock, deadline, [&] { return call.served || ended_; });
    if (!call.served) {
      for (last = &first_; *last != &call;) last = &(*last)->next;
      *last = call.next;
      --waiting_;  // under the lock, as where it grows
      serve();     // the next may need less
    }
    return call.served;
  }
  /// Less than nothing: an event turned out to take more than its caller knew. Then less than nothing may be left.
  void give(std::int64_t bytes) noexcept {
    if (bytes == 0) return;
    left_.fetch_add(bytes);  // seq_cst, as what follows: see take()
    if (waiting_.load() == 0) return;
    const std::lock_guard lock(mutex_);
    serve();
  }
  [[nodiscard]] std::uint64_t all() const noexcept { return static_cast<std::uint64_t>(all_); }
  /// Told by whoever has the queue: it holds much more than there is, of events that grew on their way. Until it holds
  /// less no more of them are brought. Relaxed: a hint, looked at once a batch.
  void note_overfull(bool overfull) noexcept { overfull_.store(overfull, std::memory_order_relaxed); }
  [[nodiscard]] bool overfull() const noexcept { return overfull_.load(std::memory_order_relaxed); }
  /// In a process just forked: nobody waits, and nobody has any.
  void start_anew() noexcept {
    overfull_ = false;
    new (&mutex_) std::mutex;
    first_ = nullptr;
    waiting_ = 0;
    left_ = all_;
  }
  /// Nobody waits any more.
  void end() noexcept {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    for (Call* call = first_; call != nullptr; call = call->next) call->came.notify_one();
  }

 private:
  /// One that waits, on its thread's stack.
  struct Call {
    explicit Call(std::uint64_t wanted) noexcept : bytes(wanted) {}
    const std::uint64_t bytes;
    Call* next = nullptr;
    bool served = false;
    std::condition_variable came;
  };
  [[nodiscard]] bool try_take(std::uint64_t bytes) noexcept {
    const auto wanted = static_cast<std::int64_t>(bytes);
    const std::int64_t needed = std::min(wanted, all_);
    std::int64_t left = left_.load();  // seq_cst, as what follows: see take()
    while (left >= needed) {
      if (left_.compare_exchange_weak(left, left - wanted)) return true;
    }
    return false;
  }
  /// Under the lock.
  void serve() noexcept {
    while (first_ != nullptr && try_take(first_->bytes)) {
      Call& call = *first_;
      first_ = call.next;
      --waiting_;
      call.served = true;
      call.came.notify_one();  // it is there until the lock is free
    }
  }

  const std::int64_t all_;
  std::atomic<std::int64_t> left_;
  std::atomic<std::uint32_t> waiting_{0};  // calls in the list
  std::atomic<bool> overfull_{false};
  // Guarded by mutex_:
  std::mutex mutex_;
  Call* first_ = nullptr;
  bool ended_ = false;
};

}  // namespace cairn::detail
