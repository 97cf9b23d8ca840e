#include "capture/thread_state.hpp"

#include <pthread.h>

#include <atomic>
#include <bit>
#include <cstdint>
#include <new>

#include "cairn/detail/fork_mutex.hpp"
#include "platform/alternate_stack.hpp"
#include "platform/made_once.hpp"

namespace cairn::detail {

constinit thread_local WriteWindow write_window{};
constinit CallerHints caller_hints{};
constinit thread_local ThreadState* current_thread_state = nullptr;

namespace {

// It is being made or freed: a signal handler that comes between gets none, for to make one takes memory.
constinit thread_local bool at_work = false;

pthread_key_t make_key() noexcept {
  pthread_key_t key{};
  pthread_key_create(&key, [](void* state) {
    at_work = true;
    static_cast<ThreadState*>(state)->in_slow_path = true;  // from here on a handler's calls are refused
    write_window.close();
    current_thread_state = nullptr;
    delete static_cast<ThreadState*>(state);
    at_work = false;  // a later key's destructor may log: it gets a new one
  });
  return key;
}

/// Made by the first that asks. By no static of a function, for the child of a fork at that moment; with no memory.
pthread_key_t key() noexcept {
  static constinit std::atomic<std::uint64_t> made{0};  // relaxed: the key over 1, and nothing behind it
  std::uint64_t known = made.load(std::memory_order_relaxed);
  if (known == 0) {
    const pthread_key_t fresh = make_key();
    if (made.compare_exchange_strong(known, std::uint64_t{fresh} + 1, std::memory_order_relaxed)) return fresh;
    pthread_key_delete(fresh);  // another thread was quicker
  }
  return static_cast<pthread_key_t>(known - 1);
}

}  // namespace

void ThreadState::let_go_attachments() noexcept {
  while (ThreadAttachment* attachment = attachments) {
    attachments = attachment->next_of_thread;
    attachment->thread_exits();
  }
}

ThreadState::~ThreadState() {
  let_go_attachments();
  write_window.close();
  drop_alternate_stack();
}

bool ThreadState::leave_context_to_events() noexcept {
  const auto is_referred_to = [this](const PropertyBlock* block) {
    for (const CallSlot& slot : slots) {
      if (slot.busy && slot.context == block) return true;
    }
    return false;
  };
  if (!is_referred_to(context)) [[likely]]
    return true;
  for (PropertyBlock& other : contexts) {  // one more than there are calls: one is free
    if (&other == context || is_referred_to(&other)) continue;
    try {
      other = *context;
    } catch (...) {  // no memory
      return false;
    }
    context = &other;
    return true;
  }
  return false;
}

ThreadState* make_thread_state() noexcept {
  if (at_work) return nullptr;
  const CriticalSection here;
  at_work = true;
  ThreadState* const made = new (std::nothrow) ThreadState;
  if (made != nullptr) pthread_setspecific(key(), made);
  use_alternate_stack();
  at_work = false;
  std::atomic_signal_fence(std::memory_order_seq_cst);
  return current_thread_state = made;
}

// ---- its number

namespace {
constinit std::atomic<std::uint32_t> numbers_taken{0};
static_assert(ThreadNumber::most == 32);

/// In a process just forked the others' numbers are free, whose threads are gone.
class NumbersOverFork final : private ForkHandler {
 public:
  NumbersOverFork() { guard_against_forks(*this); }
  ~NumbersOverFork() { forget_in_forks(*this); }

 private:
  void before_fork(std::chrono::steady_clock::time_point) noexcept override {}
  void after_fork(bool child) noexcept override {
    if (!child) return;
    const ThreadState* const own = current_thread_state;
    const unsigned number = own != nullptr ? own->number.value() : ThreadNumber::most;
    numbers_taken.store(number < ThreadNumber::most ? 1U << number : 0, std::memory_order_relaxed);
  }
};
}  // namespace

ThreadNumber::ThreadNumber() noexcept {
  static constinit MadeOnce<NumbersOverFork> over_fork;
  try {
    (void)over_fork.get();
  } catch (...) {  // no memory: a child has fewer numbers to give
  }
  std::uint32_t taken = numbers_taken.load(std::memory_order_relaxed);
  do {
    value_ = static_cast<unsigned>(std::countr_one(taken));
    // acquire: pairs with the destructor of the thread that had it before
  } while (value_ < most && !numbers_taken.compare_exchange_weak(taken, taken | 1U << value_, std::memory_order_acquire,
                                                                 std::memory_order_relaxed));
}

ThreadNumber::~ThreadNumber() {
  if (value_ < most) numbers_taken.fetch_and(~(1U << value_), std::memory_order_release);  // pairs with the constructor
}

}  // namespace cairn::detail
