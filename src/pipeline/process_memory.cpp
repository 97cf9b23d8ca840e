#include "pipeline/process_memory.hpp"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <string>
#include <vector>

#include "cairn/detail/fork_mutex.hpp"
#include "cairn/detail/write_window.hpp"
#include "pipeline/event_batch.hpp"
#include "pipeline/oldest_events.hpp"
#include "platform/fork_generation.hpp"
#include "platform/made_once.hpp"

namespace cairn::detail {

namespace {

// release and acquire: who finds a function finds what it works on
std::atomic<bool (*)() noexcept> pooled_lanes{nullptr};
std::atomic<bool (*)() noexcept> records_in_lanes{nullptr};
std::atomic<std::uint64_t> shares{0};  // relaxed: a number that guards nothing

bool called(const std::atomic<bool (*)() noexcept>& function) noexcept {
  const auto f = function.load(std::memory_order_acquire);
  return f != nullptr && f();
}

bool reclaim() {
  return drop_pooled_batches() || called(pooled_lanes) || drop_oldest_queued_events() || called(records_in_lanes);
}

std::string words(std::uint64_t max_bytes, std::uint32_t max_event_bytes) {
  return std::to_string(max_bytes) + " bytes, " + std::to_string(max_event_bytes) + " an event";
}

}  // namespace

/// Whose budgets there are.
struct Seats {
  ForkMutex mutex;
  std::vector<BudgetSeat*> all;

  static Seats& instance() {
    static constinit MadeOnce<Seats> made;  // never destroyed: loggers may outlive every static
    return made.get();
  }

  struct Limits {
    std::uint64_t max_bytes = MemoryBudget::unlimited;
    std::uint32_t max_event_bytes = UINT32_MAX;
  };
  [[nodiscard]] Limits strictest() const noexcept {
    Limits limits;
    for (const BudgetSeat* seat : all) {
      limits.max_bytes = std::min(limits.max_bytes, seat->options_.max_bytes);
      limits.max_event_bytes = std::min(limits.max_event_bytes, seat->options_.max_event_bytes);
    }
    return limits;
  }
  void apply() const noexcept {
    const Limits limits = strictest();
    process_memory().set_limits(limits.max_bytes, limits.max_event_bytes);
    caller_hints.most_event_bytes.store(process_memory().max_event_bytes(), std::memory_order_relaxed);
  }
  /// Every logger's callback is told, whosever limit it was.
  static void tell(const MemoryExceeded& what) {
    std::vector<std::function<void(const MemoryExceeded&)>> callbacks;
    {
      const std::lock_guard lock(instance().mutex);
      for (const BudgetSeat* seat : instance().all) {
        if (seat->options_.on_exceeded) callbacks.push_back(seat->options_.on_exceeded);
      }
    }
    for (const auto& callback : callbacks) {
      try {
        callback(what);
      } catch (...) {  // of the program: nobody is left to tell
      }
    }
  }
};

namespace {
class ProcessMemory final : public MemoryBudget, private ForkHandler {
 public:
  ProcessMemory() : MemoryBudget({unlimited, UINT32_MAX, &Seats::tell}, &reclaim) {
    guard_against_forks(*this, ForkTurn::outermost);
  }
  ~ProcessMemory() { forget_in_forks(*this); }

 private:
  void before_fork(std::chrono::steady_clock::time_point) noexcept override {}
  void after_fork(bool child) noexcept override {
    if (!child) return;
    (void)drop_pooled_batches();
    begin_anew();
  }
};

constinit MadeOnce<ProcessMemory> process_account;  // never destroyed: what it accounts for outlives every static
}  // namespace

void make_process_memory() { (void)process_account.get(); }

MemoryBudget& process_memory() noexcept { return process_account.get(); }

void reclaim_lanes_by(const LaneReclaim& functions) noexcept {
  pooled_lanes.store(functions.pooled_lanes, std::memory_order_release);
  records_in_lanes.store(functions.records_in_lanes, std::memory_order_release);
}

std::size_t most_in_flight() noexcept { return process_memory().max_bytes() / 32; }

BudgetSeat::BudgetSeat(MemoryBudgetOptions options, InternalErrors& errors) : options_(std::move(options)) {
  Seats& seats = Seats::instance();
  Seats::Limits before;
  Seats::Limits after;
  bool first = false;
  {
    const std::lock_guard lock(seats.mutex);
    first = seats.all.empty();
    before = seats.strictest();
    seats.all.push_back(this);
    after = seats.strictest();
    seats.apply();
  }
  if (!first && (options_.max_bytes != before.max_bytes || options_.max_event_bytes != before.max_event_bytes)) {
    errors.report({"memory_budget (", words(options_.max_bytes, options_.max_event_bytes),
                   ") is not what another logger of the process has set (",
                   words(before.max_bytes, before.max_event_bytes), "): the strictest holds, ",
                   words(after.max_bytes, after.max_event_bytes)});
  }
  (void)process_memory().trim();
}

BudgetSeat::~BudgetSeat() {
  Seats& seats = Seats::instance();
  const std::lock_guard lock(seats.mutex);
  std::erase(seats.all, this);
  seats.apply();
}

HeldShare::HeldShare() noexcept : process_(fork_generation()) { shares.fetch_add(1, std::memory_order_relaxed); }
HeldShare::~HeldShare() { shares.fetch_sub(1, std::memory_order_relaxed); }

bool HeldShare::take(std::size_t bytes, bool in_any_case) noexcept {
  const std::uint64_t here = fork_generation();
  if (process_.exchange(here, std::memory_order_relaxed) != here) used_.store(0, std::memory_order_relaxed);
  const std::uint64_t most =
      process_memory().max_bytes() / 4 / std::max<std::uint64_t>(1, shares.load(std::memory_order_relaxed));
  std::uint64_t used = used_.load(std::memory_order_relaxed);
  do {
    if (!in_any_case && used != 0 && used + bytes > most) return false;  // one piece has room in any case
  } while (!used_.compare_exchange_weak(used, used + bytes, std::memory_order_relaxed));
  return true;
}

void HeldShare::give(std::size_t bytes) noexcept {
  std::uint64_t used = used_.load(std::memory_order_relaxed);
  while (!used_.compare_exchange_weak(used, used - std::min<std::uint64_t>(used, bytes), std::memory_order_relaxed)) {
  }
}

}  // namespace cairn::detail
