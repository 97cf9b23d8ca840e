// Which classes have a formatter of their own, and which {fmt} would only take for what they convert to.
// flags: -DFMT_HEADER_ONLY
#include <cairn/types/fmt.hpp>

#include <cairn/all.hpp>

namespace app {

template <class To>
class Converts {
 public:
  explicit Converts(int number) : number_(number) {}
  operator To() const;
  [[nodiscard]] int number() const { return number_; }

 private:
  int number_;
};
class Formatted : public Converts<bool> {
 public:
  using Converts::Converts;
};
template <class T>
class Point : public Converts<int> {
 public:
  using Converts::Converts;
};

}  // namespace app

template <>
struct fmt::formatter<app::Formatted> : fmt::formatter<int> {
  template <class Context>
  auto format(const app::Formatted& value, Context& context) const {
    return fmt::formatter<int>::format(value.number(), context);
  }
};
template <class T>
struct fmt::formatter<app::Point<T>> : fmt::formatter<int> {
  template <class Context>
  auto format(const app::Point<T>& value, Context& context) const {
    return fmt::formatter<int>::format(value.number(), context);
  }
};

namespace {

using cairn::detail::Category;
template <class T>
constexpr bool has_text = cairn::detail::category_of<T> == Category::string_form;
template <class T>
constexpr bool has_none = cairn::detail::category_of<T> == Category::unsupported;

static_assert(has_text<app::Formatted> && has_text<app::Point<int>>);
static_assert(has_none<app::Converts<bool>> && has_none<app::Converts<int>> && has_none<app::Converts<double>>);
static_assert(has_none<app::Converts<char>> && has_none<app::Converts<const void*>>);
constexpr auto lambda = [](int) {};
static_assert(has_none<decltype(lambda)>);

}  // namespace

void call(const cairn::Logger& log);
void call(const cairn::Logger& log) { log.information("{A} {B}", app::Formatted(1), app::Point<int>(2)); }
