#include "capture/thread_state.hpp"

#include <pthread.h>

#include <atomic>
#include <cstdint>
#include <new>

#include "platform/alternate_stack.hpp"

namespace cairn::detail {

constinit thread_local WriteWindow write_window{};

namespace {

// Trivially destructible, so that it can be read at any time of a thread's life.
constinit thread_local ThreadState* current = nullptr;
constinit thread_local bool ending = false;  // a signal handler that comes between gets none: to make one takes memory

pthread_key_t make_key() noexcept {
  pthread_key_t key{};
  pthread_key_create(&key, [](void* state) {
    ending = true;
    current = nullptr;
    delete static_cast<ThreadState*>(state);
    ending = false;  // a later key's destructor may log: it gets a new one
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

ThreadState::~ThreadState() {
  while (ThreadAttachment* attachment = attachments) {
    attachments = attachment->next_of_thread;
    attachment->thread_exits();
  }
  write_window = {};
  drop_alternate_stack();
}

ThreadState* thread_state() noexcept {
  if (current != nullptr) [[likely]]
    return current;
  if (ending) return nullptr;
  current = new (std::nothrow) ThreadState;
  if (current != nullptr) pthread_setspecific(key(), current);
  use_alternate_stack();
  return current;
}

}  // namespace cairn::detail
