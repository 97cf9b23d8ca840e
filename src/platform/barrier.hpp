// A memory barrier on every thread of the process, paid for by the one that asks.
#pragma once

namespace cairn::detail {

/// Every other thread of the process has had a full barrier meanwhile: it sees what was stored before, or has its own
/// stores seen after. False: the kernel cannot.
[[nodiscard]] bool barrier_everywhere() noexcept;

}  // namespace cairn::detail
