#include "pipeline/active_pipeline.hpp"

#include <atomic>

namespace cairn::detail {

ActivePipeline::ActivePipeline(const Pipeline& pipeline) noexcept : ActivePipeline(pipeline, thread_state()) {}

ActivePipeline::ActivePipeline(const Pipeline& pipeline, ThreadState* thread) noexcept
    : pipeline_(&pipeline), thread_(thread), outer_(thread == nullptr ? nullptr : thread->inside_of) {
  if (thread == nullptr) return;
  std::atomic_signal_fence(std::memory_order_release);  // a signal handler that logs sees it whole
  thread->inside_of = this;
  ThreadState::close_window();  // the next call looks whether it may
}

bool ActivePipeline::contains(const Pipeline& pipeline) noexcept {
  const ThreadState* thread = thread_state();
  return thread != nullptr && contains(pipeline, *thread);
}

bool ActivePipeline::contains(const Pipeline& pipeline, const ThreadState& thread) noexcept {
  for (const ActivePipeline* at = thread.inside_of; at != nullptr; at = at->outer_) {
    if (at->pipeline_ == &pipeline) return true;
  }
  return false;
}

}  // namespace cairn::detail
