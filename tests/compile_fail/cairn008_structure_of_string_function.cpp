// expect: CAIRN008
// expect: no_structure
#include <cairn/logger.hpp>
#include <cairn/macros.hpp>
#include <cairn/render.hpp>

#include <vector>

void call(const cairn::Logger& log);
void call(const cairn::Logger& log) { log.information("{@Name}", "text"); }
