// expect: CAIRN003
// expect: duplicate_name
#include <cairn/logger.hpp>
#include <cairn/macros.hpp>
#include <cairn/render.hpp>

#include <vector>

void call(const cairn::Logger& log);
void call(const cairn::Logger& log) {
  const int count = 1;
  const int size = 2;
  CAIRN_INFORMATION(log, "{Count} {Count}", count, size);
}
