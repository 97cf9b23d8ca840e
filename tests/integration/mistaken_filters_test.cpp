// Filters that pass nothing, whatever is logged, can only be mistakes: each is refused in words.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cairn/all.hpp>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace {

namespace filters = cairn::filters;
using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> problems(cairn::Filter filter) {
  const auto made = cairn::Configuration{}.filter_by(std::move(filter)).write_to_null().try_create_logger();
  const auto* error = std::get_if<cairn::ConfigurationError>(&made);
  return error != nullptr ? error->problems() : std::vector<std::string>{};
}

TEST(MistakenFilters, of_a_property_without_a_name_are_refused) {
  const auto refused = ElementsAre("filter_by: the name of the property is empty; it takes a name");
  EXPECT_THAT(problems(filters::has_property("")), refused);
  EXPECT_THAT(problems(filters::property("", 1)), refused);
  EXPECT_THAT(problems(filters::property_matches("", [](const cairn::Value&) { return true; })), refused);
  EXPECT_THAT(problems(filters::level(cairn::Level::error) || !filters::has_property("")), refused);
  EXPECT_THAT(problems(filters::has_property(" ")), IsEmpty());
}

TEST(MistakenFilters, that_sample_none_are_refused) {
  const auto refused = [](const std::string& name) {
    return ElementsAre("filter_by: " + name + ": n is 0; it takes 1 or more (what passes nothing is never())");
  };
  for (const auto by : {filters::SampleBy::all, filters::SampleBy::event_template}) {
    EXPECT_THAT(problems(filters::sample_every(0, by)), refused("sample_every"));
    EXPECT_THAT(problems(filters::sample_per_second(0, by)), refused("sample_per_second"));
    EXPECT_THAT(problems(filters::sample_first(0, by)), refused("sample_first"));
    EXPECT_THAT(problems(filters::sample_every(1, by)), IsEmpty());
    EXPECT_THAT(problems(filters::sample_per_second(1, by)), IsEmpty());
    EXPECT_THAT(problems(filters::sample_first(1, by)), IsEmpty());
  }
  EXPECT_THAT(problems(filters::never()), IsEmpty()) << "that is said, and meant";
}

TEST(MistakenFilters, given_to_a_logger_are_thrown_back) {
  const auto log = cairn::Configuration{}.write_to_null().create_logger();
  EXPECT_THROW((void)log.add_filter(filters::has_property("")), std::invalid_argument);
  EXPECT_THROW((void)log.add_filter(filters::sample_first(0)), std::invalid_argument);
}

}  // namespace
