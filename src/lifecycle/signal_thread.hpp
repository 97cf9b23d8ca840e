// The thread that does what signal handlers ask for: reopening files, shutting down, logging.
#pragma once

#include <chrono>

namespace cairn::detail {

class Root;

/// SIGHUP has its sinks opened afresh, from now on. Throws std::system_error.
void reopen_on_sighup(Root& root);
/// The root is gone, or about to be.
void forget_on_sighup(Root& root) noexcept;
/// Logs what handlers have left to be logged. For one that cannot wait for the thread.
void log_messages_of_handlers() noexcept;
/// Has it logged, by another thread if there can be one, and waits for that, not longer than `until`.
void wait_for_messages_of_handlers(std::chrono::steady_clock::time_point until) noexcept;

}  // namespace cairn::detail
