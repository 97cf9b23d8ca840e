// The six levels of importance, their order and their spellings.
//
//   if (auto level = cairn::parse_level("wrn")) { … }        // cairn::Level::warning
//
// Everything here is constexpr, allocates nothing, throws nothing and is safe from every thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace cairn {

/// How much an event matters. Ordered: `Level::debug < Level::error`.
enum class Level : std::uint8_t { verbose, debug, information, warning, error, fatal };

/// The full name, as `@l` carries it: "Verbose", "Debug", "Information", "Warning", "Error", "Fatal".
/// A value outside the enumeration gives "Fatal".
[[nodiscard]] constexpr std::string_view to_string(Level level) noexcept {
  constexpr std::string_view names[] = {"Verbose", "Debug", "Information", "Warning", "Error", "Fatal"};
  return names[level > Level::fatal ? 5U : static_cast<unsigned>(level)];
}

/// The three-letter name: "VRB", "DBG", "INF", "WRN", "ERR", "FTL".
[[nodiscard]] constexpr std::string_view to_short_string(Level level) noexcept {
  constexpr std::string_view names[] = {"VRB", "DBG", "INF", "WRN", "ERR", "FTL"};
  return names[level > Level::fatal ? 5U : static_cast<unsigned>(level)];
}

/// Reads a level in any case: the full name or the three-letter one; also the aliases "trace", "info", "warn" and
/// "critical". Anything else (leading or trailing blanks included) gives nothing.
[[nodiscard]] constexpr std::optional<Level> parse_level(std::string_view text) noexcept {
  constexpr auto same = [](std::string_view a, std::string_view b) {
    if (a.size() != b.size()) return false;
    for (std::size_t i = 0; i < a.size(); ++i) {
      const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; };
      if (lower(a[i]) != lower(b[i])) return false;
    }
    return true;
  };
  for (unsigned i = 0; i < 6; ++i) {
    const auto level = static_cast<Level>(i);
    if (same(text, to_string(level)) || same(text, to_short_string(level))) return level;
  }
  if (same(text, "trace")) return Level::verbose;
  if (same(text, "info")) return Level::information;
  if (same(text, "warn")) return Level::warning;
  if (same(text, "critical")) return Level::fatal;
  return std::nullopt;
}

}  // namespace cairn
