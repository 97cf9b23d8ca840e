#include "lifecycle/exit_hook.hpp"

#include <cstdlib>
#include <mutex>
#include <vector>

#include "cairn/detail/fork_mutex.hpp"
#include "logger/root.hpp"
#include "platform/made_once.hpp"

namespace cairn::detail {

namespace {

struct Registry {
  ForkMutex mutex;
  std::vector<Root*> roots;
  bool hooked = false;
};

Registry& registry() {
  static constinit MadeOnce<Registry> made;  // never destroyed: it is read after the statics are gone
  return made.get();
}

}  // namespace

void forget_at_exit(Root& root) noexcept {
  const std::lock_guard lock(registry().mutex);
  std::erase(registry().roots, &root);
}

void close_all_now() noexcept {
  while (true) {
    Root* root = nullptr;
    {
      const std::lock_guard lock(registry().mutex);
      if (registry().roots.empty()) return;
      root = registry().roots.back();
      root->add_reference();  // a handle in a static may go at the same time
    }
    // It stays in the list meanwhile: who comes here while another thread is at it, waits for it too.
    root->shut_down_and_wait();
    forget_at_exit(*root);
    root->drop_reference();
  }
}

void close_at_exit(Root& root) {
  const std::lock_guard lock(registry().mutex);
  if (!registry().hooked) {
    std::atexit(close_all_now);
    std::at_quick_exit(close_all_now);
    registry().hooked = true;
  }
  registry().roots.push_back(&root);
}

}  // namespace cairn::detail
