// Something that a process has for itself: a child that is forked begins with a new one, whatever the parent was about
// to do with its own.
#pragma once

#include <atomic>
#include <cstdint>

#include "platform/fork_generation.hpp"

namespace cairn::detail {

/// get() is thread-safe. What a parent had is never destroyed in its child: it may have been changing.
template <class T>
class PerProcess {
 public:
  PerProcess() : of_process_(new Kept) {}
  PerProcess(const PerProcess&) = delete;
  PerProcess& operator=(const PerProcess&) = delete;
  ~PerProcess() {
    Kept* const kept = of_process_.load(std::memory_order_acquire);
    if (kept->process == fork_generation()) delete kept;
  }
  /// Throws std::bad_alloc, the first time in a child.
  [[nodiscard]] T& get() {
    Kept* kept = of_process_.load(std::memory_order_acquire);  // pairs with the exchange below: it is whole
    while (kept->process != fork_generation()) {
      auto* fresh = new Kept;
      if (of_process_.compare_exchange_strong(kept, fresh, std::memory_order_acq_rel)) return fresh->value;
      delete fresh;  // another thread was here
    }
    return kept->value;
  }

 private:
  struct Kept {
    std::uint64_t process = fork_generation();
    T value{};
  };
  std::atomic<Kept*> of_process_;
};

}  // namespace cairn::detail
