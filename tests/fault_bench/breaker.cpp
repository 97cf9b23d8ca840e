// The circuit breaker of a sink that is down a hundred times: how soon it opens, what it tries meanwhile, how soon it
// is back, and where the events are then. It is down for 0.1 to 3 s, and in a soak for 0.1 to 30 s.
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <cairn/all.hpp>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "bench.hpp"
#include "support/event_oracle.hpp"

namespace cairn::fault_bench {

namespace {

using namespace std::chrono_literals;
using cairn::testing::EventOracle;
using cairn::testing::log_marked;

constexpr std::size_t batch = 512;
constexpr std::size_t probe = 10;  // events of one at most

std::uint64_t number_of(const Event& event) {
  return event.property("Sequence").value_or(Value()).as_uint64().value_or(0);
}

/// The fallback: takes everything, and notes how long after an opening the first event comes.
class OtherSink final : public Sink {
 public:
  EmitResult emit(std::span<const Event> events) override {
    const std::lock_guard lock(mutex_);
    for (const Event& event : events) {
      oracle.read_event(event);
      if (!waits_ || event.source() == "Cairn") continue;
      waits_ = false;
      worst_wait = std::max(worst_wait, milliseconds(Clock::now() - opened_at_));
    }
    return EmitResult::all(events);
  }
  void expect() {
    const std::lock_guard lock(mutex_);
    in_vain += waits_ ? 1U : 0U;
    waits_ = true;
    opened_at_ = Clock::now();
  }
  [[nodiscard]] bool waits() const {
    const std::lock_guard lock(mutex_);
    return waits_;
  }

  // Read when nobody is inside any more.
  EventOracle oracle;
  double worst_wait = 0;
  std::uint64_t in_vain = 0;  // openings after which nothing came, until the next

 private:
  mutable std::mutex mutex_;
  bool waits_ = false;
  Clock::time_point opened_at_;
};

/// Down when it is told to be; then it takes the first half of one batch, and throws.
class OutageSink final : public Sink {
 public:
  EmitResult emit(std::span<const Event> events) override {
    const int others = inside_.fetch_add(1);
    const std::lock_guard lock(mutex_);
    most_inside = std::max(most_inside, others + 1);
    const CircuitState state = state_;
    if (state == CircuitState::open) ++while_open;
    if (state == CircuitState::half_open) longest_probe = std::max(longest_probe, events.size());
    std::size_t takes = events.size();
    if (down_) {
      ++attempts_;
      takes = attempts_ == 1 ? events.size() / 2 : 0;
    }
    for (const Event& event : events.first(takes)) take(event);
    inside_.fetch_sub(1);
    if (down_) throw std::runtime_error("down");
    return EmitResult::all(events);
  }

  /// The breaker's listener.
  void changed(const CircuitTransition& change) {
    const std::lock_guard lock(mutex_);
    state_ = change.to;
    if (change.from == CircuitState::closed && change.to == CircuitState::open) {
      most_attempts = std::max(most_attempts, attempts_);
      ++opened;
    }
    if (change.to == CircuitState::closed) closed_at_ = Clock::now();
  }
  void go_down() {
    const std::lock_guard lock(mutex_);
    down_ = true;
    attempts_ = 0;
    twice_in.push_back(0);
  }
  [[nodiscard]] bool is_open() const {
    const std::lock_guard lock(mutex_);
    return state_ != CircuitState::closed;
  }
  void heal() {
    const std::lock_guard lock(mutex_);
    down_ = false;
    healed_at_ = Clock::now();
  }
  /// Once it is closed again.
  void note_cycle() {
    const std::lock_guard lock(mutex_);
    worst_recovery = std::max(worst_recovery, milliseconds(closed_at_ - healed_at_));
  }

  // Read when nobody is inside any more.
  EventOracle oracle;
  int most_inside = 0;
  std::uint64_t while_open = 0;  // calls that it should have been spared
  std::size_t longest_probe = 0;
  std::uint64_t most_attempts = 0;  // failed ones, until it opened
  std::uint64_t opened = 0;
  double worst_recovery = 0;
  std::vector<std::uint64_t> twice_in{0};  // events twice, by the outage in or after which it took them first
  std::vector<std::size_t> outage_of;      // that, of each number

 private:
  void take(const Event& event) {
    const std::uint64_t twice = oracle.twice;
    oracle.read_event(event);
    if (event.source() == "Cairn") return;
    const std::uint64_t number = number_of(event);
    if (number >= outage_of.size()) outage_of.resize(number + 1);
    if (oracle.twice != twice) {
      ++twice_in[outage_of[number]];
    } else {
      outage_of[number] = twice_in.size() - 1;
    }
  }

