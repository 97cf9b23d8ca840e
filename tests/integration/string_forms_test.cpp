// A type with two string forms, an operator<< and a fmt::formatter: StringForm says which is meant, and wherever a
// value of it goes (a template, a context, a logger, an enricher) it is that one.
#include <cairn/types/fmt.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cairn/all.hpp>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "support/kept_events.hpp"

namespace app {

/// An aggregate: with a structure, too.
template <int>
struct Order {
  int id;
  friend std::ostream& operator<<(std::ostream& out, const Order& order) { return out << "streamed " << order.id; }
};
using StreamedOrder = Order<1>;
using FormattedOrder = Order<2>;

/// Of which Cairn knows the string forms alone.
template <int>
class Hidden {
 public:
  explicit Hidden(int id) : id_(id) {}
  [[nodiscard]] int id() const { return id_; }
  friend std::ostream& operator<<(std::ostream& out, const Hidden& hidden) { return out << "streamed " << hidden.id_; }

 private:
  int id_;
};
using StreamedHidden = Hidden<1>;
using FormattedHidden = Hidden<2>;

}  // namespace app

template <int N>
struct fmt::formatter<app::Order<N>> : fmt::formatter<int> {
  template <class Context>
  auto format(const app::Order<N>& order, Context& context) const {
    return fmt::format_to(context.out(), "formatted {}", order.id);
  }
};
template <int N>
struct fmt::formatter<app::Hidden<N>> : fmt::formatter<int> {
  template <class Context>
  auto format(const app::Hidden<N>& hidden, Context& context) const {
    return fmt::format_to(context.out(), "formatted {}", hidden.id());
  }
};
template <>
struct cairn::StringForm<app::StreamedOrder> : cairn::OstreamForm<app::StreamedOrder> {};
template <>
struct cairn::StringForm<app::FormattedOrder> : cairn::FmtForm<app::FormattedOrder> {};
template <>
struct cairn::StringForm<app::StreamedHidden> : cairn::OstreamForm<app::StreamedHidden> {};
template <>
struct cairn::StringForm<app::FormattedHidden> : cairn::FmtForm<app::FormattedHidden> {};

namespace {

using cairn::LogContext;
using cairn::testing_support::KeptEvents;
using testing::Each;

/// `value` as it comes out of every place that a property may come from.
template <class T>
std::vector<std::string> forms_of(const T& value) {
  cairn::Configuration config;
  config.enrich_with([&](cairn::EventBuilder& event) { event.add("Enriched", value); });
  config.enrich_with_property("Configured", value);
  const KeptEvents kept(config);
  const auto pushed = LogContext::push("Pushed", value);
  const auto optional = LogContext::push("Optional", std::optional(value));
  kept.log.for_context("Context", value).information("{InTemplate}", value);
  std::vector<std::string> forms;
  for (const char* name : {"InTemplate", "Pushed", "Optional", "Context", "Enriched", "Configured"})
    forms.push_back(kept.last(name));
  return forms;
}

TEST(StringForms, are_those_that_were_chosen_wherever_a_value_goes) {
  EXPECT_THAT(forms_of(app::StreamedOrder{7}), Each("streamed 7"));
  EXPECT_THAT(forms_of(app::FormattedOrder{7}), Each("formatted 7"));
  EXPECT_THAT(forms_of(app::StreamedHidden(7)), Each("streamed 7"));
  EXPECT_THAT(forms_of(app::FormattedHidden(7)), Each("formatted 7"));
}

TEST(StringForms, of_an_aggregate_stand_beside_its_structure) {
  const KeptEvents kept;
  kept.log.information("{@Order}", app::FormattedOrder{7});
  EXPECT_EQ(kept.last("Order"), R"({"id":7,"$type":"Order"})");
}

}  // namespace
