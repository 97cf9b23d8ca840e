// expect: error
// expect: cairn::Level
// A number is no level, whatever it means elsewhere.
#include <cairn/level.hpp>

cairn::Level level = 3;
