// The figures of shutdown: how long it takes, and that nothing is lost uncounted. Prints promise, required, measured
// and the unit, `count` for what is 0 on any machine; ends with 1 where one is not held, and at once where an
// event is neither in the output nor in a count.
//
//   shutdown_figures [PERCENT]
//
// PERCENT of the runs that each row names, 100 if not said. Asks for a machine that does nothing else.
#include <algorithm>
#include <atomic>
#include <cairn/all.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "sinks/file_sink.hpp"
#include "support/event_oracle.hpp"
#include "support/scripted_file_ops.hpp"

namespace {

using namespace std::chrono_literals;
using cairn::ShutdownStatus;
using cairn::ShutdownStrategy;
using cairn::testing::EventOracle;
using cairn::testing::OracleSink;
using Steady = std::chrono::steady_clock;

bool held = true;

double ms(Steady::duration time) { return std::chrono::duration<double, std::milli>(time).count(); }

void tell(const std::string& promise, double required, double measured, const char* unit) {
  const bool ok = measured <= required;
  held = held && ok;
  std::printf("%-100s | %8.2f | %8.2f | %s%s\n", promise.c_str(), required, measured, unit, ok ? "" : "  NOT HELD");
  std::fflush(stdout);
}

/// A count that must be 0 on any machine.
void none(const std::string& promise, std::uint64_t measured) {
  tell(promise, 0, static_cast<double>(measured), "count");
}

[[noreturn]] void fail(const std::string& what) {
  std::printf("WRONG: %s\n", what.c_str());
  std::fflush(stdout);
  std::_Exit(1);
}

std::uint64_t of_the_program(std::span<const cairn::Event> events) {  // the others tell of a gap
  return static_cast<std::uint64_t>(
      std::ranges::count_if(events, [](const cairn::Event& event) { return event.source() != "Cairn"; }));
}

class HungSink final : public cairn::Sink {
 public:
  explicit HungSink(std::shared_future<void> go) : go_(std::move(go)) {}
  cairn::EmitResult emit(std::span<const cairn::Event> events) override {
    inside = true;
    go_.wait();
    received += of_the_program(events);
    return cairn::EmitResult::all(events);
  }
  std::atomic<bool> inside{false};
  std::atomic<std::uint64_t> received{0};

 private:
  std::shared_future<void> go_;
};

/// Storage without room: what may pass, and so is tried again until the time is over.
class FailingSink final : public cairn::Sink {
 public:
  cairn::EmitResult emit(std::span<const cairn::Event>) override {
    return {0, 0, std::make_error_code(std::errc::no_space_on_device)};
  }
};

class SlowSink final : public cairn::Sink {
 public:
  cairn::EmitResult emit(std::span<const cairn::Event> events) override {
    std::this_thread::sleep_for(5ms);
    received += of_the_program(events);
    return cairn::EmitResult::all(events);
  }
  std::atomic<std::uint64_t> received{0};
};

cairn::Configuration quiet() {
  cairn::Configuration config;
  config.on_internal_error([](std::string_view) {});
  return config;
}

struct Lines {
  std::uint64_t events = 0;
  std::uint64_t notices = 0;  // of a gap
};

Lines count_lines(const std::string& path) {
  Lines lines;
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);)
    ++(line.find("dropped") == std::string::npos ? lines.events : lines.notices);
  return lines;
}

