// The fault bench: what Cairn promises of faults, measured, as one table.
//
//   fault_bench [NAME…] [--brief | --soak] [--seed N] [--json FILE]
//   fault_bench --list
//
// Ends with 1 where a promise is not held. A seed repeats what a figure chose at random, not what the machine did.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "bench.hpp"

namespace cairn::fault_bench {

namespace {

using namespace std::chrono_literals;
using Json = nlohmann::ordered_json;

constexpr Figure figures[] = {
    {"kill", "SIGKILL of a writer at random moments", kill_default, 20min},
    {"kill_points", "SIGKILL before each call on files in turn, and in a recovery", kill_points, 20min},
    {"crash_ring", "what a crash ring costs a call, and a start", crash_ring, 10min},
    {"disk_full", "a disk that is filled and freed under load", disk_full, 10min},
    {"fork", "forks under load", fork_under_load, 15min},
    {"breaker", "outages of a sink with a circuit breaker", breaker, 20min},
    {"ledger", "random traffic, faults, ends, and snapshots meanwhile", ledger, 15min},
    {"blocked", "four threads at full rate beside a sink that does not come back", blocked_sink, 10min},
    {"signals", "a handler that logs, thousands of times a second", signal_storm, 10min},
    {"file_calls", "each call on files fails in turn, once and for good", file_calls, 15min},
    {"allocations", "each allocation fails in turn, once and for good", allocations, 15min},
    {"power_loss", "what the disk may hold after a power cut, at every moment", power_loss, 10min},
    {"fatal", "deaths by fatal signals, wherever they come", fatal, 10min},
    {"threads", "threads that log and end, and a hundred at once", thread_churn, 10min},
    {"slow_disk", "a disk of half a second a write beside a healthy sink", slow_disk, 5min},
    {"lane", "one writer, one reader, every record", lane, 20min, false},
    {"memory", "a budget of 1, 16 and 64 MiB; a hundred thousand threads", memory, 15min},
    {"shutdown", "how long an end takes, and that it loses nothing", shutdown, 15min},
};

std::string text(double value) {
  char digits[32];
  static_cast<void>(std::snprintf(digits, sizeof digits, value >= 100 ? "%.0f" : "%.3g", value));
  return digits;
}

}  // namespace

Bench::Bench(std::string_view figure, std::uint64_t seed_, Length length_, std::string folder, int out)
    : seed(seed_), length(length_), random(seed_), figure_(figure), folder_(std::move(folder)), out_(out) {}

void Bench::row(std::string_view promise, const std::string& required, const std::string& measured,
                std::string_view verdict, std::string_view note) {
  const std::string line =
      Json{{"figure", figure_}, {"promise", promise}, {"required", required}, {"measured", measured},
           {"seed", seed},      {"verdict", verdict}, {"note", note}}
          .dump(-1, ' ', false, Json::error_handler_t::replace) +
      '\n';
  if (::write(out_, line.data(), line.size()) != static_cast<ssize_t>(line.size())) std::abort();
}

void Bench::none(std::string_view promise, std::uint64_t measured, std::string_view note) {
  row(promise, "0", std::to_string(measured), measured == 0 ? "held" : "MISSED", note);
}
void Bench::at_most(std::string_view promise, std::uint64_t bound, std::uint64_t measured, std::string_view note) {
  row(promise, "<= " + std::to_string(bound), std::to_string(measured), measured <= bound ? "held" : "MISSED", note);
}
void Bench::at_least(std::string_view promise, std::uint64_t bound, std::uint64_t measured, std::string_view note) {
  row(promise, ">= " + std::to_string(bound), std::to_string(measured), measured >= bound ? "held" : "MISSED", note);
}
void Bench::exactly(std::string_view promise, std::uint64_t bound, std::uint64_t measured, std::string_view note) {
  row(promise, std::to_string(bound), std::to_string(measured), measured == bound ? "held" : "MISSED", note);
}
void Bench::within(std::string_view promise, double bound, double measured, std::string_view unit,
                   std::string_view note) {
  const std::string behind = unit.empty() ? std::string() : ' ' + std::string(unit);
  row(promise, "<= " + text(bound) + behind, text(measured) + behind,
      length == Length::brief ? "not judged"
      : measured <= bound     ? "held"
                              : "MISSED",
      note);
}
void Bench::not_run(std::string_view promise, std::string_view why) { row(promise, "", "", "not run", why); }
void Bench::fail(std::string_view what) {
  row(what, "", "", "MISSED", "the figure could not go on");
  std::fflush(nullptr);
  ::_exit(1);
}

namespace {

struct Run {
  std::vector<std::string> names;
  Length length = Length::full;
  std::uint64_t seed = 0;
  std::string json;
};

class Table {
 public:
  explicit Table(const Run& run) : run_(run) { print("figure", "promise", "required", "measured", "seed", "verdict"); }

