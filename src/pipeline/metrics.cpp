// Metrics: an account kept by hand.
#include "cairn/metrics.hpp"

#include <algorithm>
#include <mutex>

#include "cairn/detail/fork_mutex.hpp"
#include "cairn/detail/template_parser.hpp"
#include "cairn/event.hpp"
#include "pipeline/metrics_view.hpp"
#include "pipeline/sink_times.hpp"

namespace cairn {

namespace {
using Reasons = std::map<std::string, std::uint64_t>;

constexpr std::string_view other = "other";

/// As both texts show it, where two that read alike would be one.
std::string shown(std::string_view name) {
  std::string text;
  for (std::size_t at = 0; at < name.size();) {
    const std::size_t from = at;
    if (detail::next_code_point(name, at) == U'\uFFFD') {
      text += "\xEF\xBF\xBD";
    } else {
      text += name.substr(from, at - from);
    }
  }
  return text;
}
/// Adds under a name; where there is none, or no memory for it, under one that is there.
void add(Reasons& counts, std::string_view reason, std::uint64_t events) noexcept {
  try {
    counts[shown(reason.empty() ? other : reason)] += events;
  } catch (...) {
    counts.find("other")->second += events;
  }
}
/// Of `came` events so many are at their end: what is under way. Those that never came have come with their end.
std::uint64_t settle(std::uint64_t& came, std::uint64_t ended) noexcept {
  came = std::max(came, ended);
  return came - ended;
}
Reasons no_reasons() { return {{std::string(other), 0}}; }
/// Without those that nothing was counted under.
Reasons used(Reasons counts) {
  std::erase_if(counts, [](const auto& each) { return each.second == 0; });
  return counts;
}
}  // namespace

// ---- a sink's

struct Metrics::SinkRecorder::State final : private detail::ForkHandler {
  State(std::string_view name, Clock& its_clock) : clock(its_clock) {
    counts.name = shown(name);
    counts.dropped = no_reasons();
    counts.failed = no_reasons();
    guard_against_forks(*this);
  }
  ~State() { forget_in_forks(*this); }
  Clock& clock;
  mutable std::mutex mutex;
  SinkCounts counts;  // without what is pending
  detail::SinkTimes times;

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
}
void Metrics::SinkRecorder::emit(std::uint64_t events, std::uint64_t bytes) noexcept {
  const std::lock_guard lock(state_->mutex);
  state_->counts.emitted += events;
  state_->counts.bytes_written += bytes;
}
void Metrics::SinkRecorder::divert(std::uint64_t events) noexcept {
  const std::lock_guard lock(state_->mutex);
  state_->counts.diverted += events;
}
void Metrics::SinkRecorder::drop(std::string_view reason, std::uint64_t events) noexcept {
  const std::lock_guard lock(state_->mutex);
  add(state_->counts.dropped, reason, events);
}
void Metrics::SinkRecorder::fail(std::string_view reason, std::uint64_t events, std::string_view error) noexcept {
  const Timestamp now = state_->clock.now();
  const std::lock_guard lock(state_->mutex);
  add(state_->counts.failed, reason, events);
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
    state_->counts.counters[shown(counter.empty() ? other : counter)] += by;
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
  LoggerCounts counts;                                       // without what is in lanes
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
    snapshot.logger.in_lane =
        settle(snapshot.logger.captured, counts.dispatched + counts.filtered + counts.dropped_total());
    for (const auto& sink : sinks) {
      const std::lock_guard lock(sink->state_->mutex);
      SinkCounts& its = snapshot.sinks.emplace_back(sink->state_->counts);
      its.dropped = used(std::move(its.dropped));
      its.failed = used(std::move(its.failed));
      its.pending = settle(its.accepted, its.emitted + its.diverted + its.dropped_total() + its.failed_total());
      sink->state_->times.show(its);
    }
    snapshot.top_talkers = talkers.top(20);
    return snapshot;
  }
};

Metrics::Metrics(Clock& clock) : state_(std::make_unique<State>(clock)) {}
Metrics::~Metrics() = default;

Metrics::SinkRecorder& Metrics::sink(std::string_view name) {
  const std::string its = shown(name);
  const std::lock_guard lock(state_->mutex);
  for (const auto& sink : state_->sinks) {
    if (sink->state_->counts.name == its) return *sink;
  }
  std::unique_ptr<SinkRecorder> made(new SinkRecorder(its, state_->clock));
  return *state_->sinks.emplace_back(std::move(made));
}

void Metrics::capture(std::uint64_t events) noexcept {
  const std::lock_guard lock(state_->mutex);
  state_->counts.captured += events;
}
void Metrics::dispatch(std::uint64_t events) noexcept {
  const std::lock_guard lock(state_->mutex);
  state_->counts.dispatched += events;
}
void Metrics::filter(std::uint64_t events) noexcept {
  const std::lock_guard lock(state_->mutex);
  state_->counts.filtered += events;
}
void Metrics::drop(std::string_view reason, std::uint64_t events) noexcept {
  const std::lock_guard lock(state_->mutex);
  add(state_->counts.dropped, reason, events);
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
  for (const auto& sink : state_->sinks) {
    const std::lock_guard its_lock(sink->state_->mutex);
    sink->state_->counts.last_error.clear();
    sink->state_->counts.last_error_time.reset();
  }
  state_->view.reset(state_->totals(), state_->clock.steady());
  for (const auto& sink : state_->sinks) {
    sink->state_->times.reset();
    const std::lock_guard sink_lock(sink->state_->mutex);
    sink->state_->counts.high_water = sink->state_->counts.queue_depth;
  }
  state_->talkers.reset();
}

}  // namespace cairn
