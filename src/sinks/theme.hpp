// The colours of a console: which escape codes stand around which part of a line, and when a console is coloured at
// all.
//
// Every coloured run ends with a reset, on the line where it began. The plain text of a message has no colour in any
// theme: it keeps the terminal's own, so that it can be read on a light background as on a dark one.
#pragma once

#include <array>
#include <string_view>

#include "cairn/console_options.hpp"
#include "format/text_formatter.hpp"

namespace cairn::detail {

/// The codes of a theme; an empty one colours nothing.
struct ThemeColours {
  std::array<std::string_view, 8> runs;    // by RunKind
  std::array<std::string_view, 5> parts;   // by Part; the level's own is in `levels`
  std::array<std::string_view, 6> levels;  // by Level
};
[[nodiscard]] const ThemeColours& theme_colours(Theme theme) noexcept;

class ThemePainter final : public Painter {
 public:
  explicit ThemePainter(Theme theme) noexcept : colours_(theme_colours(theme)) {}
  void begin(OutputBuffer& out, RunKind kind) override { out.append(code(kind)); }
  void end(OutputBuffer& out, RunKind kind) override { reset(out, code(kind)); }
  void begin_part(OutputBuffer& out, Part part, Level level) override { out.append(code(part, level)); }
  void end_part(OutputBuffer& out, Part part, Level level) override { reset(out, code(part, level)); }

 private:
  [[nodiscard]] std::string_view code(RunKind kind) const noexcept {
    return colours_.runs[static_cast<std::size_t>(kind)];
  }
  [[nodiscard]] std::string_view code(Part part, Level level) const noexcept;
  static void reset(OutputBuffer& out, std::string_view code) {
    if (!code.empty()) out.append("\x1b[0m");
  }

  const ThemeColours& colours_;
};

/// Reads an environment variable: getenv, or what a test says.
using Environment = const char* (*)(const char* name);

/// Are there colours on an output, which `is_terminal` or not? `always` and `never` are the program's own word and
/// settle it. For `automatic` the first of these that holds decides: NO_COLOR is set and not empty: no; FORCE_COLOR is
/// set, not empty and not `0`: yes; TERM is `dumb`: no; else as `is_terminal` says.
[[nodiscard]] bool wants_colours(Colour colour, bool is_terminal, Environment environment) noexcept;

}  // namespace cairn::detail
