// What may be wrong with a configuration, each problem in a sentence: the setting, the value found, what is taken.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "logger/check_outputs.hpp"
#include "logger/logger_state.hpp"
#include "logger/plan.hpp"
#include "pipeline/emergency_output.hpp"
#include "text/text_escape.hpp"

namespace cairn::detail {

namespace {

constexpr std::string_view unprintable =
    "\" holds a control character or invalid UTF-8; a name takes printable characters";
constexpr std::string_view empty_enricher = "enrich_with: the enricher is empty; it takes a function";

class Checker {
 public:
  explicit Checker(const ConfigurationState& state) : state_(state) {}

  std::vector<std::string> run() {
    levels();
    functions();
    limits();
    shutdown();
    if (state_.metrics_interval && state_.metrics_interval->count() <= 0)
      add("periodic_metrics: " + std::to_string(state_.metrics_interval->count()) + " ns; it takes a time above 0");
    if (state_.sinks.empty())
      add("no sinks: events would go nowhere; add write_to_console(), write_to_file(…) or another (write_to_null() "
          "takes them and forgets)");
    for (const auto& plan : state_.sinks) chain(*plan);
    target_loggers();
    crash_ring();
    outputs_.check_together();
    return std::move(problems_);
  }

 private:
  void add(std::string problem) { problems_.push_back(std::move(problem)); }

  void crash_ring() {
    if (!state_.crash_ring) return;
    const CrashRingOptions& options = *state_.crash_ring;
    for (const auto& plan : state_.sinks) {
      if (plan->queue) continue;
      add("with_crash_ring: sink " + plan->name +
          " is synchronous; a ring holds what queues have not delivered yet, and what a synchronous sink takes is "
          "delivered before the call returns: give it a queue (with_queue()), or a logger of its own");
    }
    constexpr std::uint64_t least = 192U << 10U;
    constexpr std::uint64_t most = 1U << 30U;
    if (options.thread_bytes < least || options.thread_bytes > most)
      add("with_crash_ring.thread_bytes: " + std::to_string(options.thread_bytes) + "; it takes " +
          std::to_string(least) + " to " + std::to_string(most));
    if (options.folder.empty() || options.folder.front() != '/')
      add("with_crash_ring.folder: \"" + options.folder + "\"; it takes an absolute path");
    if (!options.application.empty() && options.application != ring_application(options))
      add("with_crash_ring.application: \"" + options.application +
          "\"; it takes letters, digits, `.`, `_` and `-`, 100 at most");
  }

  void levels() {
    const auto level_ok = [&](Level level, const std::string& what) {
      if (level > Level::fatal)
        add(what + ": " + std::to_string(static_cast<unsigned>(level)) +
            " is no level; it takes verbose (0) to fatal (5)");
    };
    level_ok(state_.minimum.level, "minimum_level");
    std::set<std::string> sources;
    for (const LevelSetting& setting : state_.overrides) {
      level_ok(setting.level, "minimum_level_override");
      if (const std::string problem = source_name_problem(setting.source); !problem.empty()) {
        add("minimum_level_override: the source " + problem +
            "; it takes parts with . or :: between them, like shop.orders (for everything, use minimum_level)");
        continue;
      }
      if (!sources.insert(dotted(setting.source)).second)
        add("minimum_level_override: the source " + setting.source + " is given twice; it takes one level");
    }
  }

  void functions() {
    for (const Filter& filter : state_.filters) {
      if (!filter.problem().empty()) add("filter_by: " + filter.problem());
    }
    for (const Enricher& enricher : state_.enrichers) {
      if (enricher.empty()) add(std::string(empty_enricher));
    }
    for (const std::string& name : state_.property_names) {
      if (name.empty()) add("enrich_with_property: the name is empty; a property takes a name");
      if (const std::string shown = shown_name(name); shown != name)
        add(fmt::format("enrich_with_property: \"{}{}", shown, unprintable));
    }
  }

