// Where CAIRN017 is to be said, the template is not found wrong too: with the header the type has a string form.
#include <cairn/cairn.hpp>
#include <iosfwd>

struct Printed {
  int number;
  friend std::ostream& operator<<(std::ostream& out, const Printed& printed);
};
struct Plain {
  int number;
};

static_assert(cairn::detail::argument_traits<Printed>().string_form);
static_assert(!cairn::detail::argument_traits<Plain>().string_form);
