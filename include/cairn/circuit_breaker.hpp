// Spares what keeps failing: after some failures in a row nothing is tried for a while, then one attempt at a time.
//
//   cairn::CircuitBreaker breaker({.failures = 3, .timeout = 1s});
//   auto answer = breaker.call([&] { return peer.ask(question); });      // a failure is what throws
//   if (answer) use(*answer);
//   else if (answer.refused()) try_again_in(answer.retry_in());
//
//   if (auto attempt = breaker.attempt()) peer.send(data) ? attempt.succeeded() : attempt.failed();
//
// Of a sink: `with_circuit_breaker(options)` in the configuration; there is nothing to call.
//
// Closed: everything is let through. It opens after `failures` failed attempts in a row, or, with `failure_rate`, when
// at least 10 of the last 20 attempts (no older than 60 s) are known and that share of them failed. Open, the n-th
// time: everything is refused for min(max_timeout, timeout * 2^(n-1)), stretched at random by 0 to `jitter` of that.
// Half-open: one attempt at a time is let through, the probe; after `successes_to_close` good ones it closes, after a
// bad one, or one that takes `attempt_timeout`, it opens for the (n+1)-th time. n starts over when it was closed for 60
// s. An attempt that began before the last change of state changes nothing any more. Nor does one during which the
// process stood still, for a second or longer (stopped, or its machine asleep), whatever came of it: it counts as
// cancelled. To see that, a thread of Cairn's looks at the clock four times a second while attempts are made.
//
// Thread-safety: every function from every thread. One lock guards all of the state, each function takes it once and
// holds it for a few comparisons, so that what several threads do has the same effect as if they had done it one after
// the other. No function of the program is called under it but the clock's: listeners run after it was let go, one at a
// time and in the order of the changes, on a thread that is just using the breaker; one that uses the breaker itself is
// told of the change it makes afterwards. An Attempt belongs to one thread at a time.
#pragma once

#include <cxxabi.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "cairn/clock.hpp"
#include "cairn/detail/fork_mutex.hpp"
#include "cairn/detail/pause_watch.hpp"

namespace cairn {

enum class CircuitState : std::uint8_t {
  closed,       // attempts are made
  open,         // they are refused until the wait is over
  half_open,    // one is made at a time
  forced_open,  // refused until somebody closes it: open()
  disabled      // made, whatever comes of them: disable()
};
[[nodiscard]] std::string_view to_string(CircuitState state) noexcept;

/// Why a breaker changed its state.
enum class CircuitCause : std::uint8_t {
  failures,         // so many in a row
  failure_rate,     // so many of the last
  timeout_over,     // the first attempt after the wait
  probe_failed,     // half-open to open
  probe_too_old,    // the same: the probe took `attempt_timeout`, whatever came of it
  probe_succeeded,  // half-open to closed
  manual,           // open(), close(), disable(), reset()
  timed_out         // closed to open: an attempt did not come back in time: timed_out()
};
inline constexpr std::size_t circuit_causes = 8;
[[nodiscard]] std::string_view to_string(CircuitCause cause) noexcept;

/// What listeners are told.
struct CircuitTransition {
  CircuitState from{};
  CircuitState to{};
  CircuitCause cause{};
  std::uint64_t number = 0;         // of the change, from 1
  Timestamp time{};                 // when it was
  std::chrono::nanoseconds wait{};  // to open: attempts are refused that long
};
using CircuitListener = std::function<void(const CircuitTransition&)>;

struct CircuitBreakerOptions {
  static constexpr std::uint32_t largest_count = 1'000'000;
  static constexpr std::chrono::nanoseconds longest_timeout = std::chrono::hours(24);

