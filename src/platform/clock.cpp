#include "cairn/clock.hpp"

#include <ctime>

#include "cairn/detail/fork_mutex.hpp"
#include "platform/made_once.hpp"
#include "platform/wall_clock.hpp"

namespace cairn {

namespace {
class SystemClock final : public Clock, private detail::ForkHandler {
 public:
  SystemClock() { guard_against_forks(*this); }
  ~SystemClock() override { forget_in_forks(*this); }
  Timestamp now() noexcept override { return Timestamp(std::chrono::nanoseconds(wall_.now())); }
  std::chrono::nanoseconds steady() noexcept override { return std::chrono::steady_clock::now().time_since_epoch(); }
  std::chrono::nanoseconds coarse_steady() noexcept override {
    struct timespec time {};
    ::clock_gettime(CLOCK_MONOTONIC_COARSE, &time);  // reads no counter, only what the last tick left
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
  }

 private:
  void before_fork(std::chrono::steady_clock::time_point) noexcept override {}
  void after_fork(bool child) noexcept override {
    if (child) wall_.free_after_fork();
  }
  detail::WallClock wall_;
};
}  // namespace

Clock& system_clock() noexcept {
  static constinit detail::MadeOnce<SystemClock> made;  // never destroyed: static destructors may still log
  return made.get();
}

}  // namespace cairn
