#include "platform/alternate_stack.hpp"

#include <signal.h>
#include <sys/auxv.h>
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cstddef>

namespace cairn::detail {

namespace {

std::atomic<bool> given{false};  // relaxed: a thread that misses it has none, as those that never log
constinit thread_local void* own = nullptr;

std::size_t stack_size() noexcept {
  // What the kernel puts there (more with each generation of processors), and room for handlers.
  const auto least = static_cast<std::size_t>(getauxval(AT_MINSIGSTKSZ));
  return (std::max<std::size_t>(least, 4096) + 64 * 1024 + 4095) / 4096 * 4096;
}

}  // namespace

void give_alternate_stacks() noexcept {
  given.store(true, std::memory_order_relaxed);
  use_alternate_stack();
}

void use_alternate_stack() noexcept {
  if (!given.load(std::memory_order_relaxed)) return;
  stack_t there{};
  if (sigaltstack(nullptr, &there) != 0 || (there.ss_flags & SS_DISABLE) == 0) return;  // the program's own
  // Pages are taken when a handler first runs there.
  void* memory =
      mmap(nullptr, stack_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return;
  stack_t fresh{};
  fresh.ss_sp = memory;
  fresh.ss_size = stack_size();
  if (sigaltstack(&fresh, nullptr) != 0) {
    munmap(memory, stack_size());
    return;
  }
  own = memory;
}

void drop_alternate_stack() noexcept {
  if (own == nullptr) return;
  stack_t there{};
  if (sigaltstack(nullptr, &there) == 0 && there.ss_sp == own) {
    stack_t none{};
    none.ss_flags = SS_DISABLE;
    if (sigaltstack(&none, nullptr) != 0) return;
  }
  munmap(own, stack_size());
  own = nullptr;
}

}  // namespace cairn::detail
