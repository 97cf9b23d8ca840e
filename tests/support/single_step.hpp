// A signal behind every instruction of a piece of code, which the processor's trap flag raises, so that no moment of it
// is left out and none is chance. One at a time in a process, on one thread; SIGTRAP is the program's own meanwhile.
#pragma once

#include <signal.h>
#include <ucontext.h>

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
    struct sigaction action {};
    action.sa_sigaction = &at_an_instruction;
    action.sa_flags = SA_SIGINFO;
    ::sigaction(SIGTRAP, &action, nullptr);
  }
  SingleSteps(const SingleSteps&) = delete;
  SingleSteps& operator=(const SingleSteps&) = delete;
  ~SingleSteps() { ::signal(SIGTRAP, SIG_DFL); }

  /// Runs `f`; gives how many instructions it has.
  template <class F>
  [[gnu::noinline]] long run(long first, long every, F&& f) {
    number_ = 0;
    over_ = false;
    next_ = first;
    every_ = every;
    trap_flag(true);
    f();
    trap_flag(false);
    return number_;
  }

  /// For the handler: this run goes on without steps, as a child must that it has forked, which makes threads.
  static void step_no_more() { over_ = true; }

 private:
  static void at_an_instruction(int, siginfo_t*, void* context) {
    if (number_++ != next_) return;
    next_ += every_;
    handler_();
    if (over_) static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_EFL] &= ~0x100LL;
  }
  static inline Handler handler_ = nullptr;
  static inline long number_ = 0;
  static inline long next_ = 0;
  static inline long every_ = 1;
  static inline bool over_ = false;
};

}  // namespace cairn::testing
