// The formatter of an aggregate is not looked at: a file without cairn/types/fmt.hpp could not know of it.
// expect: CAIRN012
// expect: no string form
// flags: -DFMT_HEADER_ONLY
#include <cairn/types/fmt.hpp>

#include <cairn/cairn.hpp>

struct Seat {
  int row;
};
template <>
struct fmt::formatter<Seat> : fmt::formatter<int> {
  template <class Context>
  auto format(const Seat& seat, Context& context) const {
    return fmt::formatter<int>::format(seat.row, context);
  }
};

void call(const cairn::Logger& log);
void call(const cairn::Logger& log) { log.information("{Seat}", Seat{1}); }
