// What looks like an aggregate without names and is none: empty bases, unions and classes of unions with a Capture,
// members that cannot be copied, destructors that may throw, 64 members.
#include <cairn/all.hpp>

#include <map>
#include <memory>
#include <string>
#include <vector>

struct Mark {};
struct OtherMark {};
union Cell {
  int number;
  float real;
};
template <>
struct cairn::Capture<Cell> {
  static void capture(const Cell& cell, cairn::ValueWriter& out) { out.value(cell.number); }
};
struct Either {
  union {
    int number;
    float real;
  };
};
template <>
struct cairn::Capture<Either> {
  static void capture(const Either& either, cairn::ValueWriter& out) { out.value(either.number); }
};
struct Marked : Mark {
  int number;
  std::string text;
  Cell cell;
  int numbers[3];
  Cell cells[2];
};
struct TwiceMarked : Mark, OtherMark {
  Either either;
  Either two[2];
  std::vector<int> numbers;
  std::map<std::string, int> named;
};
struct Whole {
  std::unique_ptr<int> held;
  Marked marked;
  TwiceMarked twice;
  const int fixed;
};
struct Throwing {
  ~Throwing() noexcept(false) {}
  int number = 1;
};
struct HoldsThrowing {
  Throwing throwing;
  std::unique_ptr<int> held;
};
struct Widest {
  int m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21, m22, m23, m24,
      m25, m26, m27, m28, m29, m30, m31, m32, m33, m34, m35, m36, m37, m38, m39, m40, m41, m42, m43, m44, m45, m46, m47,
      m48, m49, m50, m51, m52, m53, m54, m55, m56, m57, m58, m59, m60, m61, m62, m63;
};

void calls(const cairn::Logger& log, const Whole& whole, const HoldsThrowing& holds, const Widest& widest);
void calls(const cairn::Logger& log, const Whole& whole, const HoldsThrowing& holds, const Widest& widest) {
  log.information("{@Whole} {@Holds} {@Widest} {@Mark}", whole, holds, widest, Mark{});
}
