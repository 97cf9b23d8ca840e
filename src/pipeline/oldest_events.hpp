// What goes first where memory is short: the oldest events of all sinks' queues.
#pragma once

namespace cairn::detail {

/// Drops the oldest events there are in queues, as many as stand in one batch, from every queue that has them first;
/// each is counted in its sink as `memory_limit`, and told. Queues that block keep theirs. False: there was nothing to
/// drop. Takes the locks of queues, which nobody holds for long; waits for no sink.
bool drop_oldest_queued_events() noexcept;

}  // namespace cairn::detail
