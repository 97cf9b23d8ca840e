// What the handles of loggers point to.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "cairn/logger.hpp"
#include "logger/root.hpp"
#include "pipeline/logger_table.hpp"

namespace cairn::detail {

/// What a handle points to. Immutable but for its count.
struct LoggerState : LoggerCore {
  std::atomic<std::uint64_t> references{1};
  Root* root = nullptr;  // null: silent
  bool owning = true;    // counts as a handle of the root
  std::shared_ptr<const LoggerParts> parts = std::make_shared<LoggerParts>();
  std::string source;
  std::atomic<bool> outlives_handles{false};  // a static handle of it has died: memory stays, for those who still call

  LoggerState() = default;
  explicit LoggerState(std::shared_ptr<const LoggerParts> of) noexcept : parts(std::move(of)) {}
  /// One of the same root and level with other parts.
  LoggerState(const LoggerState& other, std::shared_ptr<const LoggerParts> parts);
  /// Gives the logger a number, if its root has lanes. Once, before it is handed out.
  void enter_table();
  /// A state of the same root that does not keep it open.
  [[nodiscard]] static std::unique_ptr<LoggerState> borrow(const LoggerState& other);
  /// Ends as in the destructor, but nothing is freed: calls by way of it are refused and counted, for ever.
  void end_without_dying() noexcept;
  LoggerState(const LoggerState&) = delete;
  LoggerState& operator=(const LoggerState&) = delete;
  ~LoggerState();
};

/// The state of a default-made logger; never freed.
[[nodiscard]] LoggerState& silent_state() noexcept;
/// Calls that a logger which was never configured swallowed.
[[nodiscard]] std::atomic<std::uint64_t>& silent_calls() noexcept;

struct LoggerAccess {
  /// A handle of a state that is ready otherwise.
  [[nodiscard]] static Logger make(std::unique_ptr<LoggerState> state);
  [[nodiscard]] static LoggerState* state(const Logger& logger) noexcept {
    return static_cast<LoggerState*>(logger.state_);
  }
};

}  // namespace cairn::detail
