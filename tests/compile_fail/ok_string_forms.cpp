// What has which form does not hang on the headers that are included: here they all are.
// flags: -DFMT_HEADER_ONLY
#include <iosfwd>

namespace app {
struct Misplaced {
  int number;
};
}  // namespace app
// Not beside the type: a file that includes it after Cairn would not find it.
std::ostream& operator<<(std::ostream& out, const app::Misplaced& misplaced);

#include <cairn/types/fmt.hpp>

#include <fmt/ostream.h>
#include <cairn/all.hpp>

#include <complex>
#include <string>

namespace app {
struct Printed {
  int number;
};
std::ostream& operator<<(std::ostream& out, const Printed& printed);

class Hidden {
 public:
  explicit Hidden(int number) : number_(number) {}
  [[nodiscard]] int number() const { return number_; }
  friend std::ostream& operator<<(std::ostream& out, const Hidden& hidden);

 private:
  int number_;
};
struct Number {  // an aggregate that goes into a stream only as what it converts to
  double value;
  operator double() const { return value; }
};
struct Text {
  char letters[4];
  operator const char*() const { return letters; }
};
struct Wide {
  int number;
};
template <class C, class Traits>
std::basic_ostream<C, Traits>& operator<<(std::basic_ostream<C, Traits>& out, const Wide& wide);
struct WideTold {
  int number;
};
template <class C, class Traits>
std::basic_ostream<C, Traits>& operator<<(std::basic_ostream<C, Traits>& out, const WideTold& wide) {
  return out << wide.number;
}
struct Formatted {
  int number;
};
struct FormattedTold {
  int number;
};
class FormattedHidden {
 public:
  explicit FormattedHidden(int number) : number_(number) {}
  [[nodiscard]] int number() const { return number_; }

 private:
  int number_;
};
}  // namespace app

struct FormatterOfNumber : fmt::formatter<int> {
  template <class T, class Context>
  auto format(const T& value, Context& context) const {
    if constexpr (requires { value.number(); })
      return fmt::formatter<int>::format(value.number(), context);
    else
      return fmt::formatter<int>::format(value.number, context);
  }
};
template <>
struct fmt::formatter<app::Formatted> : FormatterOfNumber {};
template <>
struct fmt::formatter<app::FormattedTold> : FormatterOfNumber {};
template <>
struct fmt::formatter<app::FormattedHidden> : FormatterOfNumber {};
template <>
struct fmt::formatter<app::Hidden> : FormatterOfNumber {};
template <>
struct cairn::StringForm<app::FormattedTold> : cairn::FmtForm<app::FormattedTold> {};
template <>
struct cairn::StringForm<app::WideTold> : cairn::OstreamForm<app::WideTold> {};

namespace {
using cairn::detail::Category;
template <class T>
constexpr bool both = cairn::detail::is_dual<T>;
template <class T>
constexpr bool structure_alone = cairn::detail::category_of<T> == Category::structure && !cairn::detail::is_dual<T>;
template <class T>
constexpr bool text_alone = cairn::detail::category_of<T> == Category::string_form;

static_assert(both<app::Printed> && both<app::FormattedTold> && both<app::WideTold>);
static_assert(structure_alone<app::Misplaced> && structure_alone<app::Number> && structure_alone<app::Text>);
static_assert(structure_alone<app::Wide> && structure_alone<app::Formatted>);
static_assert(text_alone<app::Hidden> && text_alone<app::FormattedHidden> && text_alone<std::complex<float>>);
static_assert(std::is_base_of_v<cairn::OstreamForm<app::Hidden>, cairn::StringForm<app::Hidden>>);
}  // namespace

void call(const cairn::Logger& log);
void call(const cairn::Logger& log) {
  log.information("{A} {B} {C}", app::Printed{1}, app::FormattedTold{1}, app::WideTold{1});
  log.information("{A} {B} {C}", app::Hidden(1), app::FormattedHidden(1), std::complex<float>());
  log.information("{@A} {@B} {@C} {@D} {@E}", app::Misplaced{1}, app::Number{1}, app::Text{"a"}, app::Wide{1},
                  app::Formatted{1});
}
