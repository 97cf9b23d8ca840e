// What the metrics cost: the same work with with_metrics(true) and with with_metrics(false), in interleaved pairs.
//
//   bench_metrics [--json FILE] [--pairs N] [--events N]
//
// `throughput`: from the first call until everything has been handed to the kernel, one producer through a queue into a
// buffered CLEF file. `a call`: what the caller of a queued and of a synchronous null sink waits. Of a pair either
// comes first in turn; the bounds are those of the median at 95 %.
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "cairn/cairn.hpp"
#include "cairn/configuration.hpp"
#include "support/measure.hpp"
#include "support/report.hpp"

namespace {

using namespace bench;

double seconds_of_a_file(const std::string& path, std::size_t events, bool metrics) {
  pin(1);
  const cairn::Logger log =
      cairn::Configuration{}
          .with_metrics(metrics)
          .write_to_file(path, {.max_file_bytes = 0, .buffered = true})
          .with_queue({.overflow = cairn::Overflow::block, .block_timeout = std::chrono::seconds(60)})
          .create_logger();
  log.information("Begins");  // starts the threads, on core 1
  (void)log.flush();
  pin(0);
  const auto start = SteadyTime::now();
  for (std::size_t i = 0; i < events; ++i) {
    CAIRN_INFORMATION(log, "Iteration: {Iteration} int: {Int} double: {Double}", i, static_cast<int>(i * 2),
                      static_cast<double>(i) / 2);
  }
  (void)log.flush(std::chrono::seconds(60));
  const double seconds = std::chrono::duration<double>(SteadyTime::now() - start).count();
  if (log.metrics().sinks.front().emitted != events + 1) std::abort();
  (void)log.close();
  std::filesystem::remove(path);
  return seconds;
}

/// Nanoseconds a call, the median of loops short enough for a queue to hold.
double nanoseconds_a_call(bool queued, bool metrics) {
  cairn::Configuration config;
  config.with_metrics(metrics);
  auto sink = config.write_to_null();
  if (queued) sink.with_queue({.max_size = 65536});
  pin(1);
  const cairn::Logger log = config.create_logger();
  for (int i = 0; i < 4000; ++i) log.information("warm {I} {D}", i, i * 0.5);
  (void)log.flush();
  pin(0);
  std::vector<double> loops;
  for (int loop = 0; loop < 40; ++loop) {
    constexpr int calls = 4000;
    const std::uint64_t start = ticks();
    for (int i = 0; i < calls; ++i) CAIRN_INFORMATION(log, "Iteration: {Iteration} double: {Double}", i, i * 0.5);
    loops.push_back(static_cast<double>(ticks() - start) * nanoseconds_a_tick() / calls);
    (void)log.flush();
  }
  return median(loops);
}

/// Runs `measure(true)` and `measure(false)` in turn.
void pairs(std::size_t count, const std::function<double(bool)>& measure, std::vector<double>& on,
           std::vector<double>& off) {
  for (std::size_t i = 0; i < count; ++i) {
    const bool first = i % 2 == 0;
    const double a = measure(first);
    const double b = measure(!first);
    on.push_back(first ? a : b);
    off.push_back(first ? b : a);
  }
}

}  // namespace

int main(int count, char** texts) {
  Arguments arguments(count, texts);
  const std::string json = arguments.text("--json");
  const std::size_t rounds = arguments.number("--pairs", 20);
  const std::size_t events = arguments.number("--events", 1'000'000);
  arguments.finish("bench_metrics [--json FILE] [--pairs N] [--events N]");
  const Directory directory;
  Report report("metrics: what they cost");
  report.fact("pairs", std::to_string(rounds) + " interleaved, of " + std::to_string(events) + " events");
  report.fact("files", "on " + directory.file_system());
  report.fact("pinned", "producer on core 0, what delivers on core 1");

  (void)seconds_of_a_file(directory.file("warm.clef"), events / 4, true);
  std::vector<double> on;
  std::vector<double> off;
  pairs(
      rounds, [&](bool metrics) { return seconds_of_a_file(directory.file("a.clef"), events, metrics); }, on, off);
  const auto slower = ratios(on, off);
  Table table{"medians", {"on", "off"}};
  table.rows.push_back(
      {"queue into a file, million events a second",
       {static_cast<double>(events) / median(on) / 1e6, static_cast<double>(events) / median(off) / 1e6}});
  report.add({"queue into a file: time with / without, median", "times", median(slower)});
  report.add({"queue into a file: the same, upper bound at 95 %", "times", median_interval(slower).high, Bound::at_most,
              1.05});
  for (const bool queued : {true, false}) {
    std::vector<double> with;
    std::vector<double> without;
    pairs(
        rounds, [&](bool metrics) { return nanoseconds_a_call(queued, metrics); }, with, without);
    std::vector<double> more;
    for (std::size_t i = 0; i < with.size(); ++i) more.push_back(with[i] - without[i]);
    const std::string name = queued ? "queued call" : "synchronous call, null sink";
    table.rows.push_back({name + ", ns", {median(with), median(without)}});
    report.add({name + ": with less without, median", "ns", median(more)});
    report.add({name + ": the same, upper bound at 95 %", "ns", median_interval(more).high, Bound::at_most, 1});
  }
  report.add(std::move(table));
  report.print();
  if (!json.empty()) report.write_json(json);
  return 0;
}
