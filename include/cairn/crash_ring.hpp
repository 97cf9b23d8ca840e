// What survives a SIGKILL: see Configuration::with_crash_ring and docs/crash-ring.md.
#pragma once

#include <cstdint>
#include <string>

namespace cairn {

/// Where a logger keeps what its sinks have not delivered yet, and how much of it.
struct CrashRingOptions {
  /// Names the folder `<folder>/<application>-<uid>`; what runs under one name recovers what was left under it.
  /// Letters, digits, `.`, `_` and `-`. Empty: the program's file name. Two loggers of one program that write to
  /// different sinks need different names.
  std::string application{};
  /// Where that folder is made (mode 0700). Memory, best: a disk would be written to all the time.
  std::string folder = "/dev/shm";
  /// Of each thread that logs, taken at its first event: 192 KiB to 1 GiB. Its newest events that no sink has delivered
  /// fit in seven eighths of it; older ones are overwritten, counted. An event may have an eighth.
  std::uint64_t thread_bytes = 4U << 20U;
};

}  // namespace cairn
