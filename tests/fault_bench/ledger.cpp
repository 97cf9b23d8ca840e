// The ledger under random traffic and random faults: sinks that throw, take a part or are down behind a breaker, a disk
// that fills up, counts that are begun anew, ends of every kind in the middle of it all. Snapshots are taken meanwhile,
// as fast as they come: the sums hold in each. At rest the counts are those of the sinks themselves. Counted as taken
// under load are those between the first call and the last, or the end where that comes first: what a logger that was
// shut down says is easily right.
#include <algorithm>
#include <atomic>
#include <cairn/all.hpp>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "bench.hpp"
#include "sinks/file_sink.hpp"
#include "support/event_oracle.hpp"
#include "support/scripted_file_ops.hpp"

namespace cairn::fault_bench {

namespace {

using namespace std::chrono_literals;
using cairn::testing::ledger_fault;
using cairn::testing::log_marked;

/// Takes all, a part, or nothing, as its dice say; counts what it said it took, Cairn's own events apart.
class FickleSink final : public Sink {
 public:
  FickleSink(std::uint64_t seed, unsigned faults) : random_(seed), faults_(faults) {}
  EmitResult emit(std::span<const Event> events) override {
    const bool fails = random_() % 100 < faults_;
    if (fails && random_() % 2 == 0) throw std::runtime_error("not this one");
    const std::size_t takes = fails ? random_() % events.size() : events.size();
    for (const Event& event : events.first(takes)) took += event.source() == "Cairn" ? 0U : 1U;
    if (takes == events.size()) return EmitResult::all(events, takes);
    return {takes, takes, std::make_error_code(random_() % 2 == 0 ? std::errc::broken_pipe : std::errc::io_error)};
  }
  std::atomic<std::uint64_t> took{0};

 private:
  std::mt19937_64 random_;
  const unsigned faults_;
};

struct Totals {
  std::atomic<std::uint64_t> snapshots{0};
  std::atomic<std::uint64_t> under_load{0};  // of them
  std::atomic<std::uint64_t> moved{0};       // of these: says something else than the same thread's last one
  std::atomic<std::uint64_t> wrong{0};
  std::mutex mutex;
  std::string first_wrong;
  std::uint64_t rests = 0;
  std::uint64_t rests_wrong = 0;
  std::uint64_t calls = 0;
  std::uint64_t resets = 0;
  std::uint64_t dropped = 0;
  std::uint64_t failed = 0;
  std::uint64_t diverted = 0;

