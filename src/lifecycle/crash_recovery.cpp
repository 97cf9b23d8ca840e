#include "lifecycle/crash_recovery.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "cairn/detail/fork_mutex.hpp"
#include "platform/made_once.hpp"
#include "ring/ring_recovery.hpp"

namespace cairn::detail {

namespace {

using Steady = std::chrono::steady_clock;

/// Types of recovered values live for ever: whoever keeps a value keeps the address of its type.
void keep_for_ever(std::shared_ptr<RecoveredTypes> types) {
  struct Kept {
    ForkMutex mutex;
    std::vector<std::shared_ptr<RecoveredTypes>> types;
  };
  static constinit MadeOnce<Kept> made;
  const std::lock_guard lock(made.get().mutex);
  made.get().types.push_back(std::move(types));
}

/// What sinks lost of what is recovered. Nobody else logs meanwhile.
class Losses {
 public:
  explicit Losses(const Pipeline& pipeline) : pipeline_(pipeline), before_(count()) {}
  /// Of an event that came to no sink.
  void note() noexcept { noted_.fetch_add(1, std::memory_order_relaxed); }
  /// From every thread. What a worker counted before it said that it has settled something is in it.
  [[nodiscard]] std::uint64_t so_far() const { return count() - before_ + noted_.load(std::memory_order_relaxed); }
  /// Nor will there be any that nobody counts: as the program dies, what a sink does not take goes to the crash file.
  [[nodiscard]] bool none() const { return so_far() == 0 && !pipeline_.dies(); }

 private:
  [[nodiscard]] std::uint64_t count() const {
    std::vector<SinkCounts> stages;
    for (const auto& sink : pipeline_.sinks()) sink->counts_into(stages);
    std::uint64_t sum = 0;
    for (const SinkCounts& stage : stages) sum += stage.failed_total() + stage.dropped_total();
    return sum;
  }
  const Pipeline& pipeline_;
  const std::uint64_t before_;
  std::atomic<std::uint64_t> noted_{0};  // relaxed: it guards nothing
};

/// A ring of which nothing more is acknowledged once a sink has lost something, or the program dies: it comes again.
class RingUnlessLost final : public AcknowledgedRing {
 public:
  RingUnlessLost(std::shared_ptr<AcknowledgedRing> ring, std::shared_ptr<Losses> losses)
      : ring_(std::move(ring)), losses_(std::move(losses)) {}
  void acknowledge(std::uint64_t number) noexcept override {
    try {
      if (losses_->none()) ring_->acknowledge(number);
    } catch (...) {  // no memory: some come again
    }
  }

 private:
  std::shared_ptr<AcknowledgedRing> ring_;
  std::shared_ptr<Losses> losses_;
};

constexpr std::size_t most_in_batch = 480;  // what is delivered is acknowledged in such steps
constexpr std::size_t most_known = 64;      // parts that a batch is known to keep

/// Events on their way into the queues. A part of them is on its way while the next is read; there is room for two in
/// every queue, in whatever class they come, so that none is dropped for another.
class Replay {
 public:
  Replay(RingRecovery& recovery, RingCheckpoints& checkpoints, Pipeline& pipeline, const CaptureLimits& limits,
         Steady::time_point deadline)
      : recovery_(recovery), checkpoints_(checkpoints), pipeline_(pipeline), limits_(limits), deadline_(deadline) {
    for (const auto& sink : pipeline.sinks()) {
      if (SinkWorker* const worker = sink->worker(); worker != nullptr && worker->credit() != nullptr)
        blocking_.push_back(worker->credit());
      for (SinkStage* stage = sink.get(); stage != nullptr; stage = stage->fallback()) {
        stages_.push_back(stage);
        if (stage->worker() == nullptr) continue;
        const QueueOptions& options = stage->worker()->options();
        part_ = std::min(part_, (options.protect_level ? options.max_size / 8 : options.max_size) / 2);
        most_bytes_ = std::min(most_bytes_, stage->worker()->memory_limit());
      }
    }
    part_ = std::max<std::size_t>(part_, 1);
  }

  /// How many events are a part.
  [[nodiscard]] std::size_t part() const noexcept { return part_; }

