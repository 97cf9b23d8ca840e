// Handles: what they share, and what is made from them.
#include "cairn/logger.hpp"

#include <new>

#include "cairn/enrichers.hpp"
#include "cairn/filters.hpp"
#include "lifecycle/exit_hook.hpp"
#include "logger/root.hpp"

namespace cairn {

using detail::LoggerState;

namespace {

void keep(LoggerState* state) noexcept { state->references.fetch_add(1, std::memory_order_relaxed); }

void let_go(LoggerState* state) noexcept {
  // acq_rel: what other handles did happens before the state is destroyed
  if (state->references.fetch_sub(1, std::memory_order_acq_rel) == 1) delete state;
}

}  // namespace

Logger::Logger() noexcept : Logger(&detail::silent_state()) { keep(state_); }
Logger::Logger(LoggerState* state) noexcept : state_(state), threshold_(state->threshold) {}
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
Logger::~Logger() { let_go(state_); }

Logger Logger::with_property(std::string_view name, const OwnedValue& value) const {
  auto made = std::make_unique<LoggerState>(*state_);
  made->properties.remove_name(name.empty() ? "_" : name);
  made->properties.add(name.empty() ? "_" : name, value.view());
  return Logger(made.release());
}

Logger Logger::for_source(std::string_view source) const {
  auto made = std::make_unique<LoggerState>(*state_);
  made->source = source;
  made->properties.remove_name("SourceContext");
  made->properties.add("SourceContext", OwnedValue(source).view());
  if (made->root != nullptr) made->threshold = made->root->word_for(source);
  return Logger(made.release());
}

Logger Logger::with_enricher(Enricher enricher) const {
  auto made = std::make_unique<LoggerState>(*state_);
  made->enrichers.push_back(std::move(enricher));
  return Logger(made.release());
}

Logger Logger::add_filter(Filter filter) const {
  auto made = std::make_unique<LoggerState>(*state_);
  made->filters.push_back(std::move(filter));
  return Logger(made.release());
}

Logger Logger::add_min_level_filter(Level level) const { return add_filter(filters::level(level)); }

FlushResult Logger::flush(std::chrono::nanoseconds timeout) const {
  return state_->root != nullptr ? state_->root->flush(timeout) : FlushResult();
}

void Logger::reopen() const {
  if (state_->root != nullptr) state_->root->reopen();
}

FlushResult Logger::close() const {
  if (state_->root == nullptr) return {};
  detail::forget_at_exit(*state_->root);
  return state_->root->close(std::chrono::seconds(5));
}

MetricsSnapshot Logger::metrics() const {
  if (state_->root != nullptr) return state_->root->metrics();
  MetricsSnapshot snapshot;
  if (const auto calls = detail::silent_calls().load(std::memory_order_relaxed); calls != 0) {
    snapshot.logger.rejected["not_configured"] = calls;
  }
  return snapshot;
}

void detail::count_refused(const LoggerState& logger) noexcept {
  if (logger.root != nullptr) {
    logger.root->refuse(Refusal::after_shutdown);
  } else {
    silent_calls().fetch_add(1, std::memory_order_relaxed);
  }
}

}  // namespace cairn