  void limits() {
    const CaptureLimits& l = state_.limits;
    const auto positive = [&](std::uint32_t value, const char* name) {
      if (value == 0) add(std::string("capture_limits.") + name + ": 0; it takes at least 1");
    };
    positive(l.depth, "depth");
    positive(l.elements, "elements");
    positive(l.properties, "properties");
    positive(l.string_bytes, "string_bytes");
    if (l.depth > 64) add("capture_limits.depth: " + std::to_string(l.depth) + "; it takes 1 to 64");
    if (l.event_bytes < 1024 || l.event_bytes > (4U << 20U)) {
      add("capture_limits.event_bytes: " + std::to_string(l.event_bytes) +
          "; it takes 1024 (1 KiB) to 4194304 (4 MiB)");
    }
    if (!state_.memory) return;
    if (state_.memory->max_bytes < MemoryBudgetOptions::least)
      add("memory_budget: max_bytes: " + std::to_string(state_.memory->max_bytes) + "; it takes " +
          std::to_string(MemoryBudgetOptions::least) + " (1 MiB) or more");
    if (state_.memory->max_event_bytes < 1024 || state_.memory->max_event_bytes > (4U << 20U))
      add("memory_budget: max_event_bytes: " + std::to_string(state_.memory->max_event_bytes) +
          "; it takes 1024 (1 KiB) to 4194304 (4 MiB)");
  }

  void shutdown() {
    const auto text = [](std::chrono::nanoseconds time) { return std::to_string(time.count()) + " ns"; };
    if (state_.shutdown_timeout.count() < 0)
      add("with_shutdown_timeout: " + text(state_.shutdown_timeout) + "; it takes 0 or more");
    for (const auto& [handler, options] : state_.on_shutdown) {
      const std::string who = options.name.empty() ? "on_shutdown" : "on_shutdown: " + options.name;
      if (!handler.call()) add(who + ": the handler is empty; it takes a function");
      if (options.timeout.count() <= 0) add(who + ": timeout: " + text(options.timeout) + "; it takes a time above 0");
    }
  }

  void chain(const SinkPlan& first) {
    std::set<const void*> seen_plans;
    std::set<const Sink*> seen_sinks;
    std::string default_prefix;
    for (const SinkPlan* plan = &first; plan != nullptr; plan = plan->fallback.get()) {
      const auto* shared = std::get_if<SharedPlan>(&plan->what);
      if (!seen_plans.insert(plan).second ||
          (shared != nullptr && shared->sink != nullptr && !seen_sinks.insert(shared->sink.get()).second)) {
        add("with_fallback: a fallback cycle: " + plan->name +
            " stands behind itself; a fallback takes a sink that is not in its own chain");
        return;
      }
      sink(*plan);
    }
    if (first.least && !has_switch()) {
      Level lowest = state_.minimum.level;
      for (const LevelSetting& setting : state_.overrides) lowest = std::min(lowest, setting.level);
      if (*first.least < lowest) {
        add("sink " + first.name + ": with_min_level(" + std::string(to_string(*first.least)) +
            ") is below the logger's level " + std::string(to_string(lowest)) +
            ", such events never reach it; lower the logger's level or raise the sink's");
      }
    }
  }

  /// A logger that takes the same events twice over. Where filters choose, or as a fallback, it may stand more than
  /// once.
  void target_loggers() {
    std::map<const void*, const SinkPlan*> targets;
    for (const auto& plan : state_.sinks) {
      const auto* to = std::get_if<LoggerPlan>(&plan->what);
      if (to == nullptr || plan->filter) continue;
      const auto [first, is_new] = targets.insert({LoggerAccess::state(to->target), plan.get()});
      if (!is_new && LoggerAccess::state(to->target)->root != nullptr) {
        add("write_to_logger: the same target is given twice, as " + first->second->name + " and " + plan->name +
            ": it would get every event twice; it takes one place, or a filter on each");
      }
    }
  }

  [[nodiscard]] bool has_switch() const {
    bool any = state_.minimum.followed != nullptr;
    for (const LevelSetting& setting : state_.overrides) any = any || setting.followed != nullptr;
    return any;
  }

  void sink(const SinkPlan& plan) {
    if (plan.named) {
      if (plan.name.empty()) add("with_name: the name is empty; a sink takes a name");
      if (const std::string shown = shown_name(plan.name); shown != plan.name)
        add(fmt::format("with_name: \"{}{}", shown, unprintable));
      if (plan.name == EmergencyOutput::name)
        add("with_name: " + plan.name + " is the name of what stands behind a chain of fallbacks; it takes another");
      if (!names_.insert(plan.name).second) add("two sinks named " + plan.name + ": names are unique in a logger");
    }
    if (plan.filter && !plan.filter->problem().empty())
      add("sink " + shown_name(plan.name) + ": with_filter: " + plan.filter->problem());
    if (plan.queue) check_queue(plan, *plan.queue);
    if (plan.memory_limit) {
      if (!plan.queue)
        add("sink " + plan.name +
            ": with_memory_limit without with_queue: a synchronous sink holds nothing; add a queue");
      if (*plan.memory_limit < 4096)
        add("sink " + plan.name + ": with_memory_limit(" + std::to_string(*plan.memory_limit) +
            "): it takes at least 4096 bytes");
    }
    if (plan.least && *plan.least > Level::fatal) {
      add("sink " + plan.name + ": with_min_level(" + std::to_string(static_cast<unsigned>(*plan.least)) +
          "): that is no level; it takes verbose (0) to fatal (5)");
    }
    if (plan.breaker) {
      for (const std::string& problem : problems_of(*plan.breaker))
        add("sink " + plan.name + ": with_circuit_breaker: " + problem);
    }
    outputs_.check(plan);
  }

