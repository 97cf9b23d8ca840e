// What a circuit breaker does, written a second time as simply as can be: no lock, no ring, no clock of its own. And a
// history that is acted out on both, step by step, until they differ.
#pragma once

#include <cairn/circuit_breaker.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <utility>
#include <vector>

namespace cairn::testing {

using Duration = std::chrono::nanoseconds;

struct ModelClock final : Clock {
  Timestamp now() noexcept override { return Timestamp(time); }
  Duration steady() noexcept override { return time; }
  Duration time{};
};

struct BreakerModel {
  CircuitBreakerOptions options{};
  Duration now{};

  struct Ticket {
    bool granted = false;
    bool probe = false;
    std::uint64_t generation = 0;
    Duration begun{};
  };
  CircuitState state = CircuitState::closed;
  std::uint64_t generation = 0;
  std::uint32_t opened_in_a_row = 0;
  Duration closed_at{}, opened_at{}, probed_at{};
  Duration wait{};            // of the breaker's choice; checked against what it may be
  bool wait_is_right = true;  // so far
  bool probe_out = false;
  std::uint64_t bad_in_a_row = 0, good_probes = 0;
  std::vector<std::pair<Duration, bool>> results;  // while closed; true: bad

  void go(CircuitState to) {
    state = to;
    ++generation;
    probe_out = false;
    bad_in_a_row = good_probes = 0;
    results.clear();
  }
  void trip(Duration actual_wait) {
    if (state == CircuitState::closed && now - closed_at >= std::chrono::seconds(60)) opened_in_a_row = 0;
    ++opened_in_a_row;
    double least = static_cast<double>(options.timeout.count());
    for (std::uint32_t i = 1; i < opened_in_a_row && least < 1e18; ++i) least *= 2;
    least = std::min(least, static_cast<double>(options.max_timeout.count()));
    const auto actual = static_cast<double>(actual_wait.count());
    wait_is_right = wait_is_right && actual >= least - 1 && actual <= least * (1 + options.jitter) + 1;
    opened_at = now;
    wait = actual_wait;
    go(CircuitState::open);
  }
  [[nodiscard]] bool probe_is_stale() const {
    return state == CircuitState::half_open && probe_out && now - probed_at >= options.attempt_timeout;
  }
  Ticket attempt(Duration wait_if_it_trips) {
    if (state == CircuitState::open && now >= opened_at + wait) go(CircuitState::half_open);
    if (probe_is_stale()) trip(wait_if_it_trips);
    const bool free = state == CircuitState::closed || state == CircuitState::disabled;
    const bool probe = state == CircuitState::half_open && !probe_out;
    if (probe) {
      probe_out = true;
      probed_at = now;
    }
    return {free || probe, probe, generation, now};
  }
  void finish(const Ticket& ticket, bool good, Duration wait_if_it_trips) {
    if (ticket.generation != generation) return;
    good = good && now - ticket.begun < options.attempt_timeout;
    if (state == CircuitState::half_open) {
      if (!good) return trip(wait_if_it_trips);
      probe_out = false;
      if (++good_probes < options.successes_to_close) return;
      closed_at = now;
      go(CircuitState::closed);
    } else if (state == CircuitState::closed) {
      bad_in_a_row = good ? 0 : bad_in_a_row + 1;
      results.emplace_back(now, !good);
      if (bad_in_a_row >= options.failures || share_reached()) trip(wait_if_it_trips);
    }
  }
  [[nodiscard]] bool share_reached() const {
    if (!options.failure_rate) return false;
    double known = 0, bad = 0;
    for (std::size_t i = results.size() > 20 ? results.size() - 20 : 0; i < results.size(); ++i) {
      if (now - results[i].first > std::chrono::seconds(60)) continue;
      known += 1;
      bad += results[i].second ? 1 : 0;
    }
    return known >= 10 && bad >= *options.failure_rate * known;
  }
  void cancel(const Ticket& ticket) {
    if (ticket.generation == generation) probe_out = probe_out && !ticket.probe;
  }
  void by_hand(CircuitState to) {
    opened_in_a_row = 0;
    bad_in_a_row = 0;
    results.clear();
    closed_at = now;
    if (state != to) go(to);
    ++generation;
  }
};

/// One breaker and its model, acting out the same.
class BreakerHistory {
 public:
  explicit BreakerHistory(CircuitBreakerOptions options) : breaker_(with_listener(std::move(options)), clock_) {
    model_.options = breaker_.options();
  }

  /// What was seen to differ; empty: nothing yet.
  [[nodiscard]] const std::string& difference() const noexcept { return difference_; }
  [[nodiscard]] const std::vector<std::string>& acted() const noexcept { return acted_; }

