#include "capture/thread_state.hpp"

#include <pthread.h>

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

}  // namespace

void ThreadState::let_go_attachments() noexcept {
  while (ThreadAttachment* attachment = attachments) {
    attachments = attachment->next_of_thread;
    attachment->thread_exits();
  }
}

ThreadState::~ThreadState() {
  let_go_attachments();
  write_window = {};
  drop_alternate_stack();
}

ThreadState* thread_state() noexcept {
  if (current != nullptr) [[likely]]
    return current;
  if (ending) return nullptr;
  static const pthread_key_t key = make_key();
  current = new (std::nothrow) ThreadState;
  if (current != nullptr) pthread_setspecific(key, current);
  use_alternate_stack();
  return current;
}

}  // namespace cairn::detail
