// What happens to an event between its record and its sinks: enrichers, filters, then each sink. Knows sinks only as
// stages.
#pragma once

#include <atomic>
#include <memory>
#include <span>
#include <vector>

#include "cairn/enrichers.hpp"
#include "cairn/filters.hpp"
#include "capture/property_block.hpp"
#include "pipeline/internal_errors.hpp"
#include "pipeline/sink_stage.hpp"

namespace cairn::detail {

class Pipeline {
 public:
  Pipeline(std::vector<Enricher> enrichers, std::vector<Filter> filters,
           std::function<void(std::string_view)> on_internal_error, Clock& clock)
      : enrichers_(std::move(enrichers)),
        filters_(std::move(filters)),
        errors_(std::move(on_internal_error), clock),
        clock_(clock) {}

  /// Runs one event through. `extras` is the block the event looks into for enrichers' properties. The enrichers and
  /// filters given are the logger's own, after the root's.
  void process(const Event& event, PropertyBlock& extras, std::span<const Enricher> own_enrichers,
               std::span<const Filter> own_filters) noexcept;

  [[nodiscard]] std::vector<std::unique_ptr<SinkStage>>& sinks() noexcept { return sinks_; }
  [[nodiscard]] const std::vector<std::unique_ptr<SinkStage>>& sinks() const noexcept { return sinks_; }
  [[nodiscard]] InternalErrors& errors() noexcept { return errors_; }
  [[nodiscard]] Clock& clock() noexcept { return clock_; }
  void counts_into(LoggerCounts& counts) const;

 private:
  void count_losses(const Event& event) noexcept;
  void enrich(const Event& event, PropertyBlock& extras, const Enricher& enricher) noexcept;
  [[nodiscard]] bool passes(const Event& event, const Filter& filter) noexcept;

  std::vector<Enricher> enrichers_;
  std::vector<Filter> filters_;
  InternalErrors errors_;
  Clock& clock_;
  std::vector<std::unique_ptr<SinkStage>> sinks_;

  // relaxed throughout: counters, read for metrics only
  std::atomic<std::uint64_t> captured_{0};
  std::atomic<std::uint64_t> dispatched_{0};
  std::atomic<std::uint64_t> filtered_{0};
  std::atomic<std::uint64_t> truncated_{0};
  std::atomic<std::uint64_t> duplicate_properties_{0};
  std::atomic<std::uint64_t> enricher_errors_{0};
  std::atomic<std::uint64_t> filter_errors_{0};
  std::atomic<std::uint64_t> ignored_formats_{0};
  std::atomic<std::uint64_t> mismatched_arguments_{0};
};

}  // namespace cairn::detail
