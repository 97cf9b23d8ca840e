// The circuit breaker of a sink that is down a hundred times: how soon it opens, what it tries meanwhile, how soon it
// is back, and where the events are then.
#include <sys/resource.h>

#include <atomic>
#include <cairn/all.hpp>
#include <cmath>
#include <ctime>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>

#include "bench.hpp"
#include "support/event_oracle.hpp"

namespace cairn::fault_bench {

namespace {

using namespace std::chrono_literals;
using cairn::testing::EventOracle;
using cairn::testing::log_marked;
using cairn::testing::OracleSink;

constexpr std::size_t batch = 512;
constexpr std::size_t probe = 10;  // events of one at most

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
    for (const Event& event : events.first(takes)) oracle.read_event(event);
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
    twice_before_ = oracle.twice;
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
    most_twice = std::max(most_twice, oracle.twice - twice_before_);
  }

  // Read when nobody is inside any more.
  EventOracle oracle;
  int most_inside = 0;
  std::uint64_t while_open = 0;  // calls that it should have been spared
  std::size_t longest_probe = 0;
  std::uint64_t most_attempts = 0;  // failed ones, until it opened
  std::uint64_t opened = 0;
  std::uint64_t most_twice = 0;  // of one outage
  double worst_recovery = 0;

 private:
  mutable std::mutex mutex_;
  std::atomic<int> inside_{0};
  CircuitState state_ = CircuitState::closed;
  bool down_ = false;
  std::uint64_t attempts_ = 0;
  std::uint64_t twice_before_ = 0;
  Clock::time_point closed_at_;
  Clock::time_point healed_at_;
};

constexpr auto timeout = 100ms;
constexpr auto max_timeout = 400ms;

void outages(Bench& bench, bool with_fallback) {
  const std::uint64_t cycles = bench.by_length<std::uint64_t>(3, 100, 100);
  const double longest = bench.by_length(0.3, 3.0, 30.0);
  const auto sink = std::make_shared<OutageSink>();
  const auto other = std::make_shared<OracleSink>();
  Configuration config;
  config.on_internal_error([](std::string_view) {});
  auto added = config.write_to(sink, "sink");
  added.with_queue({.max_size = 1U << 20U, .batch_size = batch})
      .with_circuit_breaker({.timeout = timeout,
                             .max_timeout = max_timeout,
                             .on_transition = [&](const CircuitTransition& change) { sink->changed(change); },
                             .seed = bench.random()});
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
  std::uint64_t in_both = 0;
  for (std::uint64_t number = 0; number < logged; ++number) {
    const auto has = [&](const EventOracle& oracle) {
      const auto found = oracle.producers.find(0);
      return found != oracle.producers.end() && number < found->second.seen.size() && found->second.seen[number];
    };
    missing += has(sink->oracle) || has(other->oracle) ? 0U : 1U;
    in_both += has(sink->oracle) && has(other->oracle) ? 1U : 0U;
  }
  const std::string behind = std::string(with_fallback ? ", with a fallback" : ", kept in the queue");
  bench.exactly("outages that opened it" + behind, cycles, sink->opened);
  bench.at_most("failed attempts before it opened, most" + behind, 5, sink->most_attempts);
  bench.none("calls of the sink while it was open" + behind, sink->while_open);
  bench.at_most("calls of the sink at once, most" + behind, 1, static_cast<std::uint64_t>(sink->most_inside));
  bench.at_most("events of a probe, most" + behind, probe, sink->longest_probe);
  bench.none("events lost, of " + std::to_string(logged) + behind, missing);
  bench.none("events out of order or wrong" + behind,
             sink->oracle.out_of_order + sink->oracle.torn + other->oracle.out_of_order + other->oracle.torn);
  bench.at_most("events twice in one outage, most" + behind, batch,
                std::max(sink->most_twice, with_fallback ? in_both / cycles : 0));
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
