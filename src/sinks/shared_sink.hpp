// A sink object or a stream that the program gave, and may give to several loggers: their calls take turns.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <ostream>

#include "cairn/detail/turn_taking_sink.hpp"
#include "sinks/output_turn.hpp"

namespace cairn::detail {

/// Calls `sink`, under the one lock there is in the process for what it writes to.
class SharedSink final : public TurnTakingSink {
 public:
  /// Writes to itself.
  explicit SharedSink(std::shared_ptr<Sink> sink);
  /// Writes to `stream`.
  SharedSink(std::shared_ptr<Sink> sink, const std::ostream& stream);

  /// Fails with std::errc::resource_deadlock_would_occur where the sink itself logs to a logger that writes to it.
  EmitResult emit(std::span<const Event> events) override;
  /// With std::errc::timed_out, where another logger's call has not ended by the deadline.
  std::error_code flush(std::chrono::steady_clock::time_point deadline) override;
  [[nodiscard]] std::optional<std::error_code> reopen_by(std::chrono::steady_clock::time_point deadline) override;
  [[nodiscard]] std::string describe(std::error_code error) const override;
  [[nodiscard]] std::shared_ptr<SinkCounters> counters() noexcept override { return sink_->counters(); }

 private:
  const std::shared_ptr<OutputTurns> turns_;
  const std::shared_ptr<Sink> sink_;
  std::error_code no_turn_{};  // why the last call did not come to the sink
};

}  // namespace cairn::detail