  void take(RecoveredEvent& event) {
    if (!problem_.empty()) return;  // it comes again with the next start
    pipeline_.note_recovered();
    if (!make_room_for(event)) {
      losses_->note();
      return pipeline_.note_given_up(1);
    }
    const RecordHeader& header = event.header();
    RecordHeader* const record = batch_->add_record(header, header.size());
    keep(event.bound);
    keep(event.context);
    keep(event.logger);
    if (pipeline_.plain(no_parts())) {
      keep(event.extras);
      const Event view(*record, *event.bound, event.context.get(), event.logger.get(), event.extras.get(),
                       limits_.properties);
      pipeline_.note_plain(view);
      pipeline_.count_dispatched(1);
      return add(view);
    }
    PropertyBlock& extras = batch_->add_extras();
    extras = *event.extras;
    const Event view(*record, *event.bound, event.context.get(), event.logger.get(), &extras, limits_.properties);
    if (!pipeline_.admit(view, extras, no_parts())) return batch_->drop_record(header.size());
    if (!batch_->charge_extras(extras)) {
      batch_->drop_record(header.size());
      losses_->note();
      return pipeline_.lose_dispatched();
    }
    add(view);
  }

  /// Waits until the sinks have delivered the part before the latest, or all. False: they have not by the deadline.
  [[nodiscard]] bool settle(bool all) {
    hand_over();
    if (problem_.empty() && !under_way_.empty()) finish(std::exchange(under_way_, {}));
    bytes_ = 0;
    if (problem_.empty()) {
      for (SinkStage* stage : stages_) under_way_.push_back(stage->begin_flush(deadline_));
      if (all) finish(std::exchange(under_way_, {}));
    }
    return problem_.empty();
  }
  /// At the end: did the sinks take it all? What comes after an event that one did not take is delivered all the same,
  /// so that a sink which takes everything does not wait for one that never will.
  [[nodiscard]] bool took_all() {
    const std::uint64_t lost = losses_->so_far();
    if (lost != 0 && problem_.empty()) problem_ = std::to_string(lost) + " events were refused or dropped by sinks";
    return losses_->none();
  }
  /// Why the sinks have not taken it; or nothing.
  [[nodiscard]] const std::string& problem() const noexcept { return problem_; }

 private:
  static const LoggerParts& no_parts() {
    static constinit MadeOnce<LoggerParts> made;
    return made.get();
  }
  void add(const Event& event) {
    batch_->add_event(event);
    if (most_bytes_ != SIZE_MAX) bytes_ += EventBatch::cost(event);
  }
  /// In the batch, if it is not known to be there: events that are near each other mostly have their parts in common.
  template <class Side>
  void keep(const std::shared_ptr<const Side>& side) {
    const void*& known = kept_[slot_of(side.get())];
    if (side.get() == known) return;
    batch_->keep(side);
    known = side.get();
  }
  [[nodiscard]] bool keeps(const PropertyBlock* side) const noexcept { return kept_[slot_of(side)] == side; }
  [[nodiscard]] static std::size_t slot_of(const void* side) noexcept {
    return reinterpret_cast<std::uintptr_t>(side) / alignof(std::max_align_t) % most_known;
  }
  /// A batch with room for it, and its context and what enrichers may add charged. False: the memory budget has none,
  /// though all before it is delivered.
  [[nodiscard]] bool make_room_for(const RecoveredEvent& event) {
    const std::size_t size = event.header().size();
    if (bytes_ > most_bytes_ / 2) (void)settle(true);
    if (batch_ && (batch_->size() == most_in_batch || !batch_->has_room(size) || !charge(event))) hand_over();
    if (batch_) return true;
    // What is in the queues would be reclaimed for it, as the oldest there is.
    if (process_memory().max_bytes() != MemoryBudget::unlimited) (void)settle(true);
    batch_ = EventBatch::make(size, pipeline_.held());
    kept_.fill(nullptr);
    if (batch_ && !charge(event)) batch_ = nullptr;
    return batch_ != nullptr;
  }
  [[nodiscard]] bool charge(const RecoveredEvent& event) {
    const auto charged = [&](const std::shared_ptr<const PropertyBlock>& side) {
      return !side || keeps(side.get()) || batch_->charge_side(EventBatch::side_bytes(*side));
    };
    return charged(event.context) && charged(event.logger) && charged(event.extras) && batch_->charge_ahead();
  }
  void hand_over() {
    std::shared_ptr<EventBatch> batch = std::exchange(batch_, nullptr);
    if (!batch || batch->empty() || !problem_.empty()) return;
    const std::size_t bytes = EventBatch::cost(batch->events());
    for (std::size_t i = 0; i < blocking_.size(); ++i) {
      if (take(*blocking_[i], batch->size(), bytes)) continue;
      while (i-- != 0) blocking_[i]->give(batch->size(), bytes);
      problem_ = "there is no room in the queue of a sink that blocks";
      return;
    }
    checkpoints_.around([&] { pipeline_.enqueue(batch); },
                        [&] {
                          std::vector<RingCheckpoints::Position> positions;
                          recovery_.progress([&](std::shared_ptr<AcknowledgedRing> ring, std::uint64_t number) {
                            positions.push_back({unless_lost(std::move(ring)), number});
                          });
                          return positions;
                        });
  }
  /// One for each ring.
  [[nodiscard]] std::shared_ptr<AcknowledgedRing> unless_lost(std::shared_ptr<AcknowledgedRing> ring) {
    std::shared_ptr<RingUnlessLost>& known = rings_[ring.get()];
    if (!known) known = std::make_shared<RingUnlessLost>(std::move(ring), losses_);
    return known;
  }
  /// What callers would have taken, or nothing. False: there was too little by the deadline.
  [[nodiscard]] bool take(Credit& credit, std::size_t places, std::size_t bytes) const {
    std::uint64_t taken = 0;
    for (std::uint64_t more = 1; more != 0 && taken < places; taken += more)
      more = credit.take(places - taken, deadline_, Credit::For::the_protected);
    if (taken == places && (credit.bytes() == nullptr || credit.bytes()->take(bytes, deadline_))) return true;
    credit.give(taken);
    return false;
  }
  /// A fallback after the sink that may still hand something on to it.
  void finish(const std::vector<std::uint64_t>& begun) {
    for (std::size_t i = 0; i < stages_.size() && problem_.empty(); ++i) {
      const bool behind = i != 0 && stages_[i - 1]->fallback() == stages_[i];
      const SinkFlush flushed =
          stages_[i]->end_flush(behind ? stages_[i]->begin_flush(deadline_) : begun[i], deadline_);
      if (flushed.status != FlushStatus::ok) problem_ = "sink " + flushed.name + ": " + flushed.error;
    }
  }

