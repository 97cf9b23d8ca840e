#include "sinks/theme.hpp"

#include <algorithm>

namespace cairn::detail {

namespace {

// The order of the tables below; a kind that is added needs a place in each.
static_assert(static_cast<int>(RunKind::text) == 0 && static_cast<int>(RunKind::string) == 1 &&
              static_cast<int>(RunKind::number) == 2 && static_cast<int>(RunKind::boolean) == 3 &&
              static_cast<int>(RunKind::null) == 4 && static_cast<int>(RunKind::scalar) == 5 &&
              static_cast<int>(RunKind::container) == 6 && static_cast<int>(RunKind::unbound) == 7);
static_assert(static_cast<int>(Part::text) == 0 && static_cast<int>(Part::timestamp) == 1 &&
              static_cast<int>(Part::level) == 2 && static_cast<int>(Part::property) == 3 &&
              static_cast<int>(Part::exception) == 4);

constexpr ThemeColours none{};

// 256 colours, each value by its kind; after Serilog's theme of that name.
constexpr ThemeColours literate{
    .runs = {"", "\x1b[38;5;45m", "\x1b[38;5;200m", "\x1b[38;5;33m", "\x1b[38;5;33m", "\x1b[38;5;78m", "\x1b[38;5;45m",
             "\x1b[38;5;220m"},
    .parts = {"\x1b[38;5;245m", "\x1b[38;5;245m", "", "\x1b[38;5;245m", "\x1b[38;5;203m"},
    .levels = {"\x1b[38;5;245m", "\x1b[38;5;245m", "\x1b[1m", "\x1b[1;38;5;220m", "\x1b[38;5;15;48;5;196m",
               "\x1b[1;38;5;15;48;5;196m"},
};

// 256 colours, muted, as editors show code.
constexpr ThemeColours code_theme{
    .runs = {"", "\x1b[38;5;216m", "\x1b[38;5;151m", "\x1b[38;5;38m", "\x1b[38;5;38m", "\x1b[38;5;79m", "\x1b[38;5;81m",
             "\x1b[33;1m"},
    .parts = {"\x1b[38;5;242m", "\x1b[38;5;242m", "", "\x1b[38;5;246m", "\x1b[38;5;246m"},
    .levels = {"\x1b[38;5;246m", "\x1b[38;5;246m", "\x1b[1m", "\x1b[38;5;229m", "\x1b[38;5;197;48;5;238m",
               "\x1b[1;38;5;197;48;5;238m"},
};

// No colour at all: bold, dim and reverse.
constexpr ThemeColours grayscale{
    .runs = {"", "\x1b[1m", "\x1b[1m", "\x1b[1m", "\x1b[1m", "\x1b[1m", "\x1b[1m", "\x1b[4m"},
    .parts = {"\x1b[2m", "\x1b[2m", "", "\x1b[2m", ""},
    .levels = {"\x1b[2m", "\x1b[2m", "", "\x1b[1m", "\x1b[7m", "\x1b[1;7m"},
};

// The sixteen colours every terminal has, as the user's palette shows them.
constexpr ThemeColours ansi{
    .runs = {"", "\x1b[36m", "\x1b[35m", "\x1b[34m", "\x1b[34m", "\x1b[32m", "\x1b[36m", "\x1b[33m"},
    .parts = {"\x1b[90m", "\x1b[90m", "", "\x1b[90m", "\x1b[31m"},
    .levels = {"\x1b[90m", "\x1b[36m", "\x1b[32m", "\x1b[1;33m", "\x1b[1;31m", "\x1b[1;97;41m"},
};

bool is_set(const char* value) noexcept { return value != nullptr && *value != '\0'; }

}  // namespace

const ThemeColours& theme_colours(Theme theme) noexcept {
  switch (theme) {
    case Theme::literate: return literate;
    case Theme::code: return code_theme;
    case Theme::grayscale: return grayscale;
    case Theme::ansi: return ansi;
    case Theme::none: break;
  }
  return none;
}

std::string_view ThemePainter::code(Part part, Level level) const noexcept {
  if (part == Part::level) return colours_.levels[std::min<std::size_t>(static_cast<std::size_t>(level), 5)];
  return colours_.parts[static_cast<std::size_t>(part)];
}

bool wants_colours(Colour colour, bool is_terminal, Environment environment) noexcept {
  if (colour != Colour::automatic) return colour == Colour::always;
  if (is_set(environment("NO_COLOR"))) return false;
  if (const char* const force = environment("FORCE_COLOR"); is_set(force) && std::string_view(force) != "0")
    return true;
  if (const char* const term = environment("TERM"); term != nullptr && std::string_view(term) == "dumb") return false;
  return is_terminal;
}

}  // namespace cairn::detail
