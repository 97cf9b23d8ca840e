// One sink in a pipeline: its own level and filter, one call at a time, what became of every event, and what stands
// behind it.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "cairn/filters.hpp"
#include "cairn/metrics.hpp"
#include "cairn/sink.hpp"
#include "capture/property_block.hpp"
#include "pipeline/internal_errors.hpp"

namespace cairn::detail {

enum class FailReason : std::uint8_t {
  sink_threw,
  no_space,
  over_quota,
  file_too_large,
  io_error,
  closed_pipe,
  short_emit,
  sink_closed,
  other
};
inline constexpr std::size_t fail_reasons = 9;
[[nodiscard]] std::string_view to_string(FailReason reason) noexcept;
[[nodiscard]] FailReason reason_of(std::error_code error) noexcept;

class SinkStage {
 public:
  struct Settings {
    std::string name;
    std::shared_ptr<Sink> sink;
    Level least = Level::verbose;
    std::optional<Filter> filter;
    std::unique_ptr<SinkStage> fallback;
    std::function<void(std::size_t, std::string_view)> on_fallback;
  };
  SinkStage(Settings settings, InternalErrors& errors, Clock& clock)
      : settings_(std::move(settings)), errors_(errors), clock_(clock), sink_(settings_.sink) {
    settings_.sink.reset();
  }

  /// Delivers one event, or counts what became of it. Nothing throws. `extras` belongs to the event, and is lent to
  /// mark what a fallback gets.
  void deliver(const Event& event, PropertyBlock& extras) noexcept;

  [[nodiscard]] SinkFlush flush(std::chrono::steady_clock::time_point deadline) noexcept;
  void reopen() noexcept;
  /// Flushes, then lets the sink go. What comes later fails with `sink_closed`.
  [[nodiscard]] SinkFlush close(std::chrono::steady_clock::time_point deadline) noexcept;

  /// Appends this stage's counts, then its fallback's.
  void counts_into(std::vector<SinkCounts>& out) const;
  [[nodiscard]] const std::string& name() const noexcept { return settings_.name; }
  [[nodiscard]] SinkStage* fallback() noexcept { return settings_.fallback.get(); }

 private:
  /// `suppressed`: what the sink's own sampling filters held back before it.
  [[nodiscard]] bool takes(const Event& event, std::uint64_t& suppressed) noexcept;
  void fail(const Event& event, PropertyBlock& extras, FailReason reason, std::string_view what) noexcept;
  void remember_error(std::string_view what) noexcept;

  Settings settings_;
  InternalErrors& errors_;
  Clock& clock_;

  std::timed_mutex mutex_;      // one call on the sink at a time
  std::shared_ptr<Sink> sink_;  // guarded by mutex_; null once closed

  // relaxed throughout: counters, read for metrics only
  std::atomic<std::uint64_t> accepted_{0};
  std::atomic<std::uint64_t> emitted_{0};
  std::atomic<std::uint64_t> diverted_{0};
  std::atomic<std::uint64_t> bytes_{0};
  std::array<std::atomic<std::uint64_t>, fail_reasons> failed_{};

  mutable std::mutex error_mutex_;
  std::string last_error_;
  std::optional<Timestamp> last_error_time_;
};

}  // namespace cairn::detail
