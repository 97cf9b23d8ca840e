#include "cairn/level.hpp"

namespace cairn {
static_assert(parse_level("INF") == Level::information);
}
