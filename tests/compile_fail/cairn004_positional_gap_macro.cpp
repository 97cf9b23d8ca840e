// expect: CAIRN004
// expect: positional_gap
#include <cairn/logger.hpp>
#include <cairn/macros.hpp>
#include <cairn/render.hpp>

#include <vector>

void call(const cairn::Logger& log);
void call(const cairn::Logger& log) {
  const int count = 1;
  const int size = 2;
  CAIRN_INFORMATION(log, "{0} {2}", count, size, 3);
}
