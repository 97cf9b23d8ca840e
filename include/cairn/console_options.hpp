// How events look on a console or a stream. Plain data, checked by `create_logger()`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "cairn/clef_options.hpp"
#include "cairn/level.hpp"
#include "cairn/rendering.hpp"
#include "cairn/time_zone.hpp"

namespace cairn {

enum class Format : std::uint8_t { text, clef };

/// The colours of a console. `none` colours nothing.
enum class Theme : std::uint8_t { literate, code, grayscale, ansi, none };

/// `automatic`: colours where a terminal reads, unless NO_COLOR is set or TERM is `dumb`; FORCE_COLOR colours
/// everywhere.
enum class Colour : std::uint8_t { automatic, always, never };

struct ConsoleOptions {
  /// The layout of a line (docs/output-templates.md); empty: `[{Timestamp:%H:%M:%S} {Level:u3}]
  /// {Message}{NewLine}{Exception}`. With CLEF, which has none, a configuration error.
  std::string output_template{};
  Format format = Format::text;
  Theme theme = Theme::literate;
  Colour colour = Colour::automatic;
  /// Events from this level on go to stderr; none: all go to stdout.
  std::optional<Level> stderr_from = std::nullopt;
  Rendering rendering = Rendering::literal;
  TimeZone time_zone = TimeZone::local;
  ClefOptions clef{};
};

struct StreamOptions {
  /// Empty: the text file's layout. With CLEF, which has none, a configuration error.
  std::string output_template{};
  Format format = Format::text;
  Rendering rendering = Rendering::literal;
  TimeZone time_zone = TimeZone::utc;
  ClefOptions clef{};
};

}  // namespace cairn