  std::uint32_t failures = 5;                                      // in a row, to open: 1 to `largest_count`
  std::chrono::nanoseconds timeout = std::chrono::seconds(30);     // the first wait: above 0, to `longest_timeout`
  std::chrono::nanoseconds max_timeout = std::chrono::minutes(5);  // the longest: `timeout` to `longest_timeout`
  double jitter = 0.2;                                             // share of a wait that is added at most: 0 to 1
  std::uint32_t successes_to_close = 1;                            // of probes: 1 to `largest_count`
  std::optional<double> failure_rate{};                            // share of failures that opens: above 0, to 1
  std::optional<std::chrono::nanoseconds> slow_after{};            // a success that took as long is a failure; above 0
  CircuitListener on_transition{};      // what it throws is dropped and counted; it must not end its thread
  std::optional<std::uint64_t> seed{};  // of the jitter; none: a random one
  /// An attempt that has not come back by then counts as failed, also if it succeeds later: above 0, to
  /// `longest_timeout`.
  std::chrono::nanoseconds attempt_timeout = std::chrono::seconds(30);
};

namespace detail {
class SinkBreaker;
/// What is wrong with the options, each problem in a sentence: the option, the value, what is taken.
[[nodiscard]] std::vector<std::string> problems_of(const CircuitBreakerOptions& options);
}  // namespace detail

/// What a breaker has counted since it was made or reset, or its process was forked.
struct CircuitBreakerStats {
  CircuitState state = CircuitState::closed;
  std::uint64_t consecutive_failures = 0;  // while closed, up to now
  std::uint64_t successes = 0;
  std::uint64_t failures = 0;     // `slow` ones and those over `attempt_timeout` included
  std::uint64_t slow = 0;         // took `slow_after` or longer, and came to a good end
  std::uint64_t refused = 0;      // attempts that were not made
  std::uint64_t cancelled = 0;    // attempts that say nothing, or during which the process stood still
  std::uint64_t late = 0;         // results of attempts from before the last change or what was done by hand last:
                                  // in no other count
  std::uint64_t opened = 0;       // times it opened by itself
  std::uint64_t transitions = 0;  // changes of state, all of them
  std::array<std::uint64_t, circuit_causes> by_cause{};  // the same, each at its CircuitCause
  std::uint64_t listener_errors = 0;                     // listeners that threw
  std::optional<Timestamp> last_failure{};
  std::optional<Timestamp> last_transition{};
  std::chrono::nanoseconds retry_in{};  // before it an attempt is refused; 0: the next one is made
};

template <class T>
class CircuitResult;

class CircuitBreaker : private detail::ForkHandler {
 public:
  /// Throws std::invalid_argument that names every option that is wrong. `clock` must outlive the breaker.
  explicit CircuitBreaker(CircuitBreakerOptions options = {}, Clock& clock = system_clock());
  CircuitBreaker(const CircuitBreaker&) = delete;
  CircuitBreaker& operator=(const CircuitBreaker&) = delete;
  ~CircuitBreaker() { forget_in_forks(*this); }

  /// An attempt that may be made, or the refusal of one. Its end says what came of it, once: `succeeded`, `failed` or
  /// `cancelled`, which says nothing about what was tried; so does the destructor. Must not outlive the breaker.
  class [[nodiscard]] Attempt {
   public:
    Attempt(Attempt&& other) noexcept;
    Attempt& operator=(Attempt&&) = delete;
    ~Attempt() { cancelled(); }

    /// May it be made?
    explicit operator bool() const noexcept { return granted_; }
    /// The one attempt that a half-open breaker lets through.
    [[nodiscard]] bool is_probe() const noexcept { return probe_; }
    /// Of a refusal: the next attempt is refused too before that.
    [[nodiscard]] std::chrono::nanoseconds retry_in() const noexcept { return retry_in_; }

    /// It took from attempt() until now; or `took`. One that took `attempt_timeout` counts as failed all the same.
    void succeeded() noexcept;
    void succeeded(std::chrono::nanoseconds took) noexcept;
    void failed() noexcept;
    void cancelled() noexcept;

   private:
    friend class CircuitBreaker;
    Attempt() = default;
    CircuitBreaker* breaker_ = nullptr;  // null: refused, or told already
    bool granted_ = false;
    bool probe_ = false;
    std::uint64_t epoch_ = 0;
    std::chrono::nanoseconds start_{};
    std::optional<detail::PauseWatch> watch_;  // of one that may be made
    std::chrono::nanoseconds retry_in_{};
  };
  [[nodiscard]] Attempt attempt() noexcept;

  /// Calls `f` if an attempt may be made: what it throws is a failure, caught; all else a success.
  template <class F>
  auto call(F&& f) -> CircuitResult<std::invoke_result_t<F>>;

  /// For whoever watches over attempts: one has not come back in its time. It is a failure, after which a closed or
  /// half-open breaker opens at once; what comes of it later changes nothing any more.
  void timed_out() noexcept;

  // ---- by hand; each starts the row of failures and the waits anew, and what comes of attempts from before is `late`
  /// Refuses everything until close(), disable() or reset().
  void open() noexcept;
  void close() noexcept;
  /// Lets everything through, whatever comes of it, until open(), close() or reset().
  void disable() noexcept;
  /// Closed, and every count 0, as if newly made. Listeners stay.
  void reset() noexcept;

  /// Open it stays until somebody makes an attempt, also when the wait is over.
  [[nodiscard]] CircuitState state() const noexcept;
  [[nodiscard]] CircuitBreakerStats stats() const noexcept;
  [[nodiscard]] const CircuitBreakerOptions& options() const noexcept { return options_; }
  /// One more that is told, as long as the breaker lives. Throws std::bad_alloc.
  void add_listener(CircuitListener listener);

 private:
  friend class detail::SinkBreaker;
  using Nanoseconds = std::chrono::nanoseconds;
  enum class Outcome : std::uint8_t { success, failure, cancelled };
  static constexpr std::size_t window_size = 20;
  struct Sample {
    Nanoseconds time{};
    bool failed = false;
  };

