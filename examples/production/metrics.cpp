// The page that GET /metrics answers, of a program whose archive is full: the lines that the alarms of alarms.yml look
// at.
#include <cairn/all.hpp>

#include <cstdio>
#include <memory>
#include <sstream>
#include <string>
#include <thread>

#include "stuck_sink.hpp"

int main() {
  const auto archive = std::make_shared<StuckSink>();
  const auto log = cairn::Configuration{}
                       .write_to(archive, "archive")
                       .with_queue({.max_size = 100, .batch_size = 1, .slow_after = std::chrono::milliseconds(50)})
                       .with_circuit_breaker()
                       .write_to_null()
                       .with_queue()
                       .create_logger();
  log.information("Event {Number}", 0);
  archive->wait_until_stuck();
  for (int number = 1; number <= 1000; ++number) log.information("Event {Number}", number);
  while (log.metrics().logger.in_lane != 0) std::this_thread::yield();
  while (!log.metrics().sink("archive")->stalled) std::this_thread::yield();

  std::istringstream page(log.metrics().to_prometheus());
  for (std::string line; std::getline(page, line);) {
    for (const char* name : {"cairn_logger_dropped_total", "cairn_logger_rejected_total", "cairn_logger_stalled",
                             "cairn_sink_dropped_total", "cairn_sink_failed_total", "cairn_sink_diverted_total",
                             "cairn_sink_queue_depth_events", "cairn_sink_stalled", "cairn_sink_breaker_state"}) {
      if (line.starts_with(name)) std::puts(line.c_str());
    }
  }
  archive->open();
}
