// A sink whose calls wait for those of other loggers, and whose reopening so wants to know how long it may wait.
#pragma once

#include <chrono>
#include <optional>
#include <system_error>

#include "cairn/sink.hpp"

namespace cairn::detail {

class TurnTakingSink : public Sink {
 public:
  /// Nothing: another logger's call had not ended by `deadline`, and the sink is as it was.
  [[nodiscard]] virtual std::optional<std::error_code> reopen_by(std::chrono::steady_clock::time_point deadline) = 0;
  /// Waits for its turn as long as it takes.
  std::error_code reopen() override { return *reopen_by(std::chrono::steady_clock::time_point::max()); }
};

}  // namespace cairn::detail
