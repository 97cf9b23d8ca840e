// S1: the disk fills up and is freed again, over and over, while 100 000 events a second are logged. On a tmpfs of its
// own where that may be mounted, else on file calls that say so.
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cairn/all.hpp>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "bench.hpp"
#include "call_times.hpp"
#include "sinks/file_sink.hpp"
#include "support/event_oracle.hpp"
#include "support/scripted_file_ops.hpp"

namespace cairn::fault_bench {

namespace {

using namespace std::chrono_literals;
using cairn::testing::EventOracle;
using cairn::testing::log_marked;

/// A disk that can be filled and freed.
class Disk {
 public:
  explicit Disk(std::string folder) : folder_(std::move(folder)) {
    real_ = ::unshare(CLONE_NEWNS) == 0 && ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
            ::mount("tmpfs", folder_.c_str(), "tmpfs", 0, "size=128m") == 0;
    ops_.script = [this](const std::string& call, int) {
      if (!full_ || (call != "write" && call != "open")) return 0;
      return call == "write" && halves_++ % 2 == 0 ? 0 : -ENOSPC;
    };
  }
  [[nodiscard]] bool is_real() const noexcept { return real_; }

  /// The sink writes there, and rolls each few MiB.
  void add_sink(Configuration& config) {
    const FileOptions options{.max_file_bytes = 4U << 20U, .retain_files = 0};
    if (real_) {
      config.write_to_file(path(), options).with_name("file").with_queue();
    } else {
      config.write_to(std::make_shared<detail::FileSink>(path(), options, ops_, system_clock()), "file").with_queue();
    }
  }
  void fill() {
    if (!real_) {
      ops_.longest_write = 1000;  // it ends within a line
      full_ = true;
      return;
    }
    const int fd = ::open((folder_ + "/filler").c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    const std::string bytes(1U << 20U, 'f');
    std::size_t size = bytes.size();
    while (size != 0) {
      if (::write(fd, bytes.data(), size) <= 0) size /= 2;
    }
    ::close(fd);
  }
  void free() {
    full_ = false;
    if (real_) ::unlink((folder_ + "/filler").c_str());
  }
  /// Reads every file that was rolled away from, and deletes it; all of them, `last`.
  void read_into(EventOracle& oracle, bool last) {
    std::vector<std::filesystem::path> paths;
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
      if (entry.path().extension() == ".clef") paths.push_back(entry.path());
    }
    std::ranges::sort(paths, {}, [](const auto& path) { return std::pair(path.stem().string().size(), path.stem()); });
    if (!last) paths.pop_back();
    for (const auto& path : paths) {
      oracle.read_file(path);
      std::filesystem::remove(path);
    }
  }

 private:
  [[nodiscard]] std::string path() const { return folder_ + "/disk.clef"; }
  const std::string folder_;
  bool real_ = false;
  std::atomic<bool> full_{false};
  int halves_ = 0;
  testing::ScriptedFileOps ops_;
};

}  // namespace

void disk_full(Bench& bench) {
  const std::uint64_t cycles = bench.by_length<std::uint64_t>(2, 50, 500);
  const std::uint64_t rate = bench.by_length<std::uint64_t>(20'000, 100'000, 100'000);
  Disk disk(bench.folder());
  Configuration config;
  config.on_internal_error([](std::string_view) {});
  disk.add_sink(config);
  const Logger log = config.create_logger();

  std::atomic<bool> stop{false};
  std::atomic<bool> full{false};
  CallTimes while_free;
  CallTimes while_full;
  std::uint64_t logged = 0;
  std::thread producer([&] {
    const std::string payload(50, 'p');
    constexpr auto tick = 5ms;
    auto next = Clock::now();
    while (!stop) {
      CallTimes& times = full ? while_full : while_free;
      for (std::uint64_t i = 0; i < rate / (1s / tick); ++i, ++logged)
        times.time([&] { log_marked(log, 0, logged, payload); });
      next += tick;
      std::this_thread::sleep_until(next);
    }
  });

  EventOracle oracle;
  double worst = 0;
  std::uint64_t never_full = 0;
  for (std::uint64_t cycle = 0; cycle < cycles; ++cycle) {
    std::this_thread::sleep_for(std::chrono::milliseconds(bench.between(50, 300)));
    disk.fill();
    full = true;
    std::this_thread::sleep_for(std::chrono::milliseconds(bench.between(300, 900)));
    full = false;
    // Events wait: it did meet a full disk, however slow the machine.
    const auto waits = [&] { return log.metrics().sink("file")->queue_depth >= rate / 50; };
    for (const auto end = Clock::now() + 10s; !waits() && Clock::now() < end;) std::this_thread::sleep_for(1ms);
    never_full += waits() ? 0U : 1U;
    const auto emitted = [&] { return log.metrics().sink("file")->emitted; };
    const std::uint64_t before = emitted();
    disk.free();
    const auto freed = Clock::now();
    while (emitted() == before && Clock::now() - freed < 10s) std::this_thread::sleep_for(1ms);
    worst = std::max(worst, milliseconds(Clock::now() - freed));
    disk.read_into(oracle, false);
  }
  stop = true;
  producer.join();
  if (log.flush(1min).status != FlushStatus::ok) bench.fail("what is left cannot be flushed");
  const auto report = log.shutdown(ShutdownStrategy::graceful(1min));
  const std::string json = log.metrics().to_json();
  const MetricsSnapshot now = log.metrics();
  disk.read_into(oracle, true);

  const SinkCounts& file = *now.sink("file");
  const std::uint64_t dropped = file.dropped_total() + now.logger.dropped_total();
  const std::uint64_t missing = oracle.missing(0, logged);
  const std::string behind =
      ", " + std::to_string(cycles) + (disk.is_real() ? " cycles of a tmpfs" : " cycles (no mount: calls that fail)");
  bench.none("torn lines" + behind, oracle.torn, oracle.faults.empty() ? "" : oracle.faults.front());
  bench.none("events twice or out of order", oracle.twice + oracle.out_of_order);
  bench.none("cycles in which the disk was not full", never_full);
  bench.exactly("events counted as dropped, of " + std::to_string(logged) + "; required: those missing", missing,
                dropped);
  bench.exactly("events announced as dropped; required: those missing", missing, oracle.announced);
  bench.none("events failed", file.failed_total());
  bench.none("the ledger does not add up", testing::ledger_fault(json).empty() ? 0 : 1, testing::ledger_fault(json));
  bench.none("the end was not completed", report.status == ShutdownStatus::completed ? 0 : 1);
  bench.within("back after there is room, worst", 1000, worst, "ms");
  const double free_p99 = while_free.microseconds(0.99);
  const double full_p99 = while_full.microseconds(0.99);
  bench.within("p99 of a call on a full disk over that on a free one, " + std::to_string(rate) + " a second", 1.25,
               full_p99 / free_p99, "",
               "p99 free " + std::to_string(free_p99) + " us, full " + std::to_string(full_p99) + " us; p50 " +
                   std::to_string(while_free.microseconds(0.5)) + " and " +
                   std::to_string(while_full.microseconds(0.5)) + " us");
}

}  // namespace cairn::fault_bench
