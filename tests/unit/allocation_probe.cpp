// The operator new of the whole test program.
#include "../support/allocation_probe.hpp"

#include <cstdint>
#include <cstdlib>
#include <new>

namespace {
constinit thread_local std::size_t made = 0;
constinit thread_local std::size_t left_to_make = SIZE_MAX;
constinit thread_local std::size_t left_to_fail = 0;
constinit thread_local cairn::testing_support::AllocationGate* gate = nullptr;

void* allocate(std::size_t size) noexcept {
  if (gate != nullptr) gate->pass(size);
  if (left_to_make == 0) {
    if (--left_to_fail == 0) left_to_make = SIZE_MAX;
    return nullptr;
  }
  if (left_to_make != SIZE_MAX) --left_to_make;
  ++made;
  return std::malloc(size == 0 ? 1 : size);
}
}  // namespace

namespace cairn::testing_support {
std::size_t allocations() noexcept { return made; }
FailingAllocations::FailingAllocations(std::size_t left, std::size_t count) noexcept {
  left_to_make = left;
  left_to_fail = count;
}
FailingAllocations::~FailingAllocations() { left_to_make = SIZE_MAX; }

void AllocationGate::begin() noexcept { gate = this; }
void AllocationGate::end() noexcept {
  gate = nullptr;
  std::uint32_t before = running;
  if (state_.compare_exchange_strong(before, ended)) state_.notify_all();
}
bool AllocationGate::wait() noexcept {
  state_.wait(running);
  return state_ == still;
}
void AllocationGate::let_go() noexcept {
  open_ = true;
  open_.notify_all();
}
void AllocationGate::pass(std::size_t size) noexcept {
  if (size < least_bytes_ || before_-- != 0) return;
  gate = nullptr;
  state_ = still;
  state_.notify_all();
  open_.wait(false);
}
}  // namespace cairn::testing_support

void* operator new(std::size_t size) {
  if (void* memory = allocate(size)) return memory;
  throw std::bad_alloc();
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return allocate(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
// Arrays, too: those of a sanitizer's runtime would not come by here.
void* operator new[](std::size_t size) { return operator new(size); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return allocate(size); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
