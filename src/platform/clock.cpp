#include "cairn/clock.hpp"

#include <ctime>

#include "platform/wall_clock.hpp"

namespace cairn {

namespace {
class SystemClock final : public Clock {
 public:
  Timestamp now() noexcept override { return Timestamp(std::chrono::nanoseconds(wall_.now())); }
  std::chrono::nanoseconds steady() noexcept override { return std::chrono::steady_clock::now().time_since_epoch(); }
  std::chrono::nanoseconds coarse_steady() noexcept override {
    struct timespec time {};
    ::clock_gettime(CLOCK_MONOTONIC_COARSE, &time);  // reads no counter, only what the last tick left
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
  }

 private:
  detail::WallClock wall_;
};
}  // namespace

Clock& system_clock() noexcept {
  static SystemClock* const clock = new SystemClock;  // never destroyed: static destructors may still log
  return *clock;
}

}  // namespace cairn
