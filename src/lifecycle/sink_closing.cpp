#include "lifecycle/sink_closing.hpp"

#include <algorithm>
#include <vector>

#include "dispatch/dispatcher.hpp"
#include "pipeline/sink_stage.hpp"

namespace cairn::detail {

namespace {

using Steady = std::chrono::steady_clock;
using Time = ShutdownSequence::Time;
using Kind = ShutdownSequence::Kind;

/// Shared with the threads that close the sinks: they may outlive the shutdown.
struct Closing {
  struct Sink {
    SinkStage* stage = nullptr;
    bool is_fallback = false;  // of the sink before it in the list
    Time deadline{};
    bool late = false;
    // Guarded by the sequence's lock:
    SinkStage::Closed result{};
  };
  std::shared_ptr<Pipeline> pipeline;  // keeps the stages
  std::vector<Sink> sinks;
  bool drained = false;  // guarded by the sequence's lock

  [[nodiscard]] bool all_closed() const noexcept {
    return std::all_of(sinks.begin(), sinks.end(), [](const Sink& sink) { return sink.result.closed; });
  }
};

/// A fallback after the stage it stands behind.
template <class F>
void for_each_stage(const Pipeline& pipeline, F&& f) {
  for (const auto& first : pipeline.sinks()) {
    for (SinkStage* stage = first.get(); stage != nullptr; stage = stage->fallback()) f(*stage);
  }
}

std::shared_ptr<Closing> closing_of(const std::shared_ptr<Pipeline>& pipeline) {
  auto closing = std::make_shared<Closing>();
  closing->pipeline = pipeline;
  SinkStage* before = nullptr;
  for_each_stage(*pipeline, [&](SinkStage& stage) {
    closing->sinks.push_back({&stage, before != nullptr && before->fallback() == &stage});
    before = &stage;
  });
  return closing;
}

enum class Drained : std::uint8_t { yes, no, not_by_filters };

[[nodiscard]] bool drain_here(const LaneRoot& lanes, Time until) noexcept try {
  return Dispatcher::instance().drain(lanes, until);
} catch (...) {
  return false;
}

/// Has what is in the lanes reach the queues, by `until`. If it does not, that is because of the filters where one is
/// being called then; of one call alone where nothing is to be delivered, and time is short.
Drained drain_lanes(ShutdownSequence& sequence, const std::shared_ptr<Closing>& closing,
                    const std::shared_ptr<LaneRoot>& lanes, Time until) {
  sequence.start([self = sequence.shared_from_this(), closing, lanes, until] {
    const bool drained = drain_here(*lanes, until);
    self->change([&] { closing->drained = drained; });
  });
  const auto done = [&](Kind) { return closing->drained; };
  const auto now = Steady::now();
  if (sequence.await(done, now + (until - now) / 2)) return Drained::yes;
  const std::uint64_t call = Dispatcher::instance().user_calls();
  if (sequence.await(done, until)) return Drained::yes;
  const std::uint64_t last_call = Dispatcher::instance().user_calls();
  const bool in_filter = last_call % 2 == 1 && (last_call == call || sequence.kind() != Kind::immediate);
  return in_filter ? Drained::not_by_filters : Drained::no;
}

/// Until when one of `count` that share the time until `end` may take it.
Time part_of(Time end, std::size_t count) noexcept {
  const auto now = Steady::now();
  return now + std::max(end - now, Steady::duration(0)) / static_cast<std::int64_t>(count);
}

/// Where there is no memory for more: all of it on this thread, one sink after the other.
void close_here(ShutdownSequence& sequence, Pipeline& pipeline, const std::shared_ptr<LaneRoot>& lanes) noexcept {
  std::size_t left = 0;
  for_each_stage(pipeline, [&](SinkStage& stage) {
    if (sequence.kind() == Kind::immediate) stage.abandon();
    ++left;
  });
  if (lanes) lanes->ends.store(true, std::memory_order_relaxed);
  if (lanes) (void)drain_here(*lanes, part_of(sequence.deadline(), 2));
  if (lanes) lanes->closed.store(true, std::memory_order_relaxed);
  for_each_stage(pipeline, [&](SinkStage& stage) {
    if (sequence.kind() == Kind::flush_pending) stage.attempt_once();
    if (sequence.kind() == Kind::graceful) stage.hurry();
  });
  for_each_stage(pipeline, [&](SinkStage& stage) {
    if (!stage.close(part_of(sequence.deadline(), left--)).closed) stage.abandon();
  });
}

void start_closing(ShutdownSequence& sequence, const std::shared_ptr<Closing>& closing) {
  // A fifth of the time is kept for what stands behind a sink.
  const auto now = Steady::now();
  const Time end = sequence.deadline();
  auto time = std::max(end - now, Steady::duration(0));
  for (std::size_t i = closing->sinks.size(); i-- != 0;) {
    Closing::Sink& sink = closing->sinks[i];
    sink.deadline = now + time;
    time = sink.is_fallback ? time / 5 * 4 : std::max(end - now, Steady::duration(0));
  }
  const std::size_t count = closing->sinks.size();
  for (std::size_t i = 0; i < count; ++i) {
    bool aside = false;
    try {
      aside = sequence.start_aside([self = sequence.shared_from_this(), closing, i] {
        Closing::Sink& sink = closing->sinks[i];
        if (sink.is_fallback) {
          const Closing::Sink& before = closing->sinks[i - 1];
          (void)self->await([&](Kind) { return before.result.closed; }, before.deadline);
        }
        SinkStage::Closed result = sink.stage->close(sink.deadline);
        const bool left_behind = !result.closed;
        self->change([&] { sink.result = std::move(result); });
        if (left_behind) (void)sink.stage->close(Steady::now() + std::chrono::hours(24));  // should it come back
      });
    } catch (...) {  // no memory for the task
    }
    if (aside) continue;
    // Here, with its part of the time: one that does not come back leaves some to those after it.
    Closing::Sink& sink = closing->sinks[i];
    SinkStage::Closed result = sink.stage->close(part_of(sink.deadline, count - i));
    sequence.change([&] { sink.result = std::move(result); });
  }
}

ShutdownSink told(SinkCounts&& counts) {
  ShutdownSink sink;
  sink.name = std::move(counts.name);
  sink.accepted = counts.accepted;
  sink.emitted = counts.emitted;
  sink.diverted = counts.diverted;
  sink.dropped = std::move(counts.dropped);
  sink.failed = std::move(counts.failed);
  sink.pending = counts.pending;
  return sink;
}

}  // namespace

void close_sinks(ShutdownSequence& sequence, const std::shared_ptr<Pipeline>& pipeline,
                 const std::shared_ptr<LaneRoot>& lanes, ShutdownReport& report) {
  std::shared_ptr<Closing> closing;
  try {
    closing = closing_of(pipeline);
  } catch (...) {
    report.status = ShutdownStatus::timed_out;
    return close_here(sequence, *pipeline, lanes);
  }
  const auto each = [&](void (SinkStage::*what)() noexcept) {
    for (const Closing::Sink& sink : closing->sinks) (sink.stage->*what)();
  };
  const auto press = [&](Kind kind) {
    if (kind == Kind::immediate) each(&SinkStage::abandon);
    if (kind == Kind::flush_pending) each(&SinkStage::attempt_once);
    if (kind == Kind::graceful) each(&SinkStage::hurry);
  };
  if (sequence.kind() == Kind::immediate) press(Kind::immediate);

  if (lanes) {  // half of the time, so that a filter that hangs leaves some to the sinks
    lanes->ends.store(true, std::memory_order_relaxed);
    const auto now = Steady::now();
    const Drained drained = drain_lanes(sequence, closing, lanes, now + (sequence.deadline() - now) / 2);
    lanes->closed.store(true, std::memory_order_relaxed);
    report.filters_timed_out = drained == Drained::not_by_filters;
    if (report.filters_timed_out || (drained == Drained::no && sequence.kind() != Kind::immediate))
      report.status = ShutdownStatus::timed_out;
  }

  Kind kind = sequence.kind();
  press(kind);
  start_closing(sequence, closing);
  bool closed = false;
  bool in_time = true;
  while (in_time && !closed) {  // anew when somebody came who is in more of a hurry
    in_time = sequence.await([&](Kind now) { return (closed = closing->all_closed()) || now != kind; });
    if (const Kind now = sequence.kind(); now != kind) press(kind = now);
  }
  if (!closed) {
    sequence.change([&] {
      for (Closing::Sink& sink : closing->sinks) sink.late = !sink.result.closed;
    });
    for (const Closing::Sink& sink : closing->sinks) {
      if (sink.late) sink.stage->abandon();
    }
    // Those that only waited, for storage to heal or to be closed, come back at once.
    constexpr auto moment = std::chrono::milliseconds(2);
    (void)sequence.await_past_deadline([&](Kind) { return closing->all_closed(); }, Steady::now() + moment);
  }

  // Who is late is asked before the counts are read: a sink may come back in between, and what was pending is told of
  // one that is late only.
  const bool immediate = sequence.kind() == Kind::immediate;
  std::vector<SinkStage::Closed> results(closing->sinks.size());
  sequence.change([&] {
    for (std::size_t i = 0; i < results.size(); ++i) {
      SinkStage::Closed& result = closing->sinks[i].result;
      results[i] = {result.closed, result.in_time, result.failed, std::move(result.error)};
    }
  });
  std::vector<SinkCounts> counts;
  for (const auto& sink : pipeline->sinks()) sink->counts_into(counts);
  pipeline->emergency().counts_into(counts);
  for (SinkCounts& sink : counts) report.sinks.push_back(told(std::move(sink)));
  for (std::size_t i = 0; i < results.size(); ++i) {
    SinkStage::Closed& result = results[i];
    ShutdownSink& sink = report.sinks[i];
    sink.timed_out = !result.closed || (!immediate && (closing->sinks[i].late || !result.in_time));
    sink.error = std::move(result.error);
    if (sink.timed_out) report.status = ShutdownStatus::timed_out;
    if (result.failed && report.status == ShutdownStatus::completed) report.status = ShutdownStatus::failed;
  }
}

}  // namespace cairn::detail
