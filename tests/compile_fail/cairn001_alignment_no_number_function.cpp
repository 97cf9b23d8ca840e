// expect: CAIRN001
// expect: malformed_hole
#include <cairn/logger.hpp>
#include <cairn/macros.hpp>
#include <cairn/render.hpp>

#include <vector>

void call(const cairn::Logger& log);
void call(const cairn::Logger& log) {
  const int count = 1;
  log.information("{Count,x}", count);
}
