#include "cairn/memory_budget.hpp"

#include <algorithm>
#include <chrono>

#include "pipeline/notifier.hpp"

namespace cairn {

MemoryBudget::MemoryBudget(MemoryBudgetOptions options, Reclaim reclaim)
    : max_(options.max_bytes), max_event_(options.max_event_bytes), reclaim_(std::move(reclaim)) {
  if (options.on_exceeded)
    on_exceeded_ = std::make_shared<const std::function<void(const MemoryExceeded&)>>(std::move(options.on_exceeded));
}

bool MemoryBudget::try_charge(std::size_t bytes) noexcept {
  std::uint64_t used = used_.load(std::memory_order_relaxed);
  std::uint64_t after = 0;
  do {
    const std::uint64_t most = max_.load(std::memory_order_relaxed);
    if (bytes > most || used > most - bytes) return false;
    after = used + bytes;
  } while (!used_.compare_exchange_weak(used, after, std::memory_order_relaxed));
  std::uint64_t peak = peak_.load(std::memory_order_relaxed);
  while (peak < after && !peak_.compare_exchange_weak(peak, after, std::memory_order_relaxed)) {
  }
  return true;
}

bool MemoryBudget::make_room(std::size_t bytes) noexcept {
  exceeded_.fetch_add(1, std::memory_order_relaxed);
  tell(bytes);
  const bool possible = bytes <= max_.load(std::memory_order_relaxed);  // else nothing need go for it
  while (possible && reclaim_ && reclaim_()) {
    if (try_charge(bytes)) return true;
  }
  if (try_charge(bytes)) return true;  // another thread made room meanwhile
  refused_.fetch_add(1, std::memory_order_relaxed);
  return false;
}

void MemoryBudget::tell(std::size_t wanted) noexcept {
  if (!on_exceeded_) return;
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  std::int64_t next = tell_next_.load(std::memory_order_relaxed);
  const auto steady = std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
  if (steady < next || !tell_next_.compare_exchange_strong(next, steady + 1'000'000'000, std::memory_order_relaxed))
    return;
  try {
    (void)detail::notify([told = on_exceeded_, what = MemoryExceeded{wanted, usage(), max_bytes()}] { (*told)(what); });
  } catch (...) {  // no memory for the message
  }
}

void MemoryBudget::release(std::size_t bytes) noexcept {
  std::uint64_t used = used_.load(std::memory_order_relaxed);
  while (!used_.compare_exchange_weak(used, used - std::min<std::uint64_t>(used, bytes), std::memory_order_relaxed)) {
  }
}

std::uint32_t MemoryBudget::max_event_bytes() const noexcept {
  return static_cast<std::uint32_t>(
      std::min<std::uint64_t>(max_event_.load(std::memory_order_relaxed), max_bytes() / 8));
}

void MemoryBudget::set_limits(std::uint64_t max_bytes, std::uint32_t max_event_bytes) noexcept {
  max_.store(max_bytes, std::memory_order_relaxed);
  max_event_.store(max_event_bytes, std::memory_order_relaxed);
  peak_.store(usage(), std::memory_order_relaxed);
}

bool MemoryBudget::trim() noexcept {
  while (is_over()) {
    if (!reclaim_ || !reclaim_()) return !is_over();
  }
  return true;
}

}  // namespace cairn
