// How a logger is put together: a fluent value, checked as a whole when it is created.
//
//   auto log = cairn::Configuration{}
//       .minimum_level(cairn::Level::debug)
//       .write_to_console({.theme = cairn::Theme::literate, .stderr_from = cairn::Level::error})
//       .write_to_file("logs/app.clef", {.rolling = cairn::Rolling::day}).with_min_level(cairn::Level::information)
//       .create_logger();
//
// Nothing is checked, opened or started before create_logger(). A Configuration may be used more than once; sinks given
// as objects, and streams, are then shared: the loggers' calls take turns. Not safe from several threads at once.
#pragma once

#include <chrono>
#include <concepts>
#include <functional>
#include <iosfwd>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "cairn/circuit_breaker.hpp"
#include "cairn/clock.hpp"
#include "cairn/console_options.hpp"
#include "cairn/crash_ring.hpp"
#include "cairn/enrichers.hpp"
#include "cairn/file_options.hpp"
#include "cairn/filters.hpp"
#include "cairn/level.hpp"
#include "cairn/level_switch.hpp"
#include "cairn/logger.hpp"
#include "cairn/memory_budget.hpp"
#include "cairn/metrics.hpp"
#include "cairn/queue_options.hpp"
#include "cairn/shutdown.hpp"
#include "cairn/signals.hpp"
#include "cairn/sink.hpp"

namespace cairn {

class SinkConfiguration;
namespace detail {
struct ConfigurationState;
struct SinkPlan;
}  // namespace detail

/// Everything that is wrong with a configuration, at once: each problem names the setting, the value found and what is
/// taken.
class ConfigurationError : public std::runtime_error {
 public:
  explicit ConfigurationError(std::vector<std::string> problems);
  [[nodiscard]] const std::vector<std::string>& problems() const noexcept { return *problems_; }

 private:
  std::shared_ptr<const std::vector<std::string>> problems_;
};

/// What the program is told when events are diverted to a fallback: how many, and why the sink before it did not take
/// them. Called by the thread that delivers, under no lock of Cairn's: of a queued sink its own thread, of a
/// synchronous one the caller. It must not log to the same logger.
using FallbackCallback = std::function<void(std::size_t events, std::string_view reason)>;

/// A sink and its settings as a value, for `write_to` and `with_fallback`.
class SinkSpec {
 public:
  [[nodiscard]] static SinkSpec console(ConsoleOptions options = {});
  [[nodiscard]] static SinkSpec file(std::string path, FileOptions options = {});
  [[nodiscard]] static SinkSpec null();
  [[nodiscard]] static SinkSpec callback(std::function<void(const Event&)> f);
  [[nodiscard]] static SinkSpec sink(std::shared_ptr<Sink> sink, std::string name = {});
  [[nodiscard]] static SinkSpec logger(Logger target);
  /// Lines to a stream or an open descriptor; neither is closed, both must outlive the logger.
  [[nodiscard]] static SinkSpec stream(std::ostream& stream, StreamOptions options = {});
  [[nodiscard]] static SinkSpec descriptor(int fd, StreamOptions options = {});

  SinkSpec&& with_name(std::string name) &&;
  SinkSpec&& with_min_level(Level level) &&;
  SinkSpec&& with_filter(Filter filter) &&;
  SinkSpec&& with_fallback(SinkSpec fallback, FallbackCallback on_fallback = {}) &&;
  SinkSpec&& with_queue(QueueOptions options = {}) &&;
  SinkSpec&& with_memory_limit(std::uint64_t bytes) &&;
  SinkSpec&& with_circuit_breaker(CircuitBreakerOptions options = {}) &&;

  [[nodiscard]] const std::shared_ptr<detail::SinkPlan>& plan() const noexcept { return plan_; }

 private:
  explicit SinkSpec(std::shared_ptr<detail::SinkPlan> plan) : plan_(std::move(plan)) {}
  std::shared_ptr<detail::SinkPlan> plan_;
};

class Configuration {
 public:
  Configuration();
  Configuration(const Configuration& other);
  Configuration(Configuration&& other) noexcept;
  Configuration& operator=(const Configuration& other);
  Configuration& operator=(Configuration&& other) noexcept;
  ~Configuration();

  // ---- levels

  /// Events below it are not even captured. Default: information.
  Configuration& minimum_level(Level level);
  /// The same, changeable while running.
  Configuration& minimum_level(const LevelSwitch& level);
  /// Another minimum for loggers of that source and of what is below it (`shop` covers `shop.orders` and
  /// `shop::orders`); the longest prefix wins. `.` and `::` are one: `shop::orders` covers `shop.orders` too.
  Configuration& minimum_level_override(std::string source, Level level);
  Configuration& minimum_level_override(std::string source, const LevelSwitch& level);
  Configuration& verbose() { return minimum_level(Level::verbose); }
  Configuration& debug() { return minimum_level(Level::debug); }
  Configuration& information() { return minimum_level(Level::information); }
  Configuration& warning() { return minimum_level(Level::warning); }
  Configuration& error() { return minimum_level(Level::error); }
  Configuration& fatal() { return minimum_level(Level::fatal); }

