// P10: a thread that does nothing but log is interrupted a thousand to ten thousand times a second by a handler that
// logs too. Nothing hangs, the handler takes no memory, and every call is delivered or counted.
#include <pthread.h>
#include <signal.h>

#include <atomic>
#include <cairn/all.hpp>
#include <memory>
#include <string>
#include <thread>

#include "bench.hpp"
#include "memory_hook.hpp"
#include "support/event_oracle.hpp"

namespace cairn::fault_bench {

namespace {

using namespace std::chrono_literals;
using cairn::testing::EventOracle;
using cairn::testing::log_marked;
using cairn::testing::OracleSink;

/// Counts what came from log_signal_safe, and what it says was lost.
class CountingSink final : public Sink {
 public:
  EmitResult emit(std::span<const Event> events) override {
    for (const Event& event : events) {
      const auto count = event.property("LostCount");
      if (count) {
        lost += count->as_uint64().value_or(0);
      } else {
        ++taken;
      }
    }
    return EmitResult::all(events);
  }
  std::atomic<std::uint64_t> taken{0};
  std::atomic<std::uint64_t> lost{0};
};

/// What the handler knows.
struct Storm {
  const Logger* log = nullptr;
  std::atomic<std::uint64_t> handled{0};
  std::atomic<std::uint64_t> safe_refused{0};
};
Storm storm;

void handle(int) {
  const CountAllocations counted;
  log_marked(*storm.log, 1, storm.handled.load(std::memory_order_relaxed), "handler");
  if (!log_signal_safe(Level::warning, "from the handler")) ++storm.safe_refused;
  ++storm.handled;
}

}  // namespace

void signal_storm(Bench& bench) {
  if (!memory_is_hooked()) return bench.not_run("allocations in a handler", "a sanitizer has the malloc");
  const auto time = bench.by_length(1s, 60s, 600s);
  const auto sink = std::make_shared<OracleSink>();
  const Logger log =
      Configuration{}.on_internal_error([](std::string_view) {}).write_to(sink, "checked").with_queue().create_logger();
  const auto safe = std::make_shared<CountingSink>();
  set_logger(Configuration{}.write_to(safe, "safe").with_queue().create_logger());
  start_signal_thread();
  storm.log = &log;
  struct sigaction action {};
  action.sa_handler = &handle;
  ::sigaction(SIGUSR1, &action, nullptr);

  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> logged{0};
  std::thread logger([&] {
    const std::string payload(40, 'p');
    // relaxed: only a sign of life until the thread is joined
    for (std::uint64_t number = 0; !stop; logged.store(++number, std::memory_order_relaxed))
      log_marked(log, 0, number, payload);
  });
  while (logged == 0) std::this_thread::yield();
  std::uint64_t hangs = 0;
  std::uint64_t last = 0;
  auto moved = Clock::now();
  for (const auto end = Clock::now() + time; Clock::now() < end && hangs == 0;) {
    ::pthread_kill(logger.native_handle(), SIGUSR1);
    std::this_thread::sleep_for(std::chrono::microseconds(bench.between(100, 1000)));
    const std::uint64_t now = logged.load(std::memory_order_relaxed) + storm.handled;
    if (now != last) moved = Clock::now();
    last = now;
    hangs += Clock::now() - moved > 10s ? 1U : 0U;
  }
  bench.none("hangs of 10 s, " + std::to_string(time.count()) + " s of signals", hangs);
  if (hangs != 0) bench.fail("the logging thread stands still");
  stop = true;
  logger.join();
  if (log.flush(1min).status != FlushStatus::ok) bench.fail("what is left cannot be flushed");
  (void)log.close();
  const MetricsSnapshot now = log.metrics();
  const std::uint64_t calls = logged + storm.handled;
  const EventOracle& oracle = sink->oracle;
  bench.none("allocations in " + std::to_string(storm.handled) + " handlers", CountAllocations::counted());
  bench.exactly("calls counted as captured or rejected; required: those made", calls,
                now.logger.captured + now.logger.rejected_total(),
                std::to_string(now.logger.rejected_total()) + " rejected, " +
                    std::to_string(now.logger.dropped_total() + now.sinks[0].dropped_total()) + " dropped");
  bench.exactly("captured and not at the sink; required: those counted as dropped",
                now.logger.dropped_total() + now.sinks[0].dropped_total(), now.logger.captured - oracle.events);
  bench.none("events twice, torn or out of order", oracle.twice + oracle.torn + oracle.out_of_order,
             oracle.faults.empty() ? "" : oracle.faults.front());
  bench.none("the ledger does not add up", testing::ledger_fault(now.to_json()).empty() ? 0 : 1);
  bench.at_least("handlers a second", bench.by_length(1ULL, 1000ULL, 1000ULL),
                 storm.handled / static_cast<std::uint64_t>(time.count()));
  // The signal thread delivers what still waits; what it could not take it tells of with the next.
  for (const auto end = Clock::now() + 10s; safe->taken + storm.safe_refused < storm.handled && Clock::now() < end;) {
    (void)cairn::log().flush(1s);
    std::this_thread::sleep_for(1ms);
  }
  bench.exactly("log_signal_safe: delivered or refused; required: the handlers", storm.handled,
                safe->taken + storm.safe_refused, std::to_string(storm.safe_refused) + " refused");
  close_and_flush();
}

}  // namespace cairn::fault_bench
