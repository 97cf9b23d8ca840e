// A std::ostream takes a lambda without captures for a bool: that is not what it is.
// expect: CAIRN014
// expect: this type cannot be captured
#include <cairn/all.hpp>

void call(const cairn::Logger& log);
void call(const cairn::Logger& log) {
  log.information("{Function}", [](int) {});
}
