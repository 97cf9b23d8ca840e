// One object a process, made at its first use and never destroyed: it is used before main, after the statics are gone,
// and in forked children.
//
//   Register& known() { static constinit MadeOnce<Register> made; return made.get(); }
//
// In the place of `static T* const made = new T`, whose hidden lock a fork may leave held in the child: there is no
// lock. Threads that meet make one each, and all but one are deleted again, so making and deleting must do no harm.
#pragma once

#include <atomic>

namespace cairn::detail {

template <class T>
class MadeOnce {
 public:
  /// Throws what T's constructor throws, as long as there is none.
  [[nodiscard]] T& get() {
    T* made = made_.load(std::memory_order_acquire);  // pairs with the exchange below: it is whole
    return made != nullptr ? *made : make();
  }

 private:
  [[gnu::cold]] T& make() {
    T* fresh = new T;
    T* made = nullptr;
    // release, for get(); acquire: another thread's is whole
    if (made_.compare_exchange_strong(made, fresh, std::memory_order_acq_rel, std::memory_order_acquire)) return *fresh;
    delete fresh;
    return *made;
  }

  std::atomic<T*> made_{nullptr};
};

}  // namespace cairn::detail
