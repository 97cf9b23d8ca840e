// expect: CAIRN015: the members of this aggregate cannot be named
// expect: specialise cairn::Capture
// expect: Either
#include <cairn/logger.hpp>
#include <cairn/macros.hpp>

struct Either {
  int kind;
  union {
    int number;
    float real;
  };
};
void call(const cairn::Logger& log);
void call(const cairn::Logger& log) {
  const Either thing{0, {1}};
  CAIRN_INFORMATION(log, "{@Thing}", thing);
}
