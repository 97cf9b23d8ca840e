// P1 and P2, at chosen moments: with a crash ring, a writer is killed at each call of its log file in turn (open,
// write, rename, …), and at each system call of the thread that logs, which makes the ring and ends the logger. So is
// the start that recovers what was left, whose thread claims, reads and removes the ring; and one at random moments.
// Nothing is lost, and no more comes twice than a batch at each kill.
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cairn/all.hpp>
#include <filesystem>
#include <memory>
#include <new>
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

constexpr const char* application = "killed";
constexpr std::uint64_t a_batch = 1000;  // comes twice at most, at each kill
constexpr std::size_t threads = 4;

/// What a process has told before it died, in memory that outlives it.
struct Told {
  std::array<std::atomic<std::uint64_t>, threads> logged{};  // calls of each thread that have returned
  std::atomic<bool> begun{false};
  std::atomic<bool> over{false};
  std::atomic<std::uint64_t> calls{0};  // on files
};
class SharedTold {
 public:
  explicit SharedTold(Bench& bench)
      : memory_(::mmap(nullptr, sizeof(Told), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)) {
    if (memory_ == MAP_FAILED) bench.fail("no memory");
  }
  ~SharedTold() { ::munmap(memory_, sizeof(Told)); }
  SharedTold(const SharedTold&) = delete;
  SharedTold& operator=(const SharedTold&) = delete;
  Told& renew() { return *new (memory_) Told; }

 private:
  void* memory_;
};

/// In a child that dies with its parent; true where it ended by itself.
template <class Body>
bool lives_through(Bench& bench, Body&& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    body();
    ::_exit(0);
  }
  int status = -1;
  if (::waitpid(child, &status, 0) != child) bench.fail("no child");
  if (status != 0 && !(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL))
    bench.fail("a process ended by itself, and badly");
  return status == 0;
}

/// The same, killed at the `nth` time that its first thread enters or leaves a system call.
template <class Body>
bool lives_past_system_call(Bench& bench, std::uint64_t nth, Body&& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) ::_exit(1);
    ::raise(SIGSTOP);
    body();
    ::_exit(0);
  }
  int status = -1;
  for (std::uint64_t stops = 0;;) {
    if (::waitpid(child, &status, 0) != child) bench.fail("no child");
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return true;
    if (!WIFSTOPPED(status)) bench.fail("a process that is traced ended by itself");
    constexpr int at_a_system_call = SIGTRAP | 0x80;  // with PTRACE_O_TRACESYSGOOD
    const int signal = WSTOPSIG(status);
    if (signal == SIGSTOP && stops == 0) ::ptrace(PTRACE_SETOPTIONS, child, nullptr, PTRACE_O_TRACESYSGOOD);
    if (signal == at_a_system_call && ++stops == nth) break;
    const int passed_on = signal == at_a_system_call || signal == SIGSTOP ? 0 : signal;
    ::ptrace(PTRACE_SYSCALL, child, nullptr, passed_on);
  }
  ::kill(child, SIGKILL);
  while (::waitpid(child, &status, 0) == child && !WIFSIGNALED(status) && !WIFEXITED(status)) {
  }
  return false;
}

bool can_trace(Bench& bench) {
  return !lives_through(bench, [] {
    if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) == 0) ::kill(::getpid(), SIGKILL);
  });
}

struct Sum {
  std::uint64_t kills = 0;
  std::uint64_t events = 0;
  std::uint64_t lost = 0;
  std::uint64_t corrupt = 0;
  std::uint64_t most_twice = 0;  // in one scene, for each of its kills
  std::uint64_t rings_left = 0;
  std::string first;

  /// What a scene with so many kills has left behind, when all of it was recovered.
  void judge(const std::string& folder, const Told& told, std::uint64_t killed, const std::string& what) {
    EventOracle oracle;
    oracle.read_folder(folder);
    std::uint64_t missing = 0;
    for (std::size_t thread = 0; thread < threads; ++thread) {
      events += told.logged[thread];
      missing += oracle.missing(thread, told.logged[thread]);
    }
    const bool ring = std::filesystem::exists(folder + '/' + application + '-' + std::to_string(::geteuid()));
    kills += killed;
    lost += missing;
    corrupt += oracle.torn;
    rings_left += ring ? 1U : 0U;
    most_twice = std::max(most_twice, (oracle.twice + killed - 1) / std::max<std::uint64_t>(killed, 1));
    if (first.empty() && (missing != 0 || oracle.torn != 0 || ring)) {
      first = what + ": " + std::to_string(missing) + " lost, " + (ring ? "a ring left, " : "") +
              (oracle.faults.empty() ? "" : oracle.faults.front());
    }
    std::filesystem::remove_all(folder);
  }
  void rows(Bench& bench, const std::string& where) const {
    const std::string behind = ", killed " + where;
    bench.none("events lost of " + std::to_string(events) + behind + ", " + std::to_string(kills) + " kills", lost,
               first);
    bench.none("corrupt lines" + behind, corrupt);
    bench.none("rings left" + behind, rings_left);
  }
};

