#include "lifecycle/fatal_signals.hpp"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>

#include "cairn/detail/fork_mutex.hpp"
#include "capture/thread_state.hpp"
#include "dispatch/dispatcher.hpp"
#include "lifecycle/root_list.hpp"
#include "lifecycle/signal_thread.hpp"
#include "platform/alternate_stack.hpp"
#include "platform/fork_generation.hpp"
#include "platform/futex.hpp"
#include "platform/made_once.hpp"
#include "platform/own_descriptor.hpp"
#include "platform/own_thread.hpp"

namespace cairn::detail {

namespace {

using namespace std::chrono_literals;
using Steady = std::chrono::steady_clock;

constexpr std::array fatal{SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
constexpr auto to_deliver = 2s;  // of the 3 s that the handler waits

// All of this is used in signal handlers: no constructors, no locks.
struct sigaction before[NSIG];  // written before our handler is there
constinit std::terminate_handler before_terminate = nullptr;
constinit std::atomic<pid_t> dying{0};          // the first thread that crashed
constinit std::atomic<std::uint32_t> asked{0};  // what the rescuing thread waits on
constinit std::atomic<std::uint32_t> done{0};   // what those that crashed wait on
constinit std::atomic<pid_t> rescuer{0};        // the rescuing thread
constinit std::atomic<pid_t> stand_in{0};       // the thread that gets signals in the place of Cairn's others
enum : std::uint32_t { none, being_written, ready };
constinit std::atomic<std::uint32_t> passed{none};   // what it waits on: is there a signal for it?
siginfo_t passed_on;                                 // of whoever set `passed` to being_written
constinit std::atomic<std::uint64_t> generation{0};  // of the process that has it
constinit std::atomic<pthread_t> dying_thread{};

pid_t thread_number() noexcept { return static_cast<pid_t>(syscall(SYS_gettid)); }

std::int64_t now_ns() noexcept {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1'000'000'000LL + time.tv_nsec;
}

/// Has everything delivered, once a process. In a signal handler.
void rescue_and_wait() noexcept {
  if (generation.load(std::memory_order_relaxed) != fork_generation()) return;  // a child: no thread to do it
  const pid_t self = thread_number();
  pid_t first = 0;
  if (dying.compare_exchange_strong(first, self)) {
    if (self == rescuer.load(std::memory_order_relaxed)) return;
    dying_thread.store(pthread_self(), std::memory_order_relaxed);
    asked.store(1, std::memory_order_release);  // pairs with run()'s load
    wake_all(asked);
  } else if (first == self || self == rescuer.load(std::memory_order_relaxed)) {
    done.store(1, std::memory_order_relaxed);  // the rescue itself crashed, or abort() follows terminate()
    wake_all(done);
    return;
  }
  const bool is_first = first == 0;
  constexpr std::int64_t longest = 3'000'000'000;
  const std::int64_t begun = now_ns();
  while (done.load(std::memory_order_acquire) == 0) {  // pairs with run()'s store
    const std::int64_t left = begun + longest - now_ns();
    if (left <= 0) break;
    wait_on(done, 0, std::chrono::nanoseconds(left));
  }
  if (!is_first) {  // the process ends by the signal of the one that crashed first
    timespec second{1, 0};
    nanosleep(&second, nullptr);
  }
}

/// A signal that was sent to the process may come to any thread. One of Cairn's may hold just what delivering needs: it
/// goes on, and the thread that stands in for it, and holds nothing, gets the signal.
bool pass_on(const siginfo_t& info) noexcept {
  const bool to_the_process = info.si_code == SI_USER || info.si_code == SI_QUEUE;
  if (!to_the_process || !on_own_thread() || thread_number() == stand_in.load(std::memory_order_relaxed)) return false;
  if (generation.load(std::memory_order_relaxed) != fork_generation()) return false;
  std::uint32_t expected = none;
  if (passed.compare_exchange_strong(expected, being_written, std::memory_order_relaxed)) {
    passed_on = info;
    passed.store(ready, std::memory_order_release);  // pairs with stand_by's load
    wake_all(passed);
  }  // else another is on its way there, which the process will die of
  return true;
}

void stand_by() noexcept {
  stand_in.store(thread_number(), std::memory_order_relaxed);
  while (true) {
    for (std::uint32_t seen = none; (seen = passed.load(std::memory_order_acquire)) != ready;)
      wait_on(passed, seen, 0ns);
    siginfo_t info = passed_on;
    passed.store(none, std::memory_order_relaxed);
    syscall(SYS_rt_tgsigqueueinfo, getpid(), thread_number(), info.si_signo, &info);
  }
}

void on_fatal(int signal, siginfo_t* info, void*) {
  const int error = errno;
  if (pass_on(*info)) {
    errno = error;
    return;
  }
  const bool sent = info->si_code <= 0;  // by kill(), raise(), abort(): it does not come again by itself
  const bool ignored = (before[signal].sa_flags & SA_SIGINFO) == 0 && before[signal].sa_handler == SIG_IGN;
  if (!sent || !ignored) {
    rescue_and_wait();
    sigaction(signal, &before[signal], nullptr);
    // It is blocked while this handler runs; after that the one before gets it.
    if (sent) syscall(SYS_rt_tgsigqueueinfo, getpid(), thread_number(), signal, info);
  }
  errno = error;
}

void on_terminate() {
  rescue_and_wait();
  if (before_terminate != nullptr) before_terminate();
  std::abort();
}

RootList& roots() {
  static constinit MadeOnce<RootList> made;
  return made.get();
}

void run() noexcept {
  rescuer.store(thread_number(), std::memory_order_relaxed);
  if (ThreadState* thread = thread_state()) thread->of_cairn = true;
  while (asked.load(std::memory_order_acquire) == 0) wait_on(asked, 0, 0ns);  // pairs with rescue_and_wait
  log_messages_of_handlers();
  const std::thread::id crashed(dying_thread.load(std::memory_order_relaxed));
  const auto deadline = Steady::now() + to_deliver;
  roots().for_each([&](Root& root) { root.deliver_before_death(crashed, deadline); });
  done.store(1, std::memory_order_release);  // pairs with rescue_and_wait
  wake_all(done);
}

void start_rescuer() {
  const std::uint64_t here = fork_generation();
  if (generation.load(std::memory_order_relaxed) == here) return;
  dying.store(0, std::memory_order_relaxed);
  asked.store(0, std::memory_order_relaxed);
  done.store(0, std::memory_order_relaxed);
  stand_in.store(0, std::memory_order_relaxed);
  passed.store(none, std::memory_order_relaxed);
  sigset_t all;
  sigset_t mask;
  sigfillset(&all);
  for (const int signal : fatal) sigdelset(&all, signal);
  pthread_sigmask(SIG_SETMASK, &all, &mask);  // the program's handlers do not run there
  try {
    own_thread("cairn-stand-in", stand_by).detach();
    own_thread("cairn-rescue", run).detach();
  } catch (...) {
    pthread_sigmask(SIG_SETMASK, &mask, nullptr);
    throw;
  }
  pthread_sigmask(SIG_SETMASK, &mask, nullptr);
  generation.store(here, std::memory_order_relaxed);
}

void install() {
  give_alternate_stacks();
  for (const int signal : fatal) {
    struct sigaction action {};
    action.sa_sigaction = on_fatal;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigemptyset(&action.sa_mask);
    if (sigaction(signal, nullptr, &before[signal]) != 0 || sigaction(signal, &action, nullptr) != 0)
      throw std::system_error(errno, std::generic_category(), "handle_fatal_signals");
  }
  before_terminate = std::set_terminate(on_terminate);
}

}  // namespace

void deliver_before_death(Root& root, const FatalSignalOptions& options) {
  static constinit MadeOnce<ForkMutex> mutex;
  const std::lock_guard lock(mutex.get());
  int fd = -1;
  if (!options.crash_file.empty()) {
    fd = own_descriptor(
        ::open(options.crash_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0640));
    if (fd < 0) throw std::system_error(errno, std::generic_category(), "crash_file " + options.crash_file);
  }
  root.set_crash_descriptor(fd);
  start_rescuer();
  static bool installed = false;
  if (!installed) install();
  installed = true;
  roots().add(root);
}

void forget_before_death(Root& root) noexcept { roots().remove(root); }

}  // namespace cairn::detail
