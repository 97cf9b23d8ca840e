#include "lifecycle/signal_thread.hpp"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <mutex>
#include <span>
#include <thread>
#include <tuple>
#include <utility>

#include "cairn/detail/fork_mutex.hpp"
#include "cairn/signals.hpp"
#include "lifecycle/exit_hook.hpp"
#include "lifecycle/root_list.hpp"
#include "platform/fork_generation.hpp"
#include "platform/futex.hpp"
#include "platform/made_once.hpp"
#include "platform/own_thread.hpp"

namespace cairn::detail {

namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t reopen = 1;
constexpr std::uint32_t shut_down = 2;

constexpr auto to_reopen = 5s;

// All of this is used in signal handlers: no constructors, no locks.
constinit std::atomic<std::uint32_t> requests{0};       // bits; what the thread waits on
constinit std::atomic<std::uint32_t> messages_left{0};  // how many, ever; what the thread that logs them waits on
constinit std::atomic<std::uint32_t> messages_seen{0};  // of those, by a thread that logs them: they are logged
constinit std::atomic<std::uint64_t> generation{0};     // of the process that has the thread
struct sigaction before_sighup {};                      // written before our handler is there

/// A number below 2^20 and the process it is of: what a child finds there of its parent is as nothing.
class OfThisProcess {
 public:
  [[nodiscard]] std::uint64_t read(std::memory_order order) const noexcept { return number_of(word_.load(order)); }
  void write(std::uint64_t number, std::memory_order order) noexcept { word_.store(word_of(number), order); }
  [[nodiscard]] std::uint64_t exchange(std::uint64_t number, std::memory_order order) noexcept {
    return number_of(word_.exchange(word_of(number), order));
  }
  /// False: it is not `from`, or another thread was at it.
  [[nodiscard]] bool change(std::uint64_t from, std::uint64_t to, std::memory_order order) noexcept {
    std::uint64_t word = word_.load(std::memory_order_relaxed);
    return number_of(word) == from && word_.compare_exchange_strong(word, word_of(to), order);
  }

