// What a figure of the fault bench is given, and how it says what it measured. A figure runs in a process of its own:
// it may die, hang or change what a whole process has, and costs the others nothing.
#pragma once

#include <chrono>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>

namespace cairn::fault_bench {

enum class Length : std::uint8_t {
  brief,  // seconds, in `./dev test`, beside other work: times are shown, and not judged
  full,   // `./dev fault`
  soak    // `./dev fault --soak`
};

class Bench {
 public:
  Bench(std::string_view figure, std::uint64_t seed, Length length, std::string folder, int out);

  const std::uint64_t seed;
  const Length length;
  std::mt19937_64 random;
  /// An empty folder, gone afterwards.
  [[nodiscard]] const std::string& folder() const noexcept { return folder_; }

  template <class T>
  [[nodiscard]] T by_length(T brief, T full, T soak) const noexcept {
    return length == Length::brief ? brief : length == Length::full ? full : soak;
  }
  /// From `least` to `most`, both included.
  [[nodiscard]] std::uint64_t between(std::uint64_t least, std::uint64_t most) {
    return std::uniform_int_distribution<std::uint64_t>(least, most)(random);
  }

  // ---- one row of the table each

  /// A count that no machine may change.
  void none(std::string_view promise, std::uint64_t measured, std::string_view note = {});
  void at_most(std::string_view promise, std::uint64_t bound, std::uint64_t measured, std::string_view note = {});
  void at_least(std::string_view promise, std::uint64_t bound, std::uint64_t measured, std::string_view note = {});
  void exactly(std::string_view promise, std::uint64_t bound, std::uint64_t measured, std::string_view note = {});
  /// A time, a share or another measure that needs a machine that does nothing else.
  void within(std::string_view promise, double bound, double measured, std::string_view unit,
              std::string_view note = {});
  /// What the machine or the rights do not allow.
  void not_run(std::string_view promise, std::string_view why);
  /// It cannot go on.
  [[noreturn]] void fail(std::string_view what);

 private:
  void row(std::string_view promise, const std::string& required, const std::string& measured, std::string_view verdict,
           std::string_view note);

  const std::string figure_;
  const std::string folder_;
  const int out_;
};

using Clock = std::chrono::steady_clock;
[[nodiscard]] inline double milliseconds(Clock::duration time) noexcept {
  return std::chrono::duration<double, std::milli>(time).count();
}

struct Figure {
  std::string_view name;
  std::string_view what;
  void (*run)(Bench&);
  std::chrono::seconds limit;  // of a full run; then it hangs, and is ended
  bool brief = true;           // has a short form
};

void allocations(Bench& bench);
void blocked_sink(Bench& bench);
void breaker(Bench& bench);
void crash_ring(Bench& bench);
void disk_full(Bench& bench);
void fatal(Bench& bench);
void file_calls(Bench& bench);
void fork_under_load(Bench& bench);
void kill_default(Bench& bench);
void kill_points(Bench& bench);
void lane(Bench& bench);
void memory(Bench& bench);
void ledger(Bench& bench);
void power_loss(Bench& bench);
void shutdown(Bench& bench);
void signal_storm(Bench& bench);
void slow_disk(Bench& bench);
void thread_churn(Bench& bench);

}  // namespace cairn::fault_bench
