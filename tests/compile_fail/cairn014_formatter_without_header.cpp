// A formatter is a string form with cairn/types/fmt.hpp; without it such a class is captured in no way.
// expect: CAIRN014
// expect: Seat
// flags: -DFMT_HEADER_ONLY
#include <fmt/format.h>

#include <cairn/all.hpp>

class Seat {
 public:
  explicit Seat(int row) : row_(row) {}
  [[nodiscard]] int row() const { return row_; }

 private:
  int row_;
};
template <>
struct fmt::formatter<Seat> : fmt::formatter<int> {
  template <class Context>
  auto format(const Seat& seat, Context& context) const {
    return fmt::formatter<int>::format(seat.row(), context);
  }
};

void call(const cairn::Logger& log);
void call(const cairn::Logger& log) { log.information("{Seat}", Seat(1)); }
