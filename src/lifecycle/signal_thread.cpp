#include "lifecycle/signal_thread.hpp"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "cairn/detail/fork_mutex.hpp"
#include "cairn/signals.hpp"
#include "lifecycle/exit_hook.hpp"
#include "lifecycle/root_list.hpp"
#include "platform/fork_generation.hpp"
#include "platform/futex.hpp"
#include "platform/made_once.hpp"

namespace cairn::detail {

namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t reopen = 1;
constexpr std::uint32_t shut_down = 2;

constexpr auto to_reopen = 5s;
constexpr auto to_log_messages = 1s;  // before a shutdown that was asked for with them

// All of this is used in signal handlers: no constructors, no locks.
constinit std::atomic<std::uint32_t> requests{0};       // bits; what the thread waits on
constinit std::atomic<std::uint32_t> messages_left{0};  // how many, ever; what the thread that logs them waits on
constinit std::atomic<std::uint32_t> messages_seen{0};  // of those, by that thread: they are logged
constinit std::atomic<std::uint64_t> generation{0};     // of the process that has the thread
constinit std::atomic<std::uint64_t> lost{0};           // messages there was no room for
struct sigaction before_sighup {};                      // written before our handler is there

struct Message {
  enum State : std::uint32_t { free, being_written, whole };
  std::atomic<std::uint32_t> state{free};
  std::uint64_t number = 0;
  Level level{};
  const char* text = nullptr;
};
constinit std::array<Message, 64> ring{};
constinit std::atomic<std::uint64_t> next_number{0};

/// One thread at a time takes them.
struct MessageReader {
  ForkMutex lock;
  std::uint64_t lost_told = 0;
};

void ask_for(std::uint32_t what) noexcept {
  requests.fetch_or(what, std::memory_order_release);  // pairs with the thread's exchange
  wake_all(requests);
}

void on_sighup(int signal, siginfo_t* info, void* context) {
  const int error = errno;
  ask_for(reopen);
  if ((before_sighup.sa_flags & SA_SIGINFO) != 0) {
    before_sighup.sa_sigaction(signal, info, context);
  } else if (before_sighup.sa_handler != SIG_DFL && before_sighup.sa_handler != SIG_IGN) {
    before_sighup.sa_handler(signal);
  }
  errno = error;
}

RootList& reopened() {
  static constinit MadeOnce<RootList> made;
  return made.get();
}

/// Waits until what was left so far is logged, but not for a sink that hangs.
void wait_for_messages() noexcept {
  const std::uint32_t left = messages_left.load(std::memory_order_relaxed);  // by who asked for the shutdown, or before
  const auto until = std::chrono::steady_clock::now() + to_log_messages;
  while (true) {
    const std::uint32_t seen = messages_seen.load(std::memory_order_acquire);  // pairs with run_messages
    const auto now = std::chrono::steady_clock::now();
    if (static_cast<std::int32_t>(seen - left) >= 0 || now >= until) return;
    wait_on(messages_seen, seen, until - now);
  }
}

/// Nothing here waits for a sink without end: the next signal may be SIGTERM.
void run() {
  while (true) {
    const std::uint32_t asked = requests.exchange(0, std::memory_order_acquire);  // pairs with ask_for
    if (asked == 0) wait_on(requests, 0, 0ns);
    if ((asked & shut_down) != 0) {
      wait_for_messages();
      close_all_now();
    }
    if ((asked & reopen) != 0) reopened().for_each([](Root& root) { root.reopen_aside(to_reopen); });
  }
}

/// Apart from the other: a synchronous sink may hang.
void run_messages() {
  while (true) {
    const std::uint32_t left = messages_left.load(std::memory_order_acquire);  // pairs with log_signal_safe
    if (left == messages_seen.load(std::memory_order_relaxed)) {               // its own
      wait_on(messages_left, left, 0ns);
      continue;
    }
    log_messages_of_handlers();
    messages_seen.store(left, std::memory_order_release);  // pairs with wait_for_messages
    wake_all(messages_seen);
  }
}

/// With every signal held back: the program's handlers do not run there.
void start_thread(const char* name, void (*body)()) {
  std::thread([name, body] {
    pthread_setname_np(pthread_self(), name);
    body();
  }).detach();
}

}  // namespace

