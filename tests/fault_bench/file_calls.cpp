// S3, S6, S11: every call that a file sink makes on its files fails in turn, once and for good, with each of three
// errors, of synchronous and of queued sinks. No line is torn, nothing is thrown at the caller, and what is counted as
// emitted is what the files hold.
#include <atomic>
#include <cairn/all.hpp>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "bench.hpp"
#include "sinks/file_sink.hpp"
#include "support/event_oracle.hpp"
#include "support/scripted_file_ops.hpp"

namespace cairn::fault_bench {

namespace {

using namespace std::chrono_literals;
using cairn::testing::EventOracle;
using cairn::testing::log_marked;
using cairn::testing::ScriptedFileOps;

struct Variant {
  const char* name;
  FileOptions options;
  bool queued;
};
/// Files of a few lines, so that they roll often.
FileOptions options_of(FileOptions options) {
  options.max_file_bytes = 1200;
  options.retain_files = 0;
  options.on_open_failure = OnOpenFailure::retry;
  return options;
}

struct Sum {
  std::uint64_t scenes = 0;
  std::uint64_t torn = 0;
  std::uint64_t doubled = 0;  // or out of order
  std::uint64_t threw = 0;
  std::uint64_t unbalanced = 0;  // the ledger, or what the files hold against it
  std::uint64_t failed = 0;
  std::string first;

