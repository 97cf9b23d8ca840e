// expect: CAIRN017: a type with an operator<< to std::ostream: include cairn/types/ostream.hpp
// expect: specialise cairn::StringForm or cairn::Capture
// expect: Printed
#include <cairn/cairn.hpp>
#include <cairn/log_context.hpp>
#include <iosfwd>

struct Printed {
  int number;
  friend std::ostream& operator<<(std::ostream& out, const Printed& printed);
};

void call(const cairn::Logger& log);
void call(const cairn::Logger& log) {
  const Printed thing{1};
  const auto pushed = cairn::LogContext::push("Thing", thing);
  log.information("{N}", 1);
}
