// expect: CAIRN014
// expect: this type cannot be captured
#include <cairn/logger.hpp>
#include <cairn/macros.hpp>
#include <cairn/render.hpp>

#include <vector>

class Opaque {
 public:
  explicit Opaque(int v) : value_(v) {}
  [[nodiscard]] int value() const { return value_; }

 private:
  int value_;
};
void call(const cairn::Logger& log);
void call(const cairn::Logger& log) {
  const Opaque thing(1);
  CAIRN_INFORMATION(log, "{Thing}", thing);
}