  void note(std::uint64_t& count, const std::string& what, std::uint64_t by = 1) {
    if (by == 0) return;
    count += by;
    if (first.empty()) first = what;
  }
  void add(const Sum& other) {
    scenes += other.scenes;
    torn += other.torn;
    doubled += other.doubled;
    threw += other.threw;
    unbalanced += other.unbalanced;
    failed += other.failed;
    if (first.empty()) first = other.first;
  }
};

/// One program: it logs, flushes, opens its files afresh, logs and ends, while the script is at work, which gives 0 or
/// a negative errno for each call. Gives how many calls there were.
int scene(const Variant& variant, const std::string& folder, const std::function<int(int)>& script, bool heals,
          const std::string& what, Sum& sum) {
  std::filesystem::create_directories(folder);
  ScriptedFileOps ops;
  ops.longest_write = 100;  // so that a failure may come in the middle of a line
  ops.really_sync = false;
  std::atomic<bool> scripted{true};
  int seen = 0;
  ops.script = [&](const std::string&, int) { return scripted ? script(++seen) : 0; };
  constexpr std::uint64_t before = 24;
  constexpr std::uint64_t after = 4;
  MetricsSnapshot now;
  try {
    Configuration config;
    config.on_internal_error([](std::string_view) {});
    const auto sink =
        std::make_shared<detail::FileSink>(folder + "/calls.clef", options_of(variant.options), ops, system_clock());
    auto added = config.write_to(sink, "file");
    if (variant.queued) added.with_queue({.batch_size = 8});
    const Logger log = config.create_logger();
    for (std::uint64_t number = 0; number < before; ++number) {
      log_marked(log, 0, number, "every call may fail");
      if (number == before / 2) {
        (void)log.flush(!variant.queued ? 0ms : heals ? 2000ms : 20ms);
        log.reopen();
      }
    }
    if (variant.queued) (void)log.flush(heals ? 2s : 0s);
    if (heals) scripted = false;
    for (std::uint64_t number = before; number < before + after; ++number)
      log_marked(log, 0, number, "every call may fail");
    (void)log.shutdown(heals ? ShutdownStrategy::graceful(10s) : ShutdownStrategy::flush_pending());
    now = log.metrics();
  } catch (...) {
    sum.note(sum.threw, what + ": thrown at the caller");
  }
  const int calls = seen;
  // The next start, on files that are well again: it repairs an end that could not be.
  scripted = false;
  { detail::RollingFile next(folder + "/calls.clef", options_of(variant.options), ops, system_clock()); }
  EventOracle oracle;
  oracle.read_folder(folder, variant.options.keep_active_name);
  const std::string ledger = testing::ledger_fault(now);
  const SinkCounts* const file = now.sink("file");
  ++sum.scenes;
  sum.note(sum.torn, what + ": " + (oracle.faults.empty() ? "" : oracle.faults.front()), oracle.torn);
  sum.note(sum.doubled, what + ": " + (oracle.faults.empty() ? "" : oracle.faults.front()),
           oracle.twice + oracle.out_of_order);
  if (!ledger.empty()) sum.note(sum.unbalanced, what + ": " + ledger);
  if (file != nullptr) {
    sum.failed += file->failed_total() + file->dropped_total();
    if (now.logger.captured != before + after) sum.note(sum.unbalanced, what + ": not every call was captured");
    // A batch whose sync failed may be there all the same, where it could not be cut off either; what was emitted is.
    const bool unknown = variant.options.durable == Durable::batch && !heals;
    if (unknown ? file->emitted > oracle.events : file->emitted != oracle.events) {
      sum.note(sum.unbalanced,
               what + ": emitted " + std::to_string(file->emitted) + ", in the files " + std::to_string(oracle.events));
    }
  }
  std::filesystem::remove_all(folder);
  return calls;
}

/// Which calls fail in a scene: the n-th, or all from there on.
struct Failure {
  int error;
  bool for_good;
  int nth;
};

/// A scene for each, several at a time: they mostly wait.
Sum scenes(const Variant& variant, const std::string& folder, const std::vector<Failure>& failures) {
  constexpr int at_a_time = 8;
  std::atomic<std::size_t> next{0};
  std::mutex mutex;
  Sum sum;
  std::vector<std::thread> running;
  for (int thread = 0; thread < at_a_time; ++thread) {
    running.emplace_back([&, own = folder + std::to_string(thread)] {
      Sum mine;
      for (std::size_t i = next++; i < failures.size(); i = next++) {
        const auto [error, for_good, nth] = failures[i];
        scene(
            variant, own,
            [&, error = error, for_good = for_good, nth = nth](int call) {
              return call == nth || (for_good && call > nth) ? -error : 0;
            },
            !for_good,
            std::string(variant.name) + ", call " + std::to_string(nth) + (for_good ? " and all after it: " : ": ") +
                std::to_string(error),
            mine);
      }
      const std::lock_guard lock(mutex);
      sum.add(mine);
    });
  }
  for (std::thread& each : running) each.join();
  return sum;
}

}  // namespace

void file_calls(Bench& bench) {
  const Variant variants[] = {
      {"synchronous", {}, false},
      {"synchronous, the active name kept", {.keep_active_name = true}, false},
      {"synchronous, durable", {.durable = Durable::batch}, false},
      {"queued", {}, true},
      {"queued, durable", {.keep_active_name = true, .durable = Durable::batch}, true},
  };
  const std::string folder = bench.folder() + "/calls";
  for (const Variant& variant : variants) {
    Sum sum;
    const int calls = scene(
        variant, folder, [](int) { return 0; }, true, "nothing fails", sum);
    // A queued sink tries again a quarter of a second later: some of them only, where time is short.
    const int step = bench.length == Length::brief ? (variant.queued ? calls / 4 : 7) : 1;
    const int start = step == 1 ? 1 : 1 + static_cast<int>(bench.between(0, static_cast<std::uint64_t>(step) - 1));
    std::vector<Failure> failures;
    for (const int error : {EIO, ENOSPC, EACCES}) {
      if (variant.queued && error == EACCES && bench.length == Length::brief) continue;
      for (const bool for_good : {false, true}) {
        for (int nth = start; nth <= calls; nth += step) failures.push_back({error, for_good, nth});
      }
    }
    sum.add(scenes(variant, folder, failures));
    const std::string behind = std::string(", ") + variant.name;
    bench.none(
        "torn lines, " + std::to_string(sum.scenes) + " runs of " + std::to_string(calls) + " file calls" + behind,
        sum.torn, sum.first);
    bench.none("events twice or out of order" + behind, sum.doubled);
    bench.none("exceptions at the caller" + behind, sum.threw);
    bench.none("runs whose counts are not what the files hold" + behind, sum.unbalanced,
               std::to_string(sum.failed) + " events were counted as failed or dropped");
  }
}

}  // namespace cairn::fault_bench
