// A sink that does not come back for a minute, while four threads log as fast as they can: no call waits, every drop is
// counted, and what is left in the end is the newest.
#include <unistd.h>

#include <atomic>
#include <cairn/all.hpp>
#include <condition_variable>
#include <fstream>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "bench.hpp"
#include "call_times.hpp"
#include "lane/block.hpp"
#include "support/event_oracle.hpp"

namespace cairn::fault_bench {

namespace {

using namespace std::chrono_literals;
using cairn::testing::EventOracle;

constexpr std::size_t threads = 4;
constexpr std::size_t queue = 8192;
constexpr std::size_t budget = 16U << 20U;  // bytes: lanes and queue have what they would have without

/// A marked event of 64 bytes: lanes are made for the newest 8192 of that size. Of longer ones, a lane whose reader was
/// not let run for some milliseconds has dropped some that the queue would have had room for.
void log_short(const Logger& log, std::uint64_t producer, std::uint64_t sequence) {
  static constexpr std::string_view payload = "pppp";
  CAIRN_INFORMATION(log, "{Producer} {Sequence} {Crc} {Payload}", producer, sequence,
                    testing::mark_of(producer, sequence, payload), payload);
}

/// Stands still with the first batch until it is let go; keeps apart what it got before and after that.
class BlockedSink final : public Sink {
 public:
  EmitResult emit(std::span<const Event> events) override {
    std::unique_lock lock(mutex_);
    const bool first = !entered_;
    entered_ = true;
    changed_.notify_all();
    changed_.wait(lock, [&] { return go_; });
    for (const Event& event : events) (first ? inside : after).read_event(event);
    return EmitResult::all(events);
  }
  void wait_inside() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return entered_; });
  }
  void let_go() {
    const std::lock_guard lock(mutex_);
    go_ = true;
    changed_.notify_all();
  }
  EventOracle inside;
  EventOracle after;

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool entered_ = false;
  bool go_ = false;
};

double resident_mib() {
  std::ifstream in("/proc/self/statm");
  std::uint64_t all = 0;
  std::uint64_t resident = 0;
  in >> all >> resident;
  return static_cast<double>(resident) * static_cast<double>(::sysconf(_SC_PAGESIZE)) / (1 << 20);
}

/// What the scheduler alone does to the last percentiles: as many threads, each busy for as long as a call takes, and
/// one more in the dispatcher's place.
CallTimes without_cairn(std::chrono::nanoseconds call, std::chrono::nanoseconds length) {
  std::vector<CallTimes> times(threads + 1);
  std::vector<std::thread> running;
  const auto end = Clock::now() + length;
  for (std::size_t thread = 0; thread <= threads; ++thread) {
    running.emplace_back([&, thread] {
      auto own = std::make_unique<CallTimes>();
      while (Clock::now() < end) {
        own->time([&] {
          for (const auto begun = Clock::now(); Clock::now() - begun < call;) {
          }
        });
      }
      times[thread] = *own;
    });
  }
  for (std::thread& thread : running) thread.join();
  CallTimes all;
  for (std::size_t thread = 0; thread < threads; ++thread) all.histogram.merge(times[thread].histogram);
  return all;
}

/// How many calls in a million took longer.
double in_a_million_over(const CallTimes& times, double limit) {
  double low = 0;
  double high = 1;
  for (int i = 0; i < 40; ++i) {
    const double middle = (low + high) / 2;
    (times.microseconds(middle) > limit ? high : low) = middle;
  }
  return (1 - high) * 1e6;
}

}  // namespace

