// What a logger adds to its events and does with them.
#pragma once

#include <utility>
#include <vector>

#include "cairn/enrichers.hpp"
#include "cairn/filters.hpp"
#include "capture/property_block.hpp"

namespace cairn::detail {

/// Enrichers in the order in which they run: those that must see the thread that logs come first.
class EnricherList {
 public:
  EnricherList() = default;
  explicit EnricherList(std::vector<Enricher> enrichers) {
    for (Enricher& enricher : enrichers) add(std::move(enricher));
  }
  void add(Enricher enricher) {
    (enricher.runs_at_capture() ? at_capture_ : on_delivery_).push_back(std::move(enricher));
  }
  [[nodiscard]] bool empty() const noexcept { return at_capture_.empty() && on_delivery_.empty(); }
  [[nodiscard]] const std::vector<Enricher>& at_capture() const noexcept { return at_capture_; }
  [[nodiscard]] const std::vector<Enricher>& on_delivery() const noexcept { return on_delivery_; }

 private:
  std::vector<Enricher> at_capture_;
  std::vector<Enricher> on_delivery_;
};

/// Immutable once shared.
struct LoggerParts {
  PropertyBlock properties;
  EnricherList enrichers;
  std::vector<Filter> filters;

  [[nodiscard]] bool has_properties_only() const noexcept { return enrichers.empty() && filters.empty(); }
};

}  // namespace cairn::detail
