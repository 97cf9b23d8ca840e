// Metrics: an account kept by hand.
#include "cairn/metrics.hpp"

#include <algorithm>
#include <mutex>

#include "cairn/detail/fork_mutex.hpp"
#include "cairn/event.hpp"
#include "pipeline/metrics_view.hpp"
#include "pipeline/sink_times.hpp"

namespace cairn {

namespace {
/// Adds under a name; where there is no memory for the name, under one that is there.
void add(std::map<std::string, std::uint64_t>& counts, std::string_view reason, std::uint64_t events) noexcept {
  try {
    counts[std::string(reason)] += events;
  } catch (...) {
    counts.find("other")->second += events;
  }
}
std::map<std::string, std::uint64_t> no_reasons() { return {{"other", 0}}; }
/// Without those that nothing was counted under.
std::map<std::string, std::uint64_t> used(std::map<std::string, std::uint64_t> counts) {
  std::erase_if(counts, [](const auto& each) { return each.second == 0; });
  return counts;
}
}  // namespace

// ---- a sink's

struct Metrics::SinkRecorder::State final : private detail::ForkHandler {
  State(std::string_view name, Clock& its_clock) : clock(its_clock) {
    counts.name = name;
    counts.dropped = no_reasons();
    counts.failed = no_reasons();
    guard_against_forks(*this);
  }
  ~State() { forget_in_forks(*this); }
  Clock& clock;
  mutable std::mutex mutex;
  SinkCounts counts;
  detail::SinkTimes times;

  void resolve(std::uint64_t events) noexcept { counts.pending -= events; }

 private:
  void before_fork(std::chrono::steady_clock::time_point deadline) noexcept override { held_.take(mutex, deadline); }
  void after_fork(bool child) noexcept override {
    if (child) times.free_after_fork();
    held_.let_go(mutex, child);
  }
  detail::HeldOverFork held_;
};

Metrics::SinkRecorder::SinkRecorder(std::string_view name, Clock& clock)
    : state_(std::make_unique<State>(name, clock)) {}
Metrics::SinkRecorder::~SinkRecorder() = default;

void Metrics::SinkRecorder::accept(std::uint64_t events) noexcept {
  const std::lock_guard lock(state_->mutex);
  state_->counts.accepted += events;
  state_->counts.pending += events;
}
void Metrics::SinkRecorder::emit(std::uint64_t events, std::uint64_t bytes) noexcept {
  const std::lock_guard lock(state_->mutex);
  state_->counts.emitted += events;
  state_->counts.bytes_written += bytes;
  state_->resolve(events);
}
void Metrics::SinkRecorder::divert(std::uint64_t events) noexcept {
  const std::lock_guard lock(state_->mutex);
  state_->counts.diverted += events;
  state_->resolve(events);
}
void Metrics::SinkRecorder::drop(std::string_view reason, std::uint64_t events) noexcept {
  const std::lock_guard lock(state_->mutex);
  add(state_->counts.dropped, reason, events);
  state_->resolve(events);
}
void Metrics::SinkRecorder::fail(std::string_view reason, std::uint64_t events, std::string_view error) noexcept {
  const Timestamp now = state_->clock.now();
  const std::lock_guard lock(state_->mutex);
  add(state_->counts.failed, reason, events);
  state_->resolve(events);
  if (error.empty()) return;
  state_->counts.last_error_time = now;
  try {
    state_->counts.last_error = error;
  } catch (...) {  // no memory for the text
    state_->counts.last_error.clear();
  }
}
void Metrics::SinkRecorder::count(std::string_view counter, std::uint64_t by) noexcept {
  const std::lock_guard lock(state_->mutex);
  try {
    state_->counts.counters[std::string(counter)] += by;
  } catch (...) {  // no memory for the name
  }
}
void Metrics::SinkRecorder::record_latency(std::chrono::nanoseconds time, std::uint64_t events) noexcept {
  state_->times.record_latency(time, events);
}
void Metrics::SinkRecorder::record_emit(std::chrono::nanoseconds time) noexcept { state_->times.record_emit(time); }
void Metrics::SinkRecorder::queue(std::uint64_t events, std::uint64_t bytes) noexcept {
  const std::lock_guard lock(state_->mutex);
  state_->counts.queued = true;
  state_->counts.queue_depth = events;
  state_->counts.high_water = std::max(state_->counts.high_water, events);
  state_->counts.memory_bytes = bytes;
}

// ---- the whole

struct Metrics::State {
  explicit State(Clock& its_clock) : clock(its_clock), view(its_clock.steady()) {
    counts.dropped = no_reasons();
    counts.rejected = no_reasons();
  }
  Clock& clock;
  mutable detail::ForkMutex mutex{detail::ForkTurn::outer};  // the sinks' are taken under it
  LoggerCounts counts;
  TopTalkers talkers;
  std::vector<std::unique_ptr<SinkRecorder>> sinks;
  detail::MetricsView view;

