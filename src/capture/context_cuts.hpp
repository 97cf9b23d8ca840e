// How often something was not pushed into a context, by all threads of this process: see LogContext::cut_count().
#pragma once

#include <atomic>
#include <cstdint>

namespace cairn::detail {

/// Relaxed throughout: a counter, read for metrics only. Begins at 0 in a child made by fork(), by Root::after_fork.
inline constinit std::atomic<std::uint64_t> context_cuts{0};

}  // namespace cairn::detail
