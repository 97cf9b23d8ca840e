// expect: CAIRN014
// expect: Handle
#include <cairn/all.hpp>

class Handle {
 public:
  explicit Handle(int number) : number_(number) {}
  operator bool() const { return number_ != 0; }
  operator int() const { return number_; }

 private:
  int number_;
};

void call(const cairn::Logger& log);
void call(const cairn::Logger& log) { log.information("{Handle}", Handle(7)); }
