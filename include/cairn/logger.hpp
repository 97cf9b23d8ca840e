// The handle a program logs with.
//
//   cairn::Logger log = …create_logger();
//   log.information("User {User} logged in from {Ip}", user, ip);
//   auto orders = log.for_source("shop::orders").for_context("Shard", 7);
//   try { pay(); } catch (const std::exception& e) { orders.error(e, "Payment of {OrderId} failed", id); }
//
// A Logger is a small value: copying it shares the same root (pipeline, sinks, counts). Every function is safe from
// every thread, and none but the shown exceptions throws into the caller. A default-made Logger is silent, and counts
// what it swallowed.
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <source_location>
#include <string_view>
#include <type_traits>
#include <utility>

#include "cairn/detail/durations.hpp"
#include "cairn/detail/submit.hpp"
#include "cairn/level.hpp"
#include "cairn/value.hpp"

namespace cairn {

class CircuitBreaker;
class Enricher;
class Filter;
class FlushResult;
class MetricsSnapshot;
class ShutdownHandler;
class ShutdownReport;
class ShutdownStrategy;
enum class ShutdownHandlerId : std::uint64_t;
struct ShutdownHandlerOptions;

namespace detail {
struct LoggerAccess;
}  // namespace detail

class Logger {
 public:
  /// A silent logger.
  Logger() noexcept;
  Logger(const Logger& other) noexcept;
  Logger(Logger&& other) noexcept;
  Logger& operator=(const Logger& other) noexcept;
  Logger& operator=(Logger&& other) noexcept;
  ~Logger();

  [[nodiscard]] bool is_enabled(Level level) const noexcept {
    // relaxed: a level changed by another thread is seen soon; nothing else hangs on it
    return detail::passes(level, threshold_->load(std::memory_order_relaxed));
  }
  /// The same, for a call that is about to be made: one on a logger that is silent for good goes on, to be counted.
  [[nodiscard]] bool admits(Level level) const noexcept {
    return detail::comes_through(level, threshold_->load(std::memory_order_relaxed));  // as above
  }

  // ---- the six levels; each takes a literal or a dynamic template, and an exception or an exception_ptr may stand
  // before either

#define CAIRN_DETAIL_LEVEL_FUNCTIONS(name, level)                                                               \
  template <class... A>                                                                                         \
  [[gnu::always_inline]] void name(Template<A...> text, A&&... arguments) const noexcept {                      \
    write(level, text, std::forward<A>(arguments)...);                                                          \
  }                                                                                                             \
  template <class... A>                                                                                         \
  [[gnu::always_inline]] void name(const std::exception& exception, Template<A...> text, A&&... arguments)      \
      const noexcept {                                                                                          \
    write(level, exception, text, std::forward<A>(arguments)...);                                               \
  }                                                                                                             \
  template <class... A>                                                                                         \
  [[gnu::always_inline]] void name(const std::exception_ptr& exception, Template<A...> text, A&&... arguments)  \
      const noexcept {                                                                                          \
    write(level, exception, text, std::forward<A>(arguments)...);                                               \
  }                                                                                                             \
  template <class... A>                                                                                         \
  [[gnu::always_inline]] void name(DynamicTemplate text, A&&... arguments) const noexcept {                     \
    write(level, text, std::forward<A>(arguments)...);                                                          \
  }                                                                                                             \
  template <class... A>                                                                                         \
  [[gnu::always_inline]] void name(const std::exception& exception, DynamicTemplate text, A&&... arguments)     \
      const noexcept {                                                                                          \
    write(level, exception, text, std::forward<A>(arguments)...);                                               \
  }                                                                                                             \
  template <class... A>                                                                                         \
  [[gnu::always_inline]] void name(const std::exception_ptr& exception, DynamicTemplate text, A&&... arguments) \
      const noexcept {                                                                                          \
    write(level, exception, text, std::forward<A>(arguments)...);                                               \
  }

  CAIRN_DETAIL_LEVEL_FUNCTIONS(verbose, Level::verbose)
  CAIRN_DETAIL_LEVEL_FUNCTIONS(debug, Level::debug)
  CAIRN_DETAIL_LEVEL_FUNCTIONS(information, Level::information)
  CAIRN_DETAIL_LEVEL_FUNCTIONS(info, Level::information)
  CAIRN_DETAIL_LEVEL_FUNCTIONS(warning, Level::warning)
  CAIRN_DETAIL_LEVEL_FUNCTIONS(warn, Level::warning)
  CAIRN_DETAIL_LEVEL_FUNCTIONS(error, Level::error)
  CAIRN_DETAIL_LEVEL_FUNCTIONS(fatal, Level::fatal)
#undef CAIRN_DETAIL_LEVEL_FUNCTIONS