 private:
  static constexpr unsigned bits = 20;
  static constexpr std::uint64_t mask = (std::uint64_t{1} << bits) - 1;
  [[nodiscard]] static std::uint64_t word_of(std::uint64_t number) noexcept {
    return fork_generation() << bits | (number & mask);
  }
  [[nodiscard]] static std::uint64_t number_of(std::uint64_t word) noexcept {
    return word >> bits == fork_generation() << bits >> bits ? word & mask : 0;
  }
  std::atomic<std::uint64_t> word_{0};
};

constinit OfThisProcess lost{};  // messages there was no room for

struct Message {
  enum State : std::uint64_t { free, being_written, whole };
  OfThisProcess state;
  std::uint64_t number = 0;
  Level level{};
  const char* text = nullptr;
};
constinit std::array<Message, 64> ring{};
constinit std::atomic<std::uint64_t> next_number{0};
constinit thread_local bool logs_messages = false;  // now

/// One thread at a time takes them.
struct MessageReader {
  ForkMutex lock;
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

/// Nothing here waits for a sink without end: the next signal may be SIGTERM.
void run() {
  while (true) {
    const std::uint32_t asked = requests.exchange(0, std::memory_order_acquire);  // pairs with ask_for
    if (asked == 0) wait_on(requests, 0, 0ns);
    if ((asked & shut_down) != 0) close_all_now();
    if ((asked & reopen) != 0) reopened().for_each([](Root& root) { root.reopen_aside(to_reopen); });
  }
}

/// True: there were some.
bool log_messages() noexcept {
  const std::uint32_t left = messages_left.load(std::memory_order_acquire);  // pairs with log_signal_safe
  if (left == messages_seen.load(std::memory_order_relaxed)) return false;   // of one thread, but at an exit
  log_messages_of_handlers();
  messages_seen.store(left, std::memory_order_release);  // pairs with wait_for_messages_of_handlers
  wake_all(messages_seen);
  return true;
}

/// Apart from the other: a synchronous sink may hang.
void run_messages() {
  while (true) {
    const std::uint32_t left = messages_left.load(std::memory_order_relaxed);
    if (!log_messages()) wait_on(messages_left, left, 0ns);
  }
}

/// With every signal held back but faults: the program's handlers do not run there.
void start_thread(const char* name, void (*body)()) { own_thread(name, body).detach(); }

}  // namespace

void log_messages_of_handlers() noexcept {
  static constinit MadeOnce<MessageReader> reader;
  struct Taken {
    std::uint64_t number = 0;
    Level level{};
    const char* text = nullptr;
  };
  const bool before = std::exchange(logs_messages, true);
  try {
    std::array<Taken, std::tuple_size_v<decltype(ring)>> taken;  // for what there may be no memory
    std::size_t count = 0;
    std::uint64_t lost_since = 0;
    {
      const std::lock_guard lock(reader.get().lock);
      for (Message& message : ring) {
        if (message.state.read(std::memory_order_acquire) != Message::whole) continue;  // pairs with the writer's write
        taken[count++] = {message.number, message.level, message.text};
        message.state.write(Message::free, std::memory_order_release);  // pairs with the next writer's change
      }
      lost_since = lost.exchange(0, std::memory_order_relaxed);
    }
    const std::span<Taken> all(taken.data(), count);
    std::sort(all.begin(), all.end(), [](const Taken& a, const Taken& b) { return a.number < b.number; });
    for (const Taken& each : all) cairn::write(each.level, dynamic_template(each.text));
    if (lost_since != 0) cairn::warning("{LostCount} messages from signal handlers were lost", lost_since);
  } catch (...) {  // no memory: they stay for the next time
  }
  logs_messages = before;
}

void wait_for_messages_of_handlers(std::chrono::steady_clock::time_point until) noexcept {
  if (logs_messages) return;  // a sink that is given one of them ends the program
  const std::uint32_t left = messages_left.load(std::memory_order_relaxed);
  const auto logged = [&](std::uint32_t seen) { return static_cast<std::int32_t>(seen - left) >= 0; };
  if (logged(messages_seen.load(std::memory_order_acquire))) return;  // pairs with log_messages
  if (generation.load(std::memory_order_relaxed) != fork_generation()) {
    try {
      own_thread("cairn-messages", [] { (void)log_messages(); }).detach();
    } catch (...) {  // no thread: here
      (void)log_messages();
    }
  }
  while (true) {
    const std::uint32_t seen = messages_seen.load(std::memory_order_acquire);  // pairs with log_messages
    const auto now = std::chrono::steady_clock::now();
    if (logged(seen) || now >= until) return;
    wait_on(messages_seen, seen, until - now);
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
  // What the parent was asked for and had not begun. The child itself cannot be asked yet.
  detail::requests.fetch_and(~detail::shut_down, std::memory_order_relaxed);
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
    // acquire: pairs with the reader's release
    if (!message.state.change(detail::Message::free, detail::Message::being_written, std::memory_order_acquire))
      continue;
    message.number = number;
    message.level = level;
    message.text = text.text();
    message.state.write(detail::Message::whole, std::memory_order_release);  // pairs with the reader's read
    detail::messages_left.fetch_add(1, std::memory_order_release);           // pairs with log_messages
    detail::wake_all(detail::messages_left);
    return true;
  }
  for (std::uint64_t count = 0;;) {
    count = detail::lost.read(std::memory_order_relaxed);
    if (detail::lost.change(count, count + 1, std::memory_order_relaxed)) return false;
  }
}

bool request_shutdown_from_signal() noexcept {
  if (detail::generation.load(std::memory_order_relaxed) != detail::fork_generation()) return false;
  detail::ask_for(detail::shut_down);
  return true;
}

}  // namespace cairn
