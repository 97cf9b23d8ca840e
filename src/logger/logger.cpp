// Handles: what they share, and what is made from them.
#include "cairn/logger.hpp"

#include <cstdint>
#include <new>
#include <stdexcept>

#include "cairn/enrichers.hpp"
#include "cairn/filters.hpp"
#include "cairn/shutdown.hpp"
#include "logger/logger_state.hpp"
#include "pipeline/source_name.hpp"
#include "platform/static_storage.hpp"

namespace cairn {

using detail::LoggerState;

namespace {

LoggerState* full(detail::LoggerCore* state) noexcept { return static_cast<LoggerState*>(state); }

void keep(detail::LoggerCore* state) noexcept { full(state)->references.fetch_add(1, std::memory_order_relaxed); }

/// Lies the handle, being destroyed by a function that was just called, on the stack? Almost always; and cheaply told.
[[gnu::always_inline]] inline bool near_on_the_stack(const void* handle) noexcept {
  return reinterpret_cast<std::uintptr_t>(handle) - reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0)) < 4096;
}

void let_go(detail::LoggerCore* state, const void* handle) noexcept {
  // A handle in static storage dies when the program exits, and other threads may log through it still.
  // relaxed: ordered by the count below
  if (!near_on_the_stack(handle) && detail::in_static_storage(handle))
    full(state)->outlives_handles.store(true, std::memory_order_relaxed);
  // acq_rel: what other handles did happens before the state is destroyed
  if (full(state)->references.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  if (full(state)->outlives_handles.load(std::memory_order_relaxed)) {
    full(state)->end_without_dying();
  } else {
    delete full(state);
  }
}

/// A state made from `from`, its parts changed by `change`.
template <class F>
std::unique_ptr<LoggerState> derived(detail::LoggerCore* from, F&& change) {
  auto parts = std::make_shared<detail::LoggerParts>(*full(from)->parts);
  change(*parts);
  return std::make_unique<LoggerState>(*full(from), std::move(parts));
}

}  // namespace

Logger::Logger() noexcept : Logger(&detail::silent_state()) { keep(state_); }
Logger::Logger(detail::LoggerCore* state) noexcept : state_(state), threshold_(full(state)->threshold) {}
Logger::Logger(const Logger& other) noexcept : state_(other.state_), threshold_(other.threshold_) { keep(state_); }
Logger::Logger(Logger&& other) noexcept : Logger() {
  std::swap(state_, other.state_);
  std::swap(threshold_, other.threshold_);
}
Logger& Logger::operator=(const Logger& other) noexcept { return *this = Logger(other); }
Logger& Logger::operator=(Logger&& other) noexcept {
  std::swap(state_, other.state_);
  std::swap(threshold_, other.threshold_);
  return *this;
}
Logger::~Logger() { let_go(state_, this); }

Logger detail::LoggerAccess::make(std::unique_ptr<LoggerState> state) {
  state->enter_table();
  return Logger(state.release());
}

Logger Logger::with_property(std::string_view name, const OwnedValue& value) const {
  const detail::Root* root = full(state_)->root;
  const std::size_t most = root != nullptr ? root->limits().event_bytes : CaptureLimits().event_bytes;
  return detail::LoggerAccess::make(derived(state_, [&](auto& parts) {
    parts.properties.replace_within(most, name.empty() ? "_" : name, value.view(), value.truncated());
  }));
}

Logger Logger::for_source(std::string_view source) const {
  auto made =
      derived(state_, [&](auto& parts) { parts.properties.replace("SourceContext", OwnedValue(source).view()); });
  made->source = source;
  if (detail::Root* const root = made->root) {
    made->threshold = root->word_for(source);
    if (const std::string problem = detail::source_name_problem(source);
        !problem.empty() && root->told_sources().is_new(source)) {
      root->pipeline().errors().report_always({"for_source: the source ", problem,
                                               ": no override and no filter can name it; it takes parts with . or :: "
                                               "between them, like shop.orders"});
    }
  }
  return detail::LoggerAccess::make(std::move(made));
}

Logger Logger::with_enricher(Enricher enricher) const {
  if (enricher.empty()) throw std::invalid_argument("with_enricher: the enricher is empty; it takes a function");
  return detail::LoggerAccess::make(derived(state_, [&](auto& parts) { parts.enrichers.add(std::move(enricher)); }));
}

Logger Logger::add_filter(Filter filter) const {
  if (!filter.problem().empty()) throw std::invalid_argument("add_filter: " + filter.problem());
  return detail::LoggerAccess::make(derived(state_, [&](auto& parts) { parts.filters.push_back(std::move(filter)); }));
}

Logger Logger::add_min_level_filter(Level level) const { return add_filter(filters::level(level)); }

FlushResult Logger::flush(std::chrono::nanoseconds timeout) const {
  return full(state_)->root != nullptr ? full(state_)->root->flush(timeout) : FlushResult();
}

FlushResult Logger::reopen(std::chrono::nanoseconds timeout) const {
  return full(state_)->root != nullptr ? full(state_)->root->reopen(timeout) : FlushResult();
}

FlushResult Logger::close() const {
  return full(state_)->root != nullptr ? full(state_)->root->close() : FlushResult();
}

ShutdownReport Logger::shutdown(const ShutdownStrategy& strategy) const {
  return full(state_)->root != nullptr ? full(state_)->root->shutdown(strategy) : ShutdownReport();
}

ShutdownHandlerId Logger::on_shutdown(ShutdownHandler handler) const { return on_shutdown(std::move(handler), {}); }

ShutdownHandlerId Logger::on_shutdown(ShutdownHandler handler, ShutdownHandlerOptions options) const {
  if (full(state_)->root == nullptr) return {};
  return full(state_)->root->shutdown_sequence().add(std::move(handler), std::move(options));
}

bool Logger::remove_shutdown_handler(ShutdownHandlerId handler) const noexcept {
  return full(state_)->root != nullptr && full(state_)->root->shutdown_sequence().remove(handler);
}

MetricsSnapshot Logger::metrics() const {
  if (full(state_)->root != nullptr) return full(state_)->root->metrics();
  MetricsSnapshot snapshot;
  if (const auto calls = detail::silent_calls().load(std::memory_order_relaxed); calls != 0) {
    snapshot.logger.rejected["not_configured"] = calls;
  }
  return snapshot;
}

void Logger::reset_metrics() const {
  if (full(state_)->root != nullptr) full(state_)->root->reset_metrics();
}

std::size_t Logger::queue_depth() const noexcept {
  const detail::Root* root = full(state_)->root;
  return root != nullptr ? root->queue_depth(nullptr) : 0;
}
std::size_t Logger::queue_depth(std::string_view sink) const noexcept {
  const detail::Root* root = full(state_)->root;
  return root != nullptr ? root->queue_depth(&sink) : 0;
}

CircuitBreaker* Logger::circuit_breaker(std::string_view sink) const noexcept {
  detail::Root* root = full(state_)->root;
  return root != nullptr ? root->circuit_breaker(sink) : nullptr;
}

}  // namespace cairn
