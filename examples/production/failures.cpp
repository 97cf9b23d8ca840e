// Failures provoked one after the other, and what an operator sees of each: in the metrics, in the output, and in what
// Cairn says of itself (on stderr, unless on_internal_error is set).
#include <cairn/all.hpp>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>

#include "stuck_sink.hpp"

using namespace std::chrono_literals;

namespace {

/// The first thing that Cairn says of itself.
class Said {
 public:
  void operator()(std::string_view message) {
    std::call_once(first_, [&] {
      std::printf("  says: %.*s\n", static_cast<int>(message.size()), message.data());
      there = true;
    });
  }
  std::atomic<bool> there{false};

 private:
  std::once_flag first_;
};

/// Waits for what other threads bring about.
template <class F>
void until(F&& condition) {
  while (!condition()) std::this_thread::sleep_for(1ms);
}

/// A file on a disk that may be full.
class Disk final : public cairn::Sink {
 public:
  cairn::EmitResult emit(std::span<const cairn::Event> events) override {
    if (full) return {.error = std::make_error_code(std::errc::no_space_on_device)};
    return cairn::EmitResult::all(events);
  }
  std::atomic<bool> full{true};
};

void disk_full() {
  std::puts("disk full");
  Said said;
  const auto disk = std::make_shared<Disk>();
  const auto log = cairn::Configuration{}
                       .on_internal_error([&](std::string_view message) { said(message); })
                       .write_to(disk, "disk")
                       .with_queue()
                       .create_logger();
  log.information("Event {Number}", 1);
  until([&] { return said.there.load(); });
  const cairn::SinkCounts during = *log.metrics().sink("disk");
  disk->full = false;
  log.flush();
  std::printf("  pending %llu, then emitted %llu, failed %llu; last error: %s\n",
              static_cast<unsigned long long>(during.pending),
              static_cast<unsigned long long>(log.metrics().sink("disk")->emitted),
              static_cast<unsigned long long>(during.failed_total()), during.last_error.c_str());
}

void hung() {
  std::puts("a sink hangs");
  Said said;
  const auto sink = std::make_shared<StuckSink>();
  const auto log = cairn::Configuration{}
                       .on_internal_error([&](std::string_view message) { said(message); })
                       .write_to(sink, "peer")
                       .with_queue({.slow_after = 20ms})
                       .with_circuit_breaker({.attempt_timeout = 50ms})
                       .with_fallback(cairn::SinkSpec::null().with_name("spare"))
                       .create_logger();
  log.information("Event {Number}", 1);
  sink->wait_until_stuck();
  log.information("Event {Number}", 2);
  until([&] { return log.metrics().sink("peer")->diverted == 1; });
  const cairn::SinkCounts peer = *log.metrics().sink("peer");
  std::printf("  breaker %s, stalled %d, pending %llu, diverted %llu\n", peer.breaker_state.c_str(),
              peer.stalled ? 1 : 0, static_cast<unsigned long long>(peer.pending),
              static_cast<unsigned long long>(peer.diverted));
  sink->open();
}

void slow() {
  std::puts("a sink is slow");
  std::atomic<bool> told{false};
  const auto log = cairn::Configuration{}
                       .write_to_callback([](const cairn::Event&) { std::this_thread::sleep_for(60ms); })
                       .with_name("disk")
                       .with_queue({.on_slow =
                                        [&](const cairn::SlowSink& slow) {
                                          if (!told) std::printf("  on_slow: %s\n", std::string(slow.sink).c_str());
                                          told = true;
                                        },
                                    .slow_after = 50ms})
                       .create_logger();
  log.information("Event {Number}", 1);
  until([&] { return told.load(); });
  log.flush();
  std::printf("  latency over 50 ms: %s\n", log.metrics().sink("disk")->latency_p99_us >= 50'000 ? "yes" : "NO");
}

void storm() {
  std::puts("a storm of events");
  const auto sink = std::make_shared<StuckSink>();
  const auto log = cairn::Configuration{}.write_to(sink, "disk").with_queue().create_logger();
  constexpr int events = 200'000;
  for (int number = 0; number < events; ++number) log.information("Event {Number}", number);
  sink->open();
  log.flush(30s);
  const cairn::MetricsSnapshot now = log.metrics();
  const cairn::SinkCounts& disk = *now.sink("disk");
  std::printf(
      "  events were dropped: %s; emitted and dropped are all: %s; the newest is there: %s; told in the output: %s\n",
      disk.dropped_total() + now.logger.dropped_total() != 0 ? "yes" : "NO",
      disk.emitted + disk.dropped_total() + now.logger.dropped_total() == events ? "yes" : "NO",
      sink->numbers().back() == events - 1 ? "yes" : "NO", sink->others().empty() ? "NO" : "yes");
}

/// A wall clock that is set back.
class SetClock final : public cairn::Clock {
 public:
  cairn::Timestamp now() noexcept override { return cairn::Timestamp(wall.load()); }
  std::chrono::nanoseconds steady() noexcept override { return std::chrono::steady_clock::now().time_since_epoch(); }
  std::atomic<std::chrono::nanoseconds> wall{std::chrono::hours(500'000)};
};

void clock_step() {
  std::puts("the clock is set back an hour");
  SetClock clock;
  const auto log =
      cairn::Configuration{}
          .use_clock(clock)
          .write_to_file("app.log", {.output_template = "{Message}{NewLine}", .rolling = cairn::Rolling::hour})
          .create_logger();
  log.information("before");
  clock.wall = clock.wall.load() - std::chrono::hours(1);
  log.information("after");
  for (const auto& entry : std::filesystem::directory_iterator("."))
    if (entry.path().extension() == ".log")
      std::printf("  %s, %ju bytes: the one file, of the later hour\n", entry.path().filename().c_str(),
                  entry.file_size());
}

}  // namespace

int main() {
  disk_full();
  hung();
  slow();
  storm();
  clock_step();
}
