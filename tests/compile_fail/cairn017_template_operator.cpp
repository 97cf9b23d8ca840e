// expect: CAIRN017: a type with an operator<< to std::ostream: include cairn/types/ostream.hpp
// expect: Box
#include <cairn/cairn.hpp>
#include <iosfwd>

namespace app {
template <class T>
struct Box {
  T content;
};
template <class T>
std::ostream& operator<<(std::ostream& out, const Box<T>& box);
}  // namespace app

void call(const cairn::Logger& log);
void call(const cairn::Logger& log) { log.information("{@Box}", app::Box<int>{1}); }