  // ---- sinks; each call adds one, and gives what sets it up

  /// stdout (and stderr), named `console`.
  SinkConfiguration write_to_console(ConsoleOptions options = {});
  /// A file, named `file:PATH`.
  SinkConfiguration write_to_file(std::string path, FileOptions options = {});
  /// Takes events and forgets them; named `null`.
  SinkConfiguration write_to_null();
  /// Another logger's pipeline (its level, enrichers, filters and sinks), which is not owned; named `logger`. Neither a
  /// silent nor a closed one. A flush and a reopening go on to its sinks, and fail or time out if theirs do.
  SinkConfiguration write_to_logger(Logger target);
  /// A function, one call an event; named `callback`. Calls of one logger do not overlap. Those of two loggers may,
  /// also where both were given the same function: copies of a std::function cannot be told to be one. Where that
  /// matters give both one sink of yours (`write_to`), whose calls take turns, or a lock to the function.
  SinkConfiguration write_to_callback(std::function<void(const Event&)> f);
  /// A sink of yours; named `sink` unless a name is given. Given to several loggers, its calls take turns.
  SinkConfiguration write_to(std::shared_ptr<Sink> sink, std::string name = {});
  SinkConfiguration write_to(const SinkSpec& spec);
  /// Lines to a stream or an open descriptor; neither is closed, both must outlive the logger; named `stream`, `fd:N`.
  /// Loggers that write to one take turns, batch by batch.
  /// Whoever lets go of the logger's last handle waits for what is still queued for them, `with_shutdown_timeout` at
  /// most.
  SinkConfiguration write_to_stream(std::ostream& stream, StreamOptions options = {});
  SinkConfiguration write_to_descriptor(int fd, StreamOptions options = {});

  // ---- what happens to events before the sinks

  Configuration& enrich_with(Enricher enricher);
  /// The same, always on the thread that logs: `enrich_with(Enricher(f).at_capture())`.
  Configuration& enrich_at_capture(Enricher enricher) { return enrich_with(std::move(enricher).at_capture()); }
  template <class T>
  Configuration& enrich_with_property(std::string name, const T& value) {
    return enrich_with_value(std::move(name), OwnedValue(value));
  }
  Configuration& filter_by(Filter filter);
  Configuration& filter_by_min_level(Level level);

  // ---- the whole

  /// How much of a value is captured.
  Configuration& capture_limits(CaptureLimits limits);
  /// How much memory Cairn takes in this process: lanes of threads, their crash rings, events in queues, big ones. Of
  /// several loggers' budgets the strictest holds as long as its logger lives, and who sets a different one is warned
  /// (`on_internal_error`). Over it the oldest events in queues go first, counted as `memory_limit`; events over
  /// `max_event_bytes`, or over an eighth of `max_bytes`, are cut and flagged. None by default.
  Configuration& memory_budget(MemoryBudgetOptions options);
  /// The clock of timestamps, rolling, retention and circuit breakers (filters that sample by the second have their
  /// own). Must outlive the logger; who lets go of the last handle waits for what is queued, `with_shutdown_timeout` at
  /// most.
  Configuration& use_clock(Clock& clock);
  /// What Cairn has to say about itself (a sink that failed, a filter that threw); default: stderr, once a second at
  /// most. Called by the thread that met it, under no lock of Cairn's; it must not log to the same logger. No call
  /// begins once close() has come back or the last handle is gone (one under way is waited for, a second at most): what
  /// there is to say later goes to stderr.
  Configuration& on_internal_error(std::function<void(std::string_view message)> f);
  /// Histograms of times and the most frequent templates, for metrics(); on by default, but with use_clock() there are
  /// no times unless this is called: the clock is then asked by who delivers, too. Everything is counted either way.
  Configuration& with_metrics(bool on = true);
  /// Logs what metrics() says to this logger each `interval`, from a thread of its own: an event of the source
  /// `Cairn.Metrics`, of level information, like any other. `interval`: above 0.
  Configuration& periodic_metrics(std::chrono::nanoseconds interval);
  /// How long close(), and the end of the program, may take; see ShutdownStrategy::graceful. 0 or more; default: 5 s.
  Configuration& with_shutdown_timeout(std::chrono::nanoseconds timeout);
  /// Something to be done when the logger is shut down, by whatever way, while it still takes events; see
  /// Logger::on_shutdown.
  Configuration& on_shutdown(ShutdownHandler handler, ShutdownHandlerOptions options = {});
  /// Shut down, as close() does, what is still open when the program exits. On by default.
  Configuration& with_graceful_shutdown(bool on = true);