  void before_fork(std::chrono::steady_clock::time_point deadline) noexcept override {
    held_for_fork_.take(mutex_, deadline);
  }
  void after_fork(bool child) noexcept override;
  /// An open breaker lets the next attempt through as its probe.
  void end_wait() noexcept;
  /// `took`: none, it is from its start until now.
  void finish(const Attempt& attempt, Outcome outcome, std::optional<Nanoseconds> took = {}) noexcept;
  // Under the lock, all of these:
  void change(CircuitState to, CircuitCause cause, Nanoseconds wait = {}) noexcept;
  void trip(CircuitCause cause, Nanoseconds now) noexcept;
  void start_over(Nanoseconds now) noexcept;
  [[nodiscard]] bool probe_too_old(Nanoseconds now) const noexcept;
  [[nodiscard]] Nanoseconds retry_in(Nanoseconds now) const noexcept;
  void sample(bool failed, Nanoseconds now) noexcept;
  [[nodiscard]] bool rate_reached(Nanoseconds now) const noexcept;
  [[nodiscard]] Nanoseconds next_wait() noexcept;
  /// Under no lock: tells listeners of what changed, unless another thread is at it.
  void tell() noexcept;
  void wake() const noexcept;
  void by_hand(CircuitState to, bool forget) noexcept;

  const CircuitBreakerOptions options_;
  Clock& clock_;

  mutable std::mutex mutex_;
  detail::HeldOverFork held_for_fork_;
  CircuitBreakerStats stats_;     // its state is the state; without retry_in
  std::uint64_t epoch_ = 0;       // grows with each change of state, and with what is done by hand
  std::uint32_t times_open_ = 0;  // n
  Nanoseconds closed_since_{};
  Nanoseconds open_until_{};
  bool probing_ = false;  // a probe is under way
  Nanoseconds probe_start_{};
  std::chrono::steady_clock::time_point probe_seen_{};  // the same moment, of the machine
  std::uint32_t good_probes_ = 0;
  std::array<Sample, window_size> window_{};
  std::size_t samples_ = 0;  // ever since it was closed; the last is at (samples_ - 1) % window_size
  std::uint64_t random_ = 0;
  std::vector<CircuitListener> listeners_;
  /// Of a sink's: wakes who waits to try again. Called before listeners and whatever they are at, under no lock, by
  /// whoever changed the state or is done with a probe. Must not throw.
  std::function<void()> waker_;
  std::deque<CircuitTransition> untold_;
  bool telling_ = false;  // some thread is
};

/// Thrown by CircuitResult::value() where the call was refused.
class CircuitOpenError : public std::runtime_error {
 public:
  CircuitOpenError() : std::runtime_error("the circuit breaker is open") {}
};

/// What a guarded call came to: a value, an exception, or a refusal.
template <class T>
class [[nodiscard]] CircuitResult {
  using Value = std::conditional_t<std::is_void_v<T>, std::monostate, T>;
  static_assert(!std::is_reference_v<T>, "the function of CircuitBreaker::call returns a reference: return a pointer");

 public:
  explicit operator bool() const noexcept { return value_.has_value(); }
  [[nodiscard]] bool refused() const noexcept { return !value_ && !exception_; }
  /// What `f` threw, or null.
  [[nodiscard]] const std::exception_ptr& exception() const noexcept { return exception_; }
  /// Of a refusal: the next call is refused too before that.
  [[nodiscard]] std::chrono::nanoseconds retry_in() const noexcept { return retry_in_; }

  /// What `f` returned. Throws what `f` threw, or CircuitOpenError.
  Value& value() & {
    if (exception_) std::rethrow_exception(exception_);
    if (!value_) throw CircuitOpenError();
    return *value_;
  }
  Value&& value() && { return std::move(value()); }
  /// Only where there is a value.
  Value& operator*() noexcept { return *value_; }
  Value* operator->() noexcept { return &*value_; }

 private:
  friend class CircuitBreaker;
  std::optional<Value> value_;
  std::exception_ptr exception_;
  std::chrono::nanoseconds retry_in_{};
};

template <class F>
auto CircuitBreaker::call(F&& f) -> CircuitResult<std::invoke_result_t<F>> {
  CircuitResult<std::invoke_result_t<F>> result;
  Attempt made = attempt();
  if (!made) {
    result.retry_in_ = made.retry_in();
    return result;
  }
  try {
    if constexpr (std::is_void_v<std::invoke_result_t<F>>) {
      std::forward<F>(f)();
      result.value_.emplace();
    } else {
      result.value_.emplace(std::forward<F>(f)());
    }
    made.succeeded();
  } catch (const abi::__forced_unwind&) {
    throw;  // the thread is being ended
  } catch (...) {
    result.exception_ = std::current_exception();
    made.failed();
  }
  return result;
}

}  // namespace cairn
