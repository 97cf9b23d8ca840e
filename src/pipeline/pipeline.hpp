// What happens to an event between its record and its sinks: enrichers, filters, then each sink. Knows sinks only as
// stages.
#pragma once

#include <algorithm>
#include <atomic>
#include <memory>
#include <span>
#include <vector>

#include "cairn/enrichers.hpp"
#include "cairn/filters.hpp"
#include "cairn/top_talkers.hpp"
#include "capture/property_block.hpp"
#include "pipeline/call_ledger.hpp"
#include "pipeline/emergency_output.hpp"
#include "pipeline/internal_errors.hpp"
#include "pipeline/logger_parts.hpp"
#include "pipeline/sink_stage.hpp"

namespace cairn::detail {

class Pipeline {
 public:
  Pipeline(std::vector<Enricher> enrichers, std::vector<Filter> filters,
           std::function<void(std::string_view)> on_internal_error, Clock& clock)
      : enrichers_(std::move(enrichers)),
        filters_(std::move(filters)),
        errors_(std::move(on_internal_error), clock),
        clock_(clock),
        emergency_(clock) {}

  /// Runs one event through, on the thread it comes from. `extras` is the block the event looks into for enrichers'
  /// properties. The logger's own enrichers and filters come after the root's.
  void process(const Event& event, PropertyBlock& extras, const LoggerParts& own) noexcept;

  // ---- the same in parts, for events that come from lanes. Whoever brings them counts what was captured.
  /// On the thread that logs: the enrichers that must run there. False: there is none.
  [[nodiscard]] bool enriches_at_capture(const LoggerParts& own) const noexcept {
    return !enrichers_.at_capture().empty() || !own.enrichers.at_capture().empty();
  }
  void enrich_at_capture(const Event& event, PropertyBlock& extras, const LoggerParts& own) noexcept;
  /// The other enrichers, and filters. False: a filter stopped it.
  [[nodiscard]] bool admit(const Event& event, PropertyBlock& extras, const LoggerParts& own) noexcept;
  /// Would admit() pass every event of that logger as it is?
  [[nodiscard]] bool plain(const LoggerParts& own) const noexcept {
    return enrichers_.on_delivery().empty() && filters_.empty() && own.enrichers.on_delivery().empty() &&
           own.filters.empty() && untold_.load(std::memory_order_relaxed) == 0;
  }
  /// What admit() counts, for an event that passes as it is; but for that it passed, which count_dispatched() counts
  /// of many at a time.
  void note_plain(const Event& event) noexcept;
  void count_dispatched(std::uint64_t count) noexcept { dispatched_.fetch_add(count, std::memory_order_relaxed); }
  /// Events that were captured and are lost: overwritten in a lane before they were read, or for want of memory.
  void note_overrun(std::uint64_t count) noexcept;
  /// Properties that were left out of an event before it came here.
  void note_duplicates(std::uint64_t count) noexcept {
    duplicate_properties_.fetch_add(count, std::memory_order_relaxed);  // read for metrics only
  }
  /// An event of a dead process, which admit() gets next.
  void note_recovered() noexcept { recovered_.fetch_add(1, std::memory_order_relaxed); }
  /// A filter of one of its sinks threw.
  void note_filter_error() const noexcept { filter_errors_.fetch_add(1, std::memory_order_relaxed); }
  /// What an event told of suppressed ones that comes here from another logger: the next that passes tells it here.
  void note_suppressed(std::uint64_t count) noexcept { untold_.fetch_add(count, std::memory_order_relaxed); }
  void note_lost(std::uint64_t count) noexcept { lost_.fetch_add(count, std::memory_order_relaxed); }
  /// Events that were captured and given up in their lane for want of memory.
  void note_given_up(std::uint64_t count) noexcept;
  /// A call for whose event there was no memory in the budget: counted as captured and dropped.
  void note_no_memory() noexcept;
  /// An event went to the sinks, and then there was no memory to bring it there.
  void lose_dispatched() noexcept;
  /// Puts admitted events into the queues of the sinks that take them; every sink is queued.
  void enqueue(const std::shared_ptr<const EventBatch>& batch) noexcept;
  /// The thread that is in enqueue(), if one is, crashed in a sink's filter and stands still: the rest of what it was
  /// at, without such filters.
  void finish_enqueue() noexcept;
  /// As the program dies in one of them.
  void skip_filters_of_sinks() noexcept {
    for (const auto& sink : sinks_) sink->skip_filter();
  }
  /// Has one of them a filter of its own, which enqueue() asks?
  [[nodiscard]] bool sinks_filter() const noexcept {
    return std::any_of(sinks_.begin(), sinks_.end(), [](const auto& sink) { return sink->filters(); });
  }

  /// What its queues, and large records in its lanes, hold that is not dropped for want of memory. Null: none of its
  /// sinks blocks.
  [[nodiscard]] const std::shared_ptr<HeldShare>& held() const noexcept { return held_; }
  [[nodiscard]] const std::shared_ptr<HeldShare>& held_in_lanes() const noexcept { return held_in_lanes_; }

