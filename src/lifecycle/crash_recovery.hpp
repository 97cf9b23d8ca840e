// What dead processes left in their crash rings, through the sinks of a logger that is being made.
#pragma once

#include <chrono>

#include "cairn/detail/capture_writer.hpp"
#include "dispatch/ring_checkpoints.hpp"
#include "pipeline/pipeline.hpp"
#include "ring/crash_ring.hpp"

namespace cairn::detail {

/// Before the logger is handed out: gives what was left in the folder of `ring` to the queues of `pipeline`, past
/// enrichers that must see the thread that logged, and waits until the sinks have delivered it; not for longer than
/// `patience`, after which the rest is left for the next start. So is what sinks refused, and all where there is no
/// memory. Tells errors() what was found.
void recover_rings(CrashRing& ring, RingCheckpoints& checkpoints, Pipeline& pipeline, const CaptureLimits& limits,
                   std::chrono::nanoseconds patience);

}  // namespace cairn::detail
