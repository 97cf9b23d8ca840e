#include <pthread.h>

#include <atomic>
#include <cstddef>
#include <iterator>

#include "cairn/detail/fork_mutex.hpp"
#include "platform/fork_generation.hpp"

namespace cairn::detail {

constinit thread_local std::uint32_t critical_sections = 0;

/// Those of one turn, the youngest first. Whoever walks along it finds it whole at every moment of a change.
struct ForkHandlerList {
  ForkHandler* first = nullptr;

  void add(ForkHandler& handler) noexcept {
    handler.next_ = first;
    if (first != nullptr) first->previous_ = &handler;
    first = &handler;
  }
  /// False: it is the first of another list.
  [[nodiscard]] bool remove(ForkHandler& handler) noexcept {
    if (handler.previous_ == nullptr && first != &handler) return false;
    (handler.previous_ != nullptr ? handler.previous_->next_ : first) = handler.next_;
    if (handler.next_ != nullptr) handler.next_->previous_ = handler.previous_;
    return true;
  }
  template <class F>
  void for_each(F&& f) const noexcept {
    for (ForkHandler* handler = first; handler != nullptr; handler = handler->next_) f(*handler);
  }
};

namespace {

constexpr auto longest_wait = std::chrono::milliseconds(10);

// Trivial to destroy: statics that end later still use it.
constinit std::mutex mutex;
constinit HeldOverFork held;
constinit ForkHandlerList turns[3];  // in their order

// Between the two the thread has the mutex, and handlers may make what has a handler itself.
[[gnu::tls_model("initial-exec")]] constinit thread_local bool forks = false;

class ListLock {
 public:
  ListLock() noexcept {
    if (!forks) mutex.lock();
  }
  ListLock(const ListLock&) = delete;
  ListLock& operator=(const ListLock&) = delete;
  ~ListLock() {
    if (!forks) mutex.unlock();
  }
};

void before() noexcept {
  enter_critical_section();  // it holds every lock there is
  forks = true;
  const auto deadline = std::chrono::steady_clock::now() + longest_wait;
  held.take(mutex, deadline);
  const auto take = [&](ForkHandler& handler) { handler.before_fork(deadline); };
  for (const ForkHandlerList& turn : turns) turn.for_each(take);
}

// fork_generation() of the process that the handlers know of. Relaxed: a process writes it once, before it has threads.
constinit std::atomic<std::uint64_t> known{0};

void after(bool child) noexcept {
  if (child) known.store(fork_generation(), std::memory_order_relaxed);
  const auto let_go = [&](ForkHandler& handler) { handler.after_fork(child); };
  for (std::size_t turn = std::size(turns); turn-- != 0;) turns[turn].for_each(let_go);
  held.let_go(mutex, child);
  forks = false;
  leave_critical_section();
}

// Before main, or when the library is loaded: no fork of another thread can be under way.
[[maybe_unused]] const bool hooked = [] {
  known.store(fork_generation(), std::memory_order_relaxed);
  return pthread_atfork([] { before(); }, [] { after(false); }, [] { after(true); }) == 0;
}();

}  // namespace

bool made_past_fork() noexcept {
  const std::uint64_t here = known.load(std::memory_order_relaxed);
  return here != 0 && here != fork_generation();  // 0: so early nothing has been forked
}

void guard_against_forks(ForkHandler& handler, ForkTurn turn) noexcept {
  const ListLock lock;
  turns[static_cast<std::size_t>(turn)].add(handler);
}

void forget_in_forks(ForkHandler& handler) noexcept {
  const ListLock lock;
  for (ForkHandlerList& turn : turns) {
    if (turn.remove(handler)) return;
  }
}

}  // namespace cairn::detail
