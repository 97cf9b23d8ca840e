// How a logger ends: what is still written, how long that may take, and what came of it.
//
//   cairn::ShutdownReport report = log.shutdown(cairn::ShutdownStrategy::graceful(2s));
//   for (const cairn::ShutdownSink& sink : report.sinks)
//     if (sink.timed_out) std::cerr << sink.name << " hung, " << sink.pending << " events with it\n";
//
// `Shutdown` is the same for a program's own parts: handlers, each with its time, under one deadline.
#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cairn/metrics.hpp"

namespace cairn {

/// What is done with events that wait, and how long it may take. The time is a hard one: shutdown() returns within 10
/// ms of it whatever a sink, a filter or a handler does.
class ShutdownStrategy {
 public:
  enum class Kind : std::uint8_t { immediate, flush_pending, graceful };  // the most urgent first

  /// What waits in queues is dropped, counted as `shutdown`; sinks are closed within 10 ms; handlers are not run.
  [[nodiscard]] static constexpr ShutdownStrategy immediate() noexcept { return {Kind::immediate, {}}; }
  /// Every event that waits gets one attempt, and storage that fails is not waited for: such events go to the fallback,
  /// else they failed. Where a circuit breaker is open one probe decides for all. Takes 30 s at most.
  [[nodiscard]] static constexpr ShutdownStrategy flush_pending() noexcept {
    return {Kind::flush_pending, std::chrono::seconds(30)};
  }
  /// Everything is delivered, failed storage is tried again, until `timeout`; what is left then is dropped, counted as
  /// `shutdown`. Negative: 0. Half of the time at most is the handlers'.
  [[nodiscard]] static constexpr ShutdownStrategy graceful(
      std::chrono::nanoseconds timeout = std::chrono::seconds(5)) noexcept {
    return {Kind::graceful, timeout};
  }

  [[nodiscard]] constexpr Kind kind() const noexcept { return kind_; }
  [[nodiscard]] constexpr std::chrono::nanoseconds timeout() const noexcept { return timeout_; }

 private:
  constexpr ShutdownStrategy(Kind kind, std::chrono::nanoseconds timeout) noexcept : kind_(kind), timeout_(timeout) {}
  Kind kind_;
  std::chrono::nanoseconds timeout_;
};

enum class ShutdownStatus : std::uint8_t {
  completed,    // everything came to its end in time
  timed_out,    // something did not: the sinks and handlers say which
  in_progress,  // called from a sink, a filter or a handler: it goes on elsewhere, without being waited for
  failed        // all ended in time, but a last flush failed: what that sink had held back may be lost, see its `error`
};

/// What became of every event a sink ever accepted: accepted is the sum of emitted, diverted, dropped, failed, pending.
struct ShutdownSink {
  std::string name;
  std::uint64_t accepted = 0;
  std::uint64_t emitted = 0;
  std::uint64_t diverted = 0;                    // handed to the fallback, which has an entry of its own
  std::map<std::string, std::uint64_t> dropped;  // by reason, as in SinkCounts; `shutdown`: there was no time left
  std::map<std::string, std::uint64_t> failed;
  std::uint64_t pending = 0;  // given to the sink, which has not come back
  bool timed_out = false;     // it did not finish, or not close, in time
  std::string error;          // of its last flush, or of its closing: then of what it held back something is lost
};

enum class ShutdownHandlerStatus : std::uint8_t {
  completed,
  threw,      // `error` says what
  timed_out,  // it is left running
  not_run     // there was no time for it
};

struct ShutdownHandlerResult {
  std::string name;
  ShutdownHandlerStatus status = ShutdownHandlerStatus::not_run;
  std::string error;
};

class ShutdownReport {
 public:
  ShutdownStatus status = ShutdownStatus::completed;
  std::chrono::nanoseconds elapsed{};
  std::vector<ShutdownSink> sinks;              // fallbacks included, after the sink they stand behind
  std::vector<ShutdownHandlerResult> handlers;  // in the order in which they were started
  LoggerCounts logger;             // events before the sinks: what was captured, filtered, and never got to a queue
  bool filters_timed_out = false;  // a filter or an enricher was at work still, and what waited for it reached no sink

  /// The sink of that name, or nothing.
  [[nodiscard]] const ShutdownSink* sink(std::string_view name) const noexcept {
    for (const ShutdownSink& each : sinks) {
      if (each.name == name) return &each;
    }
    return nullptr;
  }
};

/// Something to be done when a logger, or a Shutdown, ends. May log, flush, throw, and call shutdown() again (which
/// says in_progress).
class ShutdownHandler {
 public:
  template <std::invocable F>
  ShutdownHandler(F f) : call_(std::move(f)) {}  // NOLINT(google-explicit-constructor): given as a function
  ShutdownHandler(std::function<void()> f) : call_(std::move(f)) {}  // NOLINT(google-explicit-constructor)
  [[nodiscard]] const std::function<void()>& call() const noexcept { return call_; }

 private:
  std::function<void()> call_;
};

struct ShutdownHandlerOptions {
  int priority = 0;                                            // lower ones run later
  std::chrono::nanoseconds timeout = std::chrono::seconds(1);  // then it is left alone, and the others go on
  std::string name{};                                          // in the report; empty: `handler N`
};

/// Names a handler, to remove it.
enum class ShutdownHandlerId : std::uint64_t;

namespace detail {
class ShutdownSequence;
}

/// Handlers that run once, under one deadline: those of a higher priority first, and of one priority the last
/// registered first, up to four at once, each on a thread of its own. Every function is safe from every thread and from
/// the handlers.
///
///   cairn::Shutdown shutdown;
///   shutdown.on_shutdown([&] { pool.stop(); }, {.priority = 10, .timeout = 2s, .name = "pool"});
///   cairn::ShutdownReport report = shutdown.execute(cairn::ShutdownStrategy::graceful(5s));
class Shutdown {
 public:
  Shutdown();
  Shutdown(const Shutdown&) = delete;
  Shutdown& operator=(const Shutdown&) = delete;
  ~Shutdown();

  /// Throws std::bad_alloc. One registered after execute() began is not run, until a reset().
  ShutdownHandlerId on_shutdown(ShutdownHandler handler, ShutdownHandlerOptions options = {});
  /// True: it will not run. False: it is running, has run, or there is none.
  bool remove(ShutdownHandlerId handler) noexcept;
  /// Runs the handlers. A second call gets the report of the first, and waits for it; meanwhile a more urgent one
  /// shortens the first, a milder one changes nothing. From a handler: in_progress.
  ShutdownReport execute(const ShutdownStrategy& strategy) noexcept;
  /// execute() was called.
  [[nodiscard]] bool is_shutdown() const noexcept;
  /// As it was before execute(), with its handlers. Nothing while one is under way.
  void reset() noexcept;

 private:
  std::shared_ptr<detail::ShutdownSequence> sequence_;
};

}  // namespace cairn
