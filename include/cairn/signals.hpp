// What may be called in a signal handler, and from where it is worked off.
//
//   cairn::start_signal_thread();                                     // once, outside of handlers
//   std::signal(SIGTERM, [](int) { cairn::request_shutdown_from_signal(); });
//   std::signal(SIGUSR1, [](int) { (void)cairn::log_signal_safe(cairn::Level::warning, "Asked for a dump"); });
//
// The two take no lock, allocate nothing, and may interrupt anything, a log call included.
#pragma once

#include <cstdint>
#include <string>

#include "cairn/level.hpp"
#include "cairn/logger.hpp"

namespace cairn {

/// Starts the thread that does what handlers ask for, if there is none. Configuration::reopen_on_sighup() does so
/// too; handle_fatal_signals() does not. Throws std::system_error. A forked child calls it anew.
void start_signal_thread();

/// Logs `text`, a literal without holes, to the process-wide logger, from the signal thread a moment later: the event's
/// time is that of its delivery. Without that thread it waits for it, for close_and_flush() or for the exit. False: 64
/// wait already; how many were lost so is logged with the next.
[[nodiscard]] bool log_signal_safe(Level level, Template<> text) noexcept;

/// Has every logger shut down as at exit, by the signal thread. The handler does not wait for it. False: there is no
/// such thread.
bool request_shutdown_from_signal() noexcept;

/// See Configuration::handle_fatal_signals.
struct FatalSignalOptions {
  /// Takes, as CLEF, the events of a queued sink that crashed or does not take them, if it has no fallback; empty:
  /// stderr. Opened when the logger is made.
  std::string crash_file{};
};

}  // namespace cairn
