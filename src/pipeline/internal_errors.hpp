// What Cairn has to say about itself: told to the program's callback, else to stderr; at most once a second, with the
// number held back.
#pragma once

#include <functional>
#include <initializer_list>
#include <mutex>
#include <string>
#include <string_view>

#include "cairn/clock.hpp"
#include "platform/timed_lock.hpp"

namespace cairn::detail {

class InternalErrors {
 public:
  InternalErrors(std::function<void(std::string_view)> callback, Clock& clock)
      : callback_(std::move(callback)), clock_(clock) {}
  /// Safe from every thread; the callback runs under no lock, and what it throws is dropped. The message is put
  /// together here, where it may fail: those who report are often out of memory themselves.
  void report(std::initializer_list<std::string_view> parts) noexcept { report(parts, Held::when_too_many); }
  /// The same for what is told once, or once a minute, and by nothing that comes later: never held back.
  void report_always(std::initializer_list<std::string_view> parts) noexcept { report(parts, Held::never); }
  /// In a process just forked, whose other threads are gone.
  void free_after_fork() noexcept { mutex_.free_after_fork(); }

 private:
  enum class Held : bool { never, when_too_many };
  void report(std::initializer_list<std::string_view> parts, Held held) noexcept;

  std::function<void(std::string_view)> callback_;
  Clock& clock_;
  TimedLock mutex_;
  std::chrono::nanoseconds next_{};
  std::uint64_t held_back_ = 0;
};

}  // namespace cairn::detail
