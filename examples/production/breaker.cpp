// A sink that is down: its breaker opens, the events go to the fallback, and nothing is lost on the way there and back.
#include <cairn/all.hpp>

#include <atomic>
#include <cstdio>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>

namespace {

/// A peer that can be down.
class Peer final : public cairn::Sink {
 public:
  cairn::EmitResult emit(std::span<const cairn::Event> events) override {
    if (down) throw std::runtime_error("connection refused");
    return cairn::EmitResult::all(events);
  }
  std::atomic<bool> down{true};
};

void print(const char* what, const cairn::SinkCounts& counts) {
  std::printf("%s: accepted %llu = emitted %llu + diverted %llu\n", what,
              static_cast<unsigned long long>(counts.accepted), static_cast<unsigned long long>(counts.emitted),
              static_cast<unsigned long long>(counts.diverted));
}

}  // namespace

int main() {
  const auto peer = std::make_shared<Peer>();
  const auto log =
      cairn::Configuration{}
          .on_internal_error([](std::string_view) { /* by default once a second on stderr */ })
          .write_to(peer, "peer")
          .with_queue()
          .with_circuit_breaker({.failures = 5,
                                 .on_transition =
                                     [](const cairn::CircuitTransition& change) {
                                       std::printf("peer: %s (%s)\n", std::string(to_string(change.to)).c_str(),
                                                   std::string(to_string(change.cause)).c_str());
                                     }})
          .with_fallback(cairn::SinkSpec::file("fallback.clef").with_name("fallback"))
          .create_logger();

  for (int number = 0; number < 100; ++number) log.information("Event {Number}", number);
  log.flush();
  std::printf("state: %s, last error: %s\n", log.metrics().sink("peer")->breaker_state.c_str(),
              log.metrics().sink("peer")->last_error.c_str());

  peer->down = false;                    // mended; the breaker would find out by itself, at its next probe
  log.circuit_breaker("peer")->close();  // an operator who knows need not wait for that
  for (int number = 100; number < 200; ++number) log.information("Event {Number}", number);
  log.flush();

  const cairn::MetricsSnapshot now = log.metrics();
  print("peer", *now.sink("peer"));
  print("fallback", *now.sink("fallback"));
  std::ifstream file("fallback.clef");
  int marked = 0;
  int told = 0;
  for (std::string line; std::getline(file, line);) {
    marked += line.find("\"FallbackFrom\":\"peer\"") != std::string::npos ? 1 : 0;
    told += line.find("The circuit breaker of {Sink} is {State} ({Cause})") != std::string::npos ? 1 : 0;
  }
  std::printf("fallback.clef: %d events of the peer, and its breaker's changes: %s\n", marked,
              told != 0 ? "yes" : "NO");
}
