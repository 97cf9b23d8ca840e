#include "lifecycle/crash_recovery.hpp"

#include <algorithm>
#include <mutex>
#include <string>
#include <vector>

#include "capture/event_parts.hpp"
#include "ring/ring_recovery.hpp"

namespace cairn::detail {

namespace {

using Steady = std::chrono::steady_clock;

/// Types of recovered values live for ever: whoever keeps a value keeps the address of its type.
void keep_for_ever(std::shared_ptr<RecoveredTypes> types) {
  static std::mutex mutex;
  static auto* const kept = new std::vector<std::shared_ptr<RecoveredTypes>>;
  const std::lock_guard lock(mutex);
  kept->push_back(std::move(types));
}

/// Events on their way into the queues.
class Replay {
 public:
  Replay(Pipeline& pipeline, const CaptureLimits& limits, Steady::time_point deadline)
      : pipeline_(pipeline), limits_(limits), deadline_(deadline) {
    for (const auto& sink : pipeline.sinks()) {
      for (SinkStage* stage = sink.get(); stage != nullptr; stage = stage->fallback()) stages_.push_back(stage);
    }
  }

  /// So many at a time have room in every queue, in whatever class they come.
  [[nodiscard]] std::size_t step() const {
    std::size_t least = 8192;
    for (SinkStage* stage : stages_) {
      if (stage->worker() != nullptr) least = std::min(least, stage->worker()->options().max_size / 8);
    }
    return std::max<std::size_t>(1, least);
  }

  void take(RecoveredEvent& event) {
    const RecordHeader& header = event.header();
    if (batch_ && !batch_->has_room(header.size())) hand_over();
    if (!batch_) {
      batch_ = EventBatch::make();
      bound_ = context_ = logger_ = nullptr;
    }
    pipeline_.note_recovered();
    RecordHeader* const record = batch_->add_record(header, header.size());
    // Neighbours mostly have them in common.
    keep(event.bound, bound_);
    keep(event.context, context_);
    keep(event.logger, logger_);
    PropertyBlock& extras = batch_->add_extras();
    extras = std::move(event.extras);
    const Event view(*record, *event.bound, event.context.get(), event.logger.get(), &extras, limits_.properties);
    static const LoggerParts no_parts;
    if (pipeline_.admit(view, extras, no_parts)) {
      batch_->add_event(view);
    } else {
      batch_->drop_record(header.size());
    }
  }

  /// False: the sinks have not taken it by the deadline.
  [[nodiscard]] bool settle() {
    hand_over();
    std::vector<std::uint64_t> begun;
    for (SinkStage* stage : stages_) begun.push_back(stage->begin_flush());
    for (std::size_t i = 0; i < stages_.size(); ++i) {
      const bool behind = i != 0 && stages_[i - 1]->fallback() == stages_[i];
      const SinkFlush flushed = stages_[i]->end_flush(behind ? stages_[i]->begin_flush() : begun[i], deadline_);
      if (flushed.status != FlushStatus::ok) {
        problem_ = "sink " + flushed.name + ": " + flushed.error;
        return false;
      }
    }
    return true;
  }
  [[nodiscard]] const std::string& problem() const noexcept { return problem_; }

 private:
  /// In the batch, if it is not what was kept last.
  void keep(const std::shared_ptr<const void>& side, const void*& last) {
    if (side.get() == last) return;
    batch_->keep(side);
    last = side.get();
  }
  void hand_over() {
    if (batch_ && !batch_->empty()) pipeline_.enqueue(batch_);
    batch_ = nullptr;
  }
  Pipeline& pipeline_;
  const CaptureLimits& limits_;
  Steady::time_point deadline_;
  std::vector<SinkStage*> stages_;
  std::shared_ptr<EventBatch> batch_;
  const void* bound_ = nullptr;  // what the batch keeps last of each kind
  const void* context_ = nullptr;
  const void* logger_ = nullptr;
  std::string problem_;
};

}  // namespace

std::uint64_t recover_rings(CrashRing& ring, Pipeline& pipeline, const CaptureLimits& limits,
                            std::chrono::nanoseconds patience) {
  if (!ring.folder()) return 0;
  RingRecovery recovery(ring.boot_id(), false);
  recovery.add_folder(ring.folder());
  for (std::size_t i = 0; i < recovery.count(); ++i) keep_for_ever(recovery.types(i));
  Replay replay(pipeline, limits, Steady::now() + patience);
  const RecoveryReport report =
      recovery.run([&](RecoveredEvent& event) { replay.take(event); }, [&] { return replay.settle(); }, replay.step());
  InternalErrors& errors = pipeline.errors();
  for (const std::string& left : report.left_alone) errors.report({"a crash ring is left alone: ", left});
  if (!replay.problem().empty()) {
    errors.report(
        {"what was left in crash rings could not be delivered, it stays for the next start (", replay.problem(), ")"});
  }
  if (report.damaged + report.overwritten + report.left_out != 0) {
    errors.report({"in crash rings, ", std::to_string(report.damaged), " entries were damaged; ",
                   std::to_string(report.overwritten), " events had been overwritten, ",
                   std::to_string(report.left_out), " had no room"});
  }
  return report.events;
}

}  // namespace cairn::detail
