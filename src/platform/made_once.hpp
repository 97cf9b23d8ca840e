// One object a process, made at its first use and never destroyed: it is used before main, after the statics are gone,
// and in forked children.
//
//   Register& known() { static constinit MadeOnce<Register> made; return made.get(); }
//
// In the place of `static T* const made = new T`, whose hidden lock a fork may leave held in the child: there is no
// lock. Threads that meet make one each, and all but one are destroyed again, so making and destroying must do no harm.
// Where they do not meet no memory is asked for.
#pragma once

#include <atomic>
#include <cstddef>
#include <new>

namespace cairn::detail {

template <class T>
class MadeOnce {
 public:
  /// As long as there is none, throws what T's constructor throws, and std::bad_alloc where threads meet.
  [[nodiscard]] T& get() {
    T* made = made_.load(std::memory_order_acquire);  // pairs with the exchange below: it is whole
    return made != nullptr ? *made : make();
  }

 private:
  [[gnu::cold]] T& make() {
    const bool here = !place_taken_.exchange(true, std::memory_order_relaxed);
    T* fresh = here ? new (place_) T : new T;
    T* made = nullptr;
    // release, for get(); acquire: another thread's is whole
    if (made_.compare_exchange_strong(made, fresh, std::memory_order_acq_rel, std::memory_order_acquire)) return *fresh;
    if (here) {
      fresh->~T();
    } else {
      delete fresh;
    }
    return *made;
  }

  std::atomic<T*> made_{nullptr};
  std::atomic<bool> place_taken_{false};  // relaxed: whose it is, and nothing else
  alignas(T) std::byte place_[sizeof(T)]{};
};

}  // namespace cairn::detail
