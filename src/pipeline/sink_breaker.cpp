#include "pipeline/sink_breaker.hpp"

#include <algorithm>

#include "pipeline/sink_stage.hpp"

namespace cairn::detail {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t probe_events = 10;
constexpr std::size_t most_tries = 10;
constexpr std::chrono::nanoseconds longest_trying = 10min;
constexpr std::chrono::nanoseconds first_pause = 10ms;  // doubled up to the pause of storage that may heal
constexpr std::chrono::nanoseconds glance = 10ms;       // how often a clock is asked that nothing can wait for

CircuitBreakerOptions without_listener(CircuitBreakerOptions options) {
  options.on_transition = {};
  return options;
}

}  // namespace

SinkBreaker::SinkBreaker(CircuitBreakerOptions options, Clock& clock, std::function<void()> wake,
                         CircuitListener on_change)
    : clock_(clock), circuit_(without_listener(options), clock) {
  circuit_.waker_ = std::move(wake);
  circuit_.add_listener(std::move(on_change));
  if (options.on_transition) circuit_.add_listener(std::move(options.on_transition));
}

bool SinkBreaker::spares() const noexcept {
  const CircuitState state = circuit_.state();
  return state != CircuitState::closed && state != CircuitState::disabled;
}

void SinkBreaker::judge(CircuitBreaker::Attempt& attempt, std::optional<FailReason> failed, bool may_pass,
                        std::chrono::nanoseconds took) noexcept {
  const bool throttled = failed && *failed != FailReason::io_error && may_pass;
  const bool closed = failed == FailReason::sink_closed;
  if (throttled || closed) {
    attempt.cancelled();
  } else if (failed) {
    attempt.failed();
  } else {
    attempt.succeeded(took);
  }
}

CircuitBreaker::Attempt SinkBreaker::attempt(bool again) noexcept {
  auto attempt = circuit_.attempt();
  const bool early = !attempt && hurries_.load(std::memory_order_relaxed) && (again || !probed_early_);
  if (!early) return attempt;
  probed_early_ = true;
  circuit_.end_wait();
  return circuit_.attempt();
}

std::size_t SinkBreaker::share_of(const CircuitBreaker::Attempt& attempt, std::size_t events) noexcept {
  if (attempt.is_probe()) share_ = probe_events;
  return std::min(share_, events);
}

void SinkBreaker::note_success() noexcept {
  share_ = share_ > SIZE_MAX / 2 ? SIZE_MAX : share_ * 2;
  tries_ = 0;
  pause_ = 0ns;
}

bool SinkBreaker::note_failure(bool progress, Elsewhere elsewhere) noexcept {
  const std::chrono::nanoseconds now = clock_.steady();
  if (progress || tries_ == 0) {
    tries_ = 0;
    first_try_ = now;
  }
  ++tries_;
  pause_ = std::min<std::chrono::nanoseconds>(first_pause * (1U << std::min<std::size_t>(tries_ - 1, 10)),
                                              storage_retry_pause);
  if (elsewhere == Elsewhere::at_once && spares()) pause_ = 0ns;  // it is open
  const bool often = tries_ >= most_tries;
  const bool long_ago = now - first_try_ >= longest_trying;
  // What has nowhere else to go stays as long as one may hope.
  if (!(elsewhere != Elsewhere::nowhere ? often || long_ago : often && long_ago)) return false;
  tries_ = 0;
  return true;
}

void SinkBreaker::note_throttled() noexcept { pause_ = storage_retry_pause; }

std::chrono::nanoseconds SinkBreaker::pause() const noexcept {
  const bool waits_for_real = &clock_ == &system_clock();
  return std::min<std::chrono::nanoseconds>(pause_, waits_for_real ? std::chrono::nanoseconds(24h) : glance);
}

}  // namespace cairn::detail
