// A sink that hands events on to sinks which are somebody else's, with queues and flushes of their own.
#pragma once

#include <chrono>
#include <string>
#include <system_error>

#include "cairn/sink.hpp"

namespace cairn::detail {

/// A flush may take long, as others are waited for. It is called beside other calls of the sink, also of its own.
class RelayingSink : public Sink {
 public:
  struct Relayed {
    std::error_code error{};
    std::string what{};  // went wrong, where there is memory for it
  };
  /// Of everything behind it, by `deadline`: std::errc::timed_out, if that was all that went wrong.
  [[nodiscard]] virtual Relayed flush_behind(std::chrono::steady_clock::time_point deadline) noexcept = 0;
  /// For which nobody waits: of what flushes nowhere by itself. Waits for no queue.
  [[nodiscard]] virtual Relayed flush_unasked() noexcept = 0;

  std::error_code flush(std::chrono::steady_clock::time_point deadline) final { return flush_behind(deadline).error; }
};

}  // namespace cairn::detail
