// What logging may take: memory in the process, bytes of one event, bytes on the disk. Each is reached, and held.
#include <cairn/all.hpp>

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>

#include "stuck_sink.hpp"

int main() {
  const auto sink = std::make_shared<StuckSink>();
  const auto log = cairn::Configuration{}
                       .memory_budget({.max_bytes = 4 << 20, .max_event_bytes = 32 << 10})
                       .write_to(sink, "stuck")
                       .with_queue({.max_size = 100'000})
                       .create_logger();
  const std::string page(100'000, 'x');
  for (int number = 0; number < 10'000; ++number) {
    log.information("Page {Number}: {Text}", number,
                    std::string_view(page).substr(0, number % 100 == 0 ? 100'000 : 500));
    while (number % 50 == 0 && log.metrics().logger.in_lane != 0) std::this_thread::yield();  // no storm
  }
  const cairn::MemoryCounts memory = log.metrics().memory;
  sink->open();
  log.flush(std::chrono::seconds(30));
  const cairn::MetricsSnapshot now = log.metrics();
  const std::uint64_t dropped = now.sink("stuck")->dropped_total() + now.logger.dropped_total();
  std::printf(
      "memory: %s its budget, which was %s; %s\n", memory.peak_bytes <= memory.max_bytes ? "within" : "OVER",
      memory.exceeded != 0 ? "exceeded at first" : "never reached",
      now.sink("stuck")->emitted + dropped == 10'000 ? "every event is written or counted" : "EVENTS ARE MISSING");
  std::printf("events over their limit: %llu were cut\n", static_cast<unsigned long long>(now.logger.truncated));

  {
    const auto files = cairn::Configuration{}
                           .write_to_file("logs/app.clef", {.max_file_bytes = 64 << 10, .retain_bytes = 256 << 10})
                           .create_logger();
    for (int number = 0; number < 10'000; ++number) files.information("Event {Number} of a long night", number);
  }
  std::uintmax_t bytes = 0;
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator("logs")) {
    if (entry.path().extension() != ".clef") continue;
    bytes += entry.file_size();
    ++files;
  }
  std::printf("disk: %s\n", files > 1 && bytes <= (256 + 64) << 10
                                ? "several files, 256 KiB and the one being written at most"
                                : "NOT AS ASKED FOR");
}
