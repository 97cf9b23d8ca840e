#include "logger/logger_sink.hpp"

#include "pipeline/active_pipeline.hpp"
#include "pipeline/suppression.hpp"

namespace cairn::detail {

LoggerSink::LoggerSink(const Logger& target) : target_(LoggerState::borrow(*LoggerAccess::state(target))) {
  if (target_->root != nullptr) target_->root->add_writer();
}

LoggerSink::~LoggerSink() {
  if (target_->root != nullptr) target_->root->drop_writer();
}

EmitResult LoggerSink::emit(std::span<const Event> events) {
  EmitResult result;
  Root* root = target_->root;
  if (root == nullptr) return EmitResult::all(events);  // a silent logger takes everything
  for (const Event& event : events) {
    if (root->closed()) {
      result.error = std::make_error_code(std::errc::operation_canceled);
      return result;
    }
    if (ActivePipeline::contains(root->pipeline())) {  // loggers that write to each other
      root->refuse(Refusal::reentrant);
      result.error = std::make_error_code(std::errc::resource_deadlock_would_occur);
      return result;
    }
    ++result.emitted;
    // The next event that passes there tells it, which may not be this one.
    const std::uint64_t suppressed = suppressed_before(event);
    if (suppressed != 0) root->pipeline().note_suppressed(suppressed);
    if (!passes(event.level(), target_->threshold->load(std::memory_order_relaxed))) continue;
    // The target's own properties come after everything the event has.
    PropertyBlock extras;
    event.copy_enrichments(extras);
    if (suppressed != 0) set_suppressed_count(extras, 0);
    if (const std::size_t known = extras.append_missing(target_->parts->properties); known != 0)
      root->pipeline().note_duplicates(known);
    const ActivePipeline active(root->pipeline());
    root->pipeline().process(event.with_enrichments(extras), extras, *target_->parts);
  }
  return result;
}

}  // namespace cairn::detail