/// Every event is a line of the file or in a count, whatever the machine was busy with. Gives how many are in a count:
/// a thread's lane has room for a queue of events of 64 bytes each, and drops its oldest where it is full of longer
/// ones before the dispatcher had its turn.
std::uint64_t count_lost(const cairn::Logger& log, ShutdownStatus status, const std::string& path,
                         std::uint64_t events) {
  const cairn::MetricsSnapshot counts = log.metrics();
  const cairn::SinkCounts& sink = counts.sinks[0];
  const cairn::LoggerCounts& logger = counts.logger;
  const auto [lines, notices] = count_lines(path);
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

/// With events of 200 bytes, in memory and as a line.
void full_queue(int runs, const std::string& path) {
  constexpr std::uint64_t places = 8192;  // of a default queue
  const std::string padding(160, 'x');
  std::vector<double> full;
  std::vector<double> empty;
  std::uint64_t lost = 0;
  const auto fill = [&](const cairn::Logger& log, std::uint64_t from, std::uint64_t to) {
    for (std::uint64_t i = from; i < to; ++i) log.information("Order {Number} {Padding}", i, padding);
  };
  const auto end_of = [&](const cairn::Logger& log, std::uint64_t events, std::uint64_t& gone) {
    const auto begun = Steady::now();
    const auto report = log.shutdown(ShutdownStrategy::graceful(5s));
    const double took = ms(Steady::now() - begun);
    gone += count_lost(log, report.status, path, events);
    return took;
  };
  for (int run = 0; run < runs; ++run) {
    {  // The file is a healthy one, that takes nothing before the queue is full.
      std::filesystem::remove(path);
      std::atomic<bool> open{false};
      std::atomic<bool> inside{false};
      cairn::testing::ScriptedFileOps ops;
      ops.script = [&](const std::string& call, int) {
        if (call == "write") {
          inside = true;
          open.wait(false);
        }
        return 0;
      };
      const auto log = quiet()
                           .write_to(std::make_shared<cairn::detail::FileSink>(path, cairn::FileOptions{}, ops,
                                                                               cairn::system_clock()),
                                     "file")
                           .with_queue()
                           .create_logger();
      fill(log, 0, 1);
      while (!inside) std::this_thread::yield();
      // A thread's lane has room for fewer events of this length than the queue.
      for (std::uint64_t sent = 1; sent < 1 + places;) {
        const std::uint64_t next = std::min(sent + 512, 1 + places);
        fill(log, sent, next);
        sent = next;
        while (log.metrics().sinks[0].accepted != sent) std::this_thread::yield();
      }
      if (log.metrics().sinks[0].queue_depth != places) fail("the queue is not full");
      open = true;
      open.notify_all();
      full.push_back(end_of(log, 1 + places, lost));
    }
    std::uint64_t counted = 0;
    std::filesystem::remove(path);
    empty.push_back(end_of(quiet().write_to_file(path).with_queue().create_logger(), 0, counted));
    std::filesystem::remove(path);
    const auto burst = quiet().write_to_file(path).with_queue().create_logger();
    fill(burst, 0, places);  // what the lane has no room for is counted
    static_cast<void>(end_of(burst, places, counted));
  }
  std::sort(full.begin(), full.end());
  std::sort(empty.begin(), empty.end());
  const std::string times = ", " + std::to_string(runs) + " times";
  none("full default queue (8192 events of 200 bytes) to a file" + times + ": events lost", lost);
  tell("the same, p99", 100, full[full.size() * 99 / 100], "ms");
  tell("the same, worst", 100, full.back(), "ms");
  char worst[32];
  static_cast<void>(std::snprintf(worst, sizeof worst, "%.2f", empty.back()));
  tell("empty queue" + times + ": p99; the worst took " + worst, 5, empty[empty.size() * 99 / 100], "ms");
}

/// Until what was given to a sink that came back late is counted.
cairn::MetricsSnapshot at_rest(const cairn::Logger& log) {
  for (const auto end = Steady::now() + 10s; Steady::now() < end; std::this_thread::yield()) {
    cairn::MetricsSnapshot now = log.metrics();
    if (std::ranges::all_of(now.sinks, [](const cairn::SinkCounts& sink) { return sink.pending == 0; })) return now;
  }
  fail("a sink that came back shows events as pending");
}

/// One sink that never returns, one that fails, one that is slow, beside two healthy ones, to which most is still to be
/// delivered when the time begins.
void deadlines(int runs, int runs_of_a_second, const std::string& path) {
  constexpr std::uint64_t events = 1001;
  for (const auto timeout : {0ms, 10ms, 100ms, 1000ms}) {
    const int times = timeout == 1000ms ? runs_of_a_second : runs;
    double worst = 0;
    std::uint64_t miscounted = 0;
    std::uint64_t unnamed = 0;
    std::uint64_t healthy_named = 0;
    std::uint64_t undelivered = 0;
    for (int run = 0; run < times; ++run) {
      std::filesystem::remove(path);
      std::promise<void> go;
      const auto hung = std::make_shared<HungSink>(go.get_future().share());
      const auto slow = std::make_shared<SlowSink>();
      const auto memory = std::make_shared<cairn::MemorySink>();
      const auto log = quiet()
                           .write_to(hung, "hung")
                           .with_queue()
                           .write_to(std::make_shared<FailingSink>(), "failing")
                           .with_queue()
                           .write_to(slow, "slow")
                           .with_queue({.batch_size = 4})
                           .write_to(memory, "memory")
                           .with_queue()
                           .write_to_file(path)
                           .with_name("file")
                           .with_queue()
                           .create_logger();
      log.information("{Number}", 0);
      while (!hung->inside) std::this_thread::yield();
      for (std::uint64_t i = 1; i < events; ++i) log.information("{Number}", i);
      const auto begun = Steady::now();
      const auto report = log.shutdown(ShutdownStrategy::graceful(timeout));
      worst = std::max(worst, ms(Steady::now() - begun - timeout));

      unnamed += report.status == ShutdownStatus::timed_out && report.sink("hung")->timed_out ? 0 : 1;
      for (const char* const healthy : {"memory", "file"}) {
        healthy_named += report.sink(healthy)->timed_out ? 1 : 0;
        undelivered += events - report.sink(healthy)->emitted;
      }
      bool exact = report.logger.captured == events;
      for (const cairn::ShutdownSink& sink : report.sinks) {
        std::uint64_t ended = sink.emitted + sink.diverted + sink.pending;
        for (const auto& [reason, count] : sink.dropped) ended += count;
        for (const auto& [reason, count] : sink.failed) ended += count;
        exact = exact && sink.accepted == ended &&
                report.logger.captured == sink.accepted + report.logger.dropped_total() + report.logger.in_lane;
      }
      go.set_value();
      const cairn::MetricsSnapshot now = at_rest(log);
      std::uint64_t in_memory = 0;
      for (const auto& event : memory->events()) in_memory += event->source() == "Cairn" ? 0 : 1;
      exact = exact && cairn::testing::ledger_fault(now).empty() && now.logger.captured == events &&
              now.sink("hung")->emitted == hung->received && now.sink("failing")->emitted == 0 &&
              now.sink("slow")->emitted == slow->received && now.sink("memory")->emitted == in_memory &&
              now.sink("file")->emitted == count_lines(path).events;
      miscounted += exact ? 0 : 1;
    }
    tell("graceful(" + std::to_string(timeout.count()) + " ms) beside a sink that hangs, one that fails, a slow one, " +
             std::to_string(times) + " times: over",
         10, worst, "ms");
    none("the same, ends after which an event is neither delivered nor counted", miscounted);
    none("the same, reports that do not name the sink that hangs", unnamed);
    if (timeout < 100ms) continue;
    // How far these come is a matter of time.
    tell("the same, events not delivered to two healthy sinks, of " +
             std::to_string(2 * events * static_cast<std::uint64_t>(times)),
         0, static_cast<double>(undelivered), "events");
    tell("the same, reports that name a healthy sink", 0, static_cast<double>(healthy_named), "reports");
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
  tell("immediate with four sinks blocked, " + std::to_string(runs) + " times: worst", 10, worst, "ms");
}

/// What is wrong of one run.
struct Wrong {
  std::uint64_t events = 0;   // lost, twice, torn or out of order
  std::uint64_t ledgers = 0;  // that do not add up, or not to what was logged
};

Wrong exit_once(int threads, bool three_sinks, std::uint64_t events, const std::string& folder) {
  const std::uint64_t each = events / static_cast<std::uint64_t>(threads);
  const cairn::QueueOptions waits{.overflow = cairn::Overflow::block, .block_timeout = 1min};
  const std::string text = folder + "/exit.log";
  const std::string clef = folder + "/exit.clef";
  std::filesystem::remove(text);
  std::filesystem::remove(clef);
  const auto third = std::make_shared<OracleSink>();
  cairn::Configuration config = quiet();
  config.write_to_file(text, {.output_template = "{Message}{NewLine}"}).with_queue(waits);
  if (three_sinks) config.write_to_file(clef).with_queue(waits).write_to(third, "third").with_queue(waits);
  const auto log = config.create_logger();
  std::vector<std::thread> producers;
  for (int thread = 0; thread < threads; ++thread) {
    producers.emplace_back([&, producer = static_cast<std::uint64_t>(thread)] {
      for (std::uint64_t number = 0; number < each; ++number) cairn::testing::log_marked(log, producer, number, "exit");
    });
  }
  for (std::thread& producer : producers) producer.join();
  if (log.shutdown(ShutdownStrategy::graceful(1min)).status != ShutdownStatus::completed) fail("not completed");

  Wrong wrong;
  const auto judge = [&](const EventOracle& oracle) {
    wrong.events += oracle.twice + oracle.torn + oracle.out_of_order;
    for (int thread = 0; thread < threads; ++thread)
      wrong.events += oracle.missing(static_cast<std::uint64_t>(thread), each);
  };
  EventOracle of_text;
  of_text.read_file(text);
  judge(of_text);
  if (three_sinks) {
    EventOracle of_clef;
    of_clef.read_file(clef);
    judge(of_clef);
    judge(third->oracle);
  }
  const cairn::MetricsSnapshot now = log.metrics();
  const std::uint64_t logged = each * static_cast<std::uint64_t>(threads);
  bool exact = cairn::testing::ledger_fault(now).empty() && cairn::testing::ledger_fault(now.to_json()).empty() &&
               now.logger.captured == logged && now.logger.rejected_total() == 0;
  for (const cairn::SinkCounts& sink : now.sinks) exact = exact && (sink.name == "emergency" || sink.emitted == logged);
  wrong.ledgers = exact ? 0 : 1;
  return wrong;
}

void graceful_exit(int runs, int large_runs, const std::string& folder) {
  std::uint64_t ledgers = 0;
  std::uint64_t ends = 0;
  for (const int threads : {1, 2, 4, 16}) {
    for (const bool three_sinks : {false, true}) {
      std::uint64_t wrong = 0;
      const auto run = [&](std::uint64_t events) {
        const Wrong of_run = exit_once(threads, three_sinks, events, folder);
        wrong += of_run.events;
        ledgers += of_run.ledgers;
        ++ends;
      };
      for (int i = 0; i < runs; ++i) run(20'000);
      for (int i = 0; i < large_runs; ++i) run(1'000'000);
      none(std::to_string(runs) + " ends of 20 000 events" +
               (large_runs == 0 ? "" : " and " + std::to_string(large_runs) + " of 1 000 000") + " from " +
               std::to_string(threads) + (threads == 1 ? " thread to " : " threads to ") +
               (three_sinks ? "3 sinks" : "a file") + ": lost, twice or out of order",
           wrong);
    }
  }
  none("the same, all " + std::to_string(ends) + ": ledgers that do not add up to what was logged", ledgers);
}

}  // namespace

int main(int argc, char** arguments) {
  const int percent = argc > 1 ? std::max(1, std::atoi(arguments[1])) : 100;
  const auto part = [&](int of_all) { return std::max(1, of_all * percent / 100); };
  char folder[] = "/tmp/cairn-shutdown-XXXXXX";
  if (::mkdtemp(folder) == nullptr) fail("no folder");
  const std::string path = std::string(folder) + "/a.log";
  std::printf("%-100s | %8s | %8s | unit\n", "promise", "required", "measured");
  full_queue(part(1000), path);
  deadlines(part(200), std::min(200, part(200)), path);
  immediate(part(200));
  graceful_exit(part(100), percent / 100, folder);
  std::filesystem::remove_all(folder);
  return held ? 0 : 1;
}