  void add(const Json& row) {
    rows_.push_back(row);
    const auto field = [&](const char* key) { return row.at(key).get<std::string>(); };
    const std::string verdict = field("verdict");
    missed_ += verdict == "MISSED" ? 1U : 0U;
    held_ += verdict == "held" ? 1U : 0U;
    print(field("figure"), field("promise"), field("required"), field("measured"),
          std::to_string(row.at("seed").get<std::uint64_t>()), verdict);
    if (!field("note").empty()) std::printf("%-12s |   %s\n", "", field("note").c_str());
    std::fflush(stdout);
  }
  [[nodiscard]] bool end() const {
    std::printf("%zu held, %zu missed, %zu not judged or not run\n", held_, missed_, rows_.size() - held_ - missed_);
    if (!run_.json.empty()) {
      constexpr const char* lengths[] = {"brief", "full", "soak"};
      std::ofstream out(run_.json);
      out << Json{{"length", lengths[static_cast<std::size_t>(run_.length)]},
                  {"processors", ::sysconf(_SC_NPROCESSORS_ONLN)},
                  {"rows", rows_}}
                 .dump(1)
          << '\n';
      if (!out.flush()) {
        std::fprintf(stderr, "fault_bench: cannot write %s\n", run_.json.c_str());
        return false;
      }
    }
    return missed_ == 0;
  }

 private:
  static void print(const std::string& figure, const std::string& promise, const std::string& required,
                    const std::string& measured, const std::string& seed, const std::string& verdict) {
    std::printf("%-12s | %-80s | %12s | %12s | %10s | %s\n", figure.c_str(), promise.c_str(), required.c_str(),
                measured.c_str(), seed.c_str(), verdict.c_str());
    std::fflush(stdout);
  }
  const Run& run_;
  Json rows_ = Json::array();
  std::size_t held_ = 0;
  std::size_t missed_ = 0;
};

/// In a process group of its own, so that whatever it started ends with it.
void run_figure(const Figure& figure, const Run& run, Table& table) {
  char memory[] = "/dev/shm/cairn-fault-XXXXXX";
  char disk[] = "/tmp/cairn-fault-XXXXXX";
  const char* made = ::mkdtemp(memory);
  if (made == nullptr) made = ::mkdtemp(disk);
  const std::string folder = made != nullptr ? made : "";
  int ends[2];
  const auto missed = [&](const std::string& why) {
    table.add({{"figure", figure.name},
               {"promise", "comes to its end"},
               {"required", ""},
               {"measured", why},
               {"seed", run.seed},
               {"verdict", "MISSED"},
               {"note", ""}});
  };
  if (folder.empty() || ::pipe2(ends, O_CLOEXEC) != 0) return missed("no folder");
  const pid_t child = ::fork();
  if (child == 0) {
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::close(ends[0]);
    Bench bench(figure.name, run.seed, run.length, folder, ends[1]);
    try {
      figure.run(bench);
    } catch (const std::exception& e) {
      bench.fail(e.what());
    }
    std::fflush(nullptr);
    ::_exit(0);
  }
  ::setpgid(child, child);
  ::close(ends[1]);
  const auto limit = run.length == Length::soak ? 20 * figure.limit : figure.limit;
  const auto end = Clock::now() + limit;
  std::string text;
  int status = -1;
  bool over = false;
  // Its end counts, not that of the pipe: what it left behind may hold that.
  for (bool ended = false; !ended;) {
    ended = ::waitpid(child, &status, WNOHANG) == child;
    if (!ended && Clock::now() > end) {
      over = ended = true;
      ::kill(-child, SIGKILL);
      ::waitpid(child, &status, 0);
    }
    while (true) {
      pollfd ready{.fd = ends[0], .events = POLLIN, .revents = 0};
      if (::poll(&ready, 1, ended ? 0 : 20) <= 0) break;
      char part[4096];
      const ssize_t got = ::read(ends[0], part, sizeof part);
      if (got <= 0) break;
      text.append(part, static_cast<std::size_t>(got));
      for (std::size_t at = text.find('\n'); at != std::string::npos; at = text.find('\n')) {
        table.add(Json::parse(text.substr(0, at)));
        text.erase(0, at + 1);
      }
    }
  }
  ::kill(-child, SIGKILL);
  ::close(ends[0]);
  std::error_code ignored;
  std::filesystem::remove_all(folder, ignored);
  if (over) return missed("HUNG");
  if (WIFSIGNALED(status)) return missed("signal " + std::to_string(WTERMSIG(status)));
  // Of a figure that ended badly but said why, the row is there already.
}

const Figure* find(std::string_view name) {
  const auto* const found = std::ranges::find(figures, name, &Figure::name);
  return found == std::end(figures) ? nullptr : found;
}

int list() {
  for (const Figure& figure : figures)
    std::printf("%-12s %s\n", std::string(figure.name).c_str(), std::string(figure.what).c_str());
  return 0;
}

int main_of(int argc, char** argv) {
  Run run;
  run.seed = std::random_device{}();
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    const bool more = i + 1 < argc;
    if (argument == "--list") return list();
    if (argument == "--brief") {
      run.length = Length::brief;
    } else if (argument == "--soak") {
      run.length = Length::soak;
    } else if (argument == "--seed" && more) {
      run.seed = std::strtoull(argv[++i], nullptr, 10);
    } else if (argument == "--json" && more) {
      run.json = argv[++i];
    } else if (find(argument) != nullptr) {
      run.names.push_back(argument);
    } else {
      std::fprintf(stderr, "fault_bench: no figure and no option '%s'; there are:\n", argument.c_str());
      list();
      return 2;
    }
  }
  Table table(run);
  for (const Figure& figure : figures) {
    const bool named = std::ranges::find(run.names, figure.name) != run.names.end();
    if (named || (run.names.empty() && (figure.brief || run.length != Length::brief))) run_figure(figure, run, table);
  }
  return table.end() ? 0 : 1;
}

}  // namespace
}  // namespace cairn::fault_bench

int main(int argc, char** argv) { return cairn::fault_bench::main_of(argc, argv); }
