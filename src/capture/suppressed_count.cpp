#include "capture/suppressed_count.hpp"

#include <string_view>

namespace cairn::detail {

namespace {
constexpr std::string_view name = "SuppressedCount";
constexpr std::uint64_t mark = UINT64_MAX;  // no scope has that id
}  // namespace

bool is_suppressed_count(const PropertyEntry& entry) noexcept { return entry.id == mark; }

bool find_suppressed_count(const PropertyBlock& block, Property& property) noexcept {
  for (std::size_t at = 0; at < block.size_bytes();) {
    const PropertyAt here = block.read(at);
    if (!is_suppressed_count(here.entry)) continue;
    property = here.property;
    return true;
  }
  return false;
}

std::uint64_t suppressed_count(const PropertyBlock* block) noexcept {
  Property found;
  if (block == nullptr || block->empty() || !find_suppressed_count(*block, found)) return 0;
  return found.value.as_uint64().value_or(0);
}

void set_suppressed_count(PropertyBlock& block, std::uint64_t count) {
  if (count != 0) {
    block.replace(name, OwnedValue(count).view(), mark);
  } else if (Property found; find_suppressed_count(block, found)) {
    block.remove_ids(mark, mark);
  }
}

}  // namespace cairn::detail
