// P13: every allocation of a program that logs fails in turn, in whatever thread it is made, once and for good. Nothing
// is thrown at the caller, nothing hangs or dies, the ledger holds, and once there is memory again everything works.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cairn/all.hpp>
#include <filesystem>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>

#include "bench.hpp"
#include "memory_hook.hpp"
#include "support/event_oracle.hpp"

namespace cairn::fault_bench {

namespace {

using namespace std::chrono_literals;
using cairn::testing::EventOracle;
using cairn::testing::log_marked;

enum Outcome : int {
  whole = 0,
  all_passed = 1,
  not_captured = 2,
  ledger_wrong = 3,
  file_wrong = 4,
  not_well_again = 5
};
constexpr const char* outcomes[] = {"",
                                    "",
                                    "a call neither captured nor rejected",
                                    "the ledger does not add up",
                                    "the file is not what was counted",
                                    "not well again with memory"};
constexpr std::uint64_t numbered = 12;

/// Logs in every way while allocations fail; in a process of its own.
int scene(const std::string& path, bool queued, std::uint64_t nth, bool for_good, std::uint64_t& tried) {
  Configuration config;
  config.on_internal_error([](std::string_view) {}).enrich_with_property("Enriched", std::string(40, 'e'));
  auto added = config.write_to_file(path);
  if (queued) added.with_queue();
  const Logger log = config.create_logger();
  std::uint64_t calls = 0;
  // The thread is there before: starting one is the program's.
  std::atomic<bool> go{false};
  std::atomic<bool> done{false};
  std::thread other([&] {
    go.wait(false);
    for (std::uint64_t number = 0; number < numbered; ++number) log_marked(log, 1, number, "other");
    done = true;
    done.notify_all();
  });
  const std::runtime_error why("why");
  fail_allocations(nth, for_good);
  for (std::uint64_t number = 0; number < numbered; ++number, ++calls) {
    const auto scope = LogContext::push("Context", number);
    log_marked(log, 0, number, "allocations fail");
    if (number == numbered / 2) {
      go = true;
      go.notify_all();
      done.wait(false);
      calls += numbered;
    }
  }
  const std::string_view text = "{Producer} {Sequence} {Crc} {Payload} by a dynamic template";
  log.information(dynamic_template(text), 2, 0, testing::mark_of(2, 0, "p"), "p");
  log.error(why, "{Producer} {Sequence} {Crc} {Payload}", 2, 1, testing::mark_of(2, 1, "q"), "q");
  calls += 2;
  try {
    (void)log.flush(1s);
  } catch (const std::bad_alloc&) {  // of its result
  }
  tried = allocations_tried();
  fail_allocations(0, false);
  other.join();

  log_marked(log, 3, 0, "memory again");
  ++calls;
  const bool well = log.flush(10s).status == FlushStatus::ok;
  const auto report = log.shutdown(ShutdownStrategy::graceful(10s));
  const MetricsSnapshot now = log.metrics();
  EventOracle oracle;
  oracle.read_file(path);
  if (!well || report.status != ShutdownStatus::completed || oracle.missing(3, 1) != 0) return not_well_again;
  if (now.logger.captured + now.logger.rejected_total() != calls) return not_captured;
  if (!testing::ledger_fault(now.to_json()).empty()) return ledger_wrong;
  if (oracle.torn + oracle.twice + oracle.out_of_order != 0 || oracle.events != now.sinks[0].emitted) return file_wrong;
  return oracle.events == calls ? all_passed : whole;
}

void fail_each(Bench& bench, bool queued, bool for_good) {
  const std::uint64_t step = bench.by_length<std::uint64_t>(29ULL, 1ULL, 1ULL);
  std::uint64_t wrong = 0;
  std::uint64_t runs = 0;
  std::uint64_t complete = 0;
  std::uint64_t hangs = 0;
  std::string first;
  std::uint64_t most = 0;  // that were tried
  const std::uint64_t rounds =
      bench.by_length<std::uint64_t>(1, 10, 100);  // which thread is next to allocate is chance
  const auto first_of = [&] { return step == 1 ? 1 : bench.between(1, step); };
  std::uint64_t round = 0;
  for (std::uint64_t nth = 0;; nth = runs == 1 ? first_of() : nth + step) {  // first without a failure
    if (runs > 1 && (nth > most || nth >= 5000)) {
      nth = first_of();
      if (++round == rounds) break;
    }
    const std::string path = bench.folder() + "/allocations.clef";
    int ends[2];
    if (::pipe(ends) != 0) bench.fail("no pipe");
    const pid_t child = ::fork();
    if (child == 0) {
      std::uint64_t tried = 0;
      const int outcome = scene(path, queued, nth, for_good, tried);
      if (::write(ends[1], &tried, sizeof tried) != sizeof tried) ::_exit(100);
      ::_exit(outcome);
    }
    ::close(ends[1]);
    int status = 0;
    const auto end = Clock::now() + 30s;
    while (::waitpid(child, &status, WNOHANG) == 0) {
      if (Clock::now() > end) {
        ::kill(child, SIGKILL);
        ::waitpid(child, &status, 0);
        ++hangs;
        break;
      }
      ::usleep(200);
    }
    std::uint64_t tried = 0;
    if (::read(ends[0], &tried, sizeof tried) == sizeof tried) most = std::max(most, tried);
    ::close(ends[0]);
    ++runs;
    const int outcome = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    complete += outcome == all_passed ? 1U : 0U;
    if (outcome > all_passed) {
      ++wrong;
      if (first.empty())
        first = "allocation " + std::to_string(nth) + ": " +
                (outcome <= not_well_again ? outcomes[outcome] : "ended with " + std::to_string(outcome));
    }
    std::filesystem::remove(path);
    std::filesystem::remove(path + ".lock");
  }
  if (most <= step || complete == 0)
    bench.fail("too few allocations were tried, or something is lost with memory, too");
  const std::string behind = std::string(queued ? ", queued" : ", synchronous") + (for_good ? ", for good" : ", once");
  bench.none(
      "runs that threw, died, hung or miscounted" + behind, wrong + hangs,
      first.empty() ? std::to_string(runs) + " runs, " + std::to_string(complete) + " of them without a loss" : first);
}

}  // namespace

void allocations(Bench& bench) {
  if (!memory_is_hooked()) return bench.not_run("allocations that fail", "a sanitizer has the malloc");
  for (const bool queued : {false, true}) {
    for (const bool for_good : {false, true}) fail_each(bench, queued, for_good);
  }
}

}  // namespace cairn::fault_bench
