// A signal behind every instruction of a piece of code, which the processor's trap flag raises, so that no moment of it
// is left out and none is chance. One at a time in a process, on one thread; SIGTRAP is the program's own meanwhile.
#pragma once

#include <signal.h>

#include <utility>

namespace cairn::testing {

[[gnu::always_inline]] inline void trap_flag(bool on) {
  if (on)
    asm volatile("pushfq; orq $0x100, (%%rsp); popfq" ::: "memory", "cc");
  else
    asm volatile("pushfq; andq $~0x100, (%%rsp); popfq" ::: "memory", "cc");
}

/// Has a handler run at the instructions from `first` on of which `every` is the distance.
class SingleSteps {
 public:
  using Handler = void (*)();
  explicit SingleSteps(Handler handler) {
    handler_ = handler;
    ::signal(SIGTRAP, &at_an_instruction);
  }
  SingleSteps(const SingleSteps&) = delete;
  SingleSteps& operator=(const SingleSteps&) = delete;
  ~SingleSteps() { ::signal(SIGTRAP, SIG_DFL); }

  /// Runs `f`; gives how many instructions it has.
  template <class F>
  [[gnu::noinline]] long run(long first, long every, F&& f) {
    number_ = 0;
    next_ = first;
    every_ = every;
    trap_flag(true);
    f();
    trap_flag(false);
    return number_;
  }

 private:
  static void at_an_instruction(int) {
    if (number_++ != next_) return;
    next_ += every_;
    handler_();
  }
  static inline Handler handler_ = nullptr;
  static inline long number_ = 0;
  static inline long next_ = 0;
  static inline long every_ = 1;
};

}  // namespace cairn::testing
