// An account of memory with a limit: what is to be taken is charged first, and released when it is gone.
//
//   cairn::MemoryBudget budget({.max_bytes = 16 << 20}, [&] { return cache.drop_oldest(); });
//   if (cairn::MemoryCharge charge = budget.hold(bytes)) { …take them, and keep the charge with them… }
//
// Cairn keeps one for the process, which charges the lanes of threads, the batches in queues and the records that are
// larger than a block; `Configuration::memory_budget(options)` sets its limit. A program may have others of its own,
// which have nothing to do with that one.
//
// Not promised: that the system takes no more. An allocator rounds up and keeps for later what was given back.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

namespace cairn {

/// What `on_exceeded` is told.
struct MemoryExceeded {
  std::uint64_t wanted_bytes = 0;  // by the charge that did not fit
  std::uint64_t used_bytes = 0;    // before it
  std::uint64_t max_bytes = 0;
};

struct MemoryBudgetOptions {
  static constexpr std::uint64_t least = 1 << 20;

  std::uint64_t max_bytes = 100 << 20;        // a logger takes 1 MiB or more
  std::uint32_t max_event_bytes = 256 << 10;  // of one event; a logger takes 1 KiB to 4 MiB
  /// A charge did not fit at first, whether room was made for it then or not. Called from a thread of Cairn's that
  /// neither logs nor delivers, under no lock, at most once a second; may be called shortly after the budget is gone.
  /// It may log; what it throws is dropped.
  std::function<void(const MemoryExceeded&)> on_exceeded{};
};

class MemoryBudget;

/// Bytes charged to a budget, released when this ends. Moved, not copied. The budget must outlive it.
class [[nodiscard]] MemoryCharge {
 public:
  MemoryCharge() noexcept = default;
  MemoryCharge(MemoryCharge&& other) noexcept
      : budget_(std::exchange(other.budget_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  MemoryCharge& operator=(MemoryCharge&& other) noexcept {
    if (this != &other) {
      reset();
      budget_ = std::exchange(other.budget_, nullptr);
      bytes_ = std::exchange(other.bytes_, 0);
    }
    return *this;
  }
  ~MemoryCharge() { reset(); }

  /// Was it granted?
  [[nodiscard]] explicit operator bool() const noexcept { return budget_ != nullptr; }
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }
  void reset() noexcept;

 private:
  friend class MemoryBudget;
  MemoryCharge(MemoryBudget& budget, std::size_t bytes) noexcept : budget_(&budget), bytes_(bytes) {}
  MemoryBudget* budget_ = nullptr;
  std::size_t bytes_ = 0;
};

/// Every function from every thread, without a lock. Nothing throws but the constructor (std::bad_alloc).
class MemoryBudget {
 public:
  static constexpr std::uint64_t unlimited = UINT64_MAX;
  /// Gives some memory back, the oldest first, and releases what was charged for it. False: there is none to give.
  /// Called by the thread that charges or trims, maybe by several at once; must not charge this budget, nor throw.
  using Reclaim = std::function<bool()>;

  explicit MemoryBudget(MemoryBudgetOptions options = {}, Reclaim reclaim = {});
  MemoryBudget(const MemoryBudget&) = delete;
  MemoryBudget& operator=(const MemoryBudget&) = delete;

  /// Charges `bytes` if they fit, reclaiming until they do; false: nothing was charged. usage() is never above
  /// max_bytes() by this, not even for a moment.
  [[nodiscard]] bool charge(std::size_t bytes) noexcept { return try_charge(bytes) || make_room(bytes); }
  /// The same without reclaiming; nobody is told.
  [[nodiscard]] bool try_charge(std::size_t bytes) noexcept;
  /// Releases what was charged; more than that is all of it.
  void release(std::size_t bytes) noexcept;
  /// charge(), with what releases it.
  MemoryCharge hold(std::size_t bytes) noexcept { return charge(bytes) ? MemoryCharge(*this, bytes) : MemoryCharge(); }

  /// Bytes charged and not released.
  [[nodiscard]] std::uint64_t usage() const noexcept { return used_.load(std::memory_order_relaxed); }
  /// The most that usage() was since the limits were last set.
  [[nodiscard]] std::uint64_t peak() const noexcept { return peak_.load(std::memory_order_relaxed); }
  /// How many charges did not fit at first, and how many of these were refused.
  [[nodiscard]] std::uint64_t exceeded() const noexcept { return exceeded_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t refused() const noexcept { return refused_.load(std::memory_order_relaxed); }

  [[nodiscard]] std::uint64_t max_bytes() const noexcept { return max_.load(std::memory_order_relaxed); }
  /// The most that one event may take: never more than an eighth of max_bytes().
  [[nodiscard]] std::uint32_t max_event_bytes() const noexcept;
  /// Other limits from now on. What is charged already stays so: see trim().
  void set_limits(std::uint64_t max_bytes, std::uint32_t max_event_bytes) noexcept;
  /// Is more charged than the limit of now allows?
  [[nodiscard]] bool is_over() const noexcept { return usage() > max_bytes(); }
  /// Reclaims until it is not over. False: it still is, and there is nothing more to reclaim.
  bool trim() noexcept;

 protected:
  /// In a process just forked: what was charged and counted is the parent's.
  void begin_anew() noexcept {
    for (auto* const number : {&used_, &peak_, &exceeded_, &refused_}) number->store(0, std::memory_order_relaxed);
  }

 private:
  [[nodiscard]] bool make_room(std::size_t bytes) noexcept;
  void tell(std::size_t wanted) noexcept;

  // relaxed throughout: numbers that guard nothing; what is charged is handed from thread to thread by other means
  std::atomic<std::uint64_t> max_;
  std::atomic<std::uint32_t> max_event_;
  std::atomic<std::int64_t> tell_next_{0};  // a steady time
  Reclaim reclaim_;
  std::shared_ptr<const std::function<void(const MemoryExceeded&)>> on_exceeded_;
  // Changed by every charge: in a line of its own.
  alignas(64) std::atomic<std::uint64_t> used_{0};
  std::atomic<std::uint64_t> peak_{0};
  std::atomic<std::uint64_t> exceeded_{0};
  std::atomic<std::uint64_t> refused_{0};
};

inline void MemoryCharge::reset() noexcept {
  if (budget_ != nullptr) budget_->release(bytes_);
  budget_ = nullptr;
  bytes_ = 0;
}

}  // namespace cairn
