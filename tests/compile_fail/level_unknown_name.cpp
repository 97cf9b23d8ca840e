// expect: level_unknown_name
// A level that is misspelt in the source is found by whoever asks at compile time.
#include <cairn/level.hpp>

static_assert(cairn::parse_level("wraning").has_value(), "level_unknown_name");
