// Figures that are programs of their own in tests/stress: their lines become rows of the table.
#include <sys/wait.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>

#include "bench.hpp"

namespace cairn::fault_bench {

namespace {

/// What the program printed, and its exit status.
int run_program(const std::string& command, std::string& output) {
  std::FILE* const out = ::popen((command + " 2>&1").c_str(), "re");
  if (out == nullptr) return -1;
  char part[4096];
  for (std::size_t got = 0; (got = std::fread(part, 1, sizeof part, out)) != 0;) output.append(part, got);
  const int status = ::pclose(out);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/// Calls `line(text)` for each.
template <class Line>
void each_line(const std::string& text, Line&& line) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    line(text.substr(at, end - at));
    at = end + 1;
  }
}

}  // namespace

void lane(Bench& bench) {
  std::string output;
  const std::string records = std::to_string(bench.by_length(20'000'000ULL, 1'000'000'000ULL, 10'000'000'000ULL));
  const int status = run_program(CAIRN_LANE_STRESS " " + records, output);
  std::string last;
  unsigned long long drops = 0;
  unsigned long long orphans = 0;
  unsigned long long wraps = 0;
  each_line(output, [&](const std::string& line) {
    last = line;
    const std::size_t lost = line.find(" lost ");
    if (line.starts_with("all ") && lost != std::string::npos)
      (void)std::sscanf(line.c_str() + lost, " lost %llu drops %llu orphans %llu wraps", &drops, &orphans, &wraps);
  });
  const bool sound = status == 0 || last.starts_with("too few");
  bench.none(records + " records: wrong, or neither taken nor counted as lost", sound ? 0 : 1, last);
  bench.at_least("the same, drops", 1001, drops);
  bench.at_least("the same, orphans", 1001, orphans);
  bench.at_least("the same, wraps", 1001, wraps);
}

void shutdown(Bench& bench) {
  std::string output;
  const std::string percent = std::to_string(bench.by_length(1, 100, 1000));
  const int status = run_program(CAIRN_SHUTDOWN_FIGURES " " + percent, output);
  // Its columns: promise | required | measured | unit, `count` where no machine may change it.
  bool head = true;
  each_line(output, [&](const std::string& line) {
    double required = 0;
    double measured = 0;
    char unit[16]{};
    if (std::exchange(head, false)) return;
    const std::size_t bar = line.find(" | ");
    if (bar == std::string::npos ||
        std::sscanf(line.c_str() + bar + 3, "%lf | %lf | %15s", &required, &measured, unit) != 3)
      bench.fail(line);
    const std::string promise = line.substr(0, line.find_last_not_of(' ', bar) + 1);
    if (std::string_view(unit) == "count") {
      bench.none(promise, static_cast<std::uint64_t>(measured));
    } else {
      bench.within(promise, required, measured, unit);
    }
  });
  if (head || (status != 0 && status != 1)) bench.fail("shutdown_figures ended with " + std::to_string(status));
}

void memory(Bench& bench) {
  std::string output;
  const std::string seconds = std::to_string(bench.by_length(1, 60, 3600));
  const std::string threads = std::to_string(bench.by_length(4'000, 100'000, 1'000'000));
  const int status =
      run_program(CAIRN_MEMORY_FIGURES " " + seconds + " " + threads + " " + std::to_string(bench.seed), output);
  // Its columns: promise | required | measured | seed; lines with a # are remarks.
  bool head = true;
  each_line(output, [&](const std::string& line) {
    if (std::exchange(head, false) || line.find_first_not_of(' ') == std::string::npos ||
        line[line.find_first_not_of(' ')] == '#')
      return;
    unsigned long long required = 0;
    unsigned long long measured = 0;
    const std::size_t bar = line.find(" | ");
    if (bar == std::string::npos || std::sscanf(line.c_str() + bar + 3, "%llu | %llu", &required, &measured) != 2)
      bench.fail(line);
    const std::string promise = line.substr(0, line.find_last_not_of(' ', bar) + 1);
    if (promise.find("the process grew") != std::string::npos) {  // what malloc keeps differs from run to run
      bench.within(promise, static_cast<double>(required) / (1 << 20), static_cast<double>(measured) / (1 << 20),
                   "MiB");
    } else if (promise.ends_with("bytes a minute")) {
      bench.within(promise, static_cast<double>(required), static_cast<double>(measured), "B/min");
    } else {
      bench.at_most(promise, required, measured);
    }
  });
  if (head || (status != 0 && status != 1)) bench.fail("memory_figures ended with " + std::to_string(status));
}

}  // namespace cairn::fault_bench
