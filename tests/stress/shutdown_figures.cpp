// The figures of shutdown: how long it takes, and that nothing is lost uncounted. Prints promise, required, measured;
// ends with 1 where one is not held, and at once where an event is neither in the output nor in a count.
//
//   shutdown_figures [RUNS]
//
// RUNS of each, 100 if not said. Asks for a machine that does nothing else.
#include <algorithm>
#include <atomic>
#include <cairn/all.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using cairn::ShutdownStatus;
using cairn::ShutdownStrategy;
using Steady = std::chrono::steady_clock;

bool held = true;

double ms(Steady::duration time) { return std::chrono::duration<double, std::milli>(time).count(); }

void tell(const std::string& promise, double required, double measured) {
  const bool ok = measured <= required;
  held = held && ok;
  std::printf("%-62s  %8.2f  %8.2f  %s\n", promise.c_str(), required, measured, ok ? "" : "NOT HELD");
  std::fflush(stdout);
}

[[noreturn]] void fail(const std::string& what) {
  std::printf("WRONG: %s\n", what.c_str());
  std::fflush(stdout);
  std::_Exit(1);
}

class HungSink final : public cairn::Sink {
 public:
  explicit HungSink(std::shared_future<void> go) : go_(std::move(go)) {}
  cairn::EmitResult emit(std::span<const cairn::Event> events) override {
    inside = true;
    go_.wait();
    return cairn::EmitResult::all(events);
  }
  std::atomic<bool> inside{false};

 private:
  std::shared_future<void> go_;
};

cairn::Configuration quiet() {
  cairn::Configuration config;
  config.on_internal_error([](std::string_view) {});
  return config;
}

/// Every event is a line of the file or in a count, whatever the machine was busy with. Gives how many are in a count:
/// a thread's lane has room for a queue of events of 64 bytes each, and drops its oldest where it is full of longer
/// ones before the dispatcher had its turn.
std::uint64_t count_lost(const cairn::Logger& log, ShutdownStatus status, const std::string& path,
                         std::uint64_t events) {
  const cairn::MetricsSnapshot counts = log.metrics();
  const cairn::SinkCounts& sink = counts.sinks[0];
  const cairn::LoggerCounts& logger = counts.logger;
  std::uint64_t lines = 0;
  std::uint64_t notices = 0;  // of a gap
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) ++(line.find("dropped") == std::string::npos ? lines : notices);
  const std::uint64_t ended = sink.emitted + sink.dropped_total() + sink.failed_total() + sink.diverted;
  const bool exact = logger.captured == events && logger.in_lane == 0 &&
                     logger.captured == sink.accepted + logger.dropped_total() &&
                     sink.accepted == ended + sink.pending && lines == sink.emitted;
  if (!exact)
    fail("of " + std::to_string(events) + " events: " + std::to_string(logger.captured) + " captured, " +
         std::to_string(logger.dropped_total()) + " dropped in the lane, " + std::to_string(sink.accepted) +
         " accepted, " + std::to_string(sink.emitted) + " emitted, " + std::to_string(sink.pending) + " pending, " +
         std::to_string(lines) + " lines, status " + std::to_string(static_cast<int>(status)));
  if (lines != events && status == ShutdownStatus::completed && notices == 0) fail("a gap was not told");
  return events - lines;
}

void full_queue(int runs, const std::string& path) {
  std::vector<double> full;
  std::vector<double> empty;
  std::uint64_t lost = 0;
  const std::string padding(160, 'x');
  const auto run_once = [&](std::uint64_t events, bool long_in_the_lane) {
    std::remove(path.c_str());
    const auto log = quiet().write_to_file(path).with_queue().create_logger();
    for (std::uint64_t i = 0; i < events; ++i) {  // 200 bytes a line or so, each way
      if (long_in_the_lane) {
        log.information("Order {Number} {Padding}", i, padding);
      } else {
        log.information(
            "Order {Number} was taken, paid and sent to the address that the customer gave, by the carrier that was "
            "the cheapest on that day",
            i);
      }
    }
    const auto begun = Steady::now();
    const auto report = log.shutdown(ShutdownStrategy::graceful(5s));
    const double took = ms(Steady::now() - begun);
    const std::uint64_t gone = count_lost(log, report.status, path, events);
    if (!long_in_the_lane) lost += gone;
    return took;
  };
  for (int run = 0; run < runs; ++run) {
    full.push_back(run_once(8192, false));
    empty.push_back(run_once(0, false));
    static_cast<void>(run_once(8192, true));
  }
  std::sort(full.begin(), full.end());
  std::sort(empty.begin(), empty.end());
  const std::size_t at99 = full.size() * 99 / 100 - (full.size() >= 100 ? 1 : 0);
  tell("full default queue (8192 events) to a file, events lost", 0, static_cast<double>(lost));
  tell("the same, p99, ms", 100, full[std::min(at99, full.size() - 1)]);
  tell("the same, worst, ms", 100, full.back());
  tell("empty queue, worst, ms", 5, empty.back());
}

