#include "logger/logger_sink.hpp"

#include <utility>

#include "pipeline/active_pipeline.hpp"
#include "pipeline/suppression.hpp"
#include "platform/held_by_thread.hpp"

namespace cairn::detail {

LoggerSink::LoggerSink(const Logger& target) : target_(LoggerState::borrow(*LoggerAccess::state(target))) {
  if (target_->root != nullptr) target_->root->add_writer();
}

LoggerSink::~LoggerSink() {
  if (target_->root != nullptr) target_->root->drop_writer();
}

namespace {
/// The calling thread is at something of the target's that this call would have to wait for: the loggers write to each
/// other, or a signal handler logs to this one while its thread flushes or reopens the target, or puts an event into
/// its lane there.
bool would_wait_for_itself(Root& root) noexcept {
  if (ActivePipeline::contains(root.pipeline()) || HeldByThread::contains(&root.pipeline())) return true;
  const ThreadState* const thread = current_thread_state;
  return root.lanes() && thread != nullptr && thread->in_slow_path;
}
}  // namespace

EmitResult LoggerSink::emit(std::span<const Event> events) {
  EmitResult result;
  Root* root = target_->root;
  if (root == nullptr) return EmitResult::all(events);  // a silent logger takes everything
  for (const Event& event : events) {
    if (root->closed()) {
      result.error = std::make_error_code(std::errc::operation_canceled);
      return result;
    }
    if (would_wait_for_itself(*root)) {
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

namespace {
/// What a flush or reopening of the target came to.
RelayingSink::Relayed outcome(const FlushResult& result) noexcept {
  RelayingSink::Relayed relayed;
  if (result.status == FlushStatus::ok) return relayed;
  try {
    relayed.what = "the target logger: ";
    if (result.status == FlushStatus::would_deadlock) {
      relayed.error = std::make_error_code(std::errc::resource_deadlock_would_occur);
      relayed.what += "this very thread is at work for it, to wait for it would be a deadlock";
      return relayed;
    }
    relayed.error =
        std::make_error_code(result.status == FlushStatus::timed_out ? std::errc::timed_out : std::errc::io_error);
    bool first = true;
    for (const SinkFlush& sink : result.sinks) {
      if (sink.status == FlushStatus::ok) continue;
      if (!std::exchange(first, false)) relayed.what += "; ";
      relayed.what +=
          "sink " + sink.name + ": " + (sink.error.empty() ? "there was no time, or no memory" : sink.error);
    }
    if (first) relayed.what += "there was no memory";
  } catch (...) {  // and so there was none for the text
    if (!relayed.error) relayed.error = std::make_error_code(std::errc::not_enough_memory);
  }
  return relayed;
}
}  // namespace

RelayingSink::Relayed LoggerSink::flush_behind(std::chrono::steady_clock::time_point deadline) noexcept {
  if (target_->root == nullptr) return {};
  // What came by this way went through none of its lanes.
  return outcome(target_->root->flush(deadline, Root::FlushOf::sinks));
}

RelayingSink::Relayed LoggerSink::flush_unasked() noexcept {
  if (target_->root == nullptr) return {};
  constexpr auto patience = std::chrono::milliseconds(100);  // for a sink that another thread is inside of
  return outcome(target_->root->flush(std::chrono::steady_clock::now() + patience, Root::FlushOf::synchronous_sinks));
}

std::error_code LoggerSink::reopen() {
  problem_ = {};
  if (target_->root == nullptr || target_->root->closed()) return {};  // it has no file open
  Relayed relayed = outcome(target_->root->reopen(reopen_waits));
  problem_ = relayed.error;
  problem_text_ = std::move(relayed.what);
  return relayed.error;
}

std::string LoggerSink::describe(std::error_code error) const {
  return error == problem_ && !problem_text_.empty() ? problem_text_ : error.message();
}

}  // namespace cairn::detail
