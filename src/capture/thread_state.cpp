#include "capture/thread_state.hpp"

#include <pthread.h>

#include <atomic>
#include <bit>
#include <new>

#include "platform/alternate_stack.hpp"

namespace cairn::detail {

constinit thread_local WriteWindow write_window{};
constinit thread_local ThreadState* current_thread_state = nullptr;

namespace {

constinit thread_local bool ending = false;  // a signal handler that comes between gets none: to make one takes memory

pthread_key_t make_key() noexcept {
  pthread_key_t key{};
  pthread_key_create(&key, [](void* state) {
    ending = true;
    current_thread_state = nullptr;
    delete static_cast<ThreadState*>(state);
    ending = false;  // a later key's destructor may log: it gets a new one
  });
  return key;
}

}  // namespace

ThreadState::~ThreadState() {
  while (ThreadAttachment* attachment = attachments) {
    attachments = attachment->next_of_thread;
    attachment->thread_exits();
  }
  write_window = {};
  drop_alternate_stack();
}

ThreadState* make_thread_state() noexcept {
  if (ending) return nullptr;
  static const pthread_key_t key = make_key();
  current_thread_state = new (std::nothrow) ThreadState;
  if (current_thread_state != nullptr) pthread_setspecific(key, current_thread_state);
  use_alternate_stack();
  return current_thread_state;
}

// ---- its number

namespace {
constinit std::atomic<std::uint32_t> numbers_taken{0};
static_assert(ThreadNumber::most == 32);
}  // namespace

ThreadNumber::ThreadNumber() noexcept {
  std::uint32_t taken = numbers_taken.load(std::memory_order_relaxed);
  do {
    value_ = static_cast<unsigned>(std::countr_one(taken));
    // acquire: pairs with the destructor of the thread that had it before
  } while (value_ < most && !numbers_taken.compare_exchange_weak(taken, taken | 1U << value_, std::memory_order_acquire,
                                                                 std::memory_order_relaxed));
}

void ThreadNumber::others_are_gone() const noexcept {
  numbers_taken.store(value_ < most ? 1U << value_ : 0, std::memory_order_relaxed);
}

ThreadNumber::~ThreadNumber() {
  if (value_ < most) numbers_taken.fetch_and(~(1U << value_), std::memory_order_release);  // pairs with the constructor
}

}  // namespace cairn::detail
