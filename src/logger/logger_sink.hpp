// A sink that is another logger's pipeline, which it does not own.
#pragma once

#include "cairn/logger.hpp"
#include "cairn/sink.hpp"
#include "logger/root.hpp"

namespace cairn::detail {

class LoggerSink final : public Sink {
 public:
  explicit LoggerSink(const Logger& target);
  LoggerSink(const LoggerSink&) = delete;
  LoggerSink& operator=(const LoggerSink&) = delete;
  ~LoggerSink() override;
  EmitResult emit(std::span<const Event> events) override;

 private:
  std::unique_ptr<LoggerState> target_;  // keeps the root's memory, not the root open
};

}  // namespace cairn::detail
