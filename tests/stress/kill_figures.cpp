// The figures of processes that are killed: with a crash ring and without, how long recovering takes, and what a call
// costs. Prints promise, required, measured, seed; ends with 1 where one is not held.
//
//   kill_figures [ROUNDS [SEED]]
//
// ROUNDS of SIGKILL, 200 if not said, each after 5 000 events on the average. Asks for a machine that does nothing
// else.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "support/in_child.hpp"
#include "support/kill_harness.hpp"

namespace {

using namespace std::chrono_literals;
using cairn::testing::KillFigures;
using cairn::testing::LogFolder;
using Steady = std::chrono::steady_clock;

bool held = true;
std::uint32_t seed = 0;

void tell(const std::string& promise, double required, double measured) {
  const bool ok = measured <= required;
  held = held && ok;
  std::printf("%-66s | %10.0f | %10.0f | %u%s\n", promise.c_str(), required, measured, seed, ok ? "" : " NOT HELD");
  std::fflush(stdout);
}
void tell_count(const std::string& what, std::uint64_t count) {
  std::printf("%-66s | %10s | %10llu | %u\n", what.c_str(), "-", static_cast<unsigned long long>(count), seed);
}

class HungSink final : public cairn::Sink {
  cairn::EmitResult emit(std::span<const cairn::Event>) override {
    for (;;) ::pause();
  }
};

void kill_rounds(bool ring, unsigned rounds) {
  const KillFigures figures = cairn::testing::kill_writers({.ring = ring, .rounds = rounds, .seed = seed});
  const std::string mode = ring ? "crash ring: " : "no ring: ";
  tell_count(mode + "events logged by 4 threads, under " + std::to_string(rounds) + " SIGKILLs", figures.logged);
  tell(mode + "corrupt lines", 0, static_cast<double>(figures.corrupt + figures.made_up));
  if (ring) {
    tell(mode + "committed events lost", 0, static_cast<double>(figures.lost));
    tell(mode + "events doubled after one kill, at most", 1000, static_cast<double>(figures.most_doubled));
    tell(mode + "rings not removed", 0, static_cast<double>(figures.rings_left));
    tell_count(mode + "events recovered", figures.recovered);
    tell_count(mode + "events doubled", figures.doubled);
  } else {
    tell(mode + "events lost with a later one of their thread kept", 0, static_cast<double>(figures.holes));
    tell(mode + "events lost by one kill, at most (queue + batch)", 8192 + 512, static_cast<double>(figures.most_lost));
    tell_count(mode + "events lost", figures.lost);
  }
}

void recovery_time() {
  double worst = 0;
  for (int run = 0; run < 5; ++run) {
    const LogFolder folder;
    (void)cairn::testing::in_child([&] {  // 16 threads of 4 MiB each
      cairn::Configuration config;
      config.write_to(std::make_shared<HungSink>(), "hung").with_queue();
      config.with_crash_ring({.application = "killed", .folder = folder.path()});
      const auto log = config.create_logger();
      std::vector<std::thread> threads;
      std::atomic<int> done{0};
      for (int thread = 0; thread < 16; ++thread) {
        threads.emplace_back([&, thread] {
          for (int n = 0; n < 30'000; ++n)
            log.information("{Thread} {N} took {Elapsed} of {User}", thread, n, 1.5, "ann");
          ++done;
          for (;;) ::pause();
        });
      }
      while (done != 16) ::usleep(1000);
      ::kill(::getpid(), SIGKILL);
      return 0;
    });
    const auto begun = Steady::now();
    cairn::Configuration config;
    config.write_to_file(folder.path("app.clef")).with_queue();
    config.with_crash_ring({.application = "killed", .folder = folder.path()}).on_internal_error([](auto) {});
    const auto log = config.create_logger();
    const double took = std::chrono::duration<double, std::milli>(Steady::now() - begun).count();
    if (run == 0) tell_count("recovery: events of 64 MiB of rings", log.metrics().logger.recovered);
    worst = std::max(worst, took);
    log.close();
  }
  tell("recovery of 64 MiB of rings into a file, ms, worst of 5", 200, worst);
}

/// The calls' times in nanoseconds, sorted: paced, to a sink that keeps up.
std::vector<double> call_times(bool ring) {
  const LogFolder folder;
  cairn::Configuration config;
  config.write_to_null().with_queue();
  if (ring) config.with_crash_ring({.application = "cost", .folder = folder.path()});
  const auto log = config.create_logger();
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

void call_cost() {
  const auto ticks = __builtin_ia32_rdtsc();
  const auto begun = Steady::now();
  while (Steady::now() - begun < 50ms) {
  }
  const double ns_per_tick = 50e6 / static_cast<double>(__builtin_ia32_rdtsc() - ticks);
  std::vector<double> more;
  std::vector<double> tails;
  std::vector<double> tails_without;
  for (int pair = 0; pair < 9; ++pair) {
    const std::vector<double> without = call_times(false);
    const std::vector<double> with = call_times(true);
    more.push_back((with[with.size() / 2] - without[without.size() / 2]) * ns_per_tick);
    tails_without.push_back(without[without.size() * 999 / 1000] * ns_per_tick);
    tails.push_back(with[with.size() * 999 / 1000] * ns_per_tick);
  }
  std::ranges::sort(more);
  std::ranges::sort(tails);
  std::ranges::sort(tails_without);
  tell_count("call without a ring: p99.9, ns, median of 9 runs", static_cast<std::uint64_t>(tails_without[4]));
  tell("call with a ring: p50 more than without, ns, median of 9 pairs", 30, more[4]);
  tell("call with a ring: p99.9, ns, median of 9 runs", 1000, tails[4]);
}

}  // namespace

int main(int count, char** arguments) {
  const unsigned rounds = count > 1 ? static_cast<unsigned>(std::atoi(arguments[1])) : 200;
  seed = count > 2 ? static_cast<std::uint32_t>(std::strtoul(arguments[2], nullptr, 10)) : std::random_device{}();
  std::printf("%-66s | %10s | %10s | %s\n", "promise", "required", "measured", "seed");
  call_cost();
  recovery_time();
  kill_rounds(true, rounds);
  kill_rounds(false, rounds);
  return held ? 0 : 1;
}
