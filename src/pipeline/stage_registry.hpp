// Every sink of the process, for what has to look at all of them.
#pragma once

#include <functional>
#include <span>

namespace cairn::detail {

class SinkStage;

/// From its making to its end a stage is listed.
void list_stage(SinkStage& stage);
void unlist_stage(SinkStage& stage) noexcept;
/// Calls `f` with all of these; none comes or goes meanwhile, and no process is forked.
void with_all_stages(const std::function<void(std::span<SinkStage* const>)>& f);

}  // namespace cairn::detail
