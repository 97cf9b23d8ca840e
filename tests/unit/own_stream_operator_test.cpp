// A class that also converts to a number is logged by its own operator<<, and never by the number's.
#include <gtest/gtest.h>

#include <bitset>
#include <cairn/all.hpp>
#include <complex>
#include <nlohmann/json.hpp>
#include <ostream>
#include <string>

namespace app {

class Handle {
 public:
  explicit Handle(int number) : number_(number) {}
  operator bool() const { return number_ != 0; }
  operator int() const { return number_; }
  operator char() const { return 'x'; }
  friend std::ostream& operator<<(std::ostream& out, const Handle& handle) {
    return out << "handle " << handle.number_;
  }

 private:
  int number_;
};
class OpenHandle : public Handle {
 public:
  using Handle::Handle;
};

template <class T>
class Fixed {
 public:
  explicit Fixed(T value) : value_(value) {}
  operator T() const { return value_; }

 private:
  T value_;
};
template <class C, class Traits, class T>
std::basic_ostream<C, Traits>& operator<<(std::basic_ostream<C, Traits>& out, const Fixed<T>& fixed) {
  return out << "fixed " << static_cast<T>(fixed);
}

}  // namespace app

namespace {

TEST(OwnStreamOperator, is_taken_before_what_the_class_converts_to) {
  EXPECT_EQ(cairn::render("{V}", app::Handle(7)).text, "handle 7");
  EXPECT_EQ(cairn::render("{V}", app::OpenHandle(8)).text, "handle 8");
  EXPECT_EQ(cairn::render("{V}", app::Fixed(9)).text, "fixed 9");
  EXPECT_EQ(cairn::render("{V}", app::Fixed('c')).text, "fixed c");
}

TEST(OwnStreamOperator, may_be_of_another_library) {
  EXPECT_EQ(cairn::render("{V}", std::complex<double>(1, 2)).text, "(1,2)");
  EXPECT_EQ(cairn::render("{V}", std::bitset<4>(5)).text, "0101");
  EXPECT_EQ(cairn::render("{V}", nlohmann::json{{"a", 1}}).text, R"({"a":1})") << "it converts to nearly anything";
}

}  // namespace
