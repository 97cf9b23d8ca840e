// What a configuration holds until create_logger() checks and opens it.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "cairn/configuration.hpp"
#include "logger/root.hpp"

namespace cairn::detail {

struct ConsolePlan {
  ConsoleOptions options;
};
struct FilePlan {
  std::string path;
  FileOptions options;
};
struct NullPlan {};
struct CallbackPlan {
  std::function<void(const Event&)> callback;
};
struct SharedPlan {
  std::shared_ptr<Sink> sink;
};
struct LoggerPlan {
  Logger target;
};
struct StreamPlan {
  std::ostream* stream = nullptr;
  int descriptor = -1;  // where there is no stream
  StreamOptions options;
};

struct SinkPlan {
  std::variant<NullPlan, ConsolePlan, FilePlan, CallbackPlan, SharedPlan, LoggerPlan, StreamPlan> what;
  std::string name;
  bool named = false;  // by the user
  std::optional<Level> least;
  std::optional<Filter> filter;
  std::shared_ptr<SinkPlan> fallback;
  FallbackCallback on_fallback;
  std::optional<QueueOptions> queue;  // none: synchronous
  std::optional<std::uint64_t> memory_limit;
  std::optional<CircuitBreakerOptions> breaker;
};

struct ConfigurationState {
  LevelSetting minimum;
  std::vector<LevelSetting> overrides;
  std::vector<std::shared_ptr<SinkPlan>> sinks;
  std::vector<Enricher> enrichers;
  std::vector<std::string> property_names;  // of the enrichers that are properties
  std::vector<Filter> filters;
  CaptureLimits limits;
  std::optional<MemoryBudgetOptions> memory;
  Clock* clock = nullptr;
  std::function<void(std::string_view)> on_internal_error;
  bool graceful = true;
  std::optional<bool> metrics;  // histograms and top talkers; none: yes, but a program's own clock is not asked for it
  std::optional<std::chrono::nanoseconds> metrics_interval;  // of the periodic event; none: there is none
  std::optional<FatalSignalOptions> fatal_signals;
  bool reopen_on_sighup = false;
  std::optional<CrashRingOptions> crash_ring;
  std::chrono::nanoseconds shutdown_timeout = std::chrono::seconds(5);
  struct OnShutdown {
    ShutdownHandler handler;
    ShutdownHandlerOptions options;
  };
  std::vector<OnShutdown> on_shutdown;
};

/// Everything that is wrong with `state`, in words. Opens nothing.
[[nodiscard]] std::vector<std::string> check(const ConfigurationState& state);

/// Of a name that may hold anything, what can be shown.
[[nodiscard]] std::string shown_name(std::string_view name);

/// What is no mistake and may still surprise, in a sentence each.
[[nodiscard]] std::vector<std::string> warnings_of(const ConfigurationState& state);

/// Makes the sink; throws what says why it cannot be.
[[nodiscard]] std::shared_ptr<Sink> make_sink(const SinkPlan& plan, Clock& clock, InternalErrors& errors);

}  // namespace cairn::detail
