// A sink that hands events on to sinks which are somebody else's, with queues and flushes of their own.
#pragma once

#include <system_error>

#include "cairn/sink.hpp"

namespace cairn::detail {

class RelayingSink : public Sink {
 public:
  /// A flush for which nobody waits: of what flushes nowhere by itself. Waits for no queue.
  [[nodiscard]] virtual std::error_code flush_unasked() = 0;
};

}  // namespace cairn::detail
