// A circuit breaker and a small model of it act out the same history, on a clock of its own: options from the first
// bytes, then three bytes a step. They must never differ.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "../tests/support/breaker_model.hpp"
#include "support/fuzz_values.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  cairn_fuzz::Bytes bytes(data, size);
  cairn::CircuitBreakerOptions options;
  options.failures = 1 + bytes.byte() % 12U;
  options.timeout = std::chrono::milliseconds(1 + bytes.number<std::uint16_t>());
  options.max_timeout = options.timeout * (1 + bytes.byte());
  options.jitter = (bytes.byte() % 5) / 4.0;
  options.successes_to_close = 1 + bytes.byte() % 3U;
  if (const std::uint8_t share = bytes.byte() % 21; share != 0) options.failure_rate = share / 20.0;
  options.seed = bytes.number<std::uint64_t>();
  cairn::testing::BreakerHistory history(options);
  for (std::size_t steps = 0; !bytes.empty() && steps < 10'000; ++steps) {
    std::uint8_t what = bytes.byte();
    const auto how = bytes.number<std::uint16_t>();
#ifdef CAIRN_PLANTED_BUG
    if (history.state() == cairn::CircuitState::half_open) history.forget_who_probes();  // lets a second one through
#endif
    history.step(what, how);
    if (!history.difference().empty()) {
      for (const std::string& act : history.acted()) std::fprintf(stderr, "%s\n", act.c_str());
      std::fprintf(stderr, "%s\n", history.difference().c_str());
      std::abort();
    }
  }
  return 0;
}
