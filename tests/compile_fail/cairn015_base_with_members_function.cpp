// expect: CAIRN015: the members of this aggregate cannot be named
// expect: specialise cairn::Capture
// expect: Derived
#include <cairn/logger.hpp>
#include <cairn/macros.hpp>

struct Base {
  int first;
};
struct Derived : Base {
  int second;
};
void call(const cairn::Logger& log);
void call(const cairn::Logger& log) {
  const Derived thing{{1}, 2};
  log.information("{@Thing}", thing);
}
