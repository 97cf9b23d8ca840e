// expect: CAIRN015
// expect: members of this aggregate cannot be named
#include <cairn/logger.hpp>
#include <cairn/macros.hpp>
#include <cairn/render.hpp>

#include <vector>

struct Referring {
  int& number;
};
void call(const cairn::Logger& log);
void call(const cairn::Logger& log) {
  int number = 1;
  const Referring thing{number};
  CAIRN_INFORMATION(log, "{@Thing}", thing);
}
