// expect: CAIRN015: the members of this aggregate cannot be named
// expect: volatile members
// expect: specialise cairn::Capture
// expect: Register
#include <cairn/logger.hpp>
#include <cairn/macros.hpp>

struct Register {
  int address;
  volatile int value;
};
void call(const cairn::Logger& log);
void call(const cairn::Logger& log) {
  const Register thing{1, 2};
  log.information("{@Thing}", thing);
}
