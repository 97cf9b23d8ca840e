// Writers that are killed, started anew, and what is in their file then: with a crash ring and without.
#pragma once

#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cairn/all.hpp>
#include <cstdint>
#include <random>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "support/every_output.hpp"
#include "support/log_folder.hpp"

namespace cairn::testing {

/// Memory that a killed child leaves to its parent.
template <class T>
class SharedWithChildren {
 public:
  SharedWithChildren()
      : memory_(::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)),
        value_(new (memory_) T) {}
  SharedWithChildren(const SharedWithChildren&) = delete;
  SharedWithChildren& operator=(const SharedWithChildren&) = delete;
  ~SharedWithChildren() { ::munmap(memory_, sizeof(T)); }
  T* operator->() noexcept { return value_; }

 private:
  void* memory_;
  T* value_;
};

struct KillSettings {
  bool ring = false;
  unsigned threads = 4;
  unsigned rounds = 10;
  std::uint32_t seed = 0;
  std::uint64_t events_a_round = 5000;  // on the average
  std::size_t queue = 8192;
};

struct KillFigures {
  std::uint64_t logged = 0;        // calls that returned
  std::uint64_t lost = 0;          // of these: in no file
  std::uint64_t corrupt = 0;       // lines that are no event
  std::uint64_t made_up = 0;       // events that nobody logged, or with other contents
  std::uint64_t holes = 0;         // events that are lost and have a later one of their thread
  std::uint64_t doubled = 0;       // events that came again
  std::uint64_t most_lost = 0;     // after one kill
  std::uint64_t most_doubled = 0;  // after one kill
  std::uint64_t recovered = 0;     // that were marked so
  std::uint64_t rings_left = 0;    // that were not removed
};

namespace kill_harness {

struct Progress {
  static constexpr unsigned most_threads = 16;
  std::atomic<std::uint64_t> begun[most_threads];
  std::atomic<std::uint64_t> returned[most_threads];
  [[nodiscard]] std::uint64_t total() const {
    std::uint64_t sum = 0;
    for (const auto& count : returned) sum += count.load(std::memory_order_relaxed);
    return sum;
  }
};

inline Configuration configuration(const LogFolder& folder, const KillSettings& settings) {
  Configuration config;
  config.write_to_file(folder.path("app.clef"))
      .with_queue({.max_size = settings.queue, .overflow = Overflow::block, .block_timeout = std::chrono::minutes(1)});
  if (settings.ring) config.with_crash_ring({.application = "killed", .folder = folder.path()});
  return config;
}

/// Ties each event's number to something that only its writer knows.
inline std::uint64_t proof_of(unsigned thread, std::uint64_t number) {
  std::uint64_t mixed = (number + 1) * 0x9E3779B97F4A7C15ULL ^ thread * 0xC2B2AE3D27D4EB4FULL;
  mixed ^= mixed >> 29U;
  return mixed * 0xBF58476D1CE4E5B9ULL >> 16U;
}

[[noreturn]] inline void log_until_killed(const LogFolder& folder, const KillSettings& settings, Progress& progress) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const auto log = configuration(folder, settings).create_logger();
  std::vector<std::thread> threads;
  for (unsigned thread = 0; thread < settings.threads; ++thread) {
    threads.emplace_back([&, thread] {
      const auto mine = log.for_source("thread." + std::to_string(thread));
      for (std::uint64_t n = 0;; ++n) {
        progress.begun[thread].store(n + 1);
        if (n % 3 == 0) {
          const auto scope = LogContext::push("Turn", n / 3);
          mine.information("{Thread} {N} {Proof} with {Text}", thread, n, proof_of(thread, n),
                           std::string(n % 50, 'x'));
        } else {
          mine.information("{Thread} {N} {Proof}", thread, n, proof_of(thread, n));
        }
        progress.returned[thread].store(n + 1);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  ::_exit(1);
}

}  // namespace kill_harness

/// Kills writers at random, lets the next start recover, and reads what there is.
inline KillFigures kill_writers(const KillSettings& settings) {
  using namespace kill_harness;
  KillFigures figures;
  std::mt19937 random(settings.seed);
  for (unsigned round = 0; round < settings.rounds; ++round) {
    const LogFolder folder;
    SharedWithChildren<Progress> progress;
    const pid_t child = ::fork();
    if (child == 0) log_until_killed(folder, settings, *progress.operator->());
    const std::uint64_t until = 1 + random() % (2 * settings.events_a_round);
    while (progress->total() < until) ::sched_yield();
    ::usleep(static_cast<useconds_t>(random() % 100));  // any moment will do: nothing waits for it
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    {
      const auto log = configuration(folder, settings).create_logger();
      figures.recovered += log.metrics().logger.recovered;
      log.close();
    }
    if (settings.ring) {
      std::error_code none;
      for (const auto& entry : std::filesystem::recursive_directory_iterator(folder.path(), none))
        figures.rings_left += entry.path().string().find(".ring") != std::string::npos ? 1U : 0U;
    }
    std::vector<std::vector<std::uint32_t>> seen(settings.threads);
    std::istringstream lines(folder.read("app.clef"));
    std::uint64_t doubled = 0;
    for (std::string line; std::getline(lines, line);) {
      if (!fault_of_clef(line).empty()) {
        ++figures.corrupt;
        continue;
      }
      const auto event = nlohmann::json::parse(line);
      const auto thread = event.at("Thread").get<unsigned>();
      const auto n = event.at("N").get<std::uint64_t>();
      const bool sound =
          thread < settings.threads && n < progress->begun[thread] && event.at("Proof") == proof_of(thread, n) &&
          event.at("SourceContext") == "thread." + std::to_string(thread) &&
          (n % 3 == 0 ? event.contains("Turn") && event["Turn"] == n / 3 && event["Text"] == std::string(n % 50, 'x')
                      : !event.contains("Turn"));
      if (!sound) {
        ++figures.made_up;
        continue;
      }
      if (seen[thread].size() <= n) seen[thread].resize(n + 1);
      if (seen[thread][n]++ != 0) ++doubled;
    }
    std::uint64_t lost = 0;
    for (unsigned thread = 0; thread < settings.threads; ++thread) {
      const std::uint64_t returned = progress->returned[thread];
      figures.logged += returned;
      for (std::uint64_t n = 0; n < returned; ++n) {
        if (n < seen[thread].size() && seen[thread][n] != 0) continue;
        ++lost;
        if (n < seen[thread].size()) ++figures.holes;
      }
    }
    figures.lost += lost;
    figures.doubled += doubled;
    figures.most_lost = std::max(figures.most_lost, lost);
    figures.most_doubled = std::max(figures.most_doubled, doubled);
  }
  return figures;
}

}  // namespace cairn::testing
