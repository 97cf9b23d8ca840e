// expect: CAIRN010
// expect: hole_without_name
#include <cairn/logger.hpp>
#include <cairn/macros.hpp>
#include <cairn/render.hpp>

#include <vector>

int value();
void call(const cairn::Logger& log);
void call(const cairn::Logger& log) { CAIRN_INFORMATION(log, "{}", value()); }