struct Variant {
  const char* name;
  FileOptions options;
};

/// Files of a few lines, so that they roll often; a queue, and a ring.
Configuration configuration(const std::shared_ptr<detail::FileSink>& sink, const std::string& folder) {
  Configuration config;
  config.write_to(sink, "file").with_queue({.batch_size = 8, .overflow = Overflow::block, .block_timeout = 1min});
  config.with_crash_ring({.application = application, .folder = folder});
  config.on_internal_error([](std::string_view) {});
  return config;
}
std::shared_ptr<detail::FileSink> sink_of(const Variant& variant, const std::string& folder, ScriptedFileOps& ops) {
  FileOptions options = variant.options;
  options.max_file_bytes = 1200;
  options.retain_files = 0;
  return std::make_shared<detail::FileSink>(folder + "/points.clef", options, ops, system_clock());
}

/// The process dies before its `nth` call on files; 0: never.
void die_before(ScriptedFileOps& ops, std::uint64_t nth, Told& told) {
  ops.longest_write = 100;  // in the middle of a line, too
  ops.really_sync = false;
  ops.script = [&told, nth](const std::string&, int) {
    if (++told.calls == nth) ::kill(::getpid(), SIGKILL);
    return 0;
  };
}

/// Logs, opens its files afresh, logs, and ends.
void write_events(const Variant& variant, const std::string& folder, std::uint64_t nth, Told& told) {
  static ScriptedFileOps ops;
  die_before(ops, nth, told);
  const Logger log = configuration(sink_of(variant, folder, ops), folder).create_logger();
  for (std::uint64_t number = 0; number < 24; ++number) {
    log_marked(log, 0, number, "killed at every call");
    told.logged[0] = number + 1;
    if (number == 12) log.reopen();
  }
  (void)log.close();
}

/// The next start, which recovers.
void start_again(const Variant& variant, const std::string& folder, std::uint64_t nth, Told& told) {
  static ScriptedFileOps ops;
  die_before(ops, nth, told);
  (void)configuration(sink_of(variant, folder, ops), folder).create_logger().close();
}

/// What a process leaves that has logged to a sink which took nothing.
void leave_events(const std::string& folder, std::uint64_t events, std::size_t loggers, Told& told) {
  class HungSink final : public Sink {
    EmitResult emit(std::span<const Event>) override {
      for (;;) ::pause();
    }
  };
  Configuration config;
  config.write_to(std::make_shared<HungSink>(), "hung").with_queue({.max_size = 1U << 20U});
  config.with_crash_ring({.application = application, .folder = folder});
  const Logger log = config.create_logger();
  std::vector<std::thread> running;
  for (std::size_t thread = 0; thread < loggers; ++thread) {
    running.emplace_back([&, thread] {
      for (std::uint64_t number = 0; number < events; ++number) {
        log_marked(log, thread, number, "left behind");
        told.logged[thread] = number + 1;
      }
      for (;;) ::pause();
    });
  }
  for (std::size_t thread = 0; thread < loggers; ++thread) {
    while (told.logged[thread] != events) std::this_thread::yield();
  }
  ::kill(::getpid(), SIGKILL);
}

constexpr Variant variants[] = {
    {"rolled by number", {}},
    {"the active name kept", {.keep_active_name = true}},
    {"durable", {.keep_active_name = true, .durable = Durable::batch}},
};