void log_messages_of_handlers() noexcept {
  static constinit MadeOnce<MessageReader> reader;
  struct Taken {
    std::uint64_t number;
    Level level;
    const char* text;
  };
  try {
    std::vector<Taken> taken;
    std::uint64_t lost_since = 0;
    {
      const std::lock_guard lock(reader.get().lock);
      taken.reserve(ring.size());
      for (Message& message : ring) {
        if (message.state.load(std::memory_order_acquire) != Message::whole) continue;  // pairs with the writer's store
        taken.push_back({message.number, message.level, message.text});
        message.state.store(Message::free, std::memory_order_release);  // pairs with the next writer's exchange
      }
      const std::uint64_t now = lost.load(std::memory_order_relaxed);
      lost_since = now - std::exchange(reader.get().lost_told, now);
    }
    std::sort(taken.begin(), taken.end(), [](const Taken& a, const Taken& b) { return a.number < b.number; });
    for (const Taken& each : taken) cairn::write(each.level, dynamic_template(each.text));
    if (lost_since != 0) cairn::warning("{LostCount} messages from signal handlers were lost", lost_since);
  } catch (...) {  // no memory: they stay for the next time
  }
}

void reopen_on_sighup(Root& root) {
  start_signal_thread();
  reopened().add(root);
  static constinit MadeOnce<ForkMutex> mutex;
  static constinit bool installed = false;
  const std::lock_guard lock(mutex.get());
  if (std::exchange(installed, true)) return;
  struct sigaction action {};
  action.sa_sigaction = on_sighup;
  action.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK;
  sigemptyset(&action.sa_mask);
  if (sigaction(SIGHUP, nullptr, &before_sighup) == 0) (void)sigaction(SIGHUP, &action, nullptr);
}

void forget_on_sighup(Root& root) noexcept { reopened().remove(root); }

}  // namespace cairn::detail

namespace cairn {

void start_signal_thread() {
  static constinit detail::MadeOnce<detail::ForkMutex> mutex;
  const std::lock_guard lock(mutex.get());
  const std::uint64_t here = detail::fork_generation();
  if (detail::generation.load(std::memory_order_relaxed) == here) return;
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    detail::start_thread("cairn-messages", detail::run_messages);
    detail::start_thread("cairn-signals", detail::run);
  } catch (...) {
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    throw;
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  detail::generation.store(here, std::memory_order_relaxed);
}

bool log_signal_safe(Level level, Template<> text) noexcept {
  const std::uint64_t number = detail::next_number.fetch_add(1, std::memory_order_relaxed);
  for (std::size_t i = 0; i < detail::ring.size(); ++i) {
    detail::Message& message = detail::ring[(number + i) % detail::ring.size()];
    std::uint32_t expected = detail::Message::free;
    // acquire: pairs with the reader's release
    if (!message.state.compare_exchange_strong(expected, detail::Message::being_written, std::memory_order_acquire))
      continue;
    message.number = number;
    message.level = level;
    message.text = text.text();
    message.state.store(detail::Message::whole, std::memory_order_release);  // pairs with the reader's load
    detail::messages_left.fetch_add(1, std::memory_order_release);           // pairs with run_messages
    detail::wake_all(detail::messages_left);
    return true;
  }
  detail::lost.fetch_add(1, std::memory_order_relaxed);
  return false;
}

bool request_shutdown_from_signal() noexcept {
  if (detail::generation.load(std::memory_order_relaxed) != detail::fork_generation()) return false;
  detail::ask_for(detail::shut_down);
  return true;
}

}  // namespace cairn