  template <class... A>
  [[gnu::always_inline]] void write(Level level, Template<A...> text, A&&... arguments) const noexcept {
    if (!admits(level)) return;
    if constexpr ((detail::is_flat<std::remove_reference_t<A>> && ...)) {
      detail::submit_flat_text<detail::PassedType<A>...>(*state_, known_level(level), text.text(),
                                                         std::bit_cast<const void*>(text.parts().location),
                                                         detail::flat_value(arguments)...);
    } else {
      submit(level, text.parts(), {}, arguments...);
    }
  }
  template <class... A>
  [[gnu::always_inline]] void write(Level level, const std::exception& exception, Template<A...> text,
                                    A&&... arguments) const noexcept {
    if (!admits(level)) return;
    submit(level, text.parts(), {.reference = &exception}, arguments...);
  }
  template <class... A>
  [[gnu::always_inline]] void write(Level level, const std::exception_ptr& exception, Template<A...> text,
                                    A&&... arguments) const noexcept {
    if (!admits(level)) return;
    submit(level, text.parts(), {.pointer = &exception}, arguments...);
  }
  template <class... A>
  [[gnu::always_inline]] void write(Level level, DynamicTemplate text, A&&... arguments) const noexcept {
    if (!admits(level)) return;
    submit_dynamic(level, text, {}, arguments...);
  }
  template <class... A>
  [[gnu::always_inline]] void write(Level level, const std::exception& exception, DynamicTemplate text,
                                    A&&... arguments) const noexcept {
    if (!admits(level)) return;
    submit_dynamic(level, text, {.reference = &exception}, arguments...);
  }
  template <class... A>
  [[gnu::always_inline]] void write(Level level, const std::exception_ptr& exception, DynamicTemplate text,
                                    A&&... arguments) const noexcept {
    if (!admits(level)) return;
    submit_dynamic(level, text, {.pointer = &exception}, arguments...);
  }

  // ---- handles made from this one; each has the same root

  /// A logger whose events carry one more property; a name it has already is replaced. What is over the limits is cut,
  /// and properties that would take more than an event may are left out: the events are `truncated()` then.
  template <class T>
  [[nodiscard]] Logger for_context(std::string_view name, const T& value) const {
    return with_property(name, OwnedValue(value));
  }
  /// A logger of that source: the property `SourceContext`, and the level overrides of the longest prefix that matches.
  /// Any text is taken, as names often come from data; one that no override and no filters::source can name (empty, an
  /// empty part, a blank or a colon at the edge of a part, a control character) is told to `on_internal_error`.
  [[nodiscard]] Logger for_source(std::string_view source) const;
  /// A logger whose events also go through this enricher (cairn/enrichers.hpp), after those of the configuration.
  /// Throws std::invalid_argument if it is an empty function.
  [[nodiscard]] Logger with_enricher(Enricher enricher) const;
  /// A logger whose events must also pass this filter (cairn/filters.hpp). Throws std::invalid_argument if it can only
  /// be a mistake (Filter::problem).
  [[nodiscard]] Logger add_filter(Filter filter) const;
  /// A logger that passes nothing below `level`, whatever the root's level is.
  [[nodiscard]] Logger add_min_level_filter(Level level) const;

  // ---- the root

