// A sink that is another logger's pipeline, which it does not own.
#pragma once

#include <string>
#include <system_error>

#include "cairn/logger.hpp"
#include "logger/logger_state.hpp"
#include "pipeline/relaying_sink.hpp"

namespace cairn::detail {

class LoggerSink final : public RelayingSink {
 public:
  explicit LoggerSink(const Logger& target);
  LoggerSink(const LoggerSink&) = delete;
  LoggerSink& operator=(const LoggerSink&) = delete;
  ~LoggerSink() override;
  /// From several threads at once, and beside every other call.
  EmitResult emit(std::span<const Event> events) override;
  /// Of the target's sinks. Fails with what came of them, with std::errc::timed_out, or where the calling thread is at
  /// work for the target with std::errc::resource_deadlock_would_occur.
  [[nodiscard]] Relayed flush_behind(std::chrono::steady_clock::time_point deadline) noexcept override;
  /// Of those of its sinks that have no queue: the others are flushed as their `flush_interval` says.
  [[nodiscard]] Relayed flush_unasked() noexcept override;
  /// Waits for none of the target's sinks longer than `reopen_waits`.
  std::error_code reopen() override;
  [[nodiscard]] std::string describe(std::error_code error) const override;

 private:
  static constexpr std::chrono::seconds reopen_waits{2};  // as for a sink that several loggers share

  std::unique_ptr<LoggerState> target_;  // keeps the root's memory, not the root open
  // Of the last reopening; no error: all went well.
  std::error_code problem_;
  std::string problem_text_;
};

}  // namespace cairn::detail