  RingRecovery& recovery_;
  RingCheckpoints& checkpoints_;
  Pipeline& pipeline_;
  const CaptureLimits& limits_;
  Steady::time_point deadline_;
  std::shared_ptr<Losses> losses_ = std::make_shared<Losses>(pipeline_);
  std::unordered_map<const AcknowledgedRing*, std::shared_ptr<RingUnlessLost>> rings_;
  std::vector<SinkStage*> stages_;
  std::vector<Credit*> blocking_;
  std::size_t part_ = 8192;
  std::size_t most_bytes_ = SIZE_MAX;  // of two parts
  std::size_t bytes_ = 0;
  std::vector<std::uint64_t> under_way_;  // flushes of the part before, one a stage
  std::shared_ptr<EventBatch> batch_;
  std::array<const void*, most_known> kept_{};  // by the batch; no more than one of those that share a place
  std::string problem_;
};

}  // namespace

void recover_rings(CrashRing& ring, RingCheckpoints& checkpoints, Pipeline& pipeline, const CaptureLimits& limits,
                   std::chrono::nanoseconds patience) try {
  if (!ring.folder()) return;
  RingRecovery recovery(ring.boot_id(), RingRecovery::Use::start);
  recovery.add_folder(ring.folder());
  for (std::size_t i = 0; i < recovery.count(); ++i) keep_for_ever(recovery.types(i));
  Replay replay(recovery, checkpoints, pipeline, limits, Steady::now() + patience);
  const RecoveryReport report =
      recovery.run([&](RecoveredEvent& event) { replay.take(event); },
                   [&](bool all) { return replay.settle(all) && (!all || replay.took_all()); }, replay.part());
  if (pipeline.dies()) return;  // on this very event, perhaps: all of it comes again, and this attempt counts
  InternalErrors& errors = pipeline.errors();
  for (const std::string& left : report.left_alone) errors.report({"a crash ring is left alone: ", left});
  for (const std::string& name : report.set_aside) {
    errors.report_always({"a crash ring is set aside, as start after start could not deliver it, or ended at it: ",
                          name, " (cairn-recover reads it)"});
  }
  if (!replay.problem().empty()) {
    if (replay.took_all()) {
      recovery.forget_attempt();  // what keeps a sink waiting may pass
    } else {
      recovery.note_refusal();
    }
    errors.report_always(
        {"what was left in crash rings could not be delivered, it stays for the next start (", replay.problem(), ")"});
  }
  if (report.damaged + report.overwritten + report.left_out != 0) {
    errors.report({"in crash rings, ", std::to_string(report.damaged), " entries were damaged; ",
                   std::to_string(report.overwritten), " events had been overwritten, ",
                   std::to_string(report.left_out), " had no room"});
  }
} catch (const std::bad_alloc&) {
  pipeline.errors().report(
      {"there is no memory to recover crash rings, what is left in them stays for the next start"});
}

}  // namespace cairn::detail
