// What queued delivery costs when there is little or nothing to deliver: processor time, the way of the first event
// after silence, and memory.
//
//   bench_idle [--json FILE] [--seconds N]
//
// Processor time is the kernel's account of the process (getrusage), over N seconds of nothing (60) and a quarter of
// that at 100 events a second; of the latter the thread that logs is taken off.
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "cairn/cairn.hpp"
#include "cairn/configuration.hpp"
#include "support/measure.hpp"
#include "support/report.hpp"

namespace {

using namespace bench;

double cpu_seconds(int who) {
  struct rusage usage {};
  ::getrusage(who, &usage);
  const auto of = [](const struct timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  return of(usage.ru_utime) + of(usage.ru_stime);
}

double resident_bytes() {
  std::ifstream file("/proc/self/statm");
  double size = 0;
  double resident = 0;
  file >> size >> resident;
  return resident * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

cairn::Logger four_sinks(const Directory& directory, const std::string& name) {
  return cairn::Configuration{}
      .write_to_file(directory.file(name + ".clef"))
      .with_queue()
      .write_to_file(directory.file(name + ".log"))
      .with_queue()
      .write_to_null()
      .with_queue()
      .write_to_callback([](const cairn::Event&) {})
      .with_queue()
      .create_logger();
}

/// In a process that has logged nothing yet.
void memory(Report& report) {
  int ends[2];
  if (::pipe(ends) != 0) return;
  const pid_t child = ::fork();
  if (child == 0) {
    const Directory directory;
    double rss[3];
    rss[0] = resident_bytes();
    const cairn::Logger log =
        cairn::Configuration{}.write_to_file(directory.file("a.clef")).with_queue().create_logger();
    rss[1] = resident_bytes();
    log.information("The first of {Number}", 1);
    (void)log.flush();
    rss[2] = resident_bytes();
    const bool written = ::write(ends[1], rss, sizeof(rss)) == sizeof(rss);
    (void)log.close();
    std::filesystem::remove_all(directory.path());
    std::_Exit(written ? 0 : 1);
  }
  ::close(ends[1]);
  double rss[3]{};
  const bool whole = ::read(ends[0], rss, sizeof(rss)) == sizeof(rss);
  ::close(ends[0]);
  ::waitpid(child, nullptr, 0);
  if (!whole) return;
  char detail[64];
  std::snprintf(detail, sizeof(detail), "creating the logger took %.2f MiB before", (rss[1] - rss[0]) / 1048576);
  report.add({"memory (RSS) that the first queued event takes", "MiB", (rss[2] - rss[1]) / 1048576, Bound::at_most, 2,
              detail});
}

void idle(Report& report, const Directory& directory, std::size_t seconds) {
  const cairn::Logger log = four_sinks(directory, "idle");
  std::mutex mutex;
  std::condition_variable changed;
  bool over = false;
  std::atomic<int> logged{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      log.information("Lane {Lane}", t);
      ++logged;
      std::unique_lock lock(mutex);
      changed.wait(lock, [&] { return over; });
    });
  }
  while (logged.load() < 8) std::this_thread::yield();
  (void)log.flush();
  std::this_thread::sleep_for(std::chrono::seconds(1));
  const double before = cpu_seconds(RUSAGE_SELF);
  std::this_thread::sleep_for(std::chrono::seconds(seconds));
  const double used = cpu_seconds(RUSAGE_SELF) - before;
  {
    const std::lock_guard lock(mutex);
    over = true;
  }
  changed.notify_all();
  for (std::thread& each : threads) each.join();
  report.add({"idle, 4 queued sinks, 8 lanes: processor time", "% of one", 100 * used / static_cast<double>(seconds),
              Bound::at_most, 0.1, std::to_string(used * 1e3) + " ms in " + std::to_string(seconds) + " s"});
}

void few(Report& report, const Directory& directory, std::size_t seconds) {
  const cairn::Logger log = four_sinks(directory, "few");
  log.information("Begins");
  (void)log.flush();
  const double process = cpu_seconds(RUSAGE_SELF);
  const double thread = cpu_seconds(RUSAGE_THREAD);
  const auto start = SteadyTime::now();
  auto next = start;
  std::size_t events = 0;
  while (next - start < std::chrono::seconds(seconds)) {
    next += std::chrono::milliseconds(10);
    std::this_thread::sleep_until(next);
    log.information("Event {Number} of {Rate} a second, {Ratio}", events++, 100, 0.5);
  }
  const double mine = cpu_seconds(RUSAGE_THREAD) - thread;
  const double others = cpu_seconds(RUSAGE_SELF) - process - mine;
  const double elapsed = std::chrono::duration<double>(SteadyTime::now() - start).count();
  report.add({"100 events a second to 4 queued sinks: processor time of delivery", "% of one", 100 * others / elapsed,
              Bound::at_most, 1,
              "the thread that logs, its sleep and its wakes: " + std::to_string(100 * mine / elapsed) + " %"});
}

/// Tells when an event came.
class ProbeSink : public cairn::Sink {
 public:
  cairn::EmitResult emit(std::span<const cairn::Event> events) override {
    arrived.store(ticks());
    arrived.notify_all();
    return cairn::EmitResult::all(events);
  }
  std::atomic<std::uint64_t> arrived{0};
};

void first(Report& report) {
  auto probe = std::make_shared<ProbeSink>();
  const cairn::Logger log = cairn::Configuration{}.write_to(probe, "probe").with_queue().create_logger();
  log.information("Begins");
  (void)log.flush();
  std::vector<double> latencies;
  for (int i = 0; i < 300; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    probe->arrived.store(0);
    const std::uint64_t start = ticks();
    log.information("First {Number} after {Silence} ms of silence, {Ratio}", i, 20, 0.5);
    probe->arrived.wait(0);
    latencies.push_back(static_cast<double>(probe->arrived.load() - start) * nanoseconds_a_tick() / 1000);
  }
  report.add(
      {"first event after 20 ms of silence, to its sink: median of 300", "us", median(latencies), Bound::at_most, 200});
  report.add({"first event after 20 ms of silence, to its sink: the longest", "us", percentile(latencies, 1),
              Bound::at_most, 5000});
}

}  // namespace

int main(int count, char** texts) {
  Arguments arguments(count, texts);
  const std::string json = arguments.text("--json");
  const std::size_t seconds = std::max<std::size_t>(1, arguments.number("--seconds", 60));
  arguments.finish("bench_idle [--json FILE] [--seconds N]");

  const Directory directory;
  Report report("idle: what queued delivery costs when little happens");
  report.fact("seconds", std::to_string(seconds) + " idle, " + std::to_string(std::max<std::size_t>(1, seconds / 4)) +
                             " at 100 events a second");
  memory(report);  // first: nothing has been logged yet
  idle(report, directory, seconds);
  few(report, directory, std::max<std::size_t>(1, seconds / 4));
  first(report);
  report.print();
  if (!json.empty()) report.write_json(json);
  return 0;
}
