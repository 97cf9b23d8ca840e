// Whether the whole process stood still for a while (stopped, its machine suspended, or so starved that it came to the
// same): what was timed meanwhile says nothing about what it timed.
#pragma once

#include <chrono>
#include <utility>

namespace cairn::detail {

/// A gap between two beats from which on it is taken for a pause.
inline constexpr std::chrono::nanoseconds pause_of_the_process = std::chrono::seconds(1);

/// While one lives, and a second longer, a thread beats four times a second, one a process. Costs two atomic additions
/// where it is beating already. Safe from every thread.
class PauseWatch {
 public:
  PauseWatch() noexcept;
  /// `other` watches no more.
  PauseWatch(PauseWatch&& other) noexcept : since_(other.since_), watches_(std::exchange(other.watches_, false)) {}
  PauseWatch& operator=(PauseWatch&&) = delete;
  ~PauseWatch() {
    if (watches_) end();
  }
  /// Was there a pause since the watch began, or is this the first moment after one?
  [[nodiscard]] bool saw_pause() const noexcept { return saw_pause_since(since_); }
  /// The same of another moment, from which on some watch has lived until now.
  [[nodiscard]] static bool saw_pause_since(std::chrono::steady_clock::time_point moment) noexcept;

 private:
  static void end() noexcept;

  std::chrono::steady_clock::time_point since_;
  bool watches_ = true;
};

}  // namespace cairn::detail
