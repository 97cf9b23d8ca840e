// How string values look inside a rendered message.
#pragma once

#include <cstdint>

namespace cairn {

/// `literal`: strings stand as they are (`User ann logged in`). `classic`: strings stand in quotes
/// (`User "ann" logged in`), as Serilog's default does. `{Name:l}` in a template asks for literal either way.
enum class Rendering : std::uint8_t { literal, classic };

}  // namespace cairn
