// What an output template's holes are called and which formats they take: shared by the check and the formatter.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "cairn/level.hpp"

namespace cairn::detail {

/// How `{Level:u3}` is written.
struct LevelFormat {
  char letters = '\0';    // u, w, t: upper case, lower case, as a title; none: as the full name is
  std::size_t width = 0;  // 0: the full name
};
[[nodiscard]] std::optional<LevelFormat> parse_level_format(std::string_view format) noexcept;
[[nodiscard]] std::string level_text(Level level, LevelFormat format);

/// Of the message: `l`, `lj` and `jl` ask for the literal rendering, whatever the sink's is.
[[nodiscard]] constexpr bool is_message_format(std::string_view format) noexcept {
  return format == "l" || format == "lj" || format == "jl";
}
/// Of the properties: JSON, whatever the rendering.
[[nodiscard]] constexpr bool is_properties_format(std::string_view format) noexcept {
  return format == "j" || is_message_format(format);
}

/// The template's own text as it may stand in an output: line ends and tabs pass, other controls are escaped.
[[nodiscard]] std::string escaped_layout_text(std::string_view text);

}  // namespace cairn::detail
