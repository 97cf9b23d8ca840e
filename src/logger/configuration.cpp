// The fluent face: settings collected, then a root made of them.
#include "cairn/configuration.hpp"

#include <algorithm>
#include <chrono>
#include <set>

#include "dispatch/ring_memory.hpp"
#include "lifecycle/ending_roots.hpp"
#include "lifecycle/exit_hook.hpp"
#include "lifecycle/fatal_signals.hpp"
#include "lifecycle/signal_thread.hpp"
#include "logger/logger_state.hpp"
#include "logger/periodic_metrics.hpp"
#include "logger/plan.hpp"
#include "logger/root.hpp"
#include "sinks/rolling_file.hpp"
#include "text/text_escape.hpp"

namespace cairn {

using namespace detail;  // NOLINT(google-build-using-namespace): a source file of the library itself

namespace {

std::string joined(const std::vector<std::string>& problems) {
  std::string text = problems.size() == 1 ? "the logger cannot be created: " : "the logger cannot be created:";
  for (const std::string& problem : problems) {
    if (problems.size() > 1) text += "\n  - ";
    text += problem;
  }
  return text;
}

std::shared_ptr<SinkPlan> plan_of(decltype(SinkPlan::what) what, std::string name, bool named = false) {
  auto plan = std::make_shared<SinkPlan>();
  plan->what = std::move(what);
  plan->name = std::move(name);
  plan->named = named;
  return plan;
}

std::shared_ptr<SinkPlan> copy_of(const std::shared_ptr<SinkPlan>& plan) {
  if (!plan) return nullptr;
  auto copy = std::make_shared<SinkPlan>(*plan);
  copy->fallback = copy_of(plan->fallback);
  return copy;
}

}  // namespace

ConfigurationError::ConfigurationError(std::vector<std::string> problems)
    : std::runtime_error(joined(problems)),
      problems_(std::make_shared<const std::vector<std::string>>(std::move(problems))) {}

// ---- sinks as values

SinkSpec SinkSpec::console(ConsoleOptions options) {
  return SinkSpec(plan_of(ConsolePlan{std::move(options)}, "console"));
}
SinkSpec SinkSpec::file(std::string path, FileOptions options) {
  std::string name = "file:" + path;
  return SinkSpec(plan_of(FilePlan{std::move(path), std::move(options)}, std::move(name)));
}
SinkSpec SinkSpec::null() { return SinkSpec(plan_of(NullPlan{}, "null")); }
SinkSpec SinkSpec::callback(std::function<void(const Event&)> f) {
  return SinkSpec(plan_of(CallbackPlan{std::move(f)}, "callback"));
}
SinkSpec SinkSpec::sink(std::shared_ptr<Sink> sink, std::string name) {
  const bool named = !name.empty();
  return SinkSpec(plan_of(SharedPlan{std::move(sink)}, named ? std::move(name) : "sink", named));
}
SinkSpec SinkSpec::logger(Logger target) { return SinkSpec(plan_of(LoggerPlan{std::move(target)}, "logger")); }
SinkSpec SinkSpec::stream(std::ostream& stream, StreamOptions options) {
  return SinkSpec(plan_of(StreamPlan{&stream, -1, std::move(options)}, "stream"));
}
SinkSpec SinkSpec::descriptor(int fd, StreamOptions options) {
  return SinkSpec(plan_of(StreamPlan{nullptr, fd, std::move(options)}, "fd:" + std::to_string(fd)));
}

SinkSpec&& SinkSpec::with_name(std::string name) && {
  plan_->name = std::move(name);
  plan_->named = true;
  return std::move(*this);
}
SinkSpec&& SinkSpec::with_min_level(Level level) && {
  plan_->least = level;
  return std::move(*this);
}
SinkSpec&& SinkSpec::with_filter(Filter filter) && {
  plan_->filter = std::move(filter);
  return std::move(*this);
}
SinkSpec&& SinkSpec::with_queue(QueueOptions options) && {
  plan_->queue = std::move(options);
  return std::move(*this);
}
SinkSpec&& SinkSpec::with_memory_limit(std::uint64_t bytes) && {
  plan_->memory_limit = bytes;
  return std::move(*this);
}
SinkSpec&& SinkSpec::with_circuit_breaker(CircuitBreakerOptions options) && {
  plan_->breaker = std::move(options);
  return std::move(*this);
}
SinkSpec&& SinkSpec::with_fallback(SinkSpec fallback, FallbackCallback on_fallback) && {
  plan_->fallback = std::move(fallback.plan_);
  plan_->on_fallback = std::move(on_fallback);
  return std::move(*this);
}

// ---- the configuration as a value

Configuration::Configuration() : state_(std::make_shared<ConfigurationState>()) {}
Configuration::Configuration(const Configuration& other) : state_(std::make_shared<ConfigurationState>(*other.state_)) {
  for (auto& sink : state_->sinks) sink = copy_of(sink);
}
Configuration::Configuration(Configuration&& other) noexcept = default;
Configuration& Configuration::operator=(const Configuration& other) {
  if (this != &other) *this = Configuration(other);
  return *this;
}
Configuration& Configuration::operator=(Configuration&& other) noexcept = default;
Configuration::~Configuration() = default;

Configuration& Configuration::minimum_level(Level level) {
  state_->minimum = {.level = level};
  return *this;
}
Configuration& Configuration::minimum_level(const LevelSwitch& level) {
  state_->minimum = {.followed = level.state()};
  return *this;
}
Configuration& Configuration::minimum_level_override(std::string source, Level level) {
  state_->overrides.push_back({std::move(source), level, nullptr});
  return *this;
}
Configuration& Configuration::minimum_level_override(std::string source, const LevelSwitch& level) {
  state_->overrides.push_back({std::move(source), Level::information, level.state()});
  return *this;
}

SinkConfiguration Configuration::write_to(const SinkSpec& spec) {
  state_->sinks.push_back(spec.plan());
  return SinkConfiguration(state_);
}
SinkConfiguration Configuration::write_to_console(ConsoleOptions options) {
  return write_to(SinkSpec::console(std::move(options)));
}
SinkConfiguration Configuration::write_to_file(std::string path, FileOptions options) {
  return write_to(SinkSpec::file(std::move(path), std::move(options)));
}
SinkConfiguration Configuration::write_to_null() { return write_to(SinkSpec::null()); }
SinkConfiguration Configuration::write_to_logger(Logger target) {
  return write_to(SinkSpec::logger(std::move(target)));
}
SinkConfiguration Configuration::write_to_callback(std::function<void(const Event&)> f) {
  return write_to(SinkSpec::callback(std::move(f)));
}
SinkConfiguration Configuration::write_to(std::shared_ptr<Sink> sink, std::string name) {
  return write_to(SinkSpec::sink(std::move(sink), std::move(name)));
}
SinkConfiguration Configuration::write_to_stream(std::ostream& stream, StreamOptions options) {
  return write_to(SinkSpec::stream(stream, std::move(options)));
}
SinkConfiguration Configuration::write_to_descriptor(int fd, StreamOptions options) {
  return write_to(SinkSpec::descriptor(fd, std::move(options)));
}
SinkPlan& Configuration::last_sink() { return *state_->sinks.back(); }

SinkConfiguration& SinkConfiguration::with_name(std::string name) {
  last_sink().name = std::move(name);
  last_sink().named = true;
  return *this;
}
SinkConfiguration& SinkConfiguration::with_min_level(Level level) {
  last_sink().least = level;
  return *this;
}
SinkConfiguration& SinkConfiguration::with_filter(Filter filter) {
  last_sink().filter = std::move(filter);
  return *this;
}
SinkConfiguration& SinkConfiguration::with_fallback(const SinkSpec& fallback, FallbackCallback on_fallback) {
  last_sink().fallback = fallback.plan();
  last_sink().on_fallback = std::move(on_fallback);
  return *this;
}

SinkConfiguration& SinkConfiguration::with_circuit_breaker(CircuitBreakerOptions options) {
  last_sink().breaker = std::move(options);
  return *this;
}
SinkConfiguration& SinkConfiguration::with_queue(QueueOptions options) {
  last_sink().queue = std::move(options);
  return *this;
}
SinkConfiguration& SinkConfiguration::with_memory_limit(std::uint64_t bytes) {
  last_sink().memory_limit = bytes;
  return *this;
}

Configuration& Configuration::enrich_with(Enricher enricher) {
  state_->enrichers.push_back(std::move(enricher));
  return *this;
}
Configuration& Configuration::enrich_with_value(std::string name, OwnedValue value) {
  state_->property_names.push_back(name);
  return enrich_with([name = std::move(name), value = std::move(value)](EventBuilder& e) { e.add(name, value); });
}
Configuration& Configuration::filter_by(Filter filter) {
  state_->filters.push_back(std::move(filter));
  return *this;
}
Configuration& Configuration::filter_by_min_level(Level level) { return filter_by(filters::level(level)); }
Configuration& Configuration::capture_limits(CaptureLimits limits) {
  state_->limits = limits;
  return *this;
}
Configuration& Configuration::memory_budget(MemoryBudgetOptions options) {
  state_->memory = std::move(options);
  return *this;
}
Configuration& Configuration::use_clock(Clock& clock) {
  state_->clock = &clock;
  return *this;
}
Configuration& Configuration::on_internal_error(std::function<void(std::string_view)> f) {
  state_->on_internal_error = std::move(f);
  return *this;
}
Configuration& Configuration::with_crash_ring(CrashRingOptions options) {
  state_->crash_ring = std::move(options);
  return *this;
}
Configuration& Configuration::with_metrics(bool on) {
  state_->metrics = on;
  return *this;
}
Configuration& Configuration::periodic_metrics(std::chrono::nanoseconds interval) {
  state_->metrics_interval = interval;
  return *this;
}
Configuration& Configuration::with_shutdown_timeout(std::chrono::nanoseconds timeout) {
  state_->shutdown_timeout = timeout;
  return *this;
}
Configuration& Configuration::on_shutdown(ShutdownHandler handler, ShutdownHandlerOptions options) {
  state_->on_shutdown.push_back({std::move(handler), std::move(options)});
  return *this;
}
Configuration& Configuration::fatal_signals(bool on) {
  state_->fatal_signals.reset();
  if (on) state_->fatal_signals.emplace();
  return *this;
}
Configuration& Configuration::handle_fatal_signals(FatalSignalOptions options) {
  state_->fatal_signals = std::move(options);
  return *this;
}
Configuration& Configuration::reopen_on_sighup(bool on) {
  state_->reopen_on_sighup = on;
  return *this;
}
Configuration& Configuration::with_graceful_shutdown(bool on) {
  state_->graceful = on;
  return *this;
}

// ---- the logger

namespace {

/// Makes the sink. A file that another logger holds which is at its end is waited for.
std::shared_ptr<Sink> make_sink_when_free(const SinkPlan& plan, Pipeline& pipeline,
                                          std::chrono::steady_clock::time_point deadline) {
  while (true) {
    const std::uint64_t ended = roots_ended();
    try {
      return make_sink(plan, pipeline.clock(), pipeline.errors());
    } catch (const FileOpenError& error) {
      const bool held = error.code() == std::errc::device_or_resource_busy;
      if (!held || !wait_for_an_end(ended, deadline)) throw;
    }
  }
}

/// The times of a queue as they are reckoned with. A program that means "never" by the longest there is gets a year: a
/// moment that is now and so long from now is one that the clock has.
QueueOptions within_reckoning(QueueOptions queue) {
  constexpr std::chrono::nanoseconds for_ever = std::chrono::hours(24 * 365);
  for (auto* const time : {&queue.flush_interval, &queue.block_timeout, &queue.slow_after})
    *time = std::min(*time, for_ever);
  return queue;
}

/// Names of sinks, none of which reads as another does in metrics. Those that the program gave are taken from the
/// beginning, and are known to be different; a default name that is taken gets a number.
class SinkNames {
 public:
  explicit SinkNames(const std::vector<std::shared_ptr<SinkPlan>>& sinks) {
    for (const auto& first : sinks) {
      for (const SinkPlan* plan = first.get(); plan != nullptr; plan = plan->fallback.get()) {
        if (plan->named) taken_.insert(read(plan->name));
      }
    }
  }
  [[nodiscard]] std::string name_of(const SinkPlan& plan, const std::string& before) {
    if (plan.named) return plan.name;
    const std::string base = before.empty() ? plan.name : before + "/" + plan.name;
    std::string name = base;
    for (int number = 2; !taken_.insert(read(name)).second; ++number) name = base + "#" + std::to_string(number);
    return name;
  }

