#include "platform/own_thread.hpp"

namespace cairn::detail {

namespace {
// initial-exec: nothing is made where a signal handler looks first.
[[gnu::tls_model("initial-exec")]] constinit thread_local bool is_own = false;
}  // namespace

bool on_own_thread() noexcept { return is_own; }

void become_own_thread(const ThreadName& name) noexcept {
  is_own = true;
  pthread_setname_np(pthread_self(), name.data());
}

}  // namespace cairn::detail
