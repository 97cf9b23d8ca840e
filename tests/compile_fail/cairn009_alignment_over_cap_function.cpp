// expect: CAIRN009
// expect: alignment_over_cap
#include <cairn/logger.hpp>
#include <cairn/macros.hpp>
#include <cairn/render.hpp>

#include <vector>

void call(const cairn::Logger& log);
void call(const cairn::Logger& log) {
  const int count = 1;
  log.information("{Count,4097}", count);
}
