// Which classes have an operator<< of their own, and which are only taken for what they convert to.
#include <cairn/all.hpp>

#include <bitset>
#include <complex>
#include <memory>
#include <random>
#include <string>
#include <system_error>
#include <thread>

namespace app {

/// A class that goes into a std::ostream, and only as what it converts to.
template <class To>
class Converts {
 public:
  explicit Converts(int number) : number_(number) {}
  operator To() const;
  [[nodiscard]] int number() const { return number_; }

 private:
  int number_;
};
class ConvertsToMany {
 public:
  explicit ConvertsToMany(int number) : number_(number) {}
  template <std::floating_point To>
  operator To() const;
  [[nodiscard]] int number() const { return number_; }

 private:
  int number_;
};
class ConvertsToErrorCode : public Converts<std::error_code> {
 public:
  using Converts::Converts;
};

/// All of these convert to a number as well.
class Free : public Converts<bool> {
 public:
  using Converts::Converts;
};
std::ostream& operator<<(std::ostream& out, const Free& free);

class Friendly : public Converts<double> {
 public:
  using Converts::Converts;
  friend std::ostream& operator<<(std::ostream& out, const Friendly& friendly);
};
class ByValue : public Converts<char> {
 public:
  using Converts::Converts;
  friend std::ostream& operator<<(std::ostream& out, ByValue value);
};
class Wide : public Converts<const void*> {
 public:
  using Converts::Converts;
};
template <class C, class Traits>
std::basic_ostream<C, Traits>& operator<<(std::basic_ostream<C, Traits>& out, const Wide& wide);

template <class T>
class Point : public Converts<int> {
 public:
  using Converts::Converts;
};
template <class C, class Traits, class T>
std::basic_ostream<C, Traits>& operator<<(std::basic_ostream<C, Traits>& out, const Point<T>& point);

class AnyStream : public Converts<long double> {
 public:
  using Converts::Converts;
};
template <class Stream>
auto& operator<<(Stream& out, const AnyStream& value) {
  return out << value.number();  // to be made for a std::ostream, with all that it has
}

class OfBase : public Friendly {
 public:
  using Friendly::Friendly;
};
class OfTemplateBase : public Point<int> {
 public:
  using Point::Point;
};
class OfLaterNamespace : public Converts<unsigned char> {
 public:
  using Converts::Converts;
};
class Many : public ConvertsToMany {
 public:
  using ConvertsToMany::ConvertsToMany;
  friend std::ostream& operator<<(std::ostream& out, const Many& many);
};

/// To another stream.
struct Printer;
class Printed : public Converts<int> {
 public:
  using Converts::Converts;
  friend Printer& operator<<(Printer& out, const Printed& printed);
};
/// An operator that gives no stream back.
class Shifted : public Converts<int> {
 public:
  using Converts::Converts;
  friend int operator<<(std::ostream& out, const Shifted& shifted);
};

}  // namespace app
namespace app {
std::ostream& operator<<(std::ostream& out, const OfLaterNamespace& value);
}

namespace {

using cairn::detail::Category;
template <class T>
constexpr bool has_text = cairn::detail::category_of<T> == Category::string_form;
template <class T>
constexpr bool has_none = cairn::detail::category_of<T> == Category::unsupported;

static_assert(has_text<app::Free> && has_text<app::Friendly> && has_text<app::ByValue> && has_text<app::Many>);
static_assert(has_text<app::Wide> && has_text<app::Point<int>> && has_text<app::AnyStream>);
static_assert(has_text<app::OfBase> && has_text<app::OfTemplateBase> && has_text<app::OfLaterNamespace>);
static_assert(has_text<std::complex<double>> && has_text<std::bitset<3>> && has_text<std::mt19937>);

static_assert(has_none<app::Converts<bool>> && has_none<app::Converts<char>> && has_none<app::Converts<wchar_t>>);
static_assert(has_none<app::Converts<signed char>> && has_none<app::Converts<unsigned char>>);
static_assert(has_none<app::Converts<short>> && has_none<app::Converts<unsigned short>>);
static_assert(has_none<app::Converts<int>> && has_none<app::Converts<unsigned>> && has_none<app::Converts<long>>);
static_assert(has_none<app::Converts<unsigned long>> && has_none<app::Converts<long long>>);
static_assert(has_none<app::Converts<unsigned long long>> && has_none<app::Converts<float>>);
static_assert(has_none<app::Converts<double>> && has_none<app::Converts<long double>>);
static_assert(has_none<app::Converts<const void*>> && has_none<app::Converts<int*>> &&
              has_none<app::Converts<volatile int*>>);
static_assert(has_none<app::Converts<const char*>> && has_none<app::Converts<char*>>);
static_assert(has_none<app::Converts<const signed char*>> && has_none<app::Converts<const unsigned char*>>);
static_assert(has_none<app::Converts<std::nullptr_t>> && has_none<app::Converts<std::streambuf*>>);
static_assert(has_none<app::Converts<void (*)(int)>> && has_none<app::Converts<std::ostream& (*)(std::ostream&)>>);
static_assert(has_none<app::Converts<std::ios& (*)(std::ios&)>> &&
              has_none<app::Converts<std::ios_base& (*)(std::ios_base&)>>);
static_assert(has_none<app::Converts<std::thread::id>> && has_none<app::ConvertsToErrorCode>);
static_assert(has_none<app::Printed> && has_none<app::Shifted> && has_none<app::ConvertsToMany>);

constexpr auto plain_lambda = [](int) {};
constexpr auto generic_lambda = [](auto) {};
static_assert(has_none<decltype(plain_lambda)> && has_none<decltype(generic_lambda)>);

}  // namespace
