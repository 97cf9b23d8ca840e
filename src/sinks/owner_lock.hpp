// Who may write a log: one process, or several that agreed to share. The lock is a POSIX owner lock on a file beside
// the log
// (`app.log.lock`), not on the log itself: that one changes with every roll, and a POSIX lock vanishes as soon as *any*
// descriptor of its file is closed, which a program that merely reads its own log would do.
//
// POSIX locks do not keep two owners in one process apart, so a register of the process does; in it, sharers use one
// descriptor together. After a crash the kernel lets go of the lock by itself, and a forked child never has it.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "platform/file_ops.hpp"
#include "sinks/file_names.hpp"
#include "sinks/safe_open.hpp"

namespace cairn::detail {

class OwnerLock {
 public:
  /// Takes the lock at `path`. If it is held: EBUSY, and the text names the holder's pid.
  [[nodiscard]] static Problem acquire(FileOps& ops, const std::string& path, bool shared, mode_t mode,
                                       std::unique_ptr<OwnerLock>& lock);
  /// Lets go; an exclusive owner also removes the file.
  ~OwnerLock();
  OwnerLock(const OwnerLock&) = delete;
  OwnerLock& operator=(const OwnerLock&) = delete;

  /// Keeps all other sharers, of this process and others, out. Negative errno; ETIMEDOUT after two seconds (the holder
  /// may be stopped), for the caller to try again.
  [[nodiscard]] int enter();
  void leave() noexcept;
  /// What stands for the turn: the same for all sharers of this process.
  [[nodiscard]] const void* shared_identity() const noexcept { return entry_.get(); }

  /// Which file the sharers write to. It is the log's, whatever a list of such files says.
  struct Agreement {
    FileId id{};
    FileIdentity file{};
    bool operator==(const Agreement&) const = default;
  };
  /// Inside enter(): as the last of them said; nothing if none did.
  [[nodiscard]] std::optional<Agreement> agreed() noexcept;
  [[nodiscard]] int agree(const Agreement& agreement) noexcept;

  /// One process at a time looks after the files that are done with. Never waits.
  [[nodiscard]] bool try_housekeeping() noexcept;
  void end_housekeeping() noexcept;

  /// False if the lock file was removed or replaced, so that newcomers would not see this lock.
  [[nodiscard]] bool still_in_place() noexcept;

 private:
  struct Entry;
  struct Register;
  static Register& processwide() noexcept;
  OwnerLock(FileOps& ops, std::shared_ptr<Entry> entry) noexcept : ops_(&ops), entry_(std::move(entry)) {}

  FileOps* ops_;
  std::shared_ptr<Entry> entry_;
};

}  // namespace cairn::detail
