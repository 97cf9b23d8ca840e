// P1: a process that logs from four threads is killed at a random moment. What it left is whole lines once the file has
// been opened again, and of each thread the first of its events without a gap: what is lost is the end of it, and not
// more than the queue holds.
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cairn/all.hpp>
#include <fstream>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_set>
#include <vector>

#include "bench.hpp"
#include "support/event_oracle.hpp"

namespace cairn::fault_bench {

namespace {

using namespace std::chrono_literals;
using cairn::testing::EventOracle;
using cairn::testing::log_marked;

constexpr std::size_t threads = 4;

/// What the writer has told before it died, in memory that outlives it.
struct Told {
  struct alignas(64) Thread {
    std::atomic<std::uint64_t> logged{0};              // calls that have returned
    std::array<std::atomic<Clock::rep>, 8192> when{};  // the last of them, by number
  };
  Thread thread[threads];
  std::atomic<bool> begun{false};
  std::atomic<std::uint64_t> recovered{0};  // by the next start
};

/// One way to keep events from a kill, and what it must show.
struct Mode {
  const char* name;
  void (*add_sink)(Configuration& config, const std::string& path);
  std::uint64_t may_lose;              // of the events whose call had returned
  std::chrono::microseconds pause{0};  // between two calls of a thread; 0: as fast as it can
  std::uint64_t may_double = 0;
};

constexpr std::size_t queue = 8192;
constexpr const char* application = "killed";

/// Each event has an identifier of its own, from the capture on: a recovered one the same.
void with_ring(Configuration& config, const std::string& path) {
  const auto count = std::make_shared<std::atomic<std::uint64_t>>(0);
  config.enrich_at_capture(
      [count](EventBuilder& event) { event.add("Uid", std::to_string(::getpid()) + '-' + std::to_string(++*count)); });
  config.write_to_file(path).with_queue({.overflow = Overflow::block, .block_timeout = 1min});
  config.with_crash_ring({.application = application, .folder = std::filesystem::path(path).parent_path().string()});
}

constexpr Mode modes[] = {
    {"queued, at full rate",
     [](Configuration& config, const std::string& path) {
       config.write_to_file(path).with_queue({.overflow = Overflow::block, .block_timeout = 1min});
     },
     queue},
    {"queued, 20 000 a second",
     [](Configuration& config, const std::string& path) {
       config.write_to_file(path).with_queue({.overflow = Overflow::block, .block_timeout = 1min});
     },
     queue, 200us},
    {"synchronous", [](Configuration& config, const std::string& path) { config.write_to_file(path); }, 0},
    {"crash ring, at full rate", with_ring, 0, 0us, 1000},
    {"crash ring, 20 000 a second", with_ring, 0, 200us, 1000},
};

[[noreturn]] void write_until_killed(const Mode& mode, const std::string& path, std::uint64_t first, Told& told) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  Configuration config;
  mode.add_sink(config, path);
  const Logger log = config.create_logger();
  std::vector<std::thread> running;
  for (std::size_t thread = 0; thread < threads; ++thread) {
    running.emplace_back([&, thread] {
      const std::string payload(40 + 30 * thread, 'p');
      for (std::uint64_t number = 0;; ++number) {
        log_marked(log, first + thread, number, payload);
        if (mode.pause != 0us) {
          auto& when = told.thread[thread].when;
          when[number % when.size()].store(Clock::now().time_since_epoch().count(), std::memory_order_relaxed);
        }
        // release: pairs with the acquire of who reads it after the kill
        told.thread[thread].logged.store(number + 1, std::memory_order_release);
        told.begun.store(true, std::memory_order_relaxed);
        if (mode.pause != 0us) std::this_thread::sleep_for(mode.pause);
      }
    });
  }
  for (;;) ::pause();
}

/// Opens the file as the next start of the program does, which repairs its end.
bool reopen(const Mode& mode, const std::string& path, Told& told) {
  const pid_t child = ::fork();
  if (child == 0) {
    Configuration config;
    mode.add_sink(config, path);
    const Logger log = config.create_logger();
    told.recovered = log.metrics().logger.recovered;
    ::_exit(log.close().status == FlushStatus::ok ? 0 : 1);
  }
  int status = -1;
  return ::waitpid(child, &status, 0) == child && status == 0;
}

bool ends_torn(const std::string& path) {
  std::ifstream in(path, std::ios::binary | std::ios::ate);
  if (!in || in.tellg() == 0) return false;
  in.seekg(-1, std::ios::end);
  return in.get() != '\n';
}

/// How many events there are, where those with the same identifier are one.
std::uint64_t identifiers(const std::string& path) {
  constexpr std::string_view before = "\"Uid\":\"";
  std::unordered_set<std::string> found;
  std::ifstream in(path, std::ios::binary);
  for (std::string line; std::getline(in, line);) {
    const std::size_t at = line.find(before);
    if (at != std::string::npos) found.insert(line.substr(at, line.find('"', at + before.size()) - at));
  }
  return found.size();
}

void kill_in(const Mode& mode, Bench& bench) {
  const std::uint64_t kills = bench.by_length<std::uint64_t>(6, 200, 2000);
  void* const shared = ::mmap(nullptr, sizeof(Told), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) bench.fail("no memory");
  std::uint64_t torn_before = 0;
  std::uint64_t corrupt = 0;
  std::uint64_t most_twice = 0;
  std::uint64_t recovered = 0;
  std::uint64_t rings_left = 0;
  std::uint64_t no_prefix = 0;
  std::uint64_t not_by_identifier = 0;
  std::uint64_t most_lost = 0;
  double oldest_lost = 0;  // milliseconds before the kill
  std::uint64_t logged = 0;
  std::string first_fault;
  const std::string rings = bench.folder() + '/' + application + '-' + std::to_string(::geteuid());
  for (std::uint64_t kill = 0; kill < kills; ++kill) {
    const std::string path = bench.folder() + "/kill" + std::to_string(kill) + ".clef";
    Told& told = *new (shared) Told;
    const pid_t child = ::fork();
    if (child == 0) write_until_killed(mode, path, kill * threads, told);
    while (!told.begun.load(std::memory_order_relaxed)) {
      if (::waitpid(child, nullptr, WNOHANG) != 0) bench.fail("a writer ended by itself");
      std::this_thread::yield();
    }
    const std::uint64_t most = bench.by_length<std::uint64_t>(60'000, 300'000, 300'000);
    ::usleep(static_cast<useconds_t>(bench.between(0, most)));  // any moment will do: nothing waits for it
    ::kill(child, SIGKILL);
    const Clock::rep killed_at = Clock::now().time_since_epoch().count();
    ::waitpid(child, nullptr, 0);
    torn_before += ends_torn(path) ? 1U : 0U;
    if (!reopen(mode, path, told)) bench.fail("the file cannot be opened again");
    recovered += told.recovered;
    rings_left += std::filesystem::exists(rings) ? 1U : 0U;
    EventOracle oracle;
    oracle.read_folder(bench.folder());
    corrupt += oracle.torn;
    most_twice = std::max(most_twice, oracle.twice);
    if (mode.add_sink == with_ring) {
      const std::uint64_t left = identifiers(path);
      const std::uint64_t wanted = oracle.events - oracle.twice;
      not_by_identifier += std::max(left, wanted) - std::min(left, wanted);
    }
    std::uint64_t lost = 0;
    for (std::size_t thread = 0; thread < threads; ++thread) {
      const EventOracle::Producer& producer = oracle.producers[kill * threads + thread];
      no_prefix += producer.is_prefix() ? 0U : 1U;
      const std::uint64_t returned = told.thread[thread].logged.load(std::memory_order_acquire);
      lost += oracle.missing(kill * threads + thread, returned);
      logged += returned;
      if (mode.pause != 0us && producer.is_prefix() && producer.count < returned) {
        const auto& when = told.thread[thread].when;
        const Clock::duration before(killed_at - when[producer.count % when.size()]);
        oldest_lost = std::max(oldest_lost, milliseconds(before));
      }
    }
    no_prefix += oracle.out_of_order;
    most_lost = std::max(most_lost, lost);
    if (first_fault.empty() && !oracle.faults.empty()) first_fault = oracle.faults.front();
    std::filesystem::remove(path);
    std::filesystem::remove(path + ".lock");
  }
  ::munmap(shared, sizeof(Told));
  const std::string behind = std::string(", ") + mode.name + ": " + std::to_string(kills) + " kills, ";
  bench.none("corrupt lines" + behind + std::to_string(torn_before) + " torn before reopening", corrupt, first_fault);
  bench.at_most("most twice at once" + behind + std::to_string(logged) + " events", mode.may_double, most_twice);
  bench.none("threads whose loss is no suffix" + behind + "4 threads each", no_prefix);
  bench.at_most("most lost at once" + behind + "events", mode.may_lose, most_lost);
  if (mode.pause != 0us && mode.may_lose != 0)  // not saturated
    bench.within("logged before the kill and lost, the oldest" + behind + "a flush interval", 100, oldest_lost, "ms");
  if (mode.add_sink != with_ring) return;
  bench.none("twice still, or gone, where those of one identifier are one" + behind + "events", not_by_identifier);
  if (mode.pause == 0us) bench.at_least("recovered" + behind + "events", 1, recovered);
  bench.none("folders of rings left" + behind + "one each", rings_left);
}

}  // namespace

void kill_default(Bench& bench) {
  for (const Mode& mode : modes) kill_in(mode, bench);
}

}  // namespace cairn::fault_bench
