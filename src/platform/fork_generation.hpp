// Tells a process from the one it was forked from, for whatever is cached or seeded once a process.
#pragma once

#include <cstdint>

namespace cairn::detail {

/// A number that is never 0, stays the same as long as the process lives, and differs from that of the process it was
/// forked from: by whatever call, into whatever pid namespace. Costs a load.
[[nodiscard]] std::uint64_t fork_generation() noexcept;

/// Was this process forked, but by _Fork() or clone(2), of which the handlers of a fork are not told? Then queues,
/// lanes and locks are as the parent had them, and the threads that were at them are not here. Costs two loads.
[[nodiscard]] bool made_past_fork() noexcept;

/// Fills `bytes` from the kernel's random source, or where it does not answer at once from what differs between
/// processes, threads and moments. For uniqueness, not for secrets.
void random_bytes(void* bytes, std::uint32_t size) noexcept;

}  // namespace cairn::detail
