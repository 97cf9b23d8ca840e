// The figures of memory: a budget that is never passed, and events that are all accounted for. Prints promise,
// required, measured and seed; ends with 1 where one is not held.
//
//   memory_figures [SECONDS [THREADS [SEED]]]
//
// SECONDS of each limit, 60 if not said, and from five minutes on how fast the process grows, too; THREADS that log
// three events each and end, 100000. Without a seed one is drawn. Each figure has a process of its own, so that the
// memory of one is not that of another.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cairn/all.hpp>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "../support/sanitizers.hpp"

namespace {

using namespace std::chrono_literals;
using Steady = std::chrono::steady_clock;

constexpr std::uint64_t MiB = 1 << 20;
constexpr int producers = 4;

struct Figures {
  std::uint64_t seed = 0;
  bool held = true;

  /// The measured figure must not be above the required one.
  void tell(const std::string& promise, std::uint64_t required, std::uint64_t measured) {
    const bool ok = measured <= required;
    held = held && ok;
    std::printf("%-72s | %10llu | %10llu | %llu%s\n", promise.c_str(), static_cast<unsigned long long>(required),
                static_cast<unsigned long long>(measured), static_cast<unsigned long long>(seed),
                ok ? "" : "  NOT HELD");
    std::fflush(stdout);
  }
};

std::uint64_t resident_bytes() {
  std::FILE* file = std::fopen("/proc/self/statm", "r");
  unsigned long size = 0;
  unsigned long resident = 0;
  if (file == nullptr || std::fscanf(file, "%lu %lu", &size, &resident) != 2) std::abort();
  std::fclose(file);
  return resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

std::uint64_t apart(std::uint64_t a, std::uint64_t b) { return std::max(a, b) - std::min(a, b); }

/// A straight line through what the process had each second, by least squares.
class Slope {
 public:
  void add(double seconds, double bytes) { points_.emplace_back(seconds, bytes); }
  struct Result {
    double bytes_a_minute = 0;
    double error = 0;  // the standard one, were the seconds independent
  };
  [[nodiscard]] Result result() const {
    if (points_.size() < 3) return {};
    const auto count = static_cast<double>(points_.size());
    double time = 0;
    double bytes = 0;
    for (const auto& [t, b] : points_) {
      time += t / count;
      bytes += b / count;
    }
    double along = 0;
    double across = 0;
    for (const auto& [t, b] : points_) {
      along += (t - time) * (t - time);
      across += (t - time) * (b - bytes);
    }
    const double slope = across / along;
    double rest = 0;
    for (const auto& [t, b] : points_) rest += std::pow(b - bytes - slope * (t - time), 2);
    return {60 * slope, 60 * std::sqrt(rest / (count - 2) / along)};
  }

 private:
  std::vector<std::pair<double, double>> points_;
};

/// How far the sums of a snapshot are off.
std::uint64_t off(const cairn::MetricsSnapshot& now) {
  std::uint64_t all = apart(now.logger.captured, now.logger.dispatched + now.logger.filtered +
                                                     now.logger.dropped_total() + now.logger.in_lane);
  for (const cairn::SinkCounts& sink : now.sinks) {
    all +=
        apart(sink.accepted, sink.emitted + sink.diverted + sink.dropped_total() + sink.failed_total() + sink.pending);
  }
  return all;
}

/// Checks what it gets, and counts; may be slow, or stuck until it is let go.
class CheckingSink final : public cairn::Sink {
 public:
  explicit CheckingSink(std::chrono::microseconds pause, bool open = true) : pause_(pause), open_(open) {}

  cairn::EmitResult emit(std::span<const cairn::Event> events) override {
    open_.wait(false);
    if (pause_ != 0us) std::this_thread::sleep_for(pause_);
    for (const cairn::Event& event : events) {
      if (event.source() == "Cairn") continue;  // tells of a gap
      ++received;
      const auto producer = static_cast<std::size_t>(event.property("Producer")->as_int64().value_or(0));
      const std::int64_t number = event.property("Number")->as_int64().value_or(-1);
      if (number < next_[producer]) ++out_of_order;
      next_[producer] = number + 1;
      const auto wanted = static_cast<std::size_t>(event.property("Size")->as_int64().value_or(0));
      const auto text = event.property("Text");
      const std::size_t size = text ? text->as_string()->size() : 0;
      if (size < wanted && !event.truncated()) ++cut_without_a_mark;
      if (event.truncated()) ++cut;
    }
    return cairn::EmitResult::all(events);
  }
  void open() {
    open_ = true;
    open_.notify_all();
  }

  // the worker's; read when it is done
  std::uint64_t received = 0;
  std::uint64_t cut = 0;
  std::uint64_t cut_without_a_mark = 0;
  std::uint64_t out_of_order = 0;

 private:
  const std::chrono::microseconds pause_;
  std::atomic<bool> open_;
  std::array<std::int64_t, 2 * producers> next_{};
};

thread_local bool is_caller = false;

struct Told {
  std::atomic<std::uint64_t> times{0};
  std::atomic<std::uint64_t> by_a_caller{0};
  std::atomic<std::uint64_t> logged{0};
  std::atomic<const cairn::Logger*> log{nullptr};
};

/// Events of 1 byte to 1 MiB, as many of 1 to 2 bytes as of 512 KiB to 1 MiB, from one thread after another.
class Producer {
 public:
  Producer(int number, std::uint64_t seed) : producer_(number), random_(seed) {}

  void run(const cairn::Logger& log, const std::atomic<bool>& done) {
    while (!done) std::thread([&] { run_one(log, done); }).join();
  }
  std::uint64_t calls = 0;

 private:
  void run_one(const cairn::Logger& log, const std::atomic<bool>& done) {
    static const std::string text(MiB, 'x');
    is_caller = true;
    const cairn::Logger own = log.for_context("Own", std::string(500, 'o'));
    for (int i = 0; i < 500 && !done; ++i) {
      const std::size_t size = std::min<std::size_t>(
          MiB, static_cast<std::size_t>(std::exp2(std::uniform_real_distribution<double>(0, 20)(random_))));
      const std::string_view part = std::string_view(text).substr(0, size);
      switch (i % 16) {
        case 3: {
          const auto scope = cairn::LogContext::push("Scope", std::string(2000, 's'));
          log.information("{Producer} {Number} {Size} {Text}", producer_, calls, size, part);
          break;
        }
        case 7: own.warning("{Producer} {Number} {Size} {Text}", producer_, calls, size, part); break;
        default: CAIRN_INFORMATION(log, "{Producer} {Number} {Size} {Text}", producer_, calls, size, part);
      }
      ++calls;
    }
  }
  const int producer_;
  std::mt19937_64 random_;
};

cairn::Configuration quiet() {
  cairn::Configuration config;
  config.verbose().capture_limits({.string_bytes = MiB, .event_bytes = 2 * MiB}).on_internal_error([](auto) {});
  return config;
}

/// Four callers, and sinks that are stuck, slow and well; beside them a logger whose sink is stuck and blocks.
void budget(Figures& figures, std::uint64_t limit, std::chrono::seconds length) {
  const std::string name = std::to_string(limit / MiB) + " MiB: ";
  {
    const auto log = quiet().write_to_null().create_logger();
    log.information("{N}", 1);
  }
  const std::uint64_t before = resident_bytes();
  const auto told = std::make_shared<Told>();
  auto stuck = std::make_shared<CheckingSink>(0us, false);
  auto slow = std::make_shared<CheckingSink>(1000us);
  auto well = std::make_shared<CheckingSink>(0us);
  const auto log =
      quiet()
          .memory_budget({.max_bytes = limit,
                          .max_event_bytes = 768 << 10,
                          .on_exceeded =
                              [told](const cairn::MemoryExceeded&) {
                                ++told->times;
                                if (is_caller) ++told->by_a_caller;
                                const cairn::Logger* const logger = told->log;
                                if (logger == nullptr) return;
                                (void)logger->metrics();  // takes every lock there is
                                ++told->logged;
                                logger->information("{Producer} {Number} {Size}", producers, told->logged.load(), 0);
                              }})
          .write_to(stuck, "stuck")
          .with_queue({.max_size = 1'000'000})
          .write_to(slow, "slow")
          .with_queue()
          .with_memory_limit(limit / 4)
          .write_to(well, "well")
          .with_queue()
          .create_logger();
  auto held = std::make_shared<CheckingSink>(0us, false);
  const auto blocking = quiet()
                            .write_to(held, "held")
                            .with_queue({.overflow = cairn::Overflow::block, .block_timeout = 1ms})
                            .create_logger();
  told->log = &log;

  const auto begun = Steady::now();
  std::atomic<bool> done{false};
  std::vector<Producer> callers;
  for (int i = 0; i < producers; ++i) callers.emplace_back(i, figures.seed * 8 + static_cast<std::uint64_t>(i));
  Producer blocked(0, figures.seed * 8 + 7);
  std::vector<std::thread> threads;
  threads.reserve(producers + 1);
  for (Producer& caller : callers) threads.emplace_back([&] { caller.run(log, done); });
  threads.emplace_back([&] { blocked.run(blocking, done); });

  std::uint64_t most_resident = 0;
  std::uint64_t most_used = 0;
  std::uint64_t most_of_one = 0;
  std::uint64_t wrong = 0;
  Slope slope;
  double sum_of_second = 0;
  double looks_of_second = 0;
  auto second = begun + length / 6;  // until then malloc keeps more and more, of sizes that it had not met
  while (Steady::now() < begun + length) {
    for (const cairn::Logger* each : {&log, &blocking}) {
      const cairn::MetricsSnapshot now = each->metrics();
      if (off(now) != 0) ++wrong;
      if (each == &log) most_of_one = std::max(most_of_one, now.sink("slow")->memory_bytes);
      most_used = std::max({most_used, now.memory.used_bytes, now.memory.peak_bytes});
    }
    const std::uint64_t resident = resident_bytes();
    most_resident = std::max(most_resident, resident);
    if (const auto now = Steady::now(); now >= second) {
      sum_of_second += static_cast<double>(resident);
      ++looks_of_second;
      if (now >= second + 1s) {
        slope.add(std::chrono::duration<double>(now - begun).count(), sum_of_second / looks_of_second);
        sum_of_second = looks_of_second = 0;
        second = now;
      }
    }
    std::this_thread::sleep_for(1ms);
  }
  done = true;
  for (std::thread& thread : threads) thread.join();
  const auto seconds = static_cast<std::uint64_t>((Steady::now() - begun) / 1s);
  stuck->open();
  held->open();
  told->log = nullptr;
  const bool flushed =
      log.flush(120s).status == cairn::FlushStatus::ok && blocking.flush(120s).status == cairn::FlushStatus::ok;

  const cairn::MetricsSnapshot now = log.metrics();
  const cairn::MetricsSnapshot other = blocking.metrics();
  most_used = std::max(most_used, now.memory.peak_bytes);
  std::uint64_t calls = told->logged;
  for (const Producer& caller : callers) calls += caller.calls;
  std::uint64_t lost = apart(calls, now.logger.captured) + now.logger.in_lane + off(now) + off(other);
  const auto rejected = other.logger.rejected.find("block_timeout");
  lost +=
      apart(blocked.calls, other.logger.captured + (rejected == other.logger.rejected.end() ? 0 : rejected->second));
  std::uint64_t unmarked = 0;
  std::uint64_t disorder = 0;
  std::uint64_t cut = 0;
  const auto account = [&](const CheckingSink& sink, const cairn::MetricsSnapshot& snapshot, const char* called) {
    const cairn::SinkCounts& counts = *snapshot.sink(called);
    lost += apart(sink.received, counts.emitted) + apart(snapshot.logger.dispatched, counts.accepted) + counts.pending;
    unmarked += sink.cut_without_a_mark;
    disorder += sink.out_of_order;
    cut += sink.cut;
  };
  account(*stuck, now, "stuck");
  account(*slow, now, "slow");
  account(*well, now, "well");
  account(*held, other, "held");

  std::printf(
      "# %s%llu calls, to the sinks %llu, lanes lost %llu, memory %llu; cut as they came %llu; told %llu times\n",
      name.c_str(), static_cast<unsigned long long>(calls), static_cast<unsigned long long>(now.logger.dispatched),
      static_cast<unsigned long long>(
          now.logger.dropped.contains("lane_overrun") ? now.logger.dropped.at("lane_overrun") : 0),
      static_cast<unsigned long long>(
          now.logger.dropped.contains("memory_limit") ? now.logger.dropped.at("memory_limit") : 0),
      static_cast<unsigned long long>(cut), static_cast<unsigned long long>(told->times.load()));
  figures.tell(name + "the most in the account, bytes", limit, most_used);
  if (!cairn::testing::under_sanitizer) {
    figures.tell(name + "the most the process grew, bytes", limit + std::max(8 * MiB, limit / 10),
                 most_resident - std::min(most_resident, before));
    if (length >= 5min) {
      const auto [bytes_a_minute, error] = slope.result();
      std::printf("# %sit grows %.0f bytes a minute, give or take %.0f\n", name.c_str(), bytes_a_minute, error);
      figures.tell(name + "it grows, bytes a minute", 1023,
                   static_cast<std::uint64_t>(std::max(0.0, std::ceil(bytes_a_minute))));
    }
  }
  figures.tell(name + "the most in the queue with a limit of a quarter of it, bytes", limit / 4, most_of_one);
  figures.tell(name + "snapshots under load whose sums do not hold", 0, wrong);
  figures.tell(name + "events neither delivered nor counted as dropped", 0, lost + (flushed ? 0 : 1));
  figures.tell(name + "events out of order", 0, disorder);
  figures.tell(name + "events cut without a mark", 0, unmarked);
  figures.tell(name + "calls of on_exceeded, one a second at most", 1 + seconds, told->times);
  figures.tell(name + "calls of on_exceeded by a thread that logs", 0, told->by_a_caller);
  if (cut == 0 || told->times == 0 || now.logger.dropped_total() + now.sinks[0].dropped_total() == 0)
    figures.tell(name + "nothing was cut, nobody told or nothing dropped: no test of anything", 0, 1);
}

/// Many threads, two at a time, of three events each.
void short_threads(Figures& figures, int count, std::uint64_t limit) {
  const std::string name = std::to_string(count) + " threads" + (limit == 0 ? ": " : ", 16 MiB: ");
  std::atomic<std::uint64_t> emitted{0};
  cairn::Configuration config = quiet();
  if (limit != 0) config.memory_budget({.max_bytes = limit});
  const auto log = config.write_to_callback([&](const cairn::Event&) { ++emitted; })
                       .with_queue({.max_size = 1 << 16, .overflow = cairn::Overflow::block, .block_timeout = 60s})
                       .create_logger();
  std::uint64_t calls = 0;
  const auto run = [&](int threads) {
    for (int i = 0; i < threads; i += 2) {
      const auto three = [&] {
        for (int n = 0; n < 3; ++n) log.information("{Number}", n);
      };
      std::thread other(three);
      std::thread(three).join();
      other.join();
      calls += 6;
    }
    return log.flush(60s).status == cairn::FlushStatus::ok;
  };
  const bool first = run(1000);
  const std::uint64_t before = resident_bytes();
  const bool rest = run(count - 1000);
  const std::uint64_t after = resident_bytes();
  const cairn::MetricsSnapshot now = log.metrics();
  figures.tell(name + "events lost", 0,
               apart(calls, emitted) + apart(calls, now.logger.captured) + off(now) + (first && rest ? 0 : 1));
  if (limit != 0) figures.tell(name + "the most in the account, bytes", limit, now.memory.peak_bytes);
  if (!cairn::testing::under_sanitizer)
    figures.tell(name + "growth after the first thousand, bytes", 8 * MiB, after - std::min(after, before));
}

/// In a process of its own, which begins with one thread and nothing logged.
template <class F>
bool apart_from_others(std::uint64_t seed, const F& f) {
  const pid_t child = fork();
  if (child < 0) std::abort();
  if (child == 0) {
    Figures figures;
    figures.seed = seed;
    f(figures);
    std::_Exit(figures.held ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  const bool ended = WIFEXITED(status);
  if (!ended) std::printf("a figure died of signal %d  NOT HELD\n", WTERMSIG(status));
  return ended && WEXITSTATUS(status) == 0;
}

}  // namespace

int main(int argc, char** argv) {
  const auto argument = [&](int at, std::uint64_t otherwise) {
    return argc > at ? std::strtoull(argv[at], nullptr, 10) : otherwise;
  };
  const std::chrono::seconds length(argument(1, 60));
  const int threads = std::max(2000, static_cast<int>(argument(2, 100'000)));
  const std::uint64_t seed = argument(3, std::random_device()());
  std::printf("%-72s | %10s | %10s | %s\n", "promise", "required", "measured", "seed");
  std::fflush(stdout);
  bool held = true;
  for (const std::uint64_t limit : {1ULL, 16ULL, 64ULL}) {
    held = apart_from_others(seed, [&](Figures& figures) { budget(figures, limit * MiB, length); }) && held;
  }
  for (const std::uint64_t limit : {0ULL, 16ULL}) {
    held = apart_from_others(seed, [&](Figures& figures) { short_threads(figures, threads, limit * MiB); }) && held;
  }
  return held ? 0 : 1;
}
