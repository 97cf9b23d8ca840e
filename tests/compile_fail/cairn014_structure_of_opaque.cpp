// A type that cannot be captured at all has a code of its own, whatever the hole asks of it.
// expect: CAIRN014
// expect: Opaque
#include <cairn/cairn.hpp>

class Opaque {
 public:
  explicit Opaque(int value) : value_(value) {}
  [[nodiscard]] int value() const { return value_; }

 private:
  int value_;
};

void call(const cairn::Logger& log);
void call(const cairn::Logger& log) { log.information("{@Thing:d}", Opaque(1)); }
