// A signal behind every instruction of a piece of code, which the processor's trap flag raises, so that no moment of it
// is left out and none is chance. One at a time in a process, on one thread; SIGTRAP is the program's own meanwhile.
#pragma once

#include <dlfcn.h>
#include <link.h>
#include <signal.h>
#include <ucontext.h>

#include <cstddef>
#include <cstdint>
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
    (void)in_c_library();  // what it has to look up is there
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

  /// For the handler: it comes between instructions of the C library, which may be malloc's: there it must not log
  /// where that takes memory.
  [[nodiscard]] static bool in_c_library() {
    static const Range range = c_library();
    return range.first <= instruction_ && instruction_ < range.second;
  }

 private:
  static void at_an_instruction(int, siginfo_t*, void* context) {
    if (number_++ != next_) return;
    next_ += every_;
    instruction_ = static_cast<std::uintptr_t>(static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_RIP]);
    handler_();
    if (over_) static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_EFL] &= ~0x100LL;
  }
  using Range = std::pair<std::uintptr_t, std::uintptr_t>;
  static Range c_library() {
    Range range{reinterpret_cast<std::uintptr_t>(::dlsym(RTLD_DEFAULT, "malloc")), 0};
    ::dl_iterate_phdr(
        [](dl_phdr_info* object, std::size_t, void* out) {
          auto& [first, last] = *static_cast<Range*>(out);
          for (int i = 0; i < object->dlpi_phnum; ++i) {
            const auto& part = object->dlpi_phdr[i];
            const std::uintptr_t begin = object->dlpi_addr + part.p_vaddr;
            if (part.p_type != PT_LOAD || first < begin || first >= begin + part.p_memsz) continue;
            first = begin;
            last = begin + part.p_memsz;
            return 1;
          }
          return 0;
        },
        &range);
    return range;
  }

  static inline std::uintptr_t instruction_ = 0;
  static inline Handler handler_ = nullptr;
  static inline long number_ = 0;
  static inline long next_ = 0;
  static inline long every_ = 1;
  static inline bool over_ = false;
};

}  // namespace cairn::testing
