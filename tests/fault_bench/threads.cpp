// P7, P14: threads that log three times and end, a hundred thousand of them; a hundred at once, with a sink whose
// thread runs only when nobody else wants to.
#include <sched.h>
#include <unistd.h>

#include <atomic>
#include <cairn/all.hpp>
#include <fstream>
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

class IdleSink final : public Sink {
 public:
  explicit IdleSink(bool idle) : idle_(idle) {}
  EmitResult emit(std::span<const Event> events) override {
    const auto now = Clock::now();
    if (idle_ && calls_ == 0) {
      const sched_param none{};
      static_cast<void>(::sched_setscheduler(0, SCHED_IDLE, &none));
    }
    if (calls_++ != 0) worst_pause = std::max(worst_pause, milliseconds(now - last_));
    last_ = now;
    for (const Event& event : events) oracle.read_event(event);
    return EmitResult::all(events);
  }
  EventOracle oracle;
  double worst_pause = 0;

 private:
  const bool idle_;
  std::uint64_t calls_ = 0;
  Clock::time_point last_;
};

double resident_mib() {
  std::ifstream in("/proc/self/statm");
  std::uint64_t all = 0;
  std::uint64_t resident = 0;
  in >> all >> resident;
  return static_cast<double>(resident) * static_cast<double>(::sysconf(_SC_PAGESIZE)) / (1 << 20);
}

void short_threads(Bench& bench) {
  constexpr std::uint64_t at_once = 8;
  constexpr std::uint64_t each = 3;
  const std::uint64_t threads = bench.by_length<std::uint64_t>(2'000, 100'000, 1'000'000);
  const auto sink = std::make_shared<IdleSink>(false);
  const Logger log = Configuration{}
                         .write_to(sink, "sink")
                         .with_queue({.overflow = Overflow::block, .block_timeout = 1min})
                         .create_logger();
  double early = 0;
  for (std::uint64_t thread = 0; thread < threads; thread += at_once) {
    std::vector<std::thread> running;
    for (std::uint64_t i = 0; i < at_once; ++i) {
      running.emplace_back([&, producer = (thread + i) % 1000, first = (thread + i) / 1000 * each] {
        for (std::uint64_t number = first; number < first + each; ++number) log_marked(log, producer, number, "short");
      });
    }
    for (std::thread& each_thread : running) each_thread.join();
    if (early == 0.0 && thread >= threads / 10) early = resident_mib();
  }
  const double grown = resident_mib() - early;
  if (log.flush(1min).status != FlushStatus::ok) bench.fail("what is left cannot be flushed");
  (void)log.close();
  std::uint64_t missing = 0;
  for (std::uint64_t producer = 0; producer < 1000; ++producer)
    missing += sink->oracle.missing(producer, threads / 1000 * each);
  const std::string behind = ", " + std::to_string(threads) + " threads of 3 events";
  bench.none("events missing" + behind, missing);
  bench.none("events twice or wrong" + behind, sink->oracle.twice + sink->oracle.torn);
  bench.none("the ledger does not add up" + behind, testing::ledger_fault(log.metrics().to_json()).empty() ? 0 : 1);
  bench.within("memory grown from a tenth of them on", 2, grown, "MiB");
}

void many_threads(Bench& bench) {
  constexpr std::size_t threads = 100;
  const std::uint64_t each = bench.by_length<std::uint64_t>(500, 20'000, 200'000);
  const auto sink = std::make_shared<IdleSink>(true);
  const Logger log = Configuration{}
                         .write_to(sink, "sink")
                         .with_queue({.overflow = Overflow::block, .block_timeout = 10min})
                         .create_logger();
  std::vector<std::thread> running;
  for (std::size_t thread = 0; thread < threads; ++thread) {
    running.emplace_back([&, thread] {
      for (std::uint64_t number = 0; number < each; ++number) log_marked(log, thread, number, "many");
    });
  }
  for (std::thread& thread : running) thread.join();
  if (log.flush(10min).status != FlushStatus::ok) bench.fail("what is left cannot be flushed");
  (void)log.close();
  std::uint64_t missing = 0;
  for (std::size_t thread = 0; thread < threads; ++thread) missing += sink->oracle.missing(thread, each);
  const std::string behind = ", 100 threads, the sink's at SCHED_IDLE";
  bench.none("events missing, of " + std::to_string(threads * each) + behind, missing);
  bench.none("events twice, wrong or out of order" + behind,
             sink->oracle.twice + sink->oracle.torn + sink->oracle.out_of_order);
  bench.within("the longest the sink got nothing" + behind, 1000, sink->worst_pause, "ms");
}

}  // namespace

void thread_churn(Bench& bench) {
  short_threads(bench);
  many_threads(bench);
}

}  // namespace cairn::fault_bench
