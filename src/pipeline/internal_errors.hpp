// What Cairn has to say about itself: told to the program's callback as long as the root lives, else to stderr; at most
// once a second, with the number held back.
#pragma once

#include <atomic>
#include <chrono>
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
  /// The same for what is told once, or once a minute, and by nothing that comes later: never held back, and holds back
  /// nothing else.
  void report_always(std::initializer_list<std::string_view> parts) noexcept { report(parts, Held::never); }
  /// No call of the callback begins after this one: what there is to say goes to stderr. Waits for calls that other
  /// threads are in, until `deadline` at most.
  void end_callback(std::chrono::steady_clock::time_point deadline) noexcept;
  /// In a process just forked, whose other threads are gone.
  void free_after_fork() noexcept;

 private:
  enum class Held : bool { never, when_too_many };
  void report(std::initializer_list<std::string_view> parts, Held held) noexcept;
  class Call;

  std::function<void(std::string_view)> callback_;
  Clock& clock_;
  TimedLock mutex_;
  std::chrono::nanoseconds next_{};
  std::uint64_t held_back_ = 0;
  bool ended_ = false;
  std::atomic<std::uint32_t> calls_{0};  // of the callback, under way; changed under the lock
};

}  // namespace cairn::detail
