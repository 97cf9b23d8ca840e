// The state machine, and nothing of sinks: whoever makes attempts brings what came of them.
#include "cairn/circuit_breaker.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <mutex>
#include <new>
#include <optional>
#include <utility>

#include "cairn/detail/critical_section.hpp"
#include "platform/fork_generation.hpp"
#include "platform/no_cancellation.hpp"

namespace cairn {

namespace {

/// Holds the mutex; a log call of a signal handler, which may come to the same breaker, is refused meanwhile.
class Lock {
 public:
  explicit Lock(std::mutex& mutex) : lock_(mutex) {}
  void lock() {
    section_.emplace();
    lock_.lock();
  }
  void unlock() {
    lock_.unlock();
    section_.reset();
  }
  [[nodiscard]] bool owns_lock() const noexcept { return lock_.owns_lock(); }

 private:
  std::optional<detail::CriticalSection> section_{std::in_place};  // the first to begin, the last to end
  std::unique_lock<std::mutex> lock_;
};

using namespace std::chrono_literals;

constexpr std::chrono::nanoseconds forgiven_after = 60s;  // closed that long, it opens as for the first time
constexpr std::chrono::nanoseconds oldest_sample = 60s;
constexpr std::size_t fewest_samples = 10;

}  // namespace

std::string_view to_string(CircuitState state) noexcept {
  constexpr std::string_view names[] = {"closed", "open", "half_open", "forced_open", "disabled"};
  return names[static_cast<std::size_t>(state)];
}

std::string_view to_string(CircuitCause cause) noexcept {
  constexpr std::string_view names[] = {"failures",      "failure_rate",    "timeout_over", "probe_failed",
                                        "probe_too_old", "probe_succeeded", "manual",       "timed_out"};
  return names[static_cast<std::size_t>(cause)];
}

std::vector<std::string> detail::problems_of(const CircuitBreakerOptions& o) {
  std::vector<std::string> problems;
  const auto count = [&](const char* name, std::uint32_t value) {
    if (value < 1 || value > CircuitBreakerOptions::largest_count)
      problems.push_back(std::string(name) + ": " + std::to_string(value) + "; it takes 1 to " +
                         std::to_string(CircuitBreakerOptions::largest_count));
  };
  const auto time = [&](const char* name, std::chrono::nanoseconds value) {
    if (value <= 0ns || value > CircuitBreakerOptions::longest_timeout)
      problems.push_back(std::string(name) + ": " + std::to_string(value.count()) +
                         " ns; it takes a time above 0, to 24 h");
  };
  count("failures", o.failures);
  time("timeout", o.timeout);
  time("max_timeout", o.max_timeout);
  if (o.timeout > 0ns && o.max_timeout > 0ns && o.max_timeout < o.timeout)
    problems.push_back("max_timeout: " + std::to_string(o.max_timeout.count()) + " ns is below timeout, " +
                       std::to_string(o.timeout.count()) + " ns; it takes timeout or more");
  if (!(o.jitter >= 0 && o.jitter <= 1))
    problems.push_back("jitter: " + std::to_string(o.jitter) + "; it takes 0 to 1");
  count("successes_to_close", o.successes_to_close);
  if (o.failure_rate && !(*o.failure_rate > 0 && *o.failure_rate <= 1))
    problems.push_back("failure_rate: " + std::to_string(*o.failure_rate) + "; it takes above 0, to 1");
  if (o.slow_after) time("slow_after", *o.slow_after);
  time("attempt_timeout", o.attempt_timeout);
  return problems;
}

CircuitBreaker::CircuitBreaker(CircuitBreakerOptions options, Clock& clock)
    : options_(std::move(options)), clock_(clock), closed_since_(clock.steady()) {
  if (const auto problems = detail::problems_of(options_); !problems.empty()) {
    std::string text = "CircuitBreaker: ";
    for (const std::string& problem : problems) text += (&problem == problems.data() ? "" : "; ") + problem;
    throw std::invalid_argument(text);
  }
  if (options_.seed) {
    random_ = *options_.seed;
  } else {
    detail::random_bytes(&random_, sizeof(random_));
  }
  if (options_.on_transition) listeners_.push_back(options_.on_transition);
  guard_against_forks(*this);
}

// ---- attempts

CircuitBreaker::Attempt::Attempt(Attempt&& other) noexcept
    : breaker_(std::exchange(other.breaker_, nullptr)),
      granted_(std::exchange(other.granted_, false)),
      probe_(other.probe_),
      epoch_(other.epoch_),
      start_(other.start_),
      watch_(std::move(other.watch_)),
      retry_in_(other.retry_in_) {}

void CircuitBreaker::Attempt::succeeded() noexcept {
  if (CircuitBreaker* breaker = std::exchange(breaker_, nullptr)) breaker->finish(*this, Outcome::success);
}

void CircuitBreaker::Attempt::succeeded(std::chrono::nanoseconds took) noexcept {
  if (CircuitBreaker* breaker = std::exchange(breaker_, nullptr)) breaker->finish(*this, Outcome::success, took);
}

void CircuitBreaker::Attempt::failed() noexcept {
  if (CircuitBreaker* breaker = std::exchange(breaker_, nullptr)) breaker->finish(*this, Outcome::failure);
}

void CircuitBreaker::Attempt::cancelled() noexcept {
  if (CircuitBreaker* breaker = std::exchange(breaker_, nullptr)) breaker->finish(*this, Outcome::cancelled);
}

CircuitBreaker::Attempt CircuitBreaker::attempt() noexcept {
  Attempt attempt;
  bool has_news = false;
  {
    const Lock lock(mutex_);
    const Nanoseconds now = clock_.steady();
    if (stats_.state == CircuitState::open && now >= open_until_) {
      change(CircuitState::half_open, CircuitCause::timeout_over);
    } else if (probe_too_old(now)) {
      if (detail::PauseWatch::saw_pause_since(probe_seen_)) {  // its time counts from now on
        probe_start_ = now;
        probe_seen_ = std::chrono::steady_clock::now();
      } else {
        trip(CircuitCause::probe_too_old, now);
      }
    }
    const bool half_open = stats_.state == CircuitState::half_open;
    if (stats_.state == CircuitState::closed || stats_.state == CircuitState::disabled || (half_open && !probing_)) {
      attempt.breaker_ = this;
      attempt.granted_ = true;
      attempt.probe_ = half_open;
      attempt.epoch_ = epoch_;
      attempt.start_ = now;
      if (half_open) {
        probing_ = true;
        probe_start_ = now;
        probe_seen_ = std::chrono::steady_clock::now();
      }
    } else {
      ++stats_.refused;
      attempt.retry_in_ = retry_in(now);
    }
    has_news = !untold_.empty();
  }
  if (attempt) attempt.watch_.emplace();
  if (has_news) tell();
  return attempt;
}

void CircuitBreaker::finish(const Attempt& attempt, Outcome outcome, std::optional<Nanoseconds> took) noexcept {
  {
    Lock lock(mutex_);
    if (attempt.epoch_ != epoch_) {
      ++stats_.late;
      return;
    }
    if (attempt.probe_) probing_ = false;
    const Nanoseconds now = clock_.steady();
    if (!took) took = now - attempt.start_;
    if (*took >= detail::pause_of_the_process && attempt.watch_->saw_pause()) outcome = Outcome::cancelled;
    if (outcome == Outcome::cancelled) {
      ++stats_.cancelled;
      lock.unlock();
      if (attempt.probe_) wake();
      return;
    }
    const bool succeeded = outcome == Outcome::success;
    const bool slow = succeeded && options_.slow_after && *took >= *options_.slow_after;
    const bool too_old = *took >= options_.attempt_timeout;  // nobody asked meanwhile
    const bool failed = !succeeded || slow || too_old;
    if (failed) {
      ++stats_.failures;
      if (slow) ++stats_.slow;
      stats_.last_failure = clock_.now();
    } else {
      ++stats_.successes;
    }
    if (stats_.state == CircuitState::closed) {
      stats_.consecutive_failures = failed ? stats_.consecutive_failures + 1 : 0;
      sample(failed, now);
      if (stats_.consecutive_failures >= options_.failures) {
        trip(CircuitCause::failures, now);
      } else if (rate_reached(now)) {
        trip(CircuitCause::failure_rate, now);
      }
    } else if (stats_.state == CircuitState::half_open) {
      if (failed) {
        trip(too_old ? CircuitCause::probe_too_old : CircuitCause::probe_failed, now);
      } else if (++good_probes_ >= options_.successes_to_close) {
        closed_since_ = now;
        change(CircuitState::closed, CircuitCause::probe_succeeded);
      }
    }
    if (untold_.empty()) {
      lock.unlock();
      if (attempt.probe_) wake();  // one of several that it takes to close
      return;
    }
  }
  tell();
}

void CircuitBreaker::timed_out() noexcept {
  {
    const Lock lock(mutex_);
    const bool probe = stats_.state == CircuitState::half_open;
    if (!probe && stats_.state != CircuitState::closed) return;
    ++stats_.failures;
    stats_.last_failure = clock_.now();
    trip(probe ? CircuitCause::probe_too_old : CircuitCause::timed_out, clock_.steady());
    if (untold_.empty()) return;
  }
  tell();
}

void CircuitBreaker::end_wait() noexcept {
  const Lock lock(mutex_);
  open_until_ = std::min(open_until_, clock_.steady());
}

// ---- the state, under the lock

void CircuitBreaker::change(CircuitState to, CircuitCause cause, Nanoseconds wait) noexcept {
  const CircuitState from = std::exchange(stats_.state, to);
  ++epoch_;
  ++stats_.transitions;
  ++stats_.by_cause[static_cast<std::size_t>(cause)];
  stats_.last_transition = clock_.now();
  stats_.consecutive_failures = 0;
  probing_ = false;
  good_probes_ = 0;
  samples_ = 0;
  if (listeners_.empty()) return;
  try {
    untold_.push_back({from, to, cause, stats_.transitions, *stats_.last_transition, wait});
  } catch (const std::bad_alloc&) {
    ++stats_.listener_errors;
  }
}

void CircuitBreaker::trip(CircuitCause cause, Nanoseconds now) noexcept {
  if (stats_.state == CircuitState::closed && now - closed_since_ >= forgiven_after) times_open_ = 0;
  ++times_open_;
  ++stats_.opened;
  const Nanoseconds wait = next_wait();
  open_until_ = now + wait;
  change(CircuitState::open, cause, wait);
}

/// The n-th wait: doubled until it is the longest, then stretched at random.
CircuitBreaker::Nanoseconds CircuitBreaker::next_wait() noexcept {
  Nanoseconds wait = options_.timeout;
  for (std::uint32_t i = 1; i < times_open_ && wait < options_.max_timeout; ++i) {
    wait = std::min(wait * 2, options_.max_timeout);  // two days at most
  }
  random_ += 0x9E3779B97F4A7C15ULL;  // splitmix64
  std::uint64_t bits = random_;
  bits = (bits ^ (bits >> 30U)) * 0xBF58476D1CE4E5B9ULL;
  bits = (bits ^ (bits >> 27U)) * 0x94D049BB133111EBULL;
  bits ^= bits >> 31U;
  const double share = options_.jitter * (static_cast<double>(bits >> 11U) * 0x1.0p-53);
  return wait + Nanoseconds(std::llround(static_cast<double>(wait.count()) * share));
}

bool CircuitBreaker::probe_too_old(Nanoseconds now) const noexcept {
  return stats_.state == CircuitState::half_open && probing_ && now - probe_start_ >= options_.attempt_timeout;
}

CircuitBreaker::Nanoseconds CircuitBreaker::retry_in(Nanoseconds now) const noexcept {
  switch (stats_.state) {
    case CircuitState::open: return std::max(open_until_ - now, Nanoseconds());
    case CircuitState::half_open:
      return probing_ ? std::max(probe_start_ + options_.attempt_timeout - now, Nanoseconds()) : Nanoseconds();
    case CircuitState::forced_open: return Nanoseconds::max();
    default: return {};
  }
}

void CircuitBreaker::sample(bool failed, Nanoseconds now) noexcept {
  window_[samples_ % window_size] = {now, failed};
  ++samples_;
}

bool CircuitBreaker::rate_reached(Nanoseconds now) const noexcept {
  if (!options_.failure_rate) return false;
  std::size_t known = 0;
  std::size_t failed = 0;
  for (std::size_t i = 0; i < std::min(samples_, window_size); ++i) {
    if (now - window_[i].time > oldest_sample) continue;
    ++known;
    if (window_[i].failed) ++failed;
  }
  return known >= fewest_samples && static_cast<double>(failed) >= *options_.failure_rate * static_cast<double>(known);
}

void CircuitBreaker::start_over(Nanoseconds now) noexcept {
  times_open_ = 0;
  closed_since_ = now;
  stats_.consecutive_failures = 0;
  samples_ = 0;
}

// ---- by hand

void CircuitBreaker::by_hand(CircuitState to, bool forget) noexcept {
  {
    const Lock lock(mutex_);
    start_over(clock_.steady());
    if (stats_.state != to) change(to, CircuitCause::manual);
    ++epoch_;  // also where the state stays: what began before says nothing any more
    if (forget) {
      stats_ = {};
      stats_.state = to;
    }
  }
  tell();
}

void CircuitBreaker::open() noexcept { by_hand(CircuitState::forced_open, false); }
void CircuitBreaker::close() noexcept { by_hand(CircuitState::closed, false); }
void CircuitBreaker::disable() noexcept { by_hand(CircuitState::disabled, false); }
void CircuitBreaker::reset() noexcept { by_hand(CircuitState::closed, true); }

CircuitState CircuitBreaker::state() const noexcept {
  const Lock lock(mutex_);
  return stats_.state;
}

CircuitBreakerStats CircuitBreaker::stats() const noexcept {
  const Lock lock(mutex_);
  CircuitBreakerStats stats = stats_;
  stats.retry_in = retry_in(clock_.steady());
  return stats;
}

// ---- listeners

void CircuitBreaker::add_listener(CircuitListener listener) {
  const Lock lock(mutex_);
  listeners_.push_back(std::move(listener));
}

void CircuitBreaker::wake() const noexcept {
  if (waker_) waker_();
}

void CircuitBreaker::tell() noexcept {
  wake();
  Lock lock(mutex_);
  if (telling_) return;  // that thread goes on until there is nothing left
  while (!untold_.empty()) {
    telling_ = true;
    const CircuitTransition transition = untold_.front();
    untold_.pop_front();
    std::uint64_t errors = 0;
    const detail::NoCancellation uncancelled;
    for (std::size_t i = 0; i < listeners_.size(); ++i) {
      try {
        const CircuitListener listener = listeners_[i];  // a copy: one may be added meanwhile
        lock.unlock();
        if (listener) listener(transition);
      } catch (...) {  // its own affair
        ++errors;
      }
      if (!lock.owns_lock()) lock.lock();
    }
    stats_.listener_errors += errors;
    telling_ = false;
  }
}

void CircuitBreaker::after_fork(bool child) noexcept {
  if (child) {
    if (probing_) {  // by a thread that is not there any more: its result would have to be waited for
      probing_ = false;
      ++epoch_;
    }
    const CircuitState state = stats_.state;
    const std::uint64_t in_a_row = stats_.consecutive_failures;
    stats_ = {};  // what was counted is the parent's; how things stand is so here, too
    stats_.state = state;
    stats_.consecutive_failures = in_a_row;
    untold_.clear();
    telling_ = false;
  }
  held_for_fork_.let_go(mutex_, child);
}

}  // namespace cairn
