// What a snapshot shows of counters that only grow: the difference to the last reset, and how fast they grow.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "cairn/metrics.hpp"

namespace cairn::detail {

/// For one thread at a time.
class MetricsView {
 public:
  /// `now` is a steady time, here and below.
  explicit MetricsView(std::chrono::nanoseconds now) noexcept : started_(now) {}

  /// From here on counts are shown as if those of `totals` had never been, but for what is still on its way. What has
  /// no total (times, high-water marks, top talkers) is for the caller to reset, and the latest errors before: which is
  /// the one from then cannot be told by its time, a clock may stand.
  void reset(MetricsSnapshot totals, std::chrono::nanoseconds now);
  /// The totals themselves begin anew, in a process just forked.
  void begin_anew(std::optional<std::chrono::nanoseconds> now) noexcept {
    if (now) started_ = *now;  // else the clock cannot be asked
    base_.reset();
    rates_.clear();
  }
  /// Makes of totals what is shown.
  void show(MetricsSnapshot& totals, std::chrono::nanoseconds now);

 private:
  /// What a sink had emitted at two moments, the second of which is less than a second ago, or is the latest.
  struct Rate {
    std::chrono::nanoseconds since{};
    std::uint64_t emitted_then = 0;
    std::chrono::nanoseconds latest{};
    std::uint64_t emitted_latest = 0;
  };
  std::chrono::nanoseconds started_;
  std::optional<MetricsSnapshot> base_;
  std::vector<Rate> rates_;
};

}  // namespace cairn::detail
