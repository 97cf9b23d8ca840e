// Where a call stands in its source.
#pragma once

#include <cstdint>
#include <source_location>

namespace cairn::detail {

/// Borrows both texts, which live as long as the program or library.
struct SourcePlace {
  const char* file = "";
  const char* function = "";
  std::uint32_t line = 0;

  [[nodiscard]] static constexpr SourcePlace of(const std::source_location& location) noexcept {
    return {location.file_name(), location.function_name(), static_cast<std::uint32_t>(location.line())};
  }
};

}  // namespace cairn::detail