  mutable std::mutex mutex_;
  std::atomic<int> inside_{0};
  CircuitState state_ = CircuitState::closed;
  bool down_ = false;
  std::uint64_t attempts_ = 0;
  Clock::time_point closed_at_;
  Clock::time_point healed_at_;
};

constexpr auto timeout = 100ms;
constexpr auto max_timeout = 400ms;
constexpr auto attempt_timeout = 500ms;

void outages(Bench& bench, bool with_fallback) {
  const std::uint64_t cycles = bench.by_length<std::uint64_t>(3, 100, 100);
  const double longest = bench.by_length(0.3, 3.0, 30.0);
  const auto sink = std::make_shared<OutageSink>();
  const auto other = std::make_shared<OtherSink>();
  Configuration config;
  config.on_internal_error([](std::string_view) {});
  auto added = config.write_to(sink, "sink");
  added.with_queue({.max_size = 1U << 20U, .batch_size = batch})
      .with_circuit_breaker({.timeout = timeout,
                             .max_timeout = max_timeout,
                             .on_transition =
                                 [&](const CircuitTransition& change) {
                                   sink->changed(change);
                                   if (change.from == CircuitState::closed && change.to == CircuitState::open)
                                     other->expect();
                                 },
                             .seed = bench.random(),
                             .attempt_timeout = attempt_timeout});
  if (with_fallback) added.with_fallback(SinkSpec::sink(other, "other"));
  const Logger log = config.create_logger();
  std::atomic<bool> stop{false};
  std::uint64_t logged = 0;
  std::thread producer([&] {
    while (!stop) {
      for (int i = 0; i < 20; ++i) log_marked(log, 0, logged++, "breaker");
      std::this_thread::sleep_for(2ms);
    }
  });
  const auto wait_until = [&](auto&& condition) {
    const auto end = Clock::now() + 1min;
    while (!condition()) {
      if (Clock::now() > end) bench.fail("the breaker does not change");
      std::this_thread::sleep_for(1ms);
    }
  };
  for (std::uint64_t cycle = 0; cycle < cycles; ++cycle) {
    std::this_thread::sleep_for(std::chrono::milliseconds(bench.between(5, 100)));
    sink->go_down();
    // From a tenth of a second on, long ones rarer than short ones; until it has opened at least.
    const double share = static_cast<double>(bench.between(0, 1000)) / 1000;
    std::this_thread::sleep_for(std::chrono::duration<double>(0.1 * std::pow(longest / 0.1, share)));
    wait_until([&] { return sink->is_open(); });
    sink->heal();
    wait_until([&] { return !sink->is_open(); });
    sink->note_cycle();
  }
  stop = true;
  producer.join();
  if (log.flush(1min).status != FlushStatus::ok) bench.fail("what is left cannot be flushed");
  (void)log.close();
  const MetricsSnapshot now = log.metrics();
  std::uint64_t missing = 0;
  for (std::uint64_t number = 0; number < logged; ++number) {
    const auto has = [&](const EventOracle& oracle) {
      const auto found = oracle.producers.find(0);
      return found != oracle.producers.end() && number < found->second.seen.size() && found->second.seen[number];
    };
    missing += has(sink->oracle) || has(other->oracle) ? 0U : 1U;
    if (has(sink->oracle) && has(other->oracle)) ++sink->twice_in[sink->outage_of[number]];
  }
  const std::string behind = std::string(with_fallback ? ", with a fallback" : ", kept in the queue");
  char length[32];
  static_cast<void>(std::snprintf(length, sizeof length, "%g", longest));
  bench.exactly("outages of 0.1 to " + std::string(length) + " s that opened it" + behind, cycles, sink->opened);
  bench.at_most("failed attempts before it opened, most" + behind, 5, sink->most_attempts);
  bench.none("calls of the sink while it was open" + behind, sink->while_open);
  bench.at_most("calls of the sink at once, most" + behind, 1, static_cast<std::uint64_t>(sink->most_inside));
  bench.at_most("events of a probe, most" + behind, probe, sink->longest_probe);
  bench.none("events lost, of " + std::to_string(logged) + behind, missing);
  bench.none("events out of order or wrong" + behind,
             sink->oracle.out_of_order + sink->oracle.torn + other->oracle.out_of_order + other->oracle.torn);
  bench.at_most("events twice in one outage, most" + behind, batch, *std::ranges::max_element(sink->twice_in));
  if (with_fallback) {
    bench.none("openings after which nothing came to the fallback", other->in_vain + (other->waits() ? 1U : 0U));
    bench.within("the first event at the fallback after it opened, worst; an attempt's timeout",
                 milliseconds(attempt_timeout), other->worst_wait, "ms");
  }
  bench.none("the ledger does not add up" + behind, testing::ledger_fault(now.to_json()).empty() ? 0 : 1);
  // The wait is stretched by up to a fifth; then comes the probe.
  bench.within("closed after the sink is back, worst" + behind, milliseconds(max_timeout) * 1.2 + 20,
               sink->worst_recovery, "ms");
}

/// What the process takes while the breaker is open and events wait.
void cost_while_open(Bench& bench) {
  const auto sink = std::make_shared<OutageSink>();
  Configuration config;
  config.on_internal_error([](std::string_view) {})
      .write_to(sink, "sink")
      .with_queue()
      .with_circuit_breaker({.timeout = timeout,
                             .max_timeout = max_timeout,
                             .on_transition = [&](const CircuitTransition& change) { sink->changed(change); },
                             .seed = bench.random()});
  const Logger log = config.create_logger();
  sink->go_down();
  for (std::uint64_t number = 0; number < 5000; ++number) log_marked(log, 0, number, "waits");
  while (!sink->is_open()) std::this_thread::sleep_for(1ms);
  std::this_thread::sleep_for(100ms);  // the dispatcher has fallen asleep
  const auto used = [] {
    timespec time{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
  };
  const double seconds = bench.by_length(0.5, 10.0, 60.0);
  const double before = used();
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  bench.within("processor time while it is open and 5 000 events wait", 1, (used() - before) / seconds * 100, "%");
  (void)log.shutdown(ShutdownStrategy::immediate());
}

}  // namespace

void breaker(Bench& bench) {
  outages(bench, false);
  outages(bench, true);
  cost_while_open(bench);
}

}  // namespace cairn::fault_bench
