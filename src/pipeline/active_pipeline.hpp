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
    if (thread_ != nullptr) thread_->inside_of = outer_;
  }
  [[nodiscard]] static bool contains(const Pipeline& pipeline) noexcept;
  [[nodiscard]] static bool contains(const Pipeline& pipeline, const ThreadState& thread) noexcept;

 private:
  const Pipeline* const pipeline_;
  ThreadState* const thread_;  // null: not entered
  const ActivePipeline* const outer_;
};

}  // namespace cairn::detail
