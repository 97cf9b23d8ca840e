#include "pipeline/pipeline.hpp"

#include "pipeline/suppression.hpp"
#include "template/bound_template.hpp"

namespace cairn::detail {

void Pipeline::enrich(const Event& event, PropertyBlock& extras, const Enricher& enricher) noexcept {
  try {
    EventBuilder builder(event, extras);
    enricher(builder);
  } catch (...) {
    enricher_errors_.fetch_add(1, std::memory_order_relaxed);
    char what[256];
    current_exception_text(what);
    errors_.report({"an enricher threw, the event goes on without it: ", what});
  }
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

/// What of the event no output will show.
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

void Pipeline::process(const Event& event, PropertyBlock& extras, std::span<const Enricher> own_enrichers,
                       std::span<const Filter> own_filters) noexcept {
  captured_.fetch_add(1, std::memory_order_relaxed);
  for (const Enricher& enricher : enrichers_) enrich(event, extras, enricher);
  for (const Enricher& enricher : own_enrichers) enrich(event, extras, enricher);
  if (!filters_.empty() || !own_filters.empty()) {
    SuppressionScope suppression;
    bool pass = true;
    for (const Filter& filter : filters_) pass = pass && passes(event, filter);
    for (const Filter& filter : own_filters) pass = pass && passes(event, filter);
    if (!pass) {
      count_losses(event);
      filtered_.fetch_add(1, std::memory_order_relaxed);
      return;
    }
    if (const std::uint64_t suppressed = suppression.take(); suppressed != 0) {
      try {
        EventBuilder(event, extras).add("SuppressedCount", suppressed);
      } catch (...) {
        enricher_errors_.fetch_add(1, std::memory_order_relaxed);
      }
    }
  }
  count_losses(event);
  dispatched_.fetch_add(1, std::memory_order_relaxed);
  for (const auto& sink : sinks_) sink->deliver(event, extras);
}

void Pipeline::counts_into(LoggerCounts& counts) const {
  counts.dispatched = dispatched_.load(std::memory_order_relaxed);
  counts.filtered = filtered_.load(std::memory_order_relaxed);
  // Counted on its own, or the sum would prove nothing; read last, so that an event under way is in it or in none.
  counts.captured = captured_.load(std::memory_order_relaxed);
  counts.truncated = truncated_.load(std::memory_order_relaxed);
  counts.duplicate_properties = duplicate_properties_.load(std::memory_order_relaxed);
  counts.enricher_errors = enricher_errors_.load(std::memory_order_relaxed);
  counts.filter_errors = filter_errors_.load(std::memory_order_relaxed);
  counts.ignored_formats = ignored_formats_.load(std::memory_order_relaxed);
  counts.mismatched_arguments = mismatched_arguments_.load(std::memory_order_relaxed);
}

}  // namespace cairn::detail
