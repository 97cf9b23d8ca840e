#include "sinks/output_turn.hpp"

#include <compare>
#include <map>
#include <mutex>

#include "platform/made_once.hpp"

namespace cairn::detail {

namespace {

/// An object, or else a file.
struct Output {
  const void* object = nullptr;
  dev_t device = 0;
  ino_t inode = 0;
  int number = -1;
  auto operator<=>(const Output&) const = default;
};

std::shared_ptr<OutputTurns> turns_of(const Output& output) {
  struct Known {
    ForkMutex mutex;
    std::map<Output, std::weak_ptr<OutputTurns>> turns;
  };
  static constinit MadeOnce<Known> made;  // never destroyed: loggers are made and end before main and after it
  Known& known = made.get();
  auto fresh = std::make_shared<OutputTurns>();  // and not under the lock, which forks hold as they hold its own
  const std::lock_guard lock(known.mutex);
  std::erase_if(known.turns, [](const auto& entry) { return entry.second.expired(); });
  std::weak_ptr<OutputTurns>& here = known.turns[output];
  if (auto turns = here.lock()) return turns;
  here = fresh;
  return fresh;
}

}  // namespace

std::shared_ptr<OutputTurns> OutputTurns::of_object(const void* object) { return turns_of({.object = object}); }

std::shared_ptr<OutputTurns> OutputTurns::of_descriptor(int fd, FileOps& ops) {
  struct ::stat status {};
  if (ops.stat(fd, status) < 0) return turns_of({.number = fd});
  return turns_of({.device = status.st_dev, .inode = status.st_ino});
}

void OutputTurns::after_fork(bool child) noexcept {
  if (child) lock_.free_after_fork();
}

OutputTurn::OutputTurn(OutputTurns& turns, std::chrono::steady_clock::time_point deadline) noexcept : turns_(turns) {
  if (HeldByThread::contains(&turns)) {
    error_ = std::make_error_code(std::errc::resource_deadlock_would_occur);
    return;
  }
  held_.emplace(&turns);
  if (!turns.lock_.try_lock_until(deadline)) {
    held_.reset();
    error_ = std::make_error_code(std::errc::timed_out);
  }
}

OutputTurn::~OutputTurn() {
  if (!error_) turns_.lock_.unlock();  // and only then is it held no more
}

}  // namespace cairn::detail
