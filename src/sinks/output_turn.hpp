// Turns at what the program gave and may give to several loggers: an object (a sink, a stream) or an open descriptor.
// There is one lock in the process for each, found by what it is: an object by its address, a descriptor by the file,
// pipe or terminal behind it, so that a duplicate (2>&1) is the same.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <system_error>

#include "cairn/detail/fork_mutex.hpp"
#include "platform/file_ops.hpp"
#include "platform/held_by_thread.hpp"
#include "platform/timed_lock.hpp"

namespace cairn::detail {

/// One for each output there is. Before a fork the stages see to it that no call is under way.
class OutputTurns final : private ForkHandler {
 public:
  OutputTurns() { guard_against_forks(*this); }
  OutputTurns(const OutputTurns&) = delete;
  OutputTurns& operator=(const OutputTurns&) = delete;
  ~OutputTurns() { forget_in_forks(*this); }

  /// Those of the object at this address. They end with the last pointer to them.
  [[nodiscard]] static std::shared_ptr<OutputTurns> of_object(const void* object);
  /// Those of what is open as `fd` now; where nothing is, of the number.
  [[nodiscard]] static std::shared_ptr<OutputTurns> of_descriptor(int fd, FileOps& ops);

  /// What was written last has no line feed at its end. Only whose turn it is may look.
  bool torn = false;

 private:
  friend class OutputTurn;
  void before_fork(std::chrono::steady_clock::time_point) noexcept override {}
  void after_fork(bool child) noexcept override;

  TimedLock lock_;
};

/// This thread's turn, where it could be had.
class OutputTurn {
 public:
  /// Waits, until `deadline` at most.
  explicit OutputTurn(OutputTurns& turns, std::chrono::steady_clock::time_point deadline =
                                              std::chrono::steady_clock::time_point::max()) noexcept;
  OutputTurn(const OutputTurn&) = delete;
  OutputTurn& operator=(const OutputTurn&) = delete;
  ~OutputTurn();

  /// Not one: std::errc::timed_out, or std::errc::resource_deadlock_would_occur where it is this thread's already, or
  /// this is a signal handler that interrupts the thread as it waits for it.
  [[nodiscard]] std::error_code error() const noexcept { return error_; }

 private:
  OutputTurns& turns_;
  std::error_code error_{};
  std::optional<HeldByThread> held_;
};

}  // namespace cairn::detail
