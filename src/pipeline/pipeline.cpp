#include "pipeline/pipeline.hpp"

#include "capture/event_parts.hpp"
#include "pipeline/active_pipeline.hpp"
#include "pipeline/suppression.hpp"
#include "template/bound_template.hpp"

namespace cairn::detail {

void Pipeline::run(const Event& event, PropertyBlock& extras, const Enricher& enricher) noexcept {
  try {
    EventBuilder builder(event, extras);
    enricher(builder);
  } catch (...) {
    enricher_errors_.fetch_add(1, std::memory_order_relaxed);
    char what[256];
    current_exception_text(what);
    errors_.report({"an enricher threw, the event goes on without what it would have added: ", what});
  }
}

void Pipeline::enrich_at_capture(const Event& event, PropertyBlock& extras, const LoggerParts& own) noexcept {
  enrich(event, extras, enrichers_.at_capture());
  enrich(event, extras, own.enrichers.at_capture());
}

bool Pipeline::passes(const Event& event, const Filter& filter) noexcept {
  try {
    return filter(event);
  } catch (...) {
    filter_errors_.fetch_add(1, std::memory_order_relaxed);
    char what[256];
    current_exception_text(what);
    errors_.report({"a filter threw, the event passes: ", what});
    return true;
  }
}

void Pipeline::process(const Event& event, PropertyBlock& extras, const LoggerParts& own) noexcept {
  CallLedger::Call call(calls_, thread_state());
  bool dispatched = true;
  if (enriches_at_capture(own) || !plain(own)) {
    enrich_at_capture(event, extras, own);
    dispatched = decide(event, extras, own);
  }
  if (!EventParts::shows_everything(event)) [[unlikely]]
    count_losses(event);
  call.ends(dispatched);
  if (!dispatched) return;
  if (talkers_ && call.weight() != 0) talkers_->record({&event, 1}, call.weight());
  for (const auto& sink : sinks_) sink->deliver(event, extras);
}

/// What of the event no output will show, where EventParts cannot tell that there is nothing.
void Pipeline::count_losses(const Event& event) noexcept {
  if (event.truncated()) truncated_.fetch_add(1, std::memory_order_relaxed);
  if (const auto duplicates = event.property_counts().duplicates; duplicates != 0) [[unlikely]] {
    duplicate_properties_.fetch_add(duplicates, std::memory_order_relaxed);
  }
  if (const auto ignored = event.bound_template().ignored_formats(); ignored != 0) [[unlikely]] {
    ignored_formats_.fetch_add(ignored, std::memory_order_relaxed);
  }
  if (const auto mismatched = event.bound_template().mismatched_arguments(); mismatched != 0) [[unlikely]] {
    mismatched_arguments_.fetch_add(mismatched, std::memory_order_relaxed);
  }
}

void Pipeline::note_plain(const Event& event) noexcept {
  if (!EventParts::shows_everything(event)) [[unlikely]]
    count_losses(event);
}

void Pipeline::start(const std::weak_ptr<void>& keeper) {
  for (const auto& sink : sinks_) {
    sink->kept_by(keeper);
    for (SinkStage* stage = sink.get(); stage != nullptr; stage = stage->fallback()) {
      if (held_ || stage->worker() == nullptr || stage->worker()->credit() == nullptr) continue;
      held_ = std::make_shared<HeldShare>();
      held_in_lanes_ = std::make_shared<HeldShare>();
    }
  }
}

void Pipeline::note_overrun(std::uint64_t count) noexcept {
  for (const auto& sink : sinks_) sink->note_gap({.lane_overrun = count});
}

void Pipeline::note_given_up(std::uint64_t count) noexcept {
  given_up_.fetch_add(count, std::memory_order_relaxed);
  for (const auto& sink : sinks_) sink->note_gap({.memory_limit = count});
}

void Pipeline::note_no_memory() noexcept {
  no_memory_.fetch_add(1, std::memory_order_relaxed);
  for (const auto& sink : sinks_) sink->note_gap({.memory_limit = 1});
}

void Pipeline::lose_dispatched() noexcept {
  for (const auto& sink : sinks_) {
    if (SinkWorker* worker = sink->worker(); worker != nullptr) worker->lose(1);
  }
}

bool Pipeline::admit(const Event& event, PropertyBlock& extras, const LoggerParts& own) noexcept {
  const bool passes = decide(event, extras, own);
  if (!EventParts::shows_everything(event)) [[unlikely]]
    count_losses(event);
  (passes ? dispatched_ : filtered_).fetch_add(1, std::memory_order_relaxed);
  return passes;
}

bool Pipeline::decide(const Event& event, PropertyBlock& extras, const LoggerParts& own) noexcept {
  enrich(event, extras, enrichers_.on_delivery());
  enrich(event, extras, own.enrichers.on_delivery());
  std::uint64_t suppressed = 0;
  if (!filters_.empty() || !own.filters.empty()) {
    SuppressionScope suppression;
    bool pass = true;
    for (const Filter& filter : filters_) pass = pass && passes(event, filter);
    for (const Filter& filter : own.filters) pass = pass && passes(event, filter);
    if (!pass) return false;
    suppressed = suppression.take();
  }
  tell_suppressed(extras, suppressed);
  return true;
}

void Pipeline::tell_suppressed(PropertyBlock& extras, std::uint64_t count) noexcept {
  if (untold_.load(std::memory_order_relaxed) != 0) [[unlikely]]
    count += untold_.exchange(0, std::memory_order_relaxed);
  if (count == 0) [[likely]]
    return;
  try {
    set_suppressed_count(extras, count);
  } catch (...) {  // no memory: it waits for the next event
    untold_.fetch_add(count, std::memory_order_relaxed);
  }
}

void Pipeline::enqueue(const std::shared_ptr<const EventBatch>& batch) noexcept {
  if (talkers_) talkers_->record(batch->events(), 1);
  enqueued_ = &batch;
  for (enqueued_into_ = 0; enqueued_into_ < sinks_.size(); ++enqueued_into_) sinks_[enqueued_into_]->enqueue(batch);
  enqueued_ = nullptr;
}

void Pipeline::finish_enqueue() noexcept {
  if (enqueued_ == nullptr) return;
  const std::shared_ptr<const EventBatch> batch = *std::exchange(enqueued_, nullptr);
  for (std::size_t from = sinks_[enqueued_into_]->enqueued(); enqueued_into_ < sinks_.size(); ++enqueued_into_)
    sinks_[enqueued_into_]->enqueue(batch, std::exchange(from, 0));
}

void Pipeline::counts_into(LoggerCounts& counts) const {
  const CallLedger::Totals calls = calls_.totals();
  counts.recovered = recovered_.load(std::memory_order_relaxed);
  counts.captured = calls.captured + counts.recovered;
  counts.dispatched = calls.dispatched + dispatched_.load(std::memory_order_relaxed);
  counts.filtered = calls.filtered + filtered_.load(std::memory_order_relaxed);
  counts.in_lane = calls.under_way;
  if (const auto lost = lost_.load(std::memory_order_relaxed); lost != 0) counts.dropped["oom"] = lost;
  const std::uint64_t no_memory = no_memory_.load(std::memory_order_relaxed);
  counts.captured += no_memory;
  if (const auto dropped = given_up_.load(std::memory_order_relaxed) + no_memory; dropped != 0)
    counts.dropped["memory_limit"] = dropped;
  counts.truncated = truncated_.load(std::memory_order_relaxed);
  counts.duplicate_properties = duplicate_properties_.load(std::memory_order_relaxed);
  counts.enricher_errors = enricher_errors_.load(std::memory_order_relaxed);
  counts.filter_errors = filter_errors_.load(std::memory_order_relaxed);
  counts.ignored_formats = ignored_formats_.load(std::memory_order_relaxed);
  counts.mismatched_arguments = mismatched_arguments_.load(std::memory_order_relaxed);
}

void Pipeline::before_fork(std::chrono::steady_clock::time_point deadline) const noexcept {
  if (!held_for_fork_) held_for_fork_ = snapshot_lock_.try_lock_until(deadline);
  if (talkers_ && !talkers_held_for_fork_) talkers_held_for_fork_ = talkers_->mutex.try_lock_until(deadline);
}

void Pipeline::after_fork(bool child) const noexcept {
  if (child) {
    calls_.after_fork(ActivePipeline::contains(*this));  // it is the program's sink, say, that forks
    snapshot_lock_.free_after_fork();
    if (talkers_) {
      if (talkers_held_for_fork_) talkers_->talkers.reset();  // else it may be half changed
      talkers_->mutex.free_after_fork();
    }
    for (auto* const counter :
         {&dispatched_, &filtered_, &truncated_, &duplicate_properties_, &enricher_errors_, &filter_errors_,
          &ignored_formats_, &lost_, &given_up_, &no_memory_, &recovered_, &mismatched_arguments_, &untold_})
      counter->store(0, std::memory_order_relaxed);
    emergency_.forget_counts();
  } else {
    if (held_for_fork_) snapshot_lock_.unlock();
    if (talkers_held_for_fork_) talkers_->mutex.unlock();
  }
  held_for_fork_ = talkers_held_for_fork_ = false;
}

/// Neighbours mostly have the same template, and are counted as one.
void Pipeline::TalkerList::record(std::span<const Event> events, std::uint64_t weight) noexcept {
  const std::lock_guard lock(mutex);
  for (std::size_t i = 0; i < events.size();) {
    const BoundTemplate& bound = events[i].bound_template();
    std::size_t end = i + 1;
    while (end < events.size() && &events[end].bound_template() == &bound) ++end;
    try {
      talkers.record(bound.event_id(), bound.text(), (end - i) * weight);
    } catch (...) {  // no memory: a template less in a list of the most frequent
    }
    i = end;
  }
}

std::vector<Talker> Pipeline::top_talkers(std::size_t most) const {
  if (!talkers_) return {};
  const std::lock_guard lock(talkers_->mutex);
  return talkers_->talkers.top(most);
}

void Pipeline::reset_talkers() noexcept {
  if (!talkers_) return;
  calls_.begin_samples_anew();
  const std::lock_guard lock(talkers_->mutex);
  talkers_->talkers.reset();
}

}  // namespace cairn::detail