  /// Hands over what sinks hold back. Covers every call that returned before it, on any thread. `timed_out`, for a sink
  /// that was not done at `timeout`, also because it is still in a call of another thread or logger; `failed`, where it
  /// says so, or the logger ended first and dropped what was covered. While a sink of `write_to_logger` waits for its
  /// target, other threads' calls go on.
  FlushResult flush(std::chrono::nanoseconds timeout = std::chrono::seconds(5)) const;
  /// Asks every sink, fallbacks too, to open its files afresh, as after a log rotation; the result says of each whether
  /// it has. One that is still in another call at `timeout`, also by another logger, keeps its files: `timed_out`. The
  /// sinks' own reopen() is called on this thread, one after the other, and is not broken off: where one takes longer
  /// than `timeout`, so does this, and those behind it wait. (After a SIGHUP each has a thread of its own.) What fails
  /// or timed out is told to `on_internal_error` as well. Of a logger that has ended: `failed`, as its sinks are
  /// closed. From a sink, a filter or an enricher of this root: `would_deadlock`, and nothing is done.
  FlushResult reopen(std::chrono::nanoseconds timeout = std::chrono::seconds(5)) const;
  /// Ends the root for all its handles (cairn/shutdown.hpp): runs the shutdown handlers, delivers what is on its way as
  /// the strategy says, closes the sinks. Comes back within 10 ms of the strategy's time, whatever hangs, and says what
  /// became of every event. Covers every call that returned before it; later ones are refused and counted
  /// (`rejected{after_shutdown}`). A second call gets the report of the first, and waits for it; one that is in more of
  /// a hurry shortens it. From a sink, filter, enricher or shutdown handler of this root it goes on in the background:
  /// `in_progress`.
  ShutdownReport shutdown(const ShutdownStrategy& strategy) const;
  /// The same, gracefully, with the configured `with_shutdown_timeout`.
  FlushResult close() const;
  /// Has `handler` run when the root is shut down, while it still takes events. It keeps what it captured alive so
  /// long: a Logger in it is never the last to go. The id is for remove_shutdown_handler().
  ShutdownHandlerId on_shutdown(ShutdownHandler handler) const;
  ShutdownHandlerId on_shutdown(ShutdownHandler handler, ShutdownHandlerOptions options) const;
  /// True: it will not run. False: it is running, has run, or there is none.
  bool remove_shutdown_handler(ShutdownHandlerId handler) const noexcept;
  /// What was counted so far; see MetricsSnapshot.
  [[nodiscard]] MetricsSnapshot metrics() const;
  /// From now on metrics() counts from here: for each sink accepted is what is pending, captured is what is in lanes,
  /// all else 0. Of all handles of the root. Throws std::bad_alloc.
  void reset_metrics() const;
  /// Events that wait in the queues of the sinks: of all of them, or of the sink of that name (0 for one without a
  /// queue, or where there is none of that name).
  [[nodiscard]] std::size_t queue_depth() const noexcept;
  [[nodiscard]] std::size_t queue_depth(std::string_view sink) const noexcept;

  /// The circuit breaker of the sink of that name, or null where there is none: to look at, open, close or reset. Lives
  /// as long as a handle of this root.
  [[nodiscard]] CircuitBreaker* circuit_breaker(std::string_view sink) const noexcept;

  // for the macros
  template <class... A>
  [[gnu::always_inline]] void submit_site(const detail::CallSite& site, A&... arguments) const noexcept {
    if constexpr ((detail::is_flat<A> && ...)) {
      detail::submit_flat_site(*state_, site, detail::flat_value(arguments)...);
    } else {
      detail::submit_any_site(*state_, site, {}, arguments...);
    }
  }
  template <class... A>
  void submit_site(const detail::CallSite& site, detail::ThrownException thrown, A&... arguments) const noexcept {
    detail::submit_any_site(*state_, site, thrown, arguments...);
  }

 private:
  friend struct detail::LoggerAccess;
  explicit Logger(detail::LoggerCore* state) noexcept;

  template <class... A>
  void submit(Level level, const detail::LiteralText& text, detail::ThrownException thrown,
              A&... arguments) const noexcept {
    detail::submit_text(*state_, known_level(level), text.characters, text.location, text.structure_mask, thrown,
                        arguments...);
  }
  template <class... A>
  void submit_dynamic(Level level, const DynamicTemplate& text, detail::ThrownException thrown,
                      A&... arguments) const noexcept {
    detail::submit_text(*state_, known_level(level), text.text, text.location, dynamic_structure_mask(text.text),
                        thrown, arguments...);
  }
  /// A value outside the enumeration is fatal, as to_string() has it: a record has room for no other.
  [[nodiscard]] static constexpr Level known_level(Level level) noexcept {
    return level > Level::fatal ? Level::fatal : level;
  }
  /// Which arguments a dynamic template asks for with `@`.
  [[nodiscard]] static std::uint64_t dynamic_structure_mask(std::string_view text) noexcept;
  [[nodiscard]] Logger with_property(std::string_view name, const OwnedValue& value) const;