  void check(const MetricsSnapshot& now, bool as_text) {  // by several threads at once
    std::string fault = ledger_fault(now);
    if (fault.empty() && as_text) fault = ledger_fault(now.to_json());
    ++snapshots;
    if (!fault.empty()) note(wrong, fault);
  }
  template <class Count>
  void note(Count& count, const std::string& what) {
    const std::lock_guard lock(mutex);
    ++count;
    if (first_wrong.empty()) first_wrong = what;
  }
};

/// One logger, from its making to its end.
void life(Bench& bench, Totals& totals, std::uint64_t number) {
  constexpr std::size_t threads = 3;
  const bool with_resets = bench.between(0, 3) == 0;
  const bool with_synchronous = bench.between(0, 2) == 0;
  const std::string path = bench.folder() + "/ledger" + std::to_string(number) + ".clef";
  testing::ScriptedFileOps ops;
  std::atomic<bool> full{false};
  ops.script = [&](const std::string& call, int) { return full && call == "write" ? -ENOSPC : 0; };
  struct Watched {
    std::string name;
    std::shared_ptr<FickleSink> sink;
  };
  std::vector<Watched> sinks;
  const auto add = [&](const std::string& name, unsigned faults) {
    sinks.push_back({name, std::make_shared<FickleSink>(bench.random(), faults)});
    return sinks.back().sink;
  };
  const auto queue = [&] {
    constexpr Overflow overflows[] = {Overflow::drop_oldest, Overflow::drop_newest, Overflow::block};
    return QueueOptions{.max_size = bench.between(16, 4096),
                        .batch_size = bench.between(1, 16),
                        .flush_interval = 10ms,
                        .overflow = overflows[bench.between(0, 2)],
                        .block_timeout = 20ms};
  };
  const auto circuit = [&] {
    return CircuitBreakerOptions{.failures = 2, .timeout = 2ms, .max_timeout = 10ms, .seed = bench.random()};
  };
  Configuration config;
  config.on_internal_error([](std::string_view) {}).filter_by([](const Event& event) {
    return event.property("Sequence").value_or(Value()).as_uint64().value_or(0) % 7 != 3;
  });
  config
      .write_to(std::make_shared<detail::FileSink>(path, FileOptions{.max_file_bytes = 1U << 20U, .retain_files = 2},
                                                   ops, system_clock()),
                "file")
      .with_queue(queue());
  config.write_to(add("fickle", 20), "fickle")
      .with_queue(queue())
      .with_memory_limit(bench.between(4096, 1U << 20U))
      .with_circuit_breaker(circuit())
      .with_fallback(SinkSpec::sink(add("behind", 20), "behind")
                         .with_circuit_breaker(circuit())
                         .with_fallback(SinkSpec::sink(add("last", 0), "last")));
  config.write_to(add("kept", 10), "kept").with_queue(queue()).with_circuit_breaker(circuit());
  config.write_to(add("alone", 30), "alone").with_queue(queue());
  if (with_synchronous) {
    config.write_to(add("caller", 10), "caller")
        .with_circuit_breaker(circuit())
        .with_fallback(SinkSpec::sink(add("callers", 0), "callers").with_queue(queue()));
  }
  const Logger log = config.create_logger();

  std::atomic<bool> stop{false};
  std::atomic<bool> ended{false};
  std::atomic<std::size_t> logging{0};  // threads that have calls to make
  std::vector<std::thread> watchers;
  for (int watcher = 0; watcher < 2; ++watcher) {
    watchers.emplace_back([&] {
      std::uint64_t last = 0;
      for (std::uint64_t i = 0; !stop; ++i) {
        const MetricsSnapshot now = log.metrics();
        const bool under_load = logging != 0 && !ended;
        totals.check(now, i % 64 == 0);
        if (!under_load) continue;
        ++totals.under_load;
        std::uint64_t sum = now.logger.captured + now.logger.dispatched;
        for (const SinkCounts& sink : now.sinks) sum += sink.accepted + sink.emitted + sink.pending;
        totals.moved += sum != last ? 1U : 0U;
        last = sum;
      }
    });
  }
  const std::uint64_t each = bench.between(200, 6000);
  std::atomic<std::uint64_t> calls{0};
  std::vector<std::thread> producers;
  logging = threads;
  for (std::size_t thread = 0; thread < threads; ++thread) {
    producers.emplace_back([&, thread, random = std::mt19937_64(bench.random())]() mutable {
      for (std::uint64_t i = 0; i < each; ++i) {
        log_marked(log, thread, i, "ledger");
        ++calls;
        if (random() % 100 == 0) std::this_thread::sleep_for(std::chrono::microseconds(random() % 500));
      }
      --logging;
    });
  }
  // Faults from here; the end comes before the producers are through, every other time.
  const std::uint64_t turns = bench.between(5, 40);
  for (std::uint64_t turn = 0; turn < turns; ++turn) {
    std::this_thread::sleep_for(std::chrono::microseconds(bench.between(100, 3000)));
    switch (bench.between(0, 4)) {
      case 0: full = !full; break;
      case 1: (void)log.flush(std::chrono::milliseconds(bench.between(0, 5))); break;
      case 2:
        if (with_resets) {
          log.reset_metrics();
          ++totals.resets;
        }
        break;
      default: break;
    }
  }
  if (bench.between(0, 1) == 0) {
    full = false;  // else those that wait for room would take long
    for (std::thread& producer : producers) producer.join();
    producers.clear();
  }
  full = bench.between(0, 1) == 0;
  switch (bench.between(0, 3)) {
    case 0: (void)log.shutdown(ShutdownStrategy::immediate()); break;
    case 1: (void)log.shutdown(ShutdownStrategy::flush_pending()); break;
    default: (void)log.shutdown(ShutdownStrategy::graceful(std::chrono::milliseconds(bench.between(0, 50)))); break;
  }
  ended = true;
  for (std::thread& producer : producers) producer.join();
  stop = true;
  for (std::thread& watcher : watchers) watcher.join();

  // At rest: nothing is pending any more, and the sinks say the same.
  MetricsSnapshot now = log.metrics();
  const auto rests = [&] {
    return now.logger.in_lane == 0 &&
           std::ranges::all_of(now.sinks, [](const SinkCounts& sink) { return sink.pending == 0; });
  };
  for (const auto end = Clock::now() + 10s; !rests() && Clock::now() < end; now = log.metrics())
    std::this_thread::sleep_for(1ms);
  totals.check(now, true);
  ++totals.rests;
  totals.calls += calls;
  if (!rests()) totals.note(totals.rests_wrong, "still pending ten seconds after the end: " + now.to_json());
  for (const SinkCounts& sink : now.sinks) {
    totals.dropped += sink.dropped_total();
    totals.failed += sink.failed_total();
    totals.diverted += sink.diverted;
  }
  if (with_resets) return;
  if (now.logger.captured + now.logger.rejected_total() != calls)
    totals.note(totals.rests_wrong, "calls " + std::to_string(calls) + ": " + now.to_json());
  for (const char* const first : {"file", "fickle", "kept", "alone", "caller"}) {  // of its chain: gets every event
    const SinkCounts* const counts = now.sink(first);
    if (counts != nullptr && counts->accepted != now.logger.dispatched)
      totals.note(totals.rests_wrong, std::string(first) + " was not given what was dispatched: " + now.to_json());
  }
  for (const Watched& watched : sinks) {
    const SinkCounts* const counts = now.sink(watched.name);
    if (counts == nullptr || counts->emitted != watched.sink->took)
      totals.note(totals.rests_wrong,
                  watched.name + " took " + std::to_string(watched.sink->took) + ": " + now.to_json());
  }
}

}  // namespace

void ledger(Bench& bench) {
  Totals totals;
  const std::uint64_t wanted = bench.by_length<std::uint64_t>(2'000, 1'000'000, 10'000'000);
  const auto end = Clock::now() + bench.by_length(10s, 480s, 7200s);
  const std::uint64_t least = bench.by_length<std::uint64_t>(10, 120, 2000);
  std::uint64_t lives = 0;
  while ((totals.under_load < wanted || lives < least) && Clock::now() < end) life(bench, totals, lives++);
  bench.none("snapshots that do not add up, of " + std::to_string(totals.snapshots) + ", both levels", totals.wrong,
             totals.first_wrong);
  bench.none("loggers whose counts at rest are not the sinks', of " + std::to_string(totals.rests), totals.rests_wrong,
             totals.first_wrong);
  bench.at_least("snapshots taken under load, of " + std::to_string(totals.moved) + " that differ",
                 bench.by_length<std::uint64_t>(100, 1'000'000, 10'000'000), totals.under_load,
                 std::to_string(totals.calls) + " calls of " + std::to_string(lives) + " loggers, " +
                     std::to_string(totals.resets) + " resets; " + std::to_string(totals.dropped) + " dropped, " +
                     std::to_string(totals.failed) + " failed, " + std::to_string(totals.diverted) + " diverted");
}

}  // namespace cairn::fault_bench
