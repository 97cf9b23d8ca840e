// The end of a root's sinks: what is on its way gets to them, they are drained and closed side by side, a fallback
// after the sink before it; who does not come back in time is left behind and named.
#pragma once

#include <memory>

#include "dispatch/lane_root.hpp"
#include "lifecycle/shutdown_sequence.hpp"
#include "pipeline/pipeline.hpp"

namespace cairn::detail {

/// Nothing new comes any more. Fills in the report's sinks, and its status where something did not end in time.
void close_sinks(ShutdownSequence& sequence, const std::shared_ptr<Pipeline>& pipeline,
                 const std::shared_ptr<LaneRoot>& lanes, ShutdownReport& report);

}  // namespace cairn::detail
