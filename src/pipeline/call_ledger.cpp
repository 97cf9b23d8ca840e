#include "pipeline/call_ledger.hpp"

#include <sched.h>

#include <tuple>

namespace cairn::detail {

// ---- a pipeline's

std::size_t CallLedger::account_of_thread() noexcept {
  static constinit std::atomic<std::size_t> threads{0};
  static constinit thread_local std::size_t mine = SIZE_MAX;
  if (mine == SIZE_MAX) mine = threads.fetch_add(1, std::memory_order_relaxed) % std::tuple_size_v<decltype(accounts_)>;
  return mine;
}

CallLedger::Call::Call(CallLedger& ledger) noexcept : ledger_(ledger), account_(account_of_thread()) {
  Account& account = ledger_.accounts_[account_];
  const std::lock_guard lock(account.mutex);
  ++account.totals.captured;
  ++account.totals.under_way;
  if (account.sample.take()) weight_ = account.sample.weight();
}

void CallLedger::Call::ends(bool dispatched) noexcept {
  Account& account = ledger_.accounts_[account_];
  const std::lock_guard lock(account.mutex);
  ++(dispatched ? account.totals.dispatched : account.totals.filtered);
  --account.totals.under_way;
}

CallLedger::Totals CallLedger::totals() const noexcept {
  Totals totals;
  for (const Account& account : accounts_) {
    const std::lock_guard lock(account.mutex);
    totals.add(account.totals);
  }
  return totals;
}

void CallLedger::after_fork(bool own) noexcept {
  const std::size_t mine = account_of_thread();
  for (std::size_t i = 0; i < accounts_.size(); ++i) {
    Account& account = accounts_[i];
    account.mutex.free_after_fork();
    account.totals.under_way = own && i == mine ? 1 : 0;
    account.totals.captured = account.totals.dispatched + account.totals.filtered + account.totals.under_way;
  }
}

// ---- a synchronous sink's

CallerLedger::Totals CallerLedger::totals() const noexcept {
  while (true) {
    const std::uint64_t version = version_.load(std::memory_order_acquire);  // pairs with the end of change()
    if (version % 2 == 0) {
      Totals totals;
      // acquire: the second look at the version is after them
      totals.accepted = accepted_.load(std::memory_order_acquire);
      totals.emitted = emitted_.load(std::memory_order_acquire);
      totals.diverted = diverted_.load(std::memory_order_acquire);
      totals.bytes = bytes_.load(std::memory_order_acquire);
      totals.pending = pending_.load(std::memory_order_acquire);
      for (std::size_t i = 0; i < reasons; ++i) totals.failed[i] = failed_[i].load(std::memory_order_acquire);
      if (version_.load(std::memory_order_relaxed) == version) return totals;
    }
    sched_yield();  // whoever changes it may have been interrupted
  }
}

void CallerLedger::after_fork() noexcept {
  std::uint64_t ended = emitted_.load(std::memory_order_relaxed) + diverted_.load(std::memory_order_relaxed);
  for (const Counter& failed : failed_) ended += failed.load(std::memory_order_relaxed);
  pending_.store(0, std::memory_order_relaxed);
  accepted_.store(ended, std::memory_order_relaxed);
  version_.store(0, std::memory_order_relaxed);
}

}  // namespace cairn::detail
