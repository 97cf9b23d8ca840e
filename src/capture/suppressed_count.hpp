// The property `SuppressedCount` that Cairn itself puts on an event: how many events sampling filters held back before
// it. Its entry is marked, so that a property of that name from somebody else is never taken for it. It comes beside
// the limit of properties, not under it: it tells of other events.
#pragma once

#include <cstdint>

#include "capture/property_block.hpp"

namespace cairn::detail {

[[nodiscard]] bool is_suppressed_count(const PropertyEntry& entry) noexcept;
/// Finds it in that block. False: there is none.
[[nodiscard]] bool find_suppressed_count(const PropertyBlock& block, Property& property) noexcept;
/// What it says, or 0.
[[nodiscard]] std::uint64_t suppressed_count(const PropertyBlock* block) noexcept;
/// Puts it there, in place of what had its name; 0: takes it away. Throws std::bad_alloc, and has changed nothing then.
void set_suppressed_count(PropertyBlock& block, std::uint64_t count);

}  // namespace cairn::detail
