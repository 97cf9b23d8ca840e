#include "logger/root.hpp"

#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <thread>

#include "capture/context_cuts.hpp"
#include "dispatch/dispatcher.hpp"
#include "lifecycle/crash_recovery.hpp"
#include "lifecycle/ending_roots.hpp"
#include "lifecycle/exit_hook.hpp"
#include "lifecycle/fatal_signals.hpp"
#include "lifecycle/signal_thread.hpp"
#include "lifecycle/sink_closing.hpp"
#include "logger/periodic_metrics.hpp"
#include "pipeline/active_pipeline.hpp"
#include "pipeline/notifier.hpp"
#include "platform/fork_generation.hpp"
#include "platform/held_by_thread.hpp"
#include "platform/no_cancellation.hpp"
#include "platform/own_thread.hpp"

namespace cairn::detail {

// What a signal handler logs while its thread is at something that it would wait for is refused: an ActivePipeline
// stands for that here, as it does inside of a sink.

Root::Root(std::vector<LevelSetting> levels, std::vector<Enricher> enrichers, std::vector<Filter> filters,
           CaptureLimits limits, std::function<void(std::string_view)> on_internal_error, Clock& clock)
    : pipeline_(
          std::make_shared<Pipeline>(std::move(enrichers), std::move(filters), std::move(on_internal_error), clock)),
      limits_(limits),
      own_clock_(&clock != &system_clock()),
      view_(clock.steady()) {
  make_process_memory();
  words_.reserve(levels.size());
  for (LevelSetting& setting : levels) {
    LevelWord* word = take_level_word();
    setting.source = dotted(setting.source);
    words_.push_back({std::move(setting), word});
    const LevelSetting& kept = words_.back().setting;
    if (kept.followed) {
      kept.followed->subscribe(word);
    } else {
      word->store(word_of(kept.level), std::memory_order_relaxed);
    }
  }
  guard_against_forks(*this, ForkTurn::outermost);
}

/// What a child made by fork() is asked for is what it did itself.
void Root::after_fork(bool child) noexcept {
  if (!child) return;
  for (auto& refused : refused_) refused.store(0, std::memory_order_relaxed);
  // The program's clock may have locks that somebody held who is not here.
  view_.begin_anew(own_clock_ ? std::nullopt : std::optional(pipeline_->clock().steady()));
  last_counts_ = {};
  if (lanes_) lanes_->begin_anew();
  context_cuts.store(0, std::memory_order_relaxed);
}

Root::~Root() {
  forget_in_forks(*this);
  if (crash_descriptor_ >= 0) ::close(crash_descriptor_);
  for (Word& word : words_) {
    if (word.setting.followed) word.setting.followed->unsubscribe(word.word);
    give_back(word.word);
  }
}

const LevelWord* Root::word_for(std::string_view source) const {
  const Word* best = &words_.front();
  for (const Word& word : words_) {
    if (!word.setting.source.empty() && source_is_below(source, word.setting.source) &&
        word.setting.source.size() > best->setting.source.size()) {
      best = &word;
    }
  }
  return best->word;
}

void Root::set_memory_budget(MemoryBudgetOptions options) {
  budget_ = std::make_unique<BudgetSeat>(std::move(options), pipeline_->errors());
}

void Root::start() {
  pipeline_->start(pipeline_);
  bool queued = true;
  std::size_t largest = QueueOptions().max_size;  // a small queue is no reason to lose a burst before it
  std::vector<BlockingSink> blocking;
  auto patience = std::chrono::nanoseconds::max();
  bool by_bytes = false;
  std::size_t batch_bytes = SIZE_MAX;
  for (const auto& sink : pipeline_->sinks()) {
    SinkWorker* worker = sink->worker();
    queued = queued && worker != nullptr;
    if (worker == nullptr) continue;
    const QueueOptions& options = worker->options();
    largest = std::max(largest, options.max_size);
    patience = std::min<std::chrono::nanoseconds>(patience, options.flush_interval / 3);
    if (options.on_slow) patience = std::min<std::chrono::nanoseconds>(patience, options.slow_after / 4);
    if (Credit* credit = worker->credit(); credit != nullptr) {
      if (const ByteCredit* bytes = credit->bytes()) {
        by_bytes = true;
        batch_bytes = std::min<std::uint64_t>(batch_bytes, bytes->all() / 8);
      }
      blocking.push_back({credit, options.block_timeout, options.max_size, options.protect_level});
    }
  }
  if (!queued || pipeline_->sinks().empty()) return;
  static std::atomic<std::uint64_t> keys{1};
  auto lanes = std::make_shared<LaneRoot>();
  lanes->key = keys.fetch_add(1, std::memory_order_relaxed);
  lanes->pipeline = pipeline_;
  lanes->limits = limits_;
  lanes->shape = lane_shape_for(largest);
  lanes->ticks = !own_clock_ && TscClock::invariant();
  lanes->blocking = std::move(blocking);
  lanes->patience = patience;
  lanes->by_bytes = by_bytes;
  lanes->batch_bytes = batch_bytes;
  if (ring_ && ring_->folder()) {
    lanes->ring = ring_;
    checkpoints_ = lanes->checkpoints = RingCheckpoints::watch(*pipeline_);
  }
  (void)Dispatcher::instance();
  lanes_ = std::move(lanes);
}

void Root::recover_rings() {
  if (!ring_->folder()) return;
  constexpr auto patience = std::chrono::seconds(10);
  if (!checkpoints_) checkpoints_ = RingCheckpoints::watch(*pipeline_);  // of a logger without sinks
  detail::recover_rings(*ring_, *checkpoints_, *pipeline_, limits_, patience);
  ring_->make_first();
}

namespace {

/// How long a call of on_internal_error is waited for, after which none may begin.
constexpr auto callback_patience = std::chrono::seconds(1);

std::chrono::steady_clock::time_point deadline_in(std::chrono::nanoseconds timeout) noexcept {
  constexpr std::chrono::nanoseconds longest = std::chrono::hours(24);
  return std::chrono::steady_clock::now() + std::clamp(timeout, std::chrono::nanoseconds(0), longest);
}

/// Every stage of a pipeline, a fallback after the stage it stands behind.
std::vector<SinkStage*> stages_of(const Pipeline& pipeline) {
  std::vector<SinkStage*> stages;
  for (const auto& sink : pipeline.sinks()) {
    for (SinkStage* stage = sink.get(); stage != nullptr; stage = stage->fallback()) stages.push_back(stage);
  }
  return stages;
}

// Who delivers what a dying program logged may crash at it as well: of a worker, or the dispatcher, that is waited for,
// this is looked at so often.
constexpr auto to_look = std::chrono::milliseconds(20);

/// Has what is in the lanes reach the queues, for half of the time at most.
void drain_before_death(const LaneRoot& lanes, std::thread::id crashed,
                        std::chrono::steady_clock::time_point deadline) {
  Dispatcher& dispatcher = Dispatcher::instance();
  if (dispatcher.take_over_from(crashed, deadline)) return;
  auto now = std::chrono::steady_clock::now();
  const auto until = now + (deadline - now) / 2;
  for (; now < until; now = std::chrono::steady_clock::now()) {
    if (dispatcher.drain(lanes, std::min(until, now + to_look))) return;
    if (has_crashed_too(dispatcher.thread())) return (void)dispatcher.take_over_from(dispatcher.thread(), deadline);
  }
}

/// The second half of a stage's flush, or the rescue of its events where its worker has crashed; false as of that.
bool flush_before_death(SinkStage& stage, std::uint64_t begun, std::chrono::steady_clock::time_point until,
                        int last_resort, std::chrono::steady_clock::time_point deadline) {
  while (true) {
    const auto now = std::chrono::steady_clock::now();
    const auto look = stage.worker() != nullptr ? std::min(until, now + to_look) : until;
    if (stage.end_flush(begun, look, false).status != FlushStatus::timed_out) return true;
    if (stage.worker() != nullptr && has_crashed_too(stage.worker()->thread()))
      return stage.rescue(last_resort, deadline);
    if (std::chrono::steady_clock::now() < look || look == until) return true;
  }
}

}  // namespace

void Root::deliver_before_death(std::thread::id crashed, std::chrono::steady_clock::time_point deadline) noexcept {
  pipeline_->note_death();
  try {
    if (lanes_) lanes_->ends.store(true, std::memory_order_relaxed);  // before the sweep of the drain
    if (lanes_) drain_before_death(*lanes_, crashed, deadline);
    const int last_resort = crash_descriptor_ >= 0 ? crash_descriptor_ : STDERR_FILENO;
    std::vector<SinkStage*> stages = stages_of(*pipeline_);
    const auto stands_still = [&](SinkStage* stage) {
      return stage->worker() != nullptr && stage->worker()->runs_on(crashed);
    };
    const auto first = std::find_if(stages.begin(), stages.end(), stands_still);
    SinkStage* const broken = first == stages.end() ? nullptr : *first;
    if (broken != nullptr) {  // last, with what stands behind it: that may be what crashed
      auto end = first + 1;
      while (end != stages.end() && *end == (*(end - 1))->fallback()) ++end;
      std::rotate(first, end, stages.end());
    }
    std::vector<std::uint64_t> begun(stages.size());
    for (SinkStage* stage : stages) {
      if (stage != broken) stage->attempt_last(last_resort);
    }
    // What a sink hands on to another logger is delivered as that one's.
    for (std::size_t i = 0; i < stages.size(); ++i) {
      if (stages[i] != broken) begun[i] = stages[i]->begin_flush({});
    }
    // The others are at it meanwhile.
    const bool rescued = broken == nullptr || broken->rescue(last_resort, deadline);
    auto until = deadline;
    for (std::size_t i = 0; i < stages.size(); ++i) {
      bool reached = rescued;
      if (stages[i] != broken) {
        const bool behind = i != 0 && stages[i - 1]->fallback() == stages[i];
        const std::uint64_t number = behind ? stages[i]->begin_flush({}) : begun[i];
        reached = flush_before_death(*stages[i], number, until, last_resort, deadline);
      }
      // Somebody stands still in what comes now; of the rest of it, too, nothing takes long.
      if (!reached) until = std::min(until, std::chrono::steady_clock::now() + std::chrono::milliseconds(200));
    }
  } catch (...) {  // no memory
  }
}

FlushResult Root::flush(std::chrono::nanoseconds timeout) noexcept {
  return flush(deadline_in(timeout), FlushOf::everything);
}

FlushResult Root::flush(std::chrono::steady_clock::time_point deadline, FlushOf what) noexcept {
  FlushResult result;
  const NoCancellation uncancelled;
  try {
    if (ActivePipeline::contains(*pipeline_)) {
      result.status = FlushStatus::would_deadlock;
      return result;
    }
    std::optional<ActivePipeline> inside;
    if (!lanes_) inside.emplace(*pipeline_);   // a lane is its thread's own, and whoever logs there waits for no sink
    const HeldByThread held(pipeline_.get());  // but who comes past the lanes would
    if (what == FlushOf::everything && lanes_ && !Dispatcher::instance().drain(*lanes_, deadline))
      result.status = FlushStatus::timed_out;
    // Sinks side by side; a fallback after the sink that may still hand something on to it.
    std::vector<SinkStage*> stages = stages_of(*pipeline_);
    if (what == FlushOf::synchronous_sinks)
      std::erase_if(stages, [](SinkStage* stage) { return stage->worker() != nullptr; });
    std::vector<std::uint64_t> begun;
    begun.reserve(stages.size());
    for (SinkStage* stage : stages) begun.push_back(stage->begin_flush(deadline));
    for (std::size_t i = 0; i < stages.size(); ++i) {
      const bool behind = i != 0 && stages[i - 1]->fallback() == stages[i];
      result.sinks.push_back(stages[i]->end_flush(behind ? stages[i]->begin_flush(deadline) : begun[i], deadline));
      result.status = std::max(result.status, result.sinks.back().status);
    }
  } catch (...) {
    result.status = FlushStatus::failed;
  }
  return result;
}

namespace {
ShutdownReport report_of(ShutdownStatus status) noexcept {
  ShutdownReport report;
  report.status = status;
  return report;
}
}  // namespace

ShutdownReport Root::shutdown(const ShutdownStrategy& asked) noexcept {
  const NoCancellation uncancelled;
  // There, what waits is the parent's, as are those who would deliver it and may hold what closing needs.
  const ShutdownStrategy strategy = made_past_fork() ? ShutdownStrategy::immediate() : asked;
  if (!ActivePipeline::contains(*pipeline_)) {
    try {
      return shutdown_->execute(strategy,
                                [this](ShutdownSequence& sequence, ShutdownReport& report) { end(sequence, report); });
    } catch (...) {  // no memory for the function
      return report_of(ShutdownStatus::timed_out);
    }
  }
  // From a sink, a filter or an enricher: the shutdown may have to wait for the very thread that asks.
  add_reference();
  try {
    own_thread("cairn-shutdown", [this, strategy] {
      (void)shutdown(strategy);
      drop_reference();
    }).detach();
  } catch (...) {  // no thread: the hook at exit comes later
    drop_reference();
  }
  return report_of(ShutdownStatus::in_progress);
}

void Root::shut_down_and_wait() noexcept { end_at_exit(deadline_in(shutdown_timeout_)); }

void Root::end_at_exit(std::chrono::steady_clock::time_point deadline) noexcept {
  const NoCancellation uncancelled;
  const auto left = [&] { return deadline - std::chrono::steady_clock::now(); };
  if (shutdown(ShutdownStrategy::graceful(left())).status == ShutdownStatus::in_progress)
    shutdown_->wait(left() + std::chrono::milliseconds(10));
}

namespace {

/// Tells of handlers that did not end well: aside, for who hears it is a callback of the program. True, once that is
/// done; changes under the sequence's lock. Null: there is nothing to tell, or no memory for it.
std::shared_ptr<bool> tell_of_handlers(ShutdownSequence& sequence, const std::shared_ptr<Pipeline>& pipeline,
                                       const std::vector<ShutdownHandlerResult>& handlers) noexcept try {
  using Status = ShutdownHandlerStatus;
  std::vector<ShutdownHandlerResult> bad;
  std::copy_if(handlers.begin(), handlers.end(), std::back_inserter(bad), [](const ShutdownHandlerResult& handler) {
    return handler.status == Status::threw || handler.status == Status::timed_out;
  });
  if (bad.empty()) return nullptr;
  auto told = std::make_shared<bool>(false);
  sequence.start([self = sequence.shared_from_this(), told, pipeline, bad = std::move(bad)] {
    for (const ShutdownHandlerResult& handler : bad) {
      if (handler.status == Status::threw)
        pipeline->errors().report({"the shutdown handler ", handler.name, " threw: ", handler.error});
      else
        pipeline->errors().report({"the shutdown handler ", handler.name, " did not end in its time"});
    }
    self->change([&] { *told = true; });
  });
  return told;
} catch (...) {
  return nullptr;
}

}  // namespace

void Root::end(ShutdownSequence& sequence, ShutdownReport& report) {
  if (reports_) reports_->stop();
  const std::shared_ptr<bool> told = tell_of_handlers(sequence, pipeline_, report.handlers);
  closed_.store(true, std::memory_order_release);  // pairs with closed()
  for (Word& word : words_) {
    if (word.setting.followed) word.setting.followed->unsubscribe(word.word);
    word.word->store(level_ended, std::memory_order_release);  // pairs with write_flat's acquire
  }
  try {
    close_sinks(sequence, pipeline_, lanes_, report);
  } catch (...) {  // no memory for what came of it
    report.status = ShutdownStatus::timed_out;
  }
  if (checkpoints_) checkpoints_->end();
  if (ring_) ring_->close();
  // The dispatcher may be in a filter of another root's, which hangs.
  const auto patience =
      std::clamp<std::chrono::nanoseconds>(sequence.deadline() - std::chrono::steady_clock::now(),
                                           std::chrono::milliseconds(1), std::chrono::milliseconds(100));
  try {
    report.logger = counts(patience);
  } catch (...) {  // the same
    report.status = ShutdownStatus::timed_out;
  }
  constexpr auto to_tell = std::chrono::seconds(1);
  const auto done = [&](ShutdownStrategy::Kind) { return !told || *told; };
  (void)sequence.await(done, std::chrono::steady_clock::now() + to_tell);
  pipeline_->errors().end_callback(std::min(sequence.deadline(), deadline_in(callback_patience)));
}

FlushResult Root::close() noexcept {
  FlushResult result;
  try {
    const ShutdownReport report = shutdown(ShutdownStrategy::graceful(shutdown_timeout_));
    if (report.status == ShutdownStatus::in_progress) result.status = FlushStatus::would_deadlock;
    if (report.status == ShutdownStatus::timed_out) result.status = FlushStatus::timed_out;
    for (const ShutdownSink& sink : report.sinks) {
      FlushStatus status = FlushStatus::ok;
      if (!sink.error.empty()) status = FlushStatus::failed;
      if (sink.timed_out) status = FlushStatus::timed_out;
      result.sinks.push_back({sink.name, status, sink.error});
      result.status = std::max(result.status, status);
    }
  } catch (...) {
    result.status = FlushStatus::failed;
  }
  return result;
}

FlushResult Root::reopen(std::chrono::nanoseconds timeout) noexcept {
  FlushResult result;
  const NoCancellation uncancelled;
  const auto deadline = deadline_in(timeout);
  try {
    if (ActivePipeline::contains(*pipeline_)) {
      result.status = FlushStatus::would_deadlock;
      return result;
    }
    std::optional<ActivePipeline> inside;
    if (!lanes_) inside.emplace(*pipeline_);
    // In turns, so that none waits for another one's call: such a call may never come back.
    constexpr auto turn = std::chrono::milliseconds(20);
    const std::vector<SinkStage*> stages = stages_of(*pipeline_);
    result.sinks.resize(stages.size());
    for (SinkFlush& sink : result.sinks) sink.status = FlushStatus::timed_out;
    bool last = false;
    bool waits = true;
    while (waits && !last) {
      last = std::chrono::steady_clock::now() >= deadline;
      waits = false;
      for (std::size_t i = 0; i < stages.size(); ++i) {
        SinkFlush& sink = result.sinks[i];
        if (sink.status != FlushStatus::timed_out) continue;
        sink = stages[i]->reopen(std::min(deadline, std::chrono::steady_clock::now() + turn));
        waits = waits || sink.status == FlushStatus::timed_out;
      }
    }
    for (std::size_t i = 0; i < stages.size(); ++i) {
      const SinkFlush& sink = result.sinks[i];
      if (sink.status == FlushStatus::timed_out) stages[i]->tell_not_reopened(sink.error);
      result.status = std::max(result.status, sink.status);
    }
  } catch (...) {
    result.status = FlushStatus::failed;
  }
  return result;
}

void Root::reopen_aside(std::chrono::nanoseconds timeout) noexcept {
  try {
    for (SinkStage* stage : stages_of(*pipeline_)) {
      if (!stage->ask_reopen()) continue;
      try {
        own_thread("cairn-reopen", [pipeline = pipeline_, stage, timeout] {
          stage->reopen_as_asked(timeout);
        }).detach();
      } catch (...) {
        stage->forget_reopen();
        throw;
      }
    }
  } catch (...) {
    try {  // no thread: it is told by the one that tells
      (void)notify([pipeline = pipeline_] { pipeline->errors().report({"no thread to reopen sinks"}); });
    } catch (...) {  // no memory either
    }
  }
}

/// Whether this thread is none of those that the end of a root with that pipeline may have to wait for.
static bool may_wait_for(const Pipeline& pipeline) noexcept {
  const ThreadState* thread = current_thread_state;
  return !on_notifier_thread() && !ActivePipeline::contains(pipeline) && (thread == nullptr || !thread->of_cairn);
}

void Root::drop_handle() noexcept {
  // acq_rel: what the handles did happens before the closing
  if (handles_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    const auto end = [this] {
      shut_down_and_wait();
      root_has_ended();
      forget_at_exit(*this);
      forget_before_death(*this);
      forget_on_sighup(*this);
      drop_reference();
    };
    root_begins_to_end();
    // Draining takes time, and may be begun by one of the root's own threads: it is not the caller's business.
    if (lanes_ && !(lent_ && may_wait_for(*pipeline_))) {
      // Whoever let go of it may end next what the callback looks at.
      pipeline_->errors().end_callback(
          deadline_in(may_wait_for(*pipeline_) ? callback_patience : std::chrono::seconds(0)));
      if (end_in_background(end)) return;
    }
    end();
    return;
  }
  drop_reference();
}

void Root::drop_reference() noexcept {
  // acq_rel: as above, before the memory goes
  if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
}

}  // namespace cairn::detail
