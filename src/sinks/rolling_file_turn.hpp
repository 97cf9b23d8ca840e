// A turn at a log's files: while it lives no other process or thread opens, rolls or changes the list of files, nor,
// where the log is shared, appends. Nothing if it is not needed.
#pragma once

#include <cerrno>
#include <memory>
#include <optional>

#include "platform/held_by_thread.hpp"
#include "sinks/rolling_file.hpp"

namespace cairn::detail {

class RollingFile::Turn {
 public:
  explicit Turn(RollingFile& file, bool needed = true) : file_(file) {
    if (!needed || file.in_turn_ || !file.lock_) return;
    lock_ = file.lock_;
    // Several loggers of the process may be at one log: a signal handler may interrupt one and log to another.
    if (HeldByThread::contains(lock_->shared_identity())) {
      error_ = -EDEADLK;
    } else {
      held_.emplace(lock_->shared_identity());
      error_ = lock_->enter();
    }
    if (error_ == 0) {
      file.in_turn_ = true;
    } else {
      held_.reset();
      lock_.reset();
    }
  }
  ~Turn() {
    if (!lock_) return;
    file_.in_turn_ = false;
    lock_->leave();
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  [[nodiscard]] int error() const noexcept { return error_; }

 private:
  RollingFile& file_;
  std::shared_ptr<OwnerLock> lock_;
  std::optional<HeldByThread> held_;
  int error_ = 0;
};

}  // namespace cairn::detail
