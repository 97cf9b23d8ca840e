// P8: a process forks a thousand times while four of its threads log. Each child logs ten events and ends, by turns, by
// exit, by _exit, with a child of its own, or as another program.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cairn/all.hpp>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "bench.hpp"
#include "support/event_oracle.hpp"

namespace cairn::fault_bench {

namespace {

using namespace std::chrono_literals;
using cairn::testing::EventOracle;
using cairn::testing::log_marked;

constexpr std::size_t threads = 4;
constexpr std::uint64_t each = 10;
constexpr auto patience = 10s;

enum class Way : std::uint8_t { exits, leaves, forks_again, becomes_another };
constexpr std::uint64_t ways = 4;

/// The status of a process that ends in time; one that does not is killed, and -1.
int wait_for(pid_t child) {
  const auto end = Clock::now() + patience;
  int status = 0;
  while (::waitpid(child, &status, WNOHANG) == 0) {
    if (Clock::now() > end) {
      ::kill(child, SIGKILL);
      ::waitpid(child, &status, 0);
      return -1;
    }
    ::usleep(200);
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void log_some(const Logger& log, std::uint64_t producer) {
  for (std::uint64_t number = 0; number < each; ++number) log_marked(log, producer, number, "child");
}

[[noreturn]] void be_child(const Logger& log, Way way, std::uint64_t producer) {
  log_some(log, producer);
  const auto flushed = [&] { return log.flush(patience).status == FlushStatus::ok ? 0 : 1; };
  switch (way) {
    case Way::exits: std::exit(0);  // without a flush: the end of the program delivers
    case Way::leaves: ::_exit(flushed());
    case Way::forks_again: {
      const pid_t child = ::fork();
      if (child == 0) {
        log_some(log, producer + 1);
        ::_exit(flushed());
      }
      const int below = wait_for(child);
      ::_exit(below != 0 ? 2 : flushed());
    }
    case Way::becomes_another:
      if (flushed() == 0) ::execl("/bin/true", "true", nullptr);
      ::_exit(1);
  }
  ::abort();
}

}  // namespace

void fork_under_load(Bench& bench) {
  const std::uint64_t forks = bench.by_length<std::uint64_t>(40, 1000, 10'000);
  std::atomic<bool> stop{false};
  std::uint64_t hangs = 0;
  std::uint64_t failures = 0;
  std::uint64_t logged[threads]{};
  double worst = 0;
  const std::string path = bench.folder() + "/fork.clef";
  std::string ledger;
  {
    const Logger log = Configuration{}
                           .write_to_file(path)
                           .with_queue({.overflow = Overflow::block, .block_timeout = 1min})
                           .create_logger();
    std::vector<std::thread> running;
    for (std::size_t thread = 0; thread < threads; ++thread) {
      running.emplace_back([&, thread] {
        // In bursts, so that a fork comes while records are being made, while they are handed over, and in between.
        while (!stop) {
          for (int burst = 0; burst < 20; ++burst) log_marked(log, thread, logged[thread]++, "parent");
          std::this_thread::sleep_for(100us);
        }
      });
    }
    for (std::uint64_t number = 0; number < forks; ++number) {
      const auto way = static_cast<Way>(number % ways);
      ::usleep(static_cast<useconds_t>(bench.between(0, 2000)));
      const auto begun = Clock::now();
      const pid_t child = ::fork();
      if (child == 0) be_child(log, way, threads + 2 * number);
      worst = std::max(worst, milliseconds(Clock::now() - begun));
      const int status = wait_for(child);
      hangs += status == -1 ? 1U : 0U;
      failures += status > 0 ? 1U : 0U;
    }
    stop = true;
    for (std::thread& thread : running) thread.join();
    if (log.flush(1min).status != FlushStatus::ok) bench.fail("the parent cannot flush");
    ledger = testing::ledger_fault(log.metrics().to_json());
  }
  EventOracle oracle;
  oracle.read_file(path);
  std::uint64_t parents_missing = 0;
  std::uint64_t all = 0;
  for (std::size_t thread = 0; thread < threads; ++thread) {
    parents_missing += oracle.missing(thread, logged[thread]);
    all += logged[thread];
  }
  std::uint64_t childrens_missing = 0;
  for (std::uint64_t number = 0; number < forks; ++number) {
    childrens_missing += oracle.missing(threads + 2 * number, each);
    if (static_cast<Way>(number % ways) == Way::forks_again)
      childrens_missing += oracle.missing(threads + 2 * number + 1, each);
  }
  const std::string behind = ", " + std::to_string(forks) + " forks under 4 threads";
  bench.none("hangs of 10 s" + behind, hangs);
  bench.none("children that ended badly" + behind, failures);
  bench.none("the children's events missing" + behind, childrens_missing);
  bench.none("the parent's events missing, of " + std::to_string(all), parents_missing);
  bench.none("events twice, torn or out of order", oracle.twice + oracle.torn + oracle.out_of_order,
             oracle.faults.empty() ? "" : oracle.faults.front());
  bench.none("the parent's ledger does not add up", ledger.empty() ? 0 : 1, ledger);
  bench.within("worst fork", 100, worst, "ms");
}

}  // namespace cairn::fault_bench