  [[nodiscard]] CircuitState state() const noexcept { return breaker_.state(); }
  /// A mistake of the model's, for who wants to see it found.
  void forget_who_probes() noexcept { model_.probe_out = false; }

  /// `what` chooses the step, `how` its details.
  void step(std::uint8_t what, std::uint16_t how) {
    told_ = {};
    const std::uint64_t changes = breaker_.stats().transitions;
    switch (what % 16) {
      case 0:
      case 1:
      case 2:
      case 3:
      case 4: begin(); break;
      case 5:
      case 6:
      case 7: finish(how, true); break;
      case 8:
      case 9:
      case 10: finish(how, false); break;
      case 11: cancel(how); break;
      case 12: pass(std::chrono::milliseconds(how)); break;
      case 13: pass(std::chrono::milliseconds(std::uint64_t{how} * 4)); break;
      case 14: pass(std::chrono::milliseconds(how % 512)); break;
      default: by_hand(how); break;
    }
    same("state", std::string(to_string(breaker_.state())), std::string(to_string(model_.state)));
    same("failures in a row", breaker_.stats().consecutive_failures,
         model_.state == CircuitState::closed ? model_.bad_in_a_row : 0);
    same("wait in its bounds", model_.wait_is_right, true);
    if (!forgot_) same("listeners told", told_.count, breaker_.stats().transitions - changes);
    forgot_ = false;
    if (out_.size() > 64) cancel(0);
  }

 private:
  struct Out {
    CircuitBreaker::Attempt attempt;
    BreakerModel::Ticket ticket;
  };
  struct Told {
    std::uint64_t count = 0;
    Duration wait{};
  };
  CircuitBreakerOptions with_listener(CircuitBreakerOptions options) {
    options.on_transition = [this](const CircuitTransition& change) {
      ++told_.count;
      if (change.to == CircuitState::open) told_.wait = change.wait;
    };
    return options;
  }
  template <class T>
  void same(const char* what, const T& breaker, const T& model) {
    if (!difference_.empty() || breaker == model) return;
    difference_ = std::string(what) + ": the breaker says " + text(breaker) + ", the model " + text(model);
  }
  static std::string text(const std::string& value) { return value; }
  static std::string text(std::uint64_t value) { return std::to_string(value); }

  void begin() {
    acted_.emplace_back("attempt");
    CircuitBreaker::Attempt attempt = breaker_.attempt();
    const BreakerModel::Ticket ticket = model_.attempt(told_.wait);
    same("granted", static_cast<bool>(attempt), ticket.granted);
    same("probe", attempt.is_probe(), ticket.probe);
    if (ticket.granted) out_.push_back({std::move(attempt), ticket});
  }
  void finish(std::uint16_t how, bool good) {
    if (out_.empty()) return;
    acted_.emplace_back(good ? "success" : "failure");
    Out out = take(how);
    if (good) {
      out.attempt.succeeded();
    } else {
      out.attempt.failed();
    }
    model_.finish(out.ticket, good, told_.wait);
  }
  void cancel(std::uint16_t how) {
    if (out_.empty()) return;
    acted_.emplace_back("cancel");
    Out out = take(how);
    out.attempt.cancelled();
    model_.cancel(out.ticket);
  }
  void pass(Duration time) {
    acted_.push_back("pass " + std::to_string(time.count()));
    clock_.time += time;
    model_.now += time;
  }
  void by_hand(std::uint16_t how) {
    acted_.push_back("by hand " + std::to_string(how % 8));
    switch (how % 8) {
      case 0: return breaker_.open(), model_.by_hand(CircuitState::forced_open);
      case 1: return breaker_.disable(), model_.by_hand(CircuitState::disabled);
      case 2: forgot_ = true; return breaker_.reset(), model_.by_hand(CircuitState::closed);
      default: return breaker_.close(), model_.by_hand(CircuitState::closed);
    }
  }
  Out take(std::uint16_t how) {
    const auto at = out_.begin() + how % static_cast<std::ptrdiff_t>(out_.size());
    Out out = std::move(*at);
    // a vector would assign attempts to each other, which has no meaning
    std::deque<Out> rest;
    for (auto it = out_.begin(); it != out_.end(); ++it) {
      if (it != at) rest.push_back(std::move(*it));
    }
    out_.swap(rest);
    return out;
  }

  ModelClock clock_;
  Told told_;
  BreakerModel model_;
  CircuitBreaker breaker_;
  std::deque<Out> out_;
  std::vector<std::string> acted_;
  std::string difference_;
  bool forgot_ = false;
};

}  // namespace cairn::testing
