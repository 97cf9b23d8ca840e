// What a crash ring costs: a call, and the start that recovers.
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cairn/all.hpp>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "bench.hpp"

namespace cairn::fault_bench {

namespace {

using namespace std::chrono_literals;

/// Takes events and never says so.
class HungSink final : public Sink {
  EmitResult emit(std::span<const Event>) override {
    for (;;) ::pause();
  }
};

constexpr std::size_t threads = 16;  // of a ring of 4 MiB each

[[noreturn]] void fill_rings(const CrashRingOptions& ring, int events) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  Configuration config;
  config.write_to(std::make_shared<HungSink>(), "hung").with_queue();
  config.with_crash_ring(ring);
  const Logger log = config.create_logger();
  std::atomic<std::size_t> done{0};
  std::vector<std::thread> running;
  for (std::size_t thread = 0; thread < threads; ++thread) {
    running.emplace_back([&, thread] {
      for (int n = 0; n < events; ++n) log.information("{Thread} {N} took {Elapsed} of {User}", thread, n, 1.5, "ann");
      ++done;
      for (;;) ::pause();
    });
  }
  while (done != threads) std::this_thread::yield();
  ::kill(::getpid(), SIGKILL);
  for (;;) ::pause();
}

void recovery(Bench& bench) {
  const int runs = bench.by_length(1, 5, 20);
  const CrashRingOptions ring{.application = "filled", .folder = bench.folder()};
  const std::string path = bench.folder() + "/recovered.clef";
  constexpr int events = 30'000;  // more than a ring holds
  std::vector<double> times;
  std::uint64_t recovered = 0;
  for (int run = 0; run < runs; ++run) {
    const pid_t child = ::fork();
    if (child == 0) fill_rings(ring, events);
    int status = 0;
    if (::waitpid(child, &status, 0) != child || !WIFSIGNALED(status))
      bench.fail("the writer did not end as it should");
    Configuration config;
    config.write_to_file(path).with_queue();
    config.with_crash_ring(ring).on_internal_error([](std::string_view) {});
    const auto begun = Clock::now();
    const Logger log = config.create_logger();
    times.push_back(milliseconds(Clock::now() - begun));
    recovered = log.metrics().logger.recovered;
    log.close();
    std::filesystem::remove(path);
  }
  std::ranges::sort(times);
  bench.within("recovery of 64 MiB of rings into a file, median of " + std::to_string(runs) + "; " +
                   std::to_string(recovered) + " events",
               200, times[times.size() / 2], "ms", "the slowest: " + std::to_string(times.back()) + " ms");
}

/// The calls' times in ticks, sorted: paced, to a sink that keeps up.
std::vector<double> call_times(Bench& bench, bool ring) {
  Configuration config;
  config.write_to_null().with_queue();
  if (ring) config.with_crash_ring({.application = "cost", .folder = bench.folder()});
  const Logger log = config.create_logger();
  std::vector<double> times;
  constexpr int calls = 50'000;
  times.reserve(calls);
  for (int n = 0; n < calls; ++n) {
    const auto before = __builtin_ia32_rdtsc();
    log.information("{N} took {Elapsed} of {User}", n, 1.5, "ann");
    const auto after = __builtin_ia32_rdtsc();
    times.push_back(static_cast<double>(after - before));
    while (__builtin_ia32_rdtsc() - after < 3000) {
    }
  }
  log.close();
  std::ranges::sort(times);
  return times;
}

void call_cost(Bench& bench) {
  const auto ticks = __builtin_ia32_rdtsc();
  const auto begun = Clock::now();
  while (Clock::now() - begun < 50ms) {
  }
  const double ns = 50e6 / static_cast<double>(__builtin_ia32_rdtsc() - ticks);
  const int pairs = bench.by_length(1, 9, 31);
  std::vector<double> without_ring;
  std::vector<double> more;
  std::vector<double> tails;
  std::vector<double> tails_without;
  for (int pair = 0; pair < pairs; ++pair) {
    const std::vector<double> without = call_times(bench, false);
    const std::vector<double> with = call_times(bench, true);
    without_ring.push_back(without[without.size() / 2] * ns);
    more.push_back((with[with.size() / 2] - without[without.size() / 2]) * ns);
    tails.push_back(with[with.size() * 999 / 1000] * ns);
    tails_without.push_back(without[without.size() * 999 / 1000] * ns);
  }
  for (auto* figures : {&without_ring, &more, &tails, &tails_without}) std::ranges::sort(*figures);
  const std::size_t middle = more.size() / 2;
  const std::string behind = ", median of " + std::to_string(pairs) + " pairs";
  bench.within("a call's p50 with a ring, more than without" + behind, 30, more[middle], "ns",
               "without: " + std::to_string(without_ring[middle]) + " ns");
  bench.within("a call's p99.9 with a ring" + behind, 1000, tails[middle], "ns",
               "without: " + std::to_string(tails_without[middle]) + " ns");
}

}  // namespace

void crash_ring(Bench& bench) {
  call_cost(bench);
  recovery(bench);
}

}  // namespace cairn::fault_bench
