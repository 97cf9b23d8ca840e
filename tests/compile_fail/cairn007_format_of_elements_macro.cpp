// expect: CAIRN007
// expect: format_not_taken
#include <cairn/logger.hpp>
#include <cairn/macros.hpp>
#include <cairn/render.hpp>

#include <vector>

void call(const cairn::Logger& log);
void call(const cairn::Logger& log) {
  const std::vector<int> counts{1};
  CAIRN_INFORMATION(log, "{Counts:q}", counts);
}
