// How values are written inside a text.
#pragma once

#include <cstdint>

namespace cairn {

enum class Rendering : std::uint8_t {
  literal,  // strings bare, `true`, `null`, containers as JSON
  classic,  // as Serilog: strings quoted, `True`, `Chair { Back: "straight", Legs: [1, 2] }`
};

}  // namespace cairn
