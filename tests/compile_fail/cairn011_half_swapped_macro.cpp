// expect: CAIRN011
// expect: swapped_arguments
#include <cairn/logger.hpp>
#include <cairn/macros.hpp>
#include <cairn/render.hpp>

#include <vector>

void call(const cairn::Logger& log);
void call(const cairn::Logger& log) {
  const int user_id = 1;
  CAIRN_INFORMATION(log, "{Count} {UserId}", user_id, 2);
}
