// What happens to loggers that are still open when the program exits: they are flushed and closed, once.
#pragma once

namespace cairn::detail {

class Root;

/// From now on `root` is closed when the program exits. Safe from every thread.
void close_at_exit(Root& root);
/// The root was closed otherwise. Harmless for one that was never registered.
void forget_at_exit(Root& root) noexcept;

}  // namespace cairn::detail
