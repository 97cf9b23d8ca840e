#include "pipeline/active_pipeline.hpp"

#include <algorithm>
#include <iterator>

namespace cairn::detail {

ActivePipeline::ActivePipeline(const Pipeline& pipeline) noexcept : ActivePipeline(pipeline, thread_state()) {}

ActivePipeline::ActivePipeline(const Pipeline& pipeline, ThreadState* thread) noexcept {
  if (thread == nullptr || thread->active_count == std::size(thread->active_pipelines)) return;
  thread->active_pipelines[thread->active_count++] = &pipeline;
  thread_ = thread;
  ThreadState::close_window(WriteWindow::inside_pipeline);  // the next call looks whether it may
}

bool ActivePipeline::contains(const Pipeline& pipeline) noexcept {
  const ThreadState* thread = thread_state();
  return thread != nullptr && contains(pipeline, *thread);
}

bool ActivePipeline::contains(const Pipeline& pipeline, const ThreadState& thread) noexcept {
  const auto* end = thread.active_pipelines + thread.active_count;
  return std::find(thread.active_pipelines, end, static_cast<const void*>(&pipeline)) != end;
}

}  // namespace cairn::detail
