// What is done when the program dies, by a few threads side by side: each takes one part after the other.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <vector>

namespace cairn::detail {

class Root;

/// The first part is what signal handlers left, then come the loggers, the last made first. Who comes to a part waits a
/// little for those before it, which may log to it. One that hangs keeps the thread that is at it, and no other.
class Rescue {
 public:
  /// `roots`: with a reference to each, which is let go when that one is delivered. `crashed`: a thread that stands
  /// still. `threads`: how many will take part. The time begins now. Throws std::bad_alloc.
  Rescue(std::vector<Root*> roots, std::thread::id crashed, std::size_t threads);
  /// Until there is nothing left to be begun. By several threads at once.
  void take_part() noexcept;

 private:
  using Steady = std::chrono::steady_clock;
  void wait_for_those_before(std::size_t part) noexcept;
  /// When a part that begins now is to end: with more parts than threads it has its share of what is left.
  [[nodiscard]] Steady::time_point end_of(std::size_t part) const noexcept;

  const std::vector<Root*> roots_;  // part i is of roots_[i - 1]
  const std::thread::id crashed_;
  const std::size_t threads_;
  const Steady::time_point begun_ = Steady::now();
  std::atomic<std::size_t> next_{0};              // relaxed: it only deals out the parts
  std::vector<std::atomic<std::uint32_t>> over_;  // is that part?
};

}  // namespace cairn::detail
