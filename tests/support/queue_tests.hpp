// What tests of queued sinks share.
#pragma once

#include <cairn/all.hpp>
#include <string_view>
#include <thread>
#include <vector>

namespace cairn::testing {

inline Configuration quiet() {
  Configuration config;
  config.verbose().on_internal_error([](std::string_view) {});
  return config;
}

/// `threads` threads log `each` numbered events.
inline void storm(const Logger& log, int threads, int each) {
  std::vector<std::thread> producers;
  for (int thread = 0; thread < threads; ++thread) {
    producers.emplace_back([&log, thread, each] {
      for (int number = 0; number < each; ++number) log.information("{Thread} {Number}", thread, number);
    });
  }
  for (std::thread& producer : producers) producer.join();
}

/// Everything logged so far is in the queues: a flush that cannot end gets that far.
inline void reach_the_queues(const Logger& log) {
  while (true) {
    const MetricsSnapshot now = log.metrics();
    if (now.logger.in_lane == 0 && now.logger.captured == now.logger.dispatched + now.logger.dropped_total()) return;
    std::this_thread::yield();
  }
}

}  // namespace cairn::testing
