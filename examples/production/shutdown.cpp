// The end of a program, with a sink that never comes back and a handler that throws: it takes as long as it was given,
// the others lose nothing, and the report says who it was.
#include <cairn/all.hpp>

#include <chrono>
#include <cstdio>
#include <memory>
#include <stdexcept>

#include "stuck_sink.hpp"

using namespace std::chrono_literals;

int main() {
  const auto stuck = std::make_shared<StuckSink>();
  const auto log = cairn::Configuration{}
                       .on_internal_error([](std::string_view) { /* by default once a second on stderr */ })
                       .on_shutdown([] { throw std::runtime_error("no socket"); }, {.name = "listener"})
                       .write_to_file("app.clef")
                       .with_name("file")
                       .with_queue()
                       .write_to(stuck, "peer")
                       .with_queue()
                       .create_logger();
  for (int number = 0; number < 1000; ++number) log.information("Event {Number}", number);
  stuck->wait_until_stuck();

  const cairn::ShutdownReport report = log.shutdown(cairn::ShutdownStrategy::graceful(500ms));
  std::printf("shutdown: %s\n",
              report.status == cairn::ShutdownStatus::completed ? "complete" : "not everything ended");
  for (const auto& handler : report.handlers)
    std::printf("handler %s: %s\n", handler.name.c_str(), handler.error.empty() ? "done" : handler.error.c_str());
  for (const cairn::ShutdownSink& sink : report.sinks) {
    std::uint64_t dropped = 0;
    for (const auto& [reason, count] : sink.dropped) dropped += count;
    std::printf("sink %s: %s; of %llu accepted %llu written, %llu left inside or dropped\n", sink.name.c_str(),
                sink.timed_out ? "HUNG" : "closed", static_cast<unsigned long long>(sink.accepted),
                static_cast<unsigned long long>(sink.emitted), static_cast<unsigned long long>(sink.pending + dropped));
  }
  log.information("too late");
  std::printf("a call after that: rejected{after_shutdown} %llu\n",
              static_cast<unsigned long long>(log.metrics().logger.rejected.at("after_shutdown")));
  return report.elapsed < 400ms ? 1 : 0;  // it waited for the peer
}
