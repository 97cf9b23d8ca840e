// expect: CAIRN002
// expect: wrong_argument_count
#include <cairn/logger.hpp>
#include <cairn/macros.hpp>
#include <cairn/render.hpp>

#include <vector>

void call(const cairn::Logger& log);
void call(const cairn::Logger& log) {
  (void)log;
  CAIRN_INFORMATION(log, "{Count}");
}
