// Roots whose last handle is gone and that are being drained and closed, mostly in the background: what they hold (the
// lock of a file) will be free soon, for those who can wait a little.
#pragma once

#include <chrono>
#include <cstdint>

namespace cairn::detail {

void root_begins_to_end() noexcept;
void root_has_ended() noexcept;

/// How many have ended so far; for wait_for_an_end().
[[nodiscard]] std::uint64_t roots_ended() noexcept;
/// Waits until more than `ended` roots have ended. False, at once or at the deadline: none is ending that this thread
/// could wait for.
[[nodiscard]] bool wait_for_an_end(std::uint64_t ended, std::chrono::steady_clock::time_point deadline) noexcept;

}  // namespace cairn::detail
