// Types whose string form is said beside them: who includes them includes that.
#pragma once

#include <cairn/types/fmt.hpp>

namespace app {

struct Order {
  int id;
};
class Secretive {
 public:
  explicit Secretive(int number) : number_(number) {}
  [[nodiscard]] int number() const { return number_; }

 private:
  int number_;
};
struct WideOrder {
  int id;
};
template <class C, class Traits>
std::basic_ostream<C, Traits>& operator<<(std::basic_ostream<C, Traits>& out, const WideOrder& order) {
  return out << "wide order " << order.id;
}

}  // namespace app

template <>
struct fmt::formatter<app::Order> : fmt::formatter<int> {
  template <class Context>
  auto format(const app::Order& order, Context& context) const {
    return fmt::formatter<int>::format(order.id, context);
  }
};
template <>
struct fmt::formatter<app::Secretive> : fmt::formatter<int> {
  template <class Context>
  auto format(const app::Secretive& secretive, Context& context) const {
    return fmt::formatter<int>::format(secretive.number(), context);
  }
};
template <>
struct cairn::StringForm<app::Order> : cairn::FmtForm<app::Order> {};
template <>
struct cairn::StringForm<app::WideOrder> : cairn::OstreamForm<app::WideOrder> {};