  /// The sinks are all there; `keeper` is this pipeline, which their workers keep.
  void start(const std::weak_ptr<void>& keeper);
  [[nodiscard]] std::vector<std::unique_ptr<SinkStage>>& sinks() noexcept { return sinks_; }
  [[nodiscard]] const std::vector<std::unique_ptr<SinkStage>>& sinks() const noexcept { return sinks_; }
  [[nodiscard]] InternalErrors& errors() noexcept { return errors_; }
  [[nodiscard]] Clock& clock() noexcept { return clock_; }
  [[nodiscard]] EmergencyOutput& emergency() noexcept { return emergency_; }
  void counts_into(LoggerCounts& counts) const;

  // ---- the most frequent templates
  /// Before the first event: keeps count of them.
  void keep_talkers() { talkers_ = std::make_unique<TalkerList>(); }
  /// Of what was dispatched; none where nobody keeps count.
  [[nodiscard]] std::vector<Talker> top_talkers(std::size_t most) const;
  void reset_talkers() noexcept;

  // ---- when the program dies
  /// Before what a sink does not take goes somewhere from which nobody gets it back.
  void note_death() noexcept { dies_.store(true, std::memory_order_relaxed); }  // whoever goes by it comes later
  [[nodiscard]] bool dies() const noexcept { return dies_.load(std::memory_order_relaxed); }
  /// By the thread that delivers: an event came to its end and is nowhere. What a crash ring has of it, and of what
  /// comes after it, stays there.
  void note_unwritten() const noexcept { unwritten_.store(true, std::memory_order_relaxed); }
  [[nodiscard]] bool has_unwritten() const noexcept { return unwritten_.load(std::memory_order_relaxed); }

  // ---- around a fork, by the thread that forks; each sink calls them. In the child all is counted from 0.
  void before_fork(std::chrono::steady_clock::time_point deadline) const noexcept;
  void after_fork(bool child) const noexcept;
  /// Guards what snapshots are made with; free in a process just forked.
  [[nodiscard]] TimedLock& snapshot_lock() const noexcept { return snapshot_lock_; }

 private:
  struct TalkerList {
    TimedLock mutex;
    TopTalkers talkers;
    void record(std::span<const Event> events, std::uint64_t weight) noexcept;
  };
  /// The part of admit() that counts nothing.
  [[nodiscard]] bool decide(const Event& event, PropertyBlock& extras, const LoggerParts& own) noexcept;
  /// An event passes: it tells `count` suppressed ones, and those that nobody told before.
  void tell_suppressed(PropertyBlock& extras, std::uint64_t count) noexcept;
  void count_losses(const Event& event) noexcept;
  void enrich(const Event& event, PropertyBlock& extras, const std::vector<Enricher>& enrichers) noexcept {
    for (const Enricher& enricher : enrichers) run(event, extras, enricher);
  }
  void run(const Event& event, PropertyBlock& extras, const Enricher& enricher) noexcept;
  [[nodiscard]] bool passes(const Event& event, const Filter& filter) noexcept;

  EnricherList enrichers_;
  std::vector<Filter> filters_;
  mutable std::atomic<std::uint64_t> untold_{0};  // suppressed events; relaxed: a number by itself, mostly 0
  InternalErrors errors_;
  Clock& clock_;
  mutable EmergencyOutput emergency_;
  std::shared_ptr<HeldShare> held_;
  std::shared_ptr<HeldShare> held_in_lanes_;

  std::unique_ptr<TalkerList> talkers_;
  const std::shared_ptr<const EventBatch>* enqueued_ = nullptr;  // null: nobody is in enqueue()
  std::size_t enqueued_into_ = 0;                                // the sink that it is at
  mutable TimedLock snapshot_lock_;
  std::atomic<bool> dies_{false};
  mutable std::atomic<bool> unwritten_{false};
  mutable bool held_for_fork_ = false;  // these two locks
  mutable bool talkers_held_for_fork_ = false;
  mutable CallLedger calls_;                       // of events that callers bring through themselves
  std::vector<std::unique_ptr<SinkStage>> sinks_;  // the first to go: until then each has a fork look at the above
  // Of events from lanes, and of all. relaxed throughout: counters, read for metrics only.
  mutable std::atomic<std::uint64_t> dispatched_{0};
  mutable std::atomic<std::uint64_t> filtered_{0};
  mutable std::atomic<std::uint64_t> truncated_{0};
  mutable std::atomic<std::uint64_t> duplicate_properties_{0};
  mutable std::atomic<std::uint64_t> enricher_errors_{0};
  mutable std::atomic<std::uint64_t> filter_errors_{0};
  mutable std::atomic<std::uint64_t> ignored_formats_{0};
  mutable std::atomic<std::uint64_t> lost_{0};
  mutable std::atomic<std::uint64_t> given_up_{0};
  mutable std::atomic<std::uint64_t> no_memory_{0};
  mutable std::atomic<std::uint64_t> recovered_{0};
  mutable std::atomic<std::uint64_t> mismatched_arguments_{0};
};

}  // namespace cairn::detail
