// What a call on a queued logger does not do once its thread has logged: enter the system, but to wake a dispatcher
// that sleeps, or lock. (Allocations: allocation_test.cpp.)
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <atomic>
#include <cairn/all.hpp>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CAIRN_TEST_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define CAIRN_TEST_SANITIZED 1
#endif
#endif

#ifndef CAIRN_TEST_SANITIZED  // a sanitizer locks and enters the system on its own account

namespace {
constinit thread_local bool counting_locks = false;
constinit thread_local std::size_t locks = 0;
}  // namespace

extern "C" int pthread_mutex_lock(pthread_mutex_t* mutex) noexcept {
  static const auto real =
      reinterpret_cast<int (*)(pthread_mutex_t*)>(dlsym(RTLD_NEXT, "pthread_mutex_lock"));  // NOLINT
  if (counting_locks) ++locks;
  return real(mutex);
}

namespace {

using namespace std::chrono_literals;

std::atomic<std::uint64_t> calls_of_the_system{0};  // but for wakes
std::atomic<std::uint64_t> wakes{0};
std::atomic<std::uint64_t> waits_of_libc{0};  // and its wakes

/// In syscall(), by which Cairn and the C++ library wait and wake; the C library has instructions of its own for that.
bool in_syscall(std::uintptr_t instruction) {
  const auto begin = reinterpret_cast<std::uintptr_t>(&syscall);
  return instruction >= begin && instruction < begin + 64;
}

void count_call(int, siginfo_t* info, void* context) {
  const auto& registers = static_cast<ucontext_t*>(context)->uc_mcontext;
#ifdef __x86_64__
  const auto operation = registers.gregs[REG_RSI];
  const auto instruction = static_cast<std::uintptr_t>(registers.gregs[REG_RIP]);
#else
  const auto operation = registers.regs[1];
  const auto instruction = static_cast<std::uintptr_t>(registers.pc);
#endif
  const bool futex =
      info->si_syscall == SYS_futex && (operation == FUTEX_WAKE_PRIVATE || operation == FUTEX_WAIT_PRIVATE);
  const bool wakes_one = futex && operation == FUTEX_WAKE_PRIVATE && in_syscall(instruction);
  const bool of_libc = futex && !in_syscall(instruction);
  (wakes_one ? wakes : of_libc ? waits_of_libc : calls_of_the_system).fetch_add(1);
}

/// From here on, a system call of this thread is counted and not made; but for the one that ends the process.
bool forbid_system_calls() {
  struct sigaction action {};
  action.sa_sigaction = count_call;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGSYS, &action, nullptr);
  sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 1, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_rt_sigreturn, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
  };
  sock_fprog program{.len = 5, .filter = filter};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

constexpr int counted_calls = 300'000;
struct Allowed {
  std::size_t locks = 0;
  std::uint64_t wakes = 0;  // beside those of a dispatcher that slept
  bool allocator_waits = false;
};

/// Exit code 0: neither; 1: locks; 2: system calls; 3: the test could not be made; 4: the traps are not seen; 5: more
/// wakes than the dispatcher can have slept.
template <class F>
void run_quietly(F&& call, Allowed allowed = {}) {
  auto log = cairn::Configuration{}.write_to_null().with_queue({.max_size = 1 << 16}).create_logger();
  // Keeps the dispatcher awake where the machine lets it run: it sleeps after 10 ms without an event, and makes long
  // pauses, which a full block ends, after 20 ms with few.
  std::thread([log] {
    for (int i = 0;; ++i) {
      log.information("{I}", i);
      std::this_thread::yield();
    }
  }).detach();
  const auto handle = log.for_context("Shard", 7);
  for (int i = 0; i < 100'000; ++i) call(handle, i);
  const auto begun = std::chrono::steady_clock::now();
  if (!forbid_system_calls()) syscall(SYS_exit_group, 3);
  counting_locks = true;
  for (int i = 0; i < counted_calls; ++i) call(handle, i);
  counting_locks = false;
  if (!allowed.allocator_waits) calls_of_the_system += waits_of_libc;
  const std::uint64_t entered = calls_of_the_system;
  (void)getppid();
  if (calls_of_the_system != entered + 1) syscall(SYS_exit_group, 4);
  const auto most_sleeps = static_cast<std::uint64_t>((std::chrono::steady_clock::now() - begun) / 10ms) + 1;
  const bool woke_too_often = wakes > most_sleeps + allowed.wakes;
  syscall(SYS_exit_group, entered != 0 ? 2 : locks > allowed.locks ? 1 : woke_too_often ? 5 : 0);
}

class QueuedCaller : public testing::Test {
 protected:
  QueuedCaller() { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};
using QueuedCallerDeathTest = QueuedCaller;

TEST_F(QueuedCallerDeathTest, neither_locks_nor_enters_the_system_for_numbers_and_strings) {
  EXPECT_EXIT(run_quietly([](const cairn::Logger& log, int i) {
                log.information("{A} {B} {C}", i, 2.5, "text");
                CAIRN_WARNING(log, "{I} {Text}", i, std::string_view("more text"));
              }),
              testing::ExitedWithCode(0), "");
}

TEST_F(QueuedCallerDeathTest, neither_locks_nor_enters_the_system_for_structures_and_changing_contexts) {
  EXPECT_EXIT(run_quietly([](const cairn::Logger& log, int i) {
                static const std::vector<int> numbers{1, 2, 3};
                const auto scope = cairn::LogContext::push("I", i);
                log.information("{Numbers} {I2}", numbers, i);
              }),
              testing::ExitedWithCode(0), "");
}

/// The allocator, which for_context asks for memory, has so much that it need not ask the system.
bool set_memory_aside() {
  constexpr int much = 256 << 20;
  if (mallopt(M_MMAP_MAX, 0) == 0 || mallopt(M_TRIM_THRESHOLD, 2 * much) == 0) return false;
  void* volatile piece = std::malloc(much);  // volatile: the pair is not left out
  std::free(piece);
  return true;
}

TEST_F(QueuedCallerDeathTest, neither_locks_nor_enters_the_system_for_a_logger_of_a_moment) {
  // One lock in so many at most: that of the table of loggers where it grows. As many are retired before the dispatcher
  // is asked to give their numbers back, by a wake if it sleeps just then. The allocator may wait for its own lock,
  // where the dispatcher lets go of a logger's memory: no mutex, and so told from those that are counted.
  constexpr int a_chunk = 1024;
  constexpr Allowed once_a_chunk{
      .locks = counted_calls / a_chunk + 1, .wakes = counted_calls / a_chunk + 1, .allocator_waits = true};
  EXPECT_EXIT(
      (set_memory_aside() ? (void)0 : std::_Exit(3),
       run_quietly([](const cairn::Logger& log, int i) { log.for_context("Request", i).information("Served {I}", i); },
                   once_a_chunk)),
      testing::ExitedWithCode(0), "");
}

}  // namespace

#endif