  /// Under the lock.
  [[nodiscard]] MetricsSnapshot totals() const {
    MetricsSnapshot snapshot;
    snapshot.time = clock.now();
    snapshot.logger = counts;
    snapshot.logger.dropped = used(counts.dropped);
    snapshot.logger.rejected = used(counts.rejected);
    for (const auto& sink : sinks) {
      const std::lock_guard lock(sink->state_->mutex);
      SinkCounts& shown = snapshot.sinks.emplace_back(sink->state_->counts);
      shown.dropped = used(std::move(shown.dropped));
      shown.failed = used(std::move(shown.failed));
      sink->state_->times.show(shown);
    }
    snapshot.top_talkers = talkers.top(20);
    return snapshot;
  }
};

Metrics::Metrics(Clock& clock) : state_(std::make_unique<State>(clock)) {}
Metrics::~Metrics() = default;

Metrics::SinkRecorder& Metrics::sink(std::string_view name) {
  const std::lock_guard lock(state_->mutex);
  for (const auto& sink : state_->sinks) {
    if (sink->state_->counts.name == name) return *sink;
  }
  std::unique_ptr<SinkRecorder> made(new SinkRecorder(name, state_->clock));
  return *state_->sinks.emplace_back(std::move(made));
}

void Metrics::capture(std::uint64_t events) noexcept {
  const std::lock_guard lock(state_->mutex);
  state_->counts.captured += events;
  state_->counts.in_lane += events;
}
void Metrics::dispatch(std::uint64_t events) noexcept {
  const std::lock_guard lock(state_->mutex);
  state_->counts.dispatched += events;
  state_->counts.in_lane -= events;
}
void Metrics::filter(std::uint64_t events) noexcept {
  const std::lock_guard lock(state_->mutex);
  state_->counts.filtered += events;
  state_->counts.in_lane -= events;
}
void Metrics::drop(std::string_view reason, std::uint64_t events) noexcept {
  const std::lock_guard lock(state_->mutex);
  add(state_->counts.dropped, reason, events);
  state_->counts.in_lane -= events;
}
void Metrics::reject(std::string_view reason, std::uint64_t events) noexcept {
  const std::lock_guard lock(state_->mutex);
  add(state_->counts.rejected, reason, events);
}
void Metrics::talk(std::string_view message_template, std::uint64_t events) noexcept {
  const std::uint32_t id = event_id(message_template);
  const std::lock_guard lock(state_->mutex);
  try {
    state_->talkers.record(id, message_template, events);
  } catch (...) {  // no memory: a template less in a list of the most frequent
  }
}

MetricsSnapshot Metrics::snapshot() const {
  const std::lock_guard lock(state_->mutex);
  MetricsSnapshot snapshot = state_->totals();
  state_->view.show(snapshot, state_->clock.steady());
  return snapshot;
}

void Metrics::reset() {
  const std::lock_guard lock(state_->mutex);
  state_->view.reset(state_->totals(), state_->clock.steady());
  for (const auto& sink : state_->sinks) {
    sink->state_->times.reset();
    const std::lock_guard sink_lock(sink->state_->mutex);
    sink->state_->counts.high_water = sink->state_->counts.queue_depth;
  }
  state_->talkers.reset();
}

}  // namespace cairn
