// The crash rings of one logger: a file for each of its threads, and where they are.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cairn/crash_ring.hpp"
#include "platform/per_process.hpp"
#include "platform/timed_lock.hpp"
#include "ring/ring_file.hpp"

namespace cairn::detail {

/// What may go into a name of a folder; never empty, `.` or `..`.
[[nodiscard]] std::string ring_application(const CrashRingOptions& options);

/// What the memory of rings is charged to.
struct RingAccount {
  bool (*charge)(std::size_t bytes) noexcept;
  void (*release)(std::size_t bytes) noexcept;
};

/// Thread-safe. A forked child has none of its parent's rings.
class CrashRing {
 public:
  /// Makes the folder. `tell` hears why there can be no ring; once, until there was one again.
  CrashRing(const CrashRingOptions& options, const RingAccount& account, std::function<void(std::string_view)> tell);

  /// Where the rings are; null: it could not be made.
  [[nodiscard]] const std::shared_ptr<RingFolder>& folder() const noexcept { return folder_; }
  [[nodiscard]] const std::string& boot_id() const noexcept { return boot_id_; }
  /// Makes a first ring, which tells whether there can be any. To be called once what others left is recovered: until
  /// then that may take the room.
  void make_first() noexcept;
  /// For a thread that logs from now on. Null: there is none to be had; after a while the next thread tries again.
  [[nodiscard]] std::shared_ptr<OwnRing> take() noexcept;
  /// Its thread is gone; what is in it stays until it is acknowledged, the next thread goes on behind it.
  void give_back(std::shared_ptr<OwnRing> ring) noexcept;
  /// Nothing more is written. Rings whose events are all acknowledged are removed, and with the last of them the
  /// folder; the others are left for the next start.
  void close() noexcept;

  struct Counts {
    std::string state;  // "on", or "disabled: " and why
    std::uint64_t overwritten = 0;
    std::uint64_t left_out = 0;
  };
  [[nodiscard]] Counts counts();

 private:
  struct Rings {
    TimedLock lock;
    std::shared_ptr<RingFolder> folder;  // null: as the process before it
    std::vector<std::shared_ptr<OwnRing>> all;
    std::vector<std::shared_ptr<OwnRing>> free;
    std::string problem;                                 // why none could be made; empty: the latest could
    std::chrono::steady_clock::time_point not_before{};  // none is made
  };
  [[nodiscard]] std::shared_ptr<OwnRing> make(std::string& problem);

  RingAccount account_;
  std::function<void(std::string_view)> tell_;
  std::string path_;
  std::shared_ptr<RingFolder> folder_;
  std::string boot_id_;
  std::size_t bytes_;
  PerProcess<Rings> rings_;
};

}  // namespace cairn::detail
