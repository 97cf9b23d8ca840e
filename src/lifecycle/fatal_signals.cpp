#include "lifecycle/fatal_signals.hpp"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>

#include "cairn/detail/fork_mutex.hpp"
#include "capture/thread_state.hpp"
#include "lifecycle/rescue.hpp"
#include "lifecycle/root_list.hpp"
#include "platform/alternate_stack.hpp"
#include "platform/fork_generation.hpp"
#include "platform/futex.hpp"
#include "platform/made_once.hpp"
#include "platform/own_descriptor.hpp"
#include "platform/own_thread.hpp"

namespace cairn::detail {

namespace {

using namespace std::chrono_literals;

constexpr std::array fatal{SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
constexpr std::size_t most_rescuers = 4;

// All of this is used in signal handlers: no constructors, no locks.
struct sigaction before[NSIG];  // written before our handler is there
constinit std::terminate_handler before_terminate = nullptr;
constinit std::atomic<pid_t> dying{0};  // the first thread that crashed
enum : std::uint32_t { alive, asked, being_prepared, under_way };
constinit std::atomic<std::uint32_t> state{alive};    // what the rescuing threads wait on
constinit std::atomic<std::uint32_t> done{0};         // what those that crashed wait on
constinit std::atomic<std::uint32_t> rescuers{0};     // how many threads rescue
constinit std::atomic<std::uint32_t> not_through{0};  // how many of them are still to come to their end
[[gnu::tls_model("initial-exec")]] constinit thread_local bool rescues = false;
constinit std::atomic<Rescue*> rescue{nullptr};  // once it is under way; never freed: threads are left behind in it
constinit std::atomic<pid_t> stand_in{0};        // the thread that gets signals in the place of Cairn's others
enum : std::uint32_t { none, being_written, ready };
constinit std::atomic<std::uint32_t> passed{none};   // what it waits on: is there a signal for it?
siginfo_t passed_on;                                 // of whoever set `passed` to being_written
constinit std::atomic<std::uint64_t> generation{0};  // of the process that has it
constinit std::atomic<pthread_t> dying_thread{};
constinit std::array<std::atomic<pthread_t>, 16> crashed_too{};  // 0: none yet; of more, nobody knows

pid_t thread_number() noexcept { return static_cast<pid_t>(syscall(SYS_gettid)); }

std::int64_t now_ns() noexcept {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1'000'000'000LL + time.tv_nsec;
}

/// A rescuing thread has done what it could. The last one lets the process die.
void come_to_the_end() noexcept {
  // acq_rel: what the others delivered comes before the end
  if (not_through.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  done.store(1, std::memory_order_release);  // pairs with rescue_and_wait
  wake_all(done);
}

/// The calling thread crashed, and is not the first.
void note_crash() noexcept {
  for (auto& thread : crashed_too) {
    pthread_t none_yet{};
    // release: pairs with has_crashed_too; what it was at is as it left it
    if (thread.compare_exchange_strong(none_yet, pthread_self(), std::memory_order_release)) return;
  }
}

/// Has everything delivered, once a process. In a signal handler.
void rescue_and_wait() noexcept {
  if (generation.load(std::memory_order_relaxed) != fork_generation()) return;  // a child: no thread to do it
  const pid_t self = thread_number();
  pid_t first = 0;
  if (dying.compare_exchange_strong(first, self)) {
    if (rescues) return;
    dying_thread.store(pthread_self(), std::memory_order_relaxed);
    state.store(asked, std::memory_order_release);  // pairs with the_rescue()
    wake_all(state);
  } else if (first == self) {
    done.store(1, std::memory_order_relaxed);  // abort() follows terminate()
    wake_all(done);
    return;
  } else if (rescues) {
    come_to_the_end();  // it crashed at that, and others have what is left
  } else {
    note_crash();
  }
  const bool is_first = first == 0;
  constexpr std::int64_t longest = 3'000'000'000;
  const std::int64_t begun = now_ns();
  while (done.load(std::memory_order_acquire) == 0) {  // pairs with come_to_the_end()
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

/// Waits for the day; whoever comes first prepares it. Null: there is no memory for it.
Rescue* the_rescue() noexcept {
  std::uint32_t seen = alive;
  // acquire: pairs with rescue_and_wait, and the store below
  while ((seen = state.load(std::memory_order_acquire)) != under_way) {
    if (seen != asked) {
      wait_on(state, seen, 0ns);
    } else if (state.compare_exchange_strong(seen, being_prepared, std::memory_order_acquire)) {
      try {
        const std::thread::id crashed(dying_thread.load(std::memory_order_relaxed));
        rescue.store(new Rescue(roots().all(), crashed, rescuers.load(std::memory_order_relaxed)),
                     std::memory_order_relaxed);
      } catch (...) {
      }
      state.store(under_way, std::memory_order_release);
      wake_all(state);
    }
  }
  return rescue.load(std::memory_order_relaxed);
}

void run() noexcept {
  rescues = true;
  if (ThreadState* thread = thread_state()) thread->of_cairn = true;
  if (Rescue* const here = the_rescue(); here != nullptr) here->take_part();
  come_to_the_end();
}

/// Only signals that end the program come to the threads that are started meanwhile: its handlers do not run there.
class FatalSignalsOnly {
 public:
  FatalSignalsOnly() noexcept {
    sigset_t others;
    sigfillset(&others);
    for (const int signal : fatal) sigdelset(&others, signal);
    pthread_sigmask(SIG_SETMASK, &others, &before_);
  }
  FatalSignalsOnly(const FatalSignalsOnly&) = delete;
  FatalSignalsOnly& operator=(const FatalSignalsOnly&) = delete;
  ~FatalSignalsOnly() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_{};
};

/// For one logger more. Throws std::system_error where there is no thread at all.
void start_threads() {
  const FatalSignalsOnly held_back;
  const std::uint64_t here = fork_generation();
  if (generation.load(std::memory_order_relaxed) != here) {
    dying.store(0, std::memory_order_relaxed);
    state.store(alive, std::memory_order_relaxed);
    done.store(0, std::memory_order_relaxed);
    rescuers.store(0, std::memory_order_relaxed);
    not_through.store(0, std::memory_order_relaxed);
    rescue.store(nullptr, std::memory_order_relaxed);
    stand_in.store(0, std::memory_order_relaxed);
    passed.store(none, std::memory_order_relaxed);
    for (auto& thread : crashed_too) thread.store({}, std::memory_order_relaxed);
    own_thread("cairn-stand-in", stand_by).detach();
  }
  const std::size_t wanted = std::min(roots().size() + 1, most_rescuers);
  while (rescuers.load(std::memory_order_relaxed) < wanted) {
    not_through.fetch_add(1, std::memory_order_relaxed);
    try {
      own_thread("cairn-rescue", run).detach();
    } catch (...) {
      not_through.fetch_sub(1, std::memory_order_relaxed);
      if (rescuers.load(std::memory_order_relaxed) == 0) throw;
      break;  // the others have more to do
    }
    rescuers.fetch_add(1, std::memory_order_relaxed);
  }
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

/// Threads take the mask of those that start them: where one is blocked, a fault there ends the process unheard.
void warn_of_blocked_faults(Root& root) noexcept try {
  sigset_t blocked;
  sigemptyset(&blocked);
  pthread_sigmask(SIG_BLOCK, nullptr, &blocked);
  constexpr std::array names{"SIGSEGV", "SIGBUS", "SIGILL", "SIGFPE"};
  static_assert(names.size() == faults.size());
  std::string found;
  for (std::size_t i = 0; i < faults.size(); ++i) {
    if (sigismember(&blocked, faults[i]) == 1) found.append(found.empty() ? "" : ", ").append(names[i]);
  }
  if (found.empty()) return;
  root.pipeline().errors().report(
      {"handle_fatal_signals: the thread that makes the logger, as those that it starts, has ", found,
       " blocked: where it crashes, the process ends at once and nothing is delivered"});
} catch (...) {  // no memory for the text
}

}  // namespace

void deliver_before_death(Root& root, const FatalSignalOptions& options) {
  int fd = -1;
  if (!options.crash_file.empty()) {
    fd = own_descriptor(
        ::open(options.crash_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0640));
    if (fd < 0) throw std::system_error(errno, std::generic_category(), "crash_file " + options.crash_file);
  }
  root.set_crash_descriptor(fd);
  {
    static constinit MadeOnce<ForkMutex> mutex;
    const std::lock_guard lock(mutex.get());
    start_threads();
    static bool installed = false;
    if (!installed) install();
    installed = true;
    roots().add(root);
  }
  warn_of_blocked_faults(root);  // under no lock: who is told may make a logger
}

bool has_crashed_too(std::thread::id thread) noexcept {
  return std::any_of(crashed_too.begin(), crashed_too.end(), [&](const auto& crashed) {
    const pthread_t found = crashed.load(std::memory_order_acquire);  // pairs with note_crash
    return found != pthread_t{} && std::thread::id(found) == thread;
  });
}

void forget_before_death(Root& root) noexcept { roots().remove(root); }

}  // namespace cairn::detail
