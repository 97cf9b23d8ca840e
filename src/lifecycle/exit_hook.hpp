// What happens to loggers that are still open when the program exits: they are flushed and closed, once.
#pragma once

namespace cairn::detail {

class Root;

/// From now on `root` is closed when the program exits. Safe from every thread.
void close_at_exit(Root& root);
/// Closes them now, side by side, and waits for all: the longest of their timeouts, and no longer. What signal handlers
/// left to be logged comes before.
void close_all_now() noexcept;
/// The root was closed otherwise. Harmless for one that was never registered.
void forget_at_exit(Root& root) noexcept;

}  // namespace cairn::detail
