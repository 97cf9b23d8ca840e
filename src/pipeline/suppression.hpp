// What sampling filters held back, on its way from the filter that knows to the event that tells.
#pragma once

#include <cstdint>

namespace cairn::detail {

/// Gives and clears what the calling thread's filters noted during the event being filtered.
[[nodiscard]] std::uint64_t take_suppressed_count() noexcept;
/// The event was held back after all by a later filter: the filters keep what they noted.
void restore_suppressed_count() noexcept;

}  // namespace cairn::detail