 private:
  /// A path may hold bytes that are no text, which all read alike there.
  [[nodiscard]] static std::string read(std::string_view name) {
    OutputBuffer text;
    format::append_json_content(text, name);
    return std::string(text.view());
  }
  std::set<std::string> taken_;
};

/// Makes the stage of a plan and of its fallbacks; what cannot be opened is added to `problems`.
std::unique_ptr<SinkStage> make_stage(const SinkPlan& plan, SinkNames& names, Pipeline& pipeline,
                                      std::chrono::steady_clock::time_point deadline,
                                      std::vector<std::string>& problems, bool timed, const std::string& before = {}) {
  SinkStage::Settings settings;
  const std::string name = settings.name = names.name_of(plan, before);
  settings.least = plan.least.value_or(Level::verbose);
  settings.filter = plan.filter;
  settings.on_fallback = plan.on_fallback;
  settings.timed = timed;
  settings.is_foreign = std::holds_alternative<CallbackPlan>(plan.what) ||
                        std::holds_alternative<SharedPlan>(plan.what) || std::holds_alternative<StreamPlan>(plan.what);
  settings.breaker = plan.breaker;
  settings.before = before;
  if (!before.empty() && !plan.fallback) settings.emergency = &pipeline.emergency();
  if (plan.queue) {
    settings.queue = {within_reckoning(*plan.queue), plan.memory_limit.value_or(SIZE_MAX)};
    QueueOptions& queue = settings.queue->options;
    if (queue.batch_size == QueueOptions().batch_size) queue.batch_size = std::min(queue.batch_size, queue.max_size);
  }
  try {
    settings.sink = make_sink_when_free(plan, pipeline, deadline);
  } catch (const std::exception& e) {
    problems.push_back("sink " + name + ": " + e.what());
  }
  if (plan.fallback) settings.fallback = make_stage(*plan.fallback, names, pipeline, deadline, problems, timed, name);
  return std::make_unique<SinkStage>(std::move(settings), pipeline, pipeline.errors(), pipeline.clock());
}

/// Whether the logger will write to something that is not its own.
bool lends_something(const ConfigurationState& state) {
  const auto is_lent = [](const SinkPlan* plan) {
    for (; plan != nullptr; plan = plan->fallback.get()) {
      if (std::holds_alternative<StreamPlan>(plan->what) || std::holds_alternative<CallbackPlan>(plan->what))
        return true;
    }
    return false;
  };
  return state.clock != nullptr ||
         std::any_of(state.sinks.begin(), state.sinks.end(), [&](const auto& plan) { return is_lent(plan.get()); });
}

}  // namespace

Logger Configuration::create_logger() const {
  std::vector<std::string> problems = check(*state_);
  if (!problems.empty()) throw ConfigurationError(std::move(problems));

  std::vector<LevelSetting> levels{state_->minimum};
  levels.insert(levels.end(), state_->overrides.begin(), state_->overrides.end());
  auto root =
      std::make_unique<Root>(std::move(levels), state_->enrichers, state_->filters, state_->limits,
                             state_->on_internal_error, state_->clock != nullptr ? *state_->clock : system_clock());
  if (state_->metrics.value_or(true)) root->pipeline().keep_talkers();
  const bool timed = state_->metrics.value_or(state_->clock == nullptr);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);  // as long as an end may take
  SinkNames names(state_->sinks);
  for (const auto& plan : state_->sinks)
    root->pipeline().sinks().push_back(make_stage(*plan, names, root->pipeline(), deadline, problems, timed));
  if (!problems.empty()) throw ConfigurationError(std::move(problems));
  root->set_shutdown_timeout(state_->shutdown_timeout);
  if (lends_something(*state_)) root->uses_what_is_lent();
  if (state_->memory) root->set_memory_budget(*state_->memory);
  if (state_->crash_ring) {
    const auto tell = [&errors = root->pipeline().errors()](std::string_view why) {
      errors.report({"crash_ring: disabled(", why, ")"});
    };
    root->use_ring(std::make_shared<CrashRing>(*state_->crash_ring, ring_account, tell));
  }
  root->start();
  auto state = std::make_unique<LoggerState>();  // from here on whatever fails ends the logger as its last handle does
  state->root = root.release();
  state->root->add_handle();
  Root& made = *state->root;
  try {
    if (state_->reopen_on_sighup) detail::reopen_on_sighup(made);
    if (state_->fatal_signals) deliver_before_death(made, *state_->fatal_signals);
  } catch (const std::system_error& error) {
    throw ConfigurationError({error.what()});
  }
  if (state_->crash_ring) made.recover_rings();  // what a sink crashes on then goes to the crash file
  for (const std::string& warning : warnings_of(*state_)) made.pipeline().errors().report({warning});
  if (state_->graceful) close_at_exit(made);
  state->threshold = made.word_for({});
  if (state_->metrics_interval) {
    const Logger reporter = LoggerAccess::make(LoggerState::borrow(*state)).for_source("Cairn.Metrics");
    made.report_by(PeriodicMetrics::start(reporter, *state_->metrics_interval));
  }
  for (const auto& [handler, options] : state_->on_shutdown) made.shutdown_sequence().add(handler, options);
  return LoggerAccess::make(std::move(state));
}

std::variant<Logger, ConfigurationError> Configuration::try_create_logger() const {
  try {
    return create_logger();
  } catch (const ConfigurationError& error) {
    return error;
  }
}

}  // namespace cairn
