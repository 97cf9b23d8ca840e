// Sinks across a fork: the thread that forks waits until no other is inside of one, 10 ms at most, so that the child
// finds them whole and unlocked. What was on its way stays the parent's.
#pragma once

#include <functional>
#include <span>

namespace cairn::detail {

class SinkStage;

/// From its making to its end, a stage is told of forks.
void guard_against_forks(SinkStage& stage);
void forget_in_forks(SinkStage& stage) noexcept;
/// Calls `f` with all of these; none comes or goes meanwhile, and no process is forked.
void with_all_stages(const std::function<void(std::span<SinkStage* const>)>& f);

}  // namespace cairn::detail
