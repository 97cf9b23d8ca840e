#include "cairn/clock.hpp"

namespace cairn {

namespace {
class SystemClock final : public Clock {
 public:
  Timestamp now() noexcept override { return std::chrono::system_clock::now(); }
  std::chrono::nanoseconds steady() noexcept override { return std::chrono::steady_clock::now().time_since_epoch(); }
};
}  // namespace

Clock& system_clock() noexcept {
  static SystemClock* const clock = new SystemClock;  // never destroyed: static destructors may still log
  return *clock;
}

}  // namespace cairn
