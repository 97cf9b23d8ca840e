// Types that the files of this program log, some with the headers that tell of their forms, some without.
#pragma once

#include <fmt/format.h>

#include <iosfwd>
#include <string>

namespace app {

/// Logged only where cairn/types/ostream.hpp is included; else it does not compile.
struct Point {
  int x;
  int y;
  friend std::ostream& operator<<(std::ostream& out, const Point& point);
};
template <class T>
struct Box {
  T content;
};
template <class T>
std::ostream& operator<<(std::ostream& out, const Box<T>& box) {
  return out << "box of " << box.content;
}
class Ticket {
 public:
  explicit Ticket(int number) : number_(number) {}
  friend std::ostream& operator<<(std::ostream& out, const Ticket& ticket);

 private:
  int number_;
};

/// A stream takes these as what they convert to, where <ostream> is included.
struct Meters {
  double value;
  operator double() const { return value; }
};
struct Label {
  char text[4];
  operator const char*() const { return text; }
};
/// The operator is no one for a std::ostream alone.
struct Wide {
  int number;
};
template <class C, class Traits>
std::basic_ostream<C, Traits>& operator<<(std::basic_ostream<C, Traits>& out, const Wide& wide) {
  return out << "wide " << wide.number;
}
/// An aggregate with a formatter.
struct Seat {
  int row;
};

}  // namespace app

template <>
struct fmt::formatter<app::Seat> : fmt::formatter<int> {
  template <class Context>
  auto format(const app::Seat& seat, Context& context) const {
    return fmt::formatter<int>::format(seat.row, context);
  }
};
