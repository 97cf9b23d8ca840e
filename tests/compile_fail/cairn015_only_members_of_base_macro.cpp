// expect: CAIRN015: the members of this aggregate cannot be named
// expect: specialise cairn::Capture
// expect: Alone
#include <cairn/logger.hpp>
#include <cairn/macros.hpp>

struct Base {
  int first;
};
struct Alone : Base {};
void call(const cairn::Logger& log);
void call(const cairn::Logger& log) {
  const Alone thing{{1}};
  CAIRN_INFORMATION(log, "{@Thing}", thing);
}