  void check_queue(const SinkPlan& plan, const QueueOptions& o) {
    const std::string who = "sink " + plan.name + ": with_queue: ";
    if (o.max_size < 1 || o.max_size > QueueOptions::largest)
      add(who + "max_size: " + std::to_string(o.max_size) + "; it takes 1 to " + std::to_string(QueueOptions::largest));
    if (o.batch_size < 1) add(who + "batch_size: 0; it takes 1 to max_size");
    if (o.batch_size > o.max_size && o.batch_size != QueueOptions().batch_size)
      add(who + "batch_size: " + std::to_string(o.batch_size) + " is over max_size, " + std::to_string(o.max_size) +
          ": no batch is ever that large; it takes 1 to max_size");
    if (o.flush_interval.count() <= 0)
      add(who + "flush_interval: " + std::to_string(o.flush_interval.count()) + " ns; it takes a time above 0");
    if (o.overflow > Overflow::block)
      add(who + "overflow: " + std::to_string(static_cast<unsigned>(o.overflow)) +
          "; it takes drop_oldest, drop_newest or block");
    if (o.block_timeout.count() < 0)
      add(who + "block_timeout: " + std::to_string(o.block_timeout.count()) + " ns; it takes 0 or more");
    if (o.slow_after.count() <= 0)
      add(who + "slow_after: " + std::to_string(o.slow_after.count()) + " ns; it takes a time above 0");
    if (!(o.back_pressure_threshold > 0 && o.back_pressure_threshold <= 1))
      add(who + "back_pressure_threshold: " + fmt::format("{}", o.back_pressure_threshold) +
          "; it takes above 0, to 1");
    if (o.protect_level && *o.protect_level > Level::fatal)
      add(who + "protect_level: " + std::to_string(static_cast<unsigned>(*o.protect_level)) +
          " is no level; it takes verbose (0) to fatal (5)");
    if (o.protect_level && o.max_size < 2)
      add(who + "protect_level with max_size 1: the one place cannot be shared; max_size takes 2 or more");
  }

  const ConfigurationState& state_;
  std::vector<std::string> problems_;
  OutputChecker outputs_{problems_};
  std::set<std::string> names_;
};

}  // namespace

std::string shown_name(std::string_view name) {
  OutputBuffer out;
  format::append_text_escaped(out, name);
  return std::string(out.view());
}

std::vector<std::string> check(const ConfigurationState& state) {
  std::vector<std::string> problems = Checker(state).run();
  for (std::string& problem : problems) problem = shown_name(problem);  // whatever is quoted in it
  return problems;
}

std::vector<std::string> warnings_of(const ConfigurationState& state) {
  std::vector<std::string> warnings;
  for (const auto& plan : state.sinks) {
    if (plan->breaker && !plan->queue && !plan->fallback) {
      warnings.push_back("sink " + plan->name +
                         ": with_circuit_breaker without a queue or a fallback: while the breaker is open its events "
                         "are dropped (circuit_open); add with_fallback(…) or with_queue(…)");
    }
    bool queued = false;  // a sink before this one: it is that one's thread which hands on
    for (const SinkPlan* each = plan.get(); each != nullptr; each = each->fallback.get()) {
      if (queued && each->queue && each->queue->overflow == Overflow::block) {
        warnings.push_back("sink " + each->name +
                           ": with_queue: overflow = block as the fallback of a queued sink: threads of Cairn's wait "
                           "for nobody, what finds no room there is dropped (queue_full); give it a larger max_size, "
                           "or drop_oldest");
      }
      queued = queued || each->queue.has_value();
      if (each == plan.get() || (!each->least && !each->filter)) continue;
      warnings.push_back("sink " + each->name + ": " + (each->least ? "with_min_level" : "with_filter") +
                         " of a fallback: what it does not take of the events handed on to it goes nowhere and is in "
                         "no count of it; give level and filter to the sink before it, or add a sink beside");
    }
  }
  return warnings;
}

}  // namespace cairn::detail
