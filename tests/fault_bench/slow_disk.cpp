// S12, N3: a disk that takes half a second for each write, and a sink ten times slower than it was, beside a healthy
// neighbour. Only the sink's own worker waits: the neighbour gets everything, as soon as before, and so do the callers.
#include <atomic>
#include <cairn/all.hpp>
#include <string>
#include <thread>
#include <vector>

#include "bench.hpp"
#include "call_times.hpp"
#include "sinks/file_sink.hpp"
#include "support/event_oracle.hpp"
#include "support/scripted_file_ops.hpp"

namespace cairn::fault_bench {

namespace {

using namespace std::chrono_literals;
using cairn::testing::EventOracle;
using cairn::testing::log_marked;

/// Notes how long after its call each event came.
class Neighbour final : public Sink {
 public:
  EmitResult emit(std::span<const Event> events) override {
    const Timestamp now = system_clock().now();
    LatencyHistogram& delays = slowed ? beside_slow : beside_quick;
    for (const Event& event : events) {
      oracle.read_event(event);
      delays.record(now - event.timestamp());
    }
    return EmitResult::all(events);
  }
  std::atomic<bool> slowed{false};
  EventOracle oracle;
  LatencyHistogram beside_quick;
  LatencyHistogram beside_slow;
};

double microseconds(std::chrono::nanoseconds time) { return std::chrono::duration<double, std::micro>(time).count(); }

}  // namespace

void slow_disk(Bench& bench) {
  const std::uint64_t rate = bench.by_length<std::uint64_t>(2'000, 20'000, 20'000);
  const auto time = bench.by_length(1s, 20s, 300s);
  std::atomic<bool> slow{false};
  std::atomic<bool> stalled{false};
  testing::ScriptedFileOps ops;
  ops.script = [&](const std::string& call, int) {
    if (slow && call == "write") std::this_thread::sleep_for(500ms);
    return 0;
  };
  const auto neighbour = std::make_shared<Neighbour>();
  Configuration config;
  config.on_internal_error([](std::string_view) {});
  config
      .write_to(std::make_shared<detail::FileSink>(bench.folder() + "/slow.clef", FileOptions{}, ops, system_clock()),
                "slow")
      .with_queue({.max_size = 256, .on_slow = [&](const SlowSink&) { stalled = true; }, .slow_after = 200ms});
  config.write_to(neighbour, "neighbour").with_queue({.max_size = 1U << 20U});
  const Logger log = config.create_logger();
  std::uint64_t number = 0;
  CallTimes quick_calls;
  CallTimes slow_calls;
  constexpr auto tick = 5ms;
  const auto log_for = [&](std::chrono::seconds length, CallTimes& times) {
    auto next = Clock::now();
    for (const auto end = next + length; next < end;) {
      for (std::uint64_t i = 0; i < rate / (1s / tick); ++i, ++number)
        times.time([&] { log_marked(log, 0, number, "paced"); });
      next += tick;
      std::this_thread::sleep_until(next);
    }
  };
  log_for(time, quick_calls);
  slow = true;
  neighbour->slowed = true;
  log_for(time, slow_calls);
  slow = false;
  if (log.flush(1min).status != FlushStatus::ok) bench.fail("what is left cannot be flushed");
  (void)log.close();
  const MetricsSnapshot now = log.metrics();
  EventOracle file;
  file.read_file(bench.folder() + "/slow.clef");
  const SinkCounts& counts = *now.sink("slow");
  bench.none("the neighbour's events missing, of " + std::to_string(number), neighbour->oracle.missing(0, number));
  bench.none("its events twice, wrong or out of order",
             neighbour->oracle.twice + neighbour->oracle.torn + neighbour->oracle.out_of_order);
  bench.exactly("the slow one's events dropped; required: those missing in its file", file.missing(0, number),
                counts.dropped_total() + now.logger.dropped_total());
  bench.none("the slow one's lines torn, twice or out of order", file.torn + file.twice + file.out_of_order);
  bench.exactly("the slow sink was told of", 1, stalled ? 1 : 0);
  bench.none("the ledger does not add up", testing::ledger_fault(now.to_json()).empty() ? 0 : 1);
  const double before = microseconds(neighbour->beside_quick.percentile(0.99));
  const double beside = microseconds(neighbour->beside_slow.percentile(0.99));
  bench.within("p99 from a call to the neighbour, beside a slow disk over before", 1.25, beside / before, "",
               std::to_string(before) + " us before, " + std::to_string(beside) + " us beside it");
  bench.within("p99 of a call, beside a slow disk over before", 1.25,
               slow_calls.microseconds(0.99) / quick_calls.microseconds(0.99), "",
               std::to_string(quick_calls.microseconds(0.99)) + " us before, " +
                   std::to_string(slow_calls.microseconds(0.99)) + " us beside it");
}

}  // namespace cairn::fault_bench
