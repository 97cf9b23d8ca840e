// expect: CAIRN014
// expect: this type cannot be captured
#include <cairn/cairn.hpp>

void call(const cairn::Logger& log);
void call(const cairn::Logger& log) { log.information("{Function}", call); }
