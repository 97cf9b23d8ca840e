#include "pipeline/call_ledger.hpp"

#include <algorithm>
#include <ctime>

namespace cairn::detail {

namespace {

/// Until what was read belongs together: whoever changes it may have been interrupted, by this thread even, where that
/// has a higher priority. So it sleeps a moment: to yield would let in no thread of a lower one.
template <class F>
void read_whole(const SequenceLock& version, F&& f) noexcept {
  constexpr timespec moment{.tv_sec = 0, .tv_nsec = 50'000};
  for (int tries = 1; !version.read(f); ++tries) {
    if (tries % 16 == 0) nanosleep(&moment, nullptr);
  }
}

}  // namespace

// ---- a pipeline's

CallLedger::Account& CallLedger::shared_account() noexcept {
  static constinit std::atomic<unsigned> threads{0};
  static constinit thread_local unsigned mine = shared_accounts;
  if (mine == shared_accounts) mine = threads.fetch_add(1, std::memory_order_relaxed) % shared_accounts;
  return accounts_[ThreadNumber::most + mine];
}

CallLedger::Totals CallLedger::totals() const noexcept {
  Totals totals;
  for (const Account& account : accounts_) {
    Totals one;
    read_whole(account.version, [&] {
      one = {account.captured.load(std::memory_order_acquire), account.dispatched.load(std::memory_order_acquire),
             account.filtered.load(std::memory_order_acquire), account.under_way.load(std::memory_order_acquire)};
    });
    totals.add(one);
  }
  return totals;
}

void CallLedger::after_fork(bool own) noexcept {
  const ThreadState* const thread = thread_state();
  const Account* const mine = own ? &account_of(thread) : nullptr;
  for (Account& account : accounts_) {
    account.mutex.free_after_fork();
    account.version.free_after_fork();
    // This thread's call may have been counted as dispatched: it is then a sink that forks. In an account that is
    // shared others' calls are counted, too.
    const bool shared = &account >= &accounts_[ThreadNumber::most];
    const std::uint64_t in_account = account.under_way.load(std::memory_order_relaxed);
    const std::uint64_t under_way = &account != mine ? 0 : shared ? std::min<std::uint64_t>(in_account, 1) : in_account;
    account.captured.store(under_way, std::memory_order_relaxed);
    account.under_way.store(under_way, std::memory_order_relaxed);
    account.dispatched.store(0, std::memory_order_relaxed);
    account.filtered.store(0, std::memory_order_relaxed);
  }
}

// ---- a synchronous sink's

CallerLedger::Totals CallerLedger::totals() const noexcept {
  Totals totals;
  read_whole(version_, [&] {
    totals.accepted = accepted_.load(std::memory_order_acquire);
    totals.emitted = emitted_.load(std::memory_order_acquire);
    totals.diverted = diverted_.load(std::memory_order_acquire);
    totals.bytes = bytes_.load(std::memory_order_acquire);
    totals.pending = pending_.load(std::memory_order_acquire);
    for (std::size_t i = 0; i < reasons; ++i) totals.failed[i] = failed_[i].load(std::memory_order_acquire);
  });
  return totals;
}

void CallerLedger::after_fork(bool own) noexcept {
  version_.free_after_fork();
  if (!own) pending_.store(0, std::memory_order_relaxed);
  accepted_.store(pending_.load(std::memory_order_relaxed), std::memory_order_relaxed);
  for (Counter* const counter : {&emitted_, &diverted_, &bytes_}) counter->store(0, std::memory_order_relaxed);
  for (Counter& failed : failed_) failed.store(0, std::memory_order_relaxed);
}

}  // namespace cairn::detail
