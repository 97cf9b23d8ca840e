// P3, P4: a program that dies by a fatal signal or std::terminate, in a thread of its own, in a sink's, or with its
// stack used up, over and over. What was logged before is delivered, or in the crash file; it dies of that signal,
// soon.
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cairn/all.hpp>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <string>
#include <thread>

#include "bench.hpp"
#include "support/event_oracle.hpp"
#include "support/fatal_crash.hpp"

namespace cairn::fault_bench {

namespace {

using namespace std::chrono_literals;
using cairn::testing::crash_by;
using cairn::testing::EventOracle;
using cairn::testing::log_marked;
using cairn::testing::use_up_the_stack;

constexpr std::uint64_t count = 500;

/// The five signals that are handled, and what ends in the last of them by a way of its own.
struct Death {
  const char* name;
  int signal;
  bool terminates = false;
  void die() const {
    if (terminates) std::terminate();
    crash_by(signal);
  }
};
constexpr Death deaths[] = {{"SIGSEGV", SIGSEGV}, {"SIGBUS", SIGBUS},   {"SIGILL", SIGILL},
                            {"SIGFPE", SIGFPE},   {"SIGABRT", SIGABRT}, {"std::terminate", SIGABRT, true}};

/// Takes nothing: crashes with its first batch, once everything was logged.
class CrashingSink final : public Sink {
 public:
  CrashingSink(const Death& death, const std::atomic<bool>& logged) : death_(death), logged_(logged) {}
  EmitResult emit(std::span<const Event>) override {
    logged_.wait(false);
    death_.die();
    ::_exit(99);
  }

 private:
  const Death& death_;
  const std::atomic<bool>& logged_;
};

enum class Place : std::uint8_t { program, sink, stack };
constexpr const char* places[] = {"the program", "a sink", "a used-up stack"};

[[noreturn]] void die(Place place, const Death& death, const std::string& folder) {
  ::alarm(30);
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  if (death.terminates) (void)std::freopen("/dev/null", "w", stderr);  // the runtime says so each time
  std::atomic<bool> logged{false};
  const QueueOptions queue{.overflow = Overflow::block, .block_timeout = 1min};
  Configuration config;
  config.on_internal_error([](std::string_view) {}).handle_fatal_signals({.crash_file = folder + "/crash.clef"});
  if (place == Place::sink) {
    config.write_to(std::make_shared<CrashingSink>(death, logged), "crashing").with_queue(queue);
  } else {
    config.write_to_file(folder + "/fatal.clef").with_queue(queue);
  }
  const Logger log = config.create_logger();
  const auto all = [&] {
    for (std::uint64_t number = 0; number < count; ++number) log_marked(log, 0, number, "before the crash");
    logged = true;
    logged.notify_all();
  };
  std::thread([&] {
    all();
    volatile char here = 0;
    if (place == Place::program) death.die();
    if (place == Place::stack) use_up_the_stack(&here);
    for (;;) ::pause();
  }).join();
  ::_exit(99);
}

}  // namespace

void fatal(Bench& bench) {
  const std::uint64_t rounds = bench.by_length<std::uint64_t>(1, 50, 500);
  for (const Place place : {Place::program, Place::sink, Place::stack}) {
    std::uint64_t missing = 0;
    std::uint64_t wrong_lines = 0;
    std::uint64_t wrong_ends = 0;
    std::uint64_t runs = 0;
    double worst = 0;
    std::string first;
    for (std::uint64_t round = 0; round < rounds; ++round) {
      for (const Death& death : deaths) {
        if (place == Place::stack && death.signal != SIGSEGV) continue;
        const std::string folder = bench.folder() + "/fatal";
        std::filesystem::create_directory(folder);
        const auto begun = Clock::now();
        const pid_t child = ::fork();
        if (child == 0) die(place, death, folder);
        int status = 0;
        ::waitpid(child, &status, 0);
        worst = std::max(worst, milliseconds(Clock::now() - begun));
        EventOracle oracle;
        oracle.read_folder(folder);
        ++runs;
        const bool ended_well = WIFSIGNALED(status) && WTERMSIG(status) == death.signal;
        wrong_ends += ended_well ? 0U : 1U;
        missing += oracle.missing(0, count);
        wrong_lines += oracle.torn + oracle.twice + oracle.out_of_order;
        if (first.empty() && (!ended_well || oracle.missing(0, count) != 0))
          first = std::string(death.name) + ", round " + std::to_string(round) + ": status " + std::to_string(status) +
                  ", " + std::to_string(oracle.missing(0, count)) + " missing";
        std::filesystem::remove_all(folder);
      }
    }
    const std::string behind = std::string(", in ") + places[static_cast<std::size_t>(place)] + ", " +
                               std::to_string(runs) + " deaths of " + std::to_string(count) + " events";
    bench.none("events missing" + behind, missing, first);
    bench.none("lines torn, twice or out of order" + behind, wrong_lines);
    bench.none("ends by another signal, or none" + behind, wrong_ends);
    bench.within("from the start to the end, worst" + behind, 3000, worst, "ms");
  }
}

}  // namespace cairn::fault_bench
