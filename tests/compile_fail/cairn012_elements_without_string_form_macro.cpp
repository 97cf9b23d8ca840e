// expect: CAIRN012
// expect: no_string_form
#include <cairn/logger.hpp>
#include <cairn/macros.hpp>
#include <cairn/render.hpp>

#include <vector>

struct Point {
  int x;
  int y;
};
void call(const cairn::Logger& log);
void call(const cairn::Logger& log) {
  const std::vector<Point> points;
  CAIRN_INFORMATION(log, "{Points}", points);
}
