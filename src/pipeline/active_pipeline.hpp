// Which pipelines the calling thread is inside of: what a sink, a filter or an enricher logs to the root it serves is
// refused, or it would go round for ever.
#pragma once

#include "capture/thread_state.hpp"

namespace cairn::detail {

class Pipeline;

/// Marks the calling thread as inside of a pipeline, as long as it lives.
class ActivePipeline {
 public:
  explicit ActivePipeline(const Pipeline& pipeline) noexcept;
  /// The same for who has the calling thread's state at hand.
  ActivePipeline(const Pipeline& pipeline, ThreadState* thread) noexcept;
  ActivePipeline(const ActivePipeline&) = delete;
  ActivePipeline& operator=(const ActivePipeline&) = delete;
  ~ActivePipeline() {
    if (thread_ != nullptr) --thread_->active_count;
  }
  [[nodiscard]] static bool contains(const Pipeline& pipeline) noexcept;
  [[nodiscard]] static bool contains(const Pipeline& pipeline, const ThreadState& thread) noexcept;

 private:
  ThreadState* thread_ = nullptr;  // null: not entered
};

}  // namespace cairn::detail
