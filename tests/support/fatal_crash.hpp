// Ways to die that a sanitizer must not take for its own findings.
#pragma once

#include <signal.h>
#include <sys/mman.h>
#include <sys/types.h>

#include <cstdlib>

namespace cairn::testing {

namespace crash_detail {
inline int* volatile no_memory = nullptr;
inline volatile int zero = 0;
inline volatile bool for_ever = true;
}  // namespace crash_detail

/// The calling thread does what raises that signal; where nothing does, it raises it.
__attribute__((no_sanitize("undefined"))) inline void crash_by(int signal) {
  switch (signal) {
    case SIGSEGV: *crash_detail::no_memory = 1; break;
    case SIGFPE: crash_detail::zero = 7 / crash_detail::zero; break;
    case SIGILL: __asm__ volatile("ud2"); break;
    case SIGABRT: std::abort();
    case SIGBUS: {  // behind the end of a file
      const int file = ::memfd_create("empty", MFD_CLOEXEC);
      *static_cast<volatile char*>(::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0)) = 1;
      break;
    }
    default: ::raise(signal);
  }
}

/// `before`: some variable of the caller's.
[[gnu::noinline]] inline int use_up_the_stack(volatile char* before) {
  volatile char here[4096];
  if (!crash_detail::for_ever) return 0;
  here[0] = static_cast<char>(*before + 1);
  return use_up_the_stack(here) + here[0];
}

}  // namespace cairn::testing
