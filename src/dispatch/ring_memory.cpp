#include "dispatch/ring_memory.hpp"

#include <algorithm>
#include <atomic>

#include "pipeline/process_memory.hpp"
#include "platform/fork_generation.hpp"

namespace cairn::detail {

namespace {

// relaxed: numbers that guard nothing
constinit std::atomic<std::uint64_t> used{0};
constinit std::atomic<std::uint64_t> process{0};  // whose number that is: a forked one begins anew

bool charge(std::size_t bytes) noexcept {
  const std::uint64_t here = fork_generation();
  if (process.exchange(here, std::memory_order_relaxed) != here) used.store(0, std::memory_order_relaxed);
  const std::uint64_t most = process_memory().max_bytes() / 4;
  std::uint64_t before = used.load(std::memory_order_relaxed);
  do {
    if (bytes > most - std::min(most, before)) return false;
  } while (!used.compare_exchange_weak(before, before + bytes, std::memory_order_relaxed));
  if (process_memory().charge(bytes)) return true;
  used.fetch_sub(bytes, std::memory_order_relaxed);
  return false;
}

void release(std::size_t bytes) noexcept {
  used.fetch_sub(bytes, std::memory_order_relaxed);
  process_memory().release(bytes);
}

}  // namespace

constinit const RingAccount ring_account{&charge, &release};

}  // namespace cairn::detail
