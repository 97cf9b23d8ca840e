// Looks after the sinks that something can be done about when they hang: those with a breaker or a fallback behind a
// queue. One thread a process, which lives as long as there is such a sink.
#pragma once

#include <chrono>
#include <memory>

namespace cairn::detail {

class SinkWorker;

/// From now on the worker is asked each `beat`, or more often, whether its sink hangs. Twice does no harm. Throws
/// std::bad_alloc, std::system_error.
void watch_over(const std::shared_ptr<SinkWorker>& worker, std::chrono::nanoseconds beat);

}  // namespace cairn::detail