void blocked_sink(Bench& bench) {
  const auto time = bench.by_length(1s, 60s, 600s);
  const auto sink = std::make_shared<BlockedSink>();
  const Logger log = Configuration{}
                         .on_internal_error([](std::string_view) {})
                         .memory_budget({.max_bytes = budget})
                         .write_to(sink, "blocked")
                         .with_queue({.max_size = queue})
                         .create_logger();
  log_short(log, threads, 0);
  sink->wait_inside();
  std::vector<std::uint64_t> logged(threads);
  std::vector<CallTimes> times(threads);
  std::vector<std::thread> producers;
  std::atomic<bool> warm{false};
  std::atomic<bool> stop{false};
  for (std::size_t thread = 0; thread < threads; ++thread) {
    producers.emplace_back([&, thread] {
      std::uint64_t number = 0;  // its own, not beside the others'
      auto own = std::make_unique<CallTimes>();
      while (!warm) log_short(log, thread, number++);
      while (!stop) own->time([&] { log_short(log, thread, number++); });
      logged[thread] = number;
      times[thread] = *own;
    });
  }
  std::this_thread::sleep_for(time / 20);
  warm = true;
  const double before = resident_mib();
  std::this_thread::sleep_for(time);
  const double grown = resident_mib() - before;
  std::string wrong = testing::ledger_fault(log.metrics().to_json());
  stop = true;
  for (std::thread& producer : producers) producer.join();
  // Not before everything has come to the queue: what came later would find room there.
  for (const auto end = Clock::now() + 1min; log.metrics().logger.in_lane != 0;) {
    if (Clock::now() > end) bench.fail("the lanes are not emptied");
    std::this_thread::sleep_for(1ms);
  }
  sink->let_go();
  if (log.flush(1min).status != FlushStatus::ok) bench.fail("what is left cannot be flushed");
  (void)log.close();
  const MetricsSnapshot now = log.metrics();
  if (wrong.empty()) wrong = testing::ledger_fault(now.to_json());
  const SinkCounts& counts = *now.sink("blocked");

  CallTimes all;
  std::uint64_t calls = 1;
  std::uint64_t not_newest = 0;
  for (std::size_t thread = 0; thread < threads; ++thread) {
    all.histogram.merge(times[thread].histogram);
    calls += logged[thread];
    // The last of each without a gap.
    const EventOracle::Producer& left = sink->after.producers[thread];
    if (left.count == 0) continue;
    not_newest += left.seen.size() == logged[thread] ? 0U : 1U;
    const auto first = std::ranges::find(left.seen, true);
    not_newest += static_cast<std::uint64_t>(left.seen.end() - first) - left.count;
  }
  const std::uint64_t emitted = sink->inside.events + sink->after.events;
  const std::string behind = ", " + std::to_string(time.count()) + " s, 4 threads";
  constexpr double limit = 50;
  const CallTimes floor = without_cairn(all.histogram.percentile(0.5), time / 6);
  const auto of = [](double value) { return std::to_string(value).substr(0, 7); };
  const std::string figures =
      std::to_string(all.histogram.count()) + " calls: p50 " + of(all.microseconds(0.5)) + ", p99.9 " +
      of(all.microseconds(0.999)) + ", worst " + of(all.microseconds(1)) + " us, over 50 us " +
      of(in_a_million_over(all, limit)) + " in a million; without Cairn, by the scheduler alone: p99.99 " +
      of(floor.microseconds(0.9999)) + " us, over 50 us " + of(in_a_million_over(floor, limit)) + " in a million";
  bench.exactly("calls counted as captured or rejected; required: those made" + behind, calls,
                now.logger.captured + now.logger.rejected_total());
  bench.exactly("dropped; required: the calls less what the sink got", calls - emitted,
                counts.dropped_total() + now.logger.dropped_total());
  bench.exactly("events left in the queue, its size", queue, sink->after.events);
  bench.none("of them not the newest of their thread", not_newest);
  bench.none("events twice, torn or out of order",
             sink->after.twice + sink->after.torn + sink->after.out_of_order + sink->inside.torn);
  bench.at_most("bytes in the process's account, most; its budget", budget, now.memory.peak_bytes);
  bench.none("the ledger does not add up", wrong.empty() ? 0 : 1, wrong);
  bench.within("p99 of a call" + behind, 1, all.microseconds(0.99), "us");
  bench.within("p99.99 of a call" + behind, limit, all.microseconds(0.9999), "us", figures);
  // Lanes are touched as far as the dispatcher lags; batches come and go.
  const detail::LaneShape lane = detail::lane_shape_for(queue);
  const double lanes = static_cast<double>(threads * (lane.slots + 2) * lane.block_bytes) / (1 << 20);
  bench.within("memory grown meanwhile: the lanes, and 2 MiB", lanes + 2, grown, "MiB");
}

}  // namespace cairn::fault_bench
