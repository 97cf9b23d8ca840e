// A thread that somebody cancels (pthread_cancel) ends at the next system call that may wait: unwound like an
// exception, which no log function lets through. So what such calls a logging thread makes, it makes under this.
#pragma once

#include <pthread.h>

namespace cairn::detail {

/// As long as it lives the thread is not cancelled; it is afterwards, by the program's own next call that may wait.
/// About 10 ns: for where the system or code of the program is called.
class NoCancellation {
 public:
  explicit NoCancellation(bool hold = true) noexcept : hold_(hold) {
    if (hold_) ::pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before_);
  }
  NoCancellation(const NoCancellation&) = delete;
  NoCancellation& operator=(const NoCancellation&) = delete;
  ~NoCancellation() {
    if (hold_) ::pthread_setcancelstate(before_, nullptr);
  }

 private:
  bool hold_;
  int before_ = PTHREAD_CANCEL_ENABLE;
};

}  // namespace cairn::detail