  detail::LoggerCore* state_;
  const detail::LevelWord* threshold_;
};

/// The process-wide logger; silent until set_logger(). Safe from every thread, also while another sets it.
[[nodiscard]] Logger log() noexcept;
/// Makes `logger` the process-wide one. The one before lives on as long as handles to it do.
void set_logger(Logger logger) noexcept;
/// Closes the process-wide logger and goes back to silence.
void close_and_flush() noexcept;
namespace detail {
/// The level word of the process-wide logger.
extern constinit std::atomic<const LevelWord*> global_threshold;
[[nodiscard]] inline bool global_admits(Level level) noexcept {
  // acquire: pairs with set_logger's release, so that the word is that of the logger set; words live for ever
  return comes_through(level, global_threshold.load(std::memory_order_acquire)->load(std::memory_order_relaxed));
}
}  // namespace detail

/// Would the process-wide logger pass an event of that level on?
[[nodiscard]] bool is_enabled(Level level) noexcept;

#define CAIRN_DETAIL_GLOBAL_FUNCTIONS(name, level)                                                         \
  template <class... A>                                                                                    \
  inline void name(Template<A...> text, A&&... arguments) noexcept {                                       \
    if (detail::global_admits(level)) log().write(level, text, std::forward<A>(arguments)...);             \
  }                                                                                                        \
  template <class... A>                                                                                    \
  inline void name(const std::exception& exception, Template<A...> text, A&&... arguments) noexcept {      \
    if (detail::global_admits(level)) log().write(level, exception, text, std::forward<A>(arguments)...);  \
  }                                                                                                        \
  template <class... A>                                                                                    \
  inline void name(const std::exception_ptr& exception, Template<A...> text, A&&... arguments) noexcept {  \
    if (detail::global_admits(level)) log().write(level, exception, text, std::forward<A>(arguments)...);  \
  }                                                                                                        \
  template <class... A>                                                                                    \
  inline void name(DynamicTemplate text, A&&... arguments) noexcept {                                      \
    if (detail::global_admits(level)) log().write(level, text, std::forward<A>(arguments)...);             \
  }                                                                                                        \
  template <class... A>                                                                                    \
  inline void name(const std::exception& exception, DynamicTemplate text, A&&... arguments) noexcept {     \
    if (detail::global_admits(level)) log().write(level, exception, text, std::forward<A>(arguments)...);  \
  }                                                                                                        \
  template <class... A>                                                                                    \
  inline void name(const std::exception_ptr& exception, DynamicTemplate text, A&&... arguments) noexcept { \
    if (detail::global_admits(level)) log().write(level, exception, text, std::forward<A>(arguments)...);  \
  }

CAIRN_DETAIL_GLOBAL_FUNCTIONS(verbose, Level::verbose)
CAIRN_DETAIL_GLOBAL_FUNCTIONS(debug, Level::debug)
CAIRN_DETAIL_GLOBAL_FUNCTIONS(information, Level::information)
CAIRN_DETAIL_GLOBAL_FUNCTIONS(info, Level::information)
CAIRN_DETAIL_GLOBAL_FUNCTIONS(warning, Level::warning)
CAIRN_DETAIL_GLOBAL_FUNCTIONS(warn, Level::warning)
CAIRN_DETAIL_GLOBAL_FUNCTIONS(error, Level::error)
CAIRN_DETAIL_GLOBAL_FUNCTIONS(fatal, Level::fatal)
#undef CAIRN_DETAIL_GLOBAL_FUNCTIONS

/// Writes to the process-wide logger at a level chosen at run time; the same forms.
template <class... A>
void write(Level level, Template<A...> text, A&&... arguments) noexcept {
  if (detail::global_admits(level)) log().write(level, text, std::forward<A>(arguments)...);
}
template <class... A>
void write(Level level, const std::exception& exception, Template<A...> text, A&&... arguments) noexcept {
  if (detail::global_admits(level)) log().write(level, exception, text, std::forward<A>(arguments)...);
}
template <class... A>
void write(Level level, const std::exception_ptr& exception, Template<A...> text, A&&... arguments) noexcept {
  if (detail::global_admits(level)) log().write(level, exception, text, std::forward<A>(arguments)...);
}
template <class... A>
void write(Level level, DynamicTemplate text, A&&... arguments) noexcept {
  if (detail::global_admits(level)) log().write(level, text, std::forward<A>(arguments)...);
}
template <class... A>
void write(Level level, const std::exception& exception, DynamicTemplate text, A&&... arguments) noexcept {
  if (detail::global_admits(level)) log().write(level, exception, text, std::forward<A>(arguments)...);
}
template <class... A>
void write(Level level, const std::exception_ptr& exception, DynamicTemplate text, A&&... arguments) noexcept {
  if (detail::global_admits(level)) log().write(level, exception, text, std::forward<A>(arguments)...);
}

}  // namespace cairn
