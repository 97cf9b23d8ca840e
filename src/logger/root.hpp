// What one create_logger() made, which its handles share: pipeline, levels, life.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "cairn/logger.hpp"
#include "cairn/metrics.hpp"
#include "capture/property_block.hpp"
#include "dispatch/lane_root.hpp"
#include "lifecycle/shutdown_sequence.hpp"
#include "logger/level_words.hpp"
#include "pipeline/metrics_view.hpp"
#include "pipeline/pipeline.hpp"
#include "pipeline/process_memory.hpp"
#include "pipeline/source_name.hpp"
#include "pipeline/told_sources.hpp"

namespace cairn::detail {

enum class Refusal : std::uint8_t { after_shutdown, reentrant, oom, not_configured, block_timeout };
inline constexpr std::size_t refusals = 5;

class PeriodicMetrics;

class Root final : private ForkHandler {
 public:
  Root(std::vector<LevelSetting> levels, std::vector<Enricher> enrichers, std::vector<Filter> filters,
       CaptureLimits limits, std::function<void(std::string_view)> on_internal_error, Clock& clock);
  ~Root();
  Root(const Root&) = delete;
  Root& operator=(const Root&) = delete;

  [[nodiscard]] Pipeline& pipeline() noexcept { return *pipeline_; }
  /// Its part in the process's, as long as it lives.
  void set_memory_budget(MemoryBudgetOptions options);
  /// The sinks are there: from now on events may come.
  void start();
  /// After start(), with a ring: delivers what dead processes left.
  void recover_rings();
  /// Null: some sink is synchronous, and the caller runs the pipeline.
  [[nodiscard]] const std::shared_ptr<LaneRoot>& lanes() const noexcept { return lanes_; }
  [[nodiscard]] const CaptureLimits& limits() const noexcept { return limits_; }
  /// The level word for that source: the override with the longest prefix, else the root's.
  [[nodiscard]] const LevelWord* word_for(std::string_view source) const;
  /// Sources that nothing can name, as far as they were told.
  [[nodiscard]] ToldSources& told_sources() noexcept { return told_sources_; }
  [[nodiscard]] bool closed() const noexcept { return closed_.load(std::memory_order_acquire); }  // pairs with end()
  void refuse(Refusal reason) noexcept {
    refused_[static_cast<std::size_t>(reason)].fetch_add(1, std::memory_order_relaxed);
  }