void deadlines(int runs) {
  for (const auto timeout : {0ms, 10ms, 100ms, 1000ms}) {
    double worst = 0;
    for (int run = 0; run < (timeout == 1000ms ? std::max(1, runs / 10) : runs); ++run) {
      std::promise<void> go;
      auto hung = std::make_shared<HungSink>(go.get_future().share());
      auto healthy = std::make_shared<cairn::MemorySink>();
      const auto log =
          quiet().write_to(hung, "hung").with_queue().write_to(healthy, "healthy").with_queue().create_logger();
      for (int i = 0; i < 100; ++i) log.information("{Number}", i);
      while (!hung->inside || healthy->events().size() != 100) std::this_thread::yield();
      const auto begun = Steady::now();
      const auto report = log.shutdown(ShutdownStrategy::graceful(timeout));
      worst = std::max(worst, ms(Steady::now() - begun - timeout));
      if (!report.sink("hung")->timed_out || report.sink("healthy")->emitted != 100) fail("the wrong sink is named");
      go.set_value();
    }
    tell("graceful(" + std::to_string(timeout.count()) + " ms) beside a sink that never returns, ms over", 10, worst);
  }
}

void immediate(int runs) {
  double worst = 0;
  for (int run = 0; run < runs; ++run) {
    std::promise<void> go;
    const auto opened = go.get_future().share();
    std::vector<std::shared_ptr<HungSink>> sinks;
    auto config = quiet();
    for (int i = 0; i < 4; ++i) {
      sinks.push_back(std::make_shared<HungSink>(opened));
      config.write_to(sinks.back(), "hung" + std::to_string(i)).with_queue();
    }
    const auto log = config.create_logger();
    for (int i = 0; i < 8192; ++i) log.information("{Number}", i);
    for (const auto& sink : sinks) {
      while (!sink->inside) std::this_thread::yield();
    }
    const auto begun = Steady::now();
    static_cast<void>(log.shutdown(ShutdownStrategy::immediate()));
    worst = std::max(worst, ms(Steady::now() - begun));
    go.set_value();
  }
  tell("immediate with four sinks blocked, worst, ms", 10, worst);
}

void graceful_exit(int runs, const std::string& path) {
  for (const int threads : {1, 2, 4, 16}) {
    std::uint64_t wrong = 0;
    for (int run = 0; run < runs; ++run) {
      std::remove(path.c_str());
      const int each = 20'000 / threads;
      {
        const auto log = quiet()
                             .write_to_file(path, {.output_template = "{Message}{NewLine}"})
                             .with_queue({.overflow = cairn::Overflow::block, .block_timeout = 1min})
                             .create_logger();
        std::vector<std::thread> producers;
        for (int thread = 0; thread < threads; ++thread)
          producers.emplace_back([&, thread] {
            for (int number = 0; number < each; ++number) log.information("{Thread} {Number}", thread, number);
          });
        for (std::thread& producer : producers) producer.join();
        if (log.shutdown(ShutdownStrategy::graceful(1min)).status != ShutdownStatus::completed) fail("not completed");
      }
      std::ifstream lines(path);
      std::vector<int> next(static_cast<std::size_t>(threads));
      std::size_t thread = 0;
      int number = 0;
      while (lines >> thread >> number) wrong += next.at(thread)++ == number ? 0 : 1;
      for (const int end : next) wrong += end == each ? 0 : 1;
    }
    tell("20 000 events of " + std::to_string(threads) + " threads, lost, twice or out of order", 0,
         static_cast<double>(wrong));
  }
}

}  // namespace

int main(int argc, char** arguments) {
  const int runs = argc > 1 ? std::max(1, std::atoi(arguments[1])) : 100;
  char folder[] = "/tmp/cairn-shutdown-XXXXXX";
  if (::mkdtemp(folder) == nullptr) fail("no folder");
  const std::string path = std::string(folder) + "/a.log";
  std::printf("%-62s  %8s  %8s   (%d runs)\n", "promise", "required", "measured", runs);
  full_queue(runs, path);
  deadlines(runs);
  immediate(runs);
  graceful_exit(runs, path);
  std::remove(path.c_str());
  std::remove((path + ".lock").c_str());
  std::remove(folder);
  return held ? 0 : 1;
}
