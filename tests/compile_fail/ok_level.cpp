// Levels are read and ordered at compile time.
#include <cairn/level.hpp>

static_assert(cairn::parse_level("warn") == cairn::Level::warning);
static_assert(cairn::Level::debug < cairn::Level::error);

int main() {}
