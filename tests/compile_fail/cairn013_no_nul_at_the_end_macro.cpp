// expect: CAIRN013
#include <cairn/cairn.hpp>

static constexpr char text[] = {'a', 'b', 'c'};
void call(const cairn::Logger& log);
void call(const cairn::Logger& log) { CAIRN_INFORMATION(log, text); }