/// A writer that is killed at a point, and what was left by another, recovered by a start that is; each point in turn,
/// until there is none behind it. `write` and `start` (variant, folder, point, told) are true where theirs was not
/// reached.
template <class Write, class Start>
void at_every_point(Bench& bench, const std::string& points, std::uint64_t times, std::uint64_t step, Write&& write,
                    Start&& start) {
  SharedTold shared(bench);
  Sum writers;
  Sum starts;
  const auto folder = [&] {
    const std::string path = bench.folder() + "/points";
    std::filesystem::create_directories(path);
    return path;
  };
  const auto recover = [&](const Variant& variant, const std::string& path, Told& told) {
    told.calls = 0;
    if (!lives_through(bench, [&] { start_again(variant, path, 0, told); })) bench.fail("a start was killed");
  };
  for (const Variant& variant : variants) {
    for (std::uint64_t time = 0; time < times; ++time) {
      // They are no fixed number: how many batches there are is the threads' affair.
      std::uint64_t nth = bench.between(1, step);
      for (bool ended = false; !ended; nth += step) {
        const std::string path = folder();
        Told& told = shared.renew();
        ended = write(variant, path, nth, told);
        recover(variant, path, told);
        writers.judge(path, told, 1, std::string(variant.name) + ", a writer's " + std::to_string(nth));
      }
      nth = bench.between(1, step);
      for (bool ended = false; !ended; nth += step) {
        const std::string path = folder();
        Told& told = shared.renew();
        (void)lives_through(bench, [&] { leave_events(path, 24, 1, told); });
        ended = start(variant, path, nth, told);
        recover(variant, path, told);
        starts.judge(path, told, 1, std::string(variant.name) + ", a start's " + std::to_string(nth));
      }
    }
  }
  writers.rows(bench, "at each " + points);
  starts.rows(bench, "at each " + points + " of a recovery");
}

void at_every_file_call(Bench& bench) {
  const auto killed_at = [&](auto&& what) {
    return [&bench, what](const Variant& variant, const std::string& path, std::uint64_t nth, Told& told) {
      return lives_through(bench, [&] { what(variant, path, nth, told); });
    };
  };
  at_every_point(bench, "call on the log file", bench.by_length<std::uint64_t>(1, 20, 200),
                 bench.by_length<std::uint64_t>(9, 1, 1), killed_at(write_events), killed_at(start_again));
}

void at_every_system_call(Bench& bench) {
  if (!can_trace(bench)) return bench.not_run("killed at each system call", "ptrace is not allowed");
  const auto killed_at = [&](auto&& what) {
    return [&bench, what](const Variant& variant, const std::string& path, std::uint64_t nth, Told& told) {
      return lives_past_system_call(bench, nth, [&] { what(variant, path, 0, told); });
    };
  };
  at_every_point(bench, "system call", bench.by_length<std::uint64_t>(1, 5, 50),
                 bench.by_length<std::uint64_t>(41, 1, 1), killed_at(write_events), killed_at(start_again));
}

/// Until so many kills have met a recovery that was under way; several of one ring, too.
void in_recovery(Bench& bench) {
  const std::uint64_t wanted = bench.by_length<std::uint64_t>(3, 50, 500);
  constexpr std::uint64_t events = 5000;  // of each thread: what its ring holds
  SharedTold shared(bench);
  Sum sum;
  double span = 20;  // milliseconds that a recovery takes, as measured
  const auto recover = [](const std::string& path, Told& told) {
    Configuration config;
    config.write_to_file(path + "/recovered.clef").with_queue();
    config.with_crash_ring({.application = application, .folder = path});
    told.begun = true;
    const Logger log = config.create_logger();
    told.over = true;
    if (log.close().status != FlushStatus::ok) ::_exit(1);
  };
  for (std::uint64_t scene = 0; sum.kills < wanted; ++scene) {
    if (scene > 20 * wanted) bench.fail("no kill meets a recovery");
    const std::string path = bench.folder() + "/recovery";
    std::filesystem::create_directories(path);
    Told& told = shared.renew();
    (void)lives_through(bench, [&] { leave_events(path, events, threads, told); });
    std::uint64_t met = 0;
    for (std::uint64_t kills = bench.between(1, 3); kills != 0; --kills) {
      told.begun = told.over = false;
      const pid_t child = ::fork();
      if (child == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        recover(path, told);
        ::_exit(0);
      }
      while (!told.begun) std::this_thread::yield();
      ::usleep(static_cast<useconds_t>(bench.between(0, static_cast<std::uint64_t>(span * 1000))));
      ::kill(child, SIGKILL);
      ::waitpid(child, nullptr, 0);
      met += told.over ? 0U : 1U;
    }
    const auto begun = Clock::now();
    if (!lives_through(bench, [&] { recover(path, told); })) bench.fail("a start was killed");
    if (met == 0) span = std::max(1.0, std::min(span, milliseconds(Clock::now() - begun)) * 0.9);
    // One that was killed behind its recovery has left a ring of its own, if anything.
    sum.judge(path, told, std::max<std::uint64_t>(met, 1), "a recovery");
    if (met == 0) --sum.kills;
  }
  sum.rows(bench, "at a random moment of a recovery");
  bench.at_most("most twice in one recovery, for each kill of it", a_batch, sum.most_twice);
}

}  // namespace

void kill_points(Bench& bench) {
  at_every_file_call(bench);
  at_every_system_call(bench);
  in_recovery(bench);
}

}  // namespace cairn::fault_bench
