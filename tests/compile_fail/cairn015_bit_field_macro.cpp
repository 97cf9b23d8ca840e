// expect: CAIRN015: the members of this aggregate cannot be named
// expect: specialise cairn::Capture
// expect: Flags
#include <cairn/logger.hpp>
#include <cairn/macros.hpp>

struct Flags {
  unsigned low : 4;
  unsigned high : 4;
};
void call(const cairn::Logger& log);
void call(const cairn::Logger& log) {
  const Flags thing{1, 2};
  CAIRN_INFORMATION(log, "{@Thing}", thing);
}
