#include "memory_hook.hpp"

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdlib>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CAIRN_BENCH_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define CAIRN_BENCH_SANITIZED 1
#endif
#endif

namespace {

constinit thread_local bool counting = false;
constinit std::atomic<std::uint64_t> counted_allocations{0};
constinit std::atomic<bool> failing{false};
constinit std::atomic<std::uint64_t> tried{0};
constinit std::atomic<std::uint64_t> first_to_fail{0};
constinit std::atomic<bool> all_after{false};

/// May this allocation be made? relaxed throughout: a figure sets them while no other thread allocates
[[maybe_unused]] bool allowed() noexcept {
  if (counting) counted_allocations.fetch_add(1, std::memory_order_relaxed);
  if (!failing.load(std::memory_order_relaxed)) return true;
  const std::uint64_t number = tried.fetch_add(1, std::memory_order_relaxed) + 1;
  const std::uint64_t first = first_to_fail.load(std::memory_order_relaxed);
  if (first == 0 || (number != first && !(number > first && all_after.load(std::memory_order_relaxed)))) return true;
  errno = ENOMEM;
  return false;
}

}  // namespace

namespace cairn::fault_bench {

CountAllocations::CountAllocations() noexcept { counting = true; }
CountAllocations::~CountAllocations() { counting = false; }
std::uint64_t CountAllocations::counted() noexcept { return counted_allocations; }

void fail_allocations(std::uint64_t nth, bool for_good) noexcept {
  failing = false;
  tried = 0;
  first_to_fail = nth;
  all_after = for_good;
  failing = true;
}
std::uint64_t allocations_tried() noexcept { return tried; }

#ifdef CAIRN_BENCH_SANITIZED
bool memory_is_hooked() noexcept { return false; }
#else
bool memory_is_hooked() noexcept { return true; }
#endif

}  // namespace cairn::fault_bench

#ifndef CAIRN_BENCH_SANITIZED
extern "C" {
void* __libc_malloc(std::size_t size);                           // NOLINT(bugprone-reserved-identifier)
void* __libc_calloc(std::size_t count, std::size_t size);        // NOLINT(bugprone-reserved-identifier)
void* __libc_realloc(void* memory, std::size_t size);            // NOLINT(bugprone-reserved-identifier)
void* __libc_memalign(std::size_t alignment, std::size_t size);  // NOLINT(bugprone-reserved-identifier)

void* malloc(std::size_t size) noexcept { return allowed() ? __libc_malloc(size) : nullptr; }
void* calloc(std::size_t count, std::size_t size) noexcept { return allowed() ? __libc_calloc(count, size) : nullptr; }
void* realloc(void* memory, std::size_t size) noexcept { return allowed() ? __libc_realloc(memory, size) : nullptr; }
void* memalign(std::size_t alignment, std::size_t size) noexcept {
  return allowed() ? __libc_memalign(alignment, size) : nullptr;
}
void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept { return memalign(alignment, size); }
int posix_memalign(void** memory, std::size_t alignment, std::size_t size) noexcept {
  *memory = memalign(alignment, size);
  return *memory != nullptr ? 0 : ENOMEM;
}
}
#endif
