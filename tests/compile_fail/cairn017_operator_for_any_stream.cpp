// expect: CAIRN017: a type with an operator<< to std::ostream: include cairn/types/ostream.hpp
// expect: Printed
#include <cairn/cairn.hpp>

namespace app {
struct Printed {
  int number;
};
template <class Stream>
Stream& operator<<(Stream& out, const Printed& printed) {
  out << printed.number;
  return out;
}
}  // namespace app

void call(const cairn::Logger& log);
void call(const cairn::Logger& log) { log.information("{@Thing}", app::Printed{1}); }
