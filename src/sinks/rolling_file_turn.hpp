// A turn at a log's files: while it lives no other process or thread opens, rolls or changes the list of files, nor,
// where the log is shared, appends. Nothing if it is not needed.
#pragma once

#include "sinks/rolling_file.hpp"

namespace cairn::detail {

class RollingFile::Turn {
 public:
  explicit Turn(RollingFile& file, bool needed = true) : file_(file) {
    if (!needed || file.in_turn_ || !file.lock_) return;
    lock_ = file.lock_;
    error_ = lock_->enter();
    if (error_ == 0)
      file.in_turn_ = true;
    else
      lock_.reset();
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
  int error_ = 0;
};

}  // namespace cairn::detail