  /// Before the program dies by SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT or std::terminate, what was logged is
  /// delivered, in 3 s at most; then the handler that was installed before, or the kernel, gets the signal: exit status
  /// and core dump are as without. Threads that first log after this can also use up their stack: they get one for
  /// handlers. Off by default. docs/crashes.md says what cannot be saved.
  Configuration& handle_fatal_signals(FatalSignalOptions options = {});
  /// A template, so that `handle_fatal_signals({})` means the options.
  template <std::same_as<bool> Bool>
  Configuration& handle_fatal_signals(Bool on) {
    return fatal_signals(on);
  }
  /// What was logged and not delivered survives the process, however it ends (SIGKILL too): the next logger made with
  /// the same options delivers it before create_logger() returns, marked `Recovered`, or `cairn-recover` makes CLEF of
  /// it. Every sink must have a queue, and is flushed after every batch. A call costs some tens of nanoseconds more.
  /// Where there is no room for the ring the logger works without, told to on_internal_error and by
  /// metrics().logger.crash_ring. Off by default. See docs/crash-ring.md.
  Configuration& with_crash_ring(CrashRingOptions options = {});

  /// SIGHUP opens the sinks' files afresh, for log rotation, by threads of Cairn's; on_internal_error is told of those
  /// still in another call after 5 s, which keep theirs. A handler installed before is called too. Off by default.
  Configuration& reopen_on_sighup(bool on = true);

  /// Checks everything, opens the sinks and gives the logger. Throws ConfigurationError with every problem found.
  [[nodiscard]] Logger create_logger() const;
  /// The same, with the error as a value.
  [[nodiscard]] std::variant<Logger, ConfigurationError> try_create_logger() const;

 protected:
  explicit Configuration(std::shared_ptr<detail::ConfigurationState> state) noexcept : state_(std::move(state)) {}
  [[nodiscard]] detail::SinkPlan& last_sink();

 private:
  Configuration& fatal_signals(bool on);
  Configuration& enrich_with_value(std::string name, OwnedValue value);
  friend class SinkConfiguration;
  std::shared_ptr<detail::ConfigurationState> state_;  // shared only with the SinkConfigurations that a write_to_… gave
};

/// A Configuration whose last sink can be set up further. What a write_to_… returns acts on the configuration it was
/// called on, and so do its copies, as in `auto sink = config.write_to_console().with_name("screen");`. A Configuration
/// made of one is a configuration of its own.
class SinkConfiguration : public Configuration {
 public:
  SinkConfiguration(const SinkConfiguration& other) noexcept : Configuration(other.state_) {}
  SinkConfiguration(SinkConfiguration&& other) noexcept = default;
  SinkConfiguration& operator=(const SinkConfiguration& other) noexcept {
    state_ = other.state_;
    return *this;
  }
  SinkConfiguration& operator=(SinkConfiguration&& other) noexcept = default;

  /// What the sink is called in metrics and errors; unique in a logger.
  SinkConfiguration& with_name(std::string name);
  /// The sink takes events from this level on, Cairn's own too; the stricter of this and the logger's level holds.
  SinkConfiguration& with_min_level(Level level);
  /// The sink takes what this filter passes.
  SinkConfiguration& with_filter(Filter filter);
  /// A sink that keeps failing is spared for a while: its events go to the fallback; without one a queued sink keeps
  /// them in its queue, a synchronous one drops them, counted as `circuit_open`, with a warning to on_internal_error.
  /// See CircuitBreaker, and Logger::circuit_breaker() for the breaker itself.
  SinkConfiguration& with_circuit_breaker(CircuitBreakerOptions options = {});
  /// Events that the sink fails on, or its circuit breaker keeps from it, go to `fallback`, in order and with the
  /// property `FallbackFrom`; `on_fallback` is told. A fallback may have one of its own; what the last of them does not
  /// take is written to stderr, ten events a second at most, and counted for a sink named `emergency`. A level or a
  /// filter of the fallback loses what it turns away: create_logger() warns of one.
  SinkConfiguration& with_fallback(const SinkSpec& fallback, FallbackCallback on_fallback = {});
  /// The sink is fed in the background: the caller copies its arguments and returns. See QueueOptions.
  SinkConfiguration& with_queue(QueueOptions options = {});
  /// The most that the sink's queue holds in bytes: records, their views and what enrichers added; over it the oldest
  /// events go first, counted as `memory_limit`; with `Overflow::block` callers wait instead, and one event that is
  /// over it comes in when the queue is empty. At least 4096; only for a sink with a queue.
  SinkConfiguration& with_memory_limit(std::uint64_t bytes);

 private:
  friend class Configuration;
  using Configuration::Configuration;
};

}  // namespace cairn
