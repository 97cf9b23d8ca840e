// What receives events: implement `emit`, and `flush` if something is held back; closing is the destructor.
//
//   class Printer : public cairn::Sink {
//     cairn::EmitResult emit(std::span<const cairn::Event> events) override {
//       for (const cairn::Event& e : events) std::puts(e.message().c_str());
//       return cairn::EmitResult::all(events);
//     }
//   };
//   auto log = cairn::Configuration{}.write_to(std::make_shared<Printer>(), "printer").create_logger();
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <system_error>

#include "cairn/event.hpp"
#include "cairn/sink_counters.hpp"

namespace cairn {

/// What became of a batch: the first `emitted` events are delivered; fewer than were given is a failure, and `error`
/// tells why.
struct EmitResult {
  std::size_t emitted = 0;
  std::uint64_t bytes = 0;
  std::error_code error{};

  [[nodiscard]] static EmitResult all(std::span<const Event> events, std::uint64_t bytes = 0) noexcept {
    return {events.size(), bytes, {}};
  }
};

/// Calls on one sink never overlap: the pipeline serialises them. A sink may throw: what it throws is caught, counted
/// and told to `on_internal_error`, the events of that call count as failed, and no other sink notices. A sink must not
/// log to the logger it serves, in whatever call: such events are refused and counted (`reentrant`).
class Sink {
 public:
  Sink() = default;
  Sink(const Sink&) = delete;
  Sink& operator=(const Sink&) = delete;
  virtual ~Sink() = default;

  /// Delivers `events` in order. The views end with the call.
  virtual EmitResult emit(std::span<const Event> events) = 0;

  /// Hands over whatever is held back, by `deadline` at the latest: who gives up then returns std::errc::timed_out.
  virtual std::error_code flush(std::chrono::steady_clock::time_point deadline) {
    (void)deadline;
    return {};
  }

  /// Opens afresh what may have been moved away (log rotation). Sinks without such a thing do nothing.
  virtual std::error_code reopen() { return {}; }

  /// Right after a call that failed with `error`: what went wrong, as a person wants to read it (what failed, on what,
  /// why). It is `last_error` in metrics, and what `on_error` and `on_internal_error` are told.
  [[nodiscard]] virtual std::string describe(std::error_code error) const { return error.message(); }

  /// What the sink counts of its own, for metrics; nothing, if it counts nothing. Asked
  /// once, when the logger is made; read at any time, from any thread, also after the sink is closed.
  [[nodiscard]] virtual std::shared_ptr<SinkCounters> counters() noexcept { return nullptr; }
};

}  // namespace cairn