  /// Of everything that was logged; of what sinks hold; of what those hold that have no queue.
  enum class FlushOf : std::uint8_t { everything, sinks, synchronous_sinks };
  [[nodiscard]] FlushResult flush(std::chrono::steady_clock::time_point deadline, FlushOf what) noexcept;
  [[nodiscard]] FlushResult flush(std::chrono::nanoseconds timeout) noexcept;
  /// Ends the root for all its handles. From a sink, a filter, an enricher or a handler: it goes on elsewhere.
  [[nodiscard]] ShutdownReport shutdown(const ShutdownStrategy& strategy) noexcept;
  /// The same, gracefully and with the configured timeout.
  [[nodiscard]] FlushResult close() noexcept;
  /// The same where nobody may come back before it is done.
  void shut_down_and_wait() noexcept;
  /// The same at exit, where others have their part of the time.
  void end_at_exit(std::chrono::steady_clock::time_point deadline) noexcept;
  /// The handlers, and when the root ended.
  [[nodiscard]] ShutdownSequence& shutdown_sequence() noexcept { return *shutdown_; }
  /// Where the events of a crashed sink go if it has no fallback; closed with the root. -1: stderr.
  void set_crash_descriptor(int fd) noexcept { crash_descriptor_ = fd; }
  /// The program dies by the thread `crashed`, which stands still: delivers what there is until the deadline.
  void deliver_before_death(std::thread::id crashed, std::chrono::steady_clock::time_point deadline) noexcept;
  /// Before start(): every sink is queued.
  void use_ring(std::shared_ptr<CrashRing> ring) noexcept { ring_ = std::move(ring); }
  void set_shutdown_timeout(std::chrono::nanoseconds timeout) noexcept {
    shutdown_timeout_ = std::clamp<std::chrono::nanoseconds>(timeout, {}, std::chrono::hours(24));
  }
  [[nodiscard]] std::chrono::nanoseconds shutdown_timeout() const noexcept { return shutdown_timeout_; }
  /// Sinks of other loggers that write to this one.
  void add_writer() noexcept { writers_.fetch_add(1, std::memory_order_relaxed); }
  void drop_writer() noexcept { writers_.fetch_sub(1, std::memory_order_release); }  // pairs with has_writers
  [[nodiscard]] bool has_writers() const noexcept { return writers_.load(std::memory_order_acquire) != 0; }
  /// It writes to what is the program's: a stream, a descriptor, a callback's captures, a clock. Who lets go of the
  /// last handle may end those next, and so waits until the root has ended.
  void uses_what_is_lent() noexcept { lent_ = true; }
  [[nodiscard]] FlushResult reopen(std::chrono::nanoseconds timeout) noexcept;
  /// The same by threads of their own, one a sink: waits for none of them.
  void reopen_aside(std::chrono::nanoseconds timeout) noexcept;
  [[nodiscard]] MetricsSnapshot metrics() const;
  void reset_metrics();
  /// Before the logger is handed out: what logs its metrics now and then, until the root closes.
  void report_by(std::shared_ptr<PeriodicMetrics> reports) noexcept { reports_ = std::move(reports); }
  /// Of the sink of that name; null: of all.
  [[nodiscard]] std::size_t queue_depth(const std::string_view* sink) const noexcept;
  /// Of the sink of that name; null: it has none.
  [[nodiscard]] CircuitBreaker* circuit_breaker(std::string_view sink) const noexcept;

  // Handles keep a root open; references keep its memory.
  void add_handle() noexcept { handles_.fetch_add(1, std::memory_order_relaxed), add_reference(); }
  void drop_handle() noexcept;
  void add_reference() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
  void drop_reference() noexcept;

 private:
  void before_fork(std::chrono::steady_clock::time_point) noexcept override {}  // the pipeline has the lock
  void after_fork(bool child) noexcept override;
  [[nodiscard]] MetricsSnapshot metric_totals() const;

  struct Word {
    LevelSetting setting;
    LevelWord* word;
  };
  /// Stops what comes in, and closes the sinks.
  void end(ShutdownSequence& sequence, ShutdownReport& report);
  /// Where a filter hangs, what is in the lanes is not in them after so long.
  [[nodiscard]] LoggerCounts counts(std::chrono::nanoseconds patience) const;

  std::vector<Word> words_;             // the first is the root's own
  std::shared_ptr<Pipeline> pipeline_;  // workers keep it
  std::shared_ptr<LaneRoot> lanes_;
  std::unique_ptr<BudgetSeat> budget_;
  std::shared_ptr<CrashRing> ring_;               // null: it has none
  std::shared_ptr<RingCheckpoints> checkpoints_;  // with a ring, or what others left
  CaptureLimits limits_;
  bool own_clock_;  // the program's
  std::atomic<bool> closed_{false};
  std::shared_ptr<ShutdownSequence> shutdown_ = std::make_shared<ShutdownSequence>();
  std::chrono::nanoseconds shutdown_timeout_ = std::chrono::seconds(5);
  bool lent_ = false;
  int crash_descriptor_ = -1;
  std::atomic<std::uint64_t> handles_{0};
  std::atomic<std::uint64_t> references_{0};
  std::atomic<std::uint64_t> writers_{0};
  std::array<std::atomic<std::uint64_t>, refusals> refused_{};
  ToldSources told_sources_;

  // Guarded by the pipeline's snapshot_lock().
  mutable MetricsView view_;
  mutable LoggerCounts last_counts_;  // as they were when they could be read last
  std::uint64_t resets_ = 0;

  std::shared_ptr<PeriodicMetrics> reports_;
};

}  // namespace cairn::detail
