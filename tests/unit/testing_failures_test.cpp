// What a user's failed test shows, and NaN, which the matchers take for itself.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cairn/all.hpp>
#include <chrono>
#include <cmath>
#include <limits>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "cairn/testing.hpp"

namespace {

using cairn::Level;
using cairn::testing::logged;
using testing::HasSubstr;
using testing::Not;

struct Reading {
  double value;
  std::vector<float> all;
};

struct Logged {
  std::shared_ptr<cairn::MemorySink> sink = std::make_shared<cairn::MemorySink>();
  cairn::Logger log = cairn::Configuration{}.write_to(sink).create_logger();
};

TEST(TestingMatchers, take_nan_for_nan_wherever_it_stands) {
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  constexpr float short_nan = std::numeric_limits<float>::quiet_NaN();
  const Logged logged_to;
  logged_to.log.information("{N} {List} {Map}", nan, std::vector{1.5, nan}, std::map<int, float>{{1, short_nan}});
  logged_to.log.information("{@Reading} {Took}", Reading{nan, {short_nan}}, std::chrono::duration<double>(nan));
  const cairn::MemorySink& sink = *logged_to.sink;
  EXPECT_THAT(sink, logged(Level::information).with("N", nan));
  EXPECT_THAT(sink, logged(Level::information).with("N", short_nan)) << "as any other float equals its double";
  EXPECT_THAT(sink, logged(Level::information).with("List", std::vector{1.5, nan}));
  EXPECT_THAT(sink, logged(Level::information).with("Map", std::map<int, float>{{1, short_nan}}));
  EXPECT_THAT(sink, logged(Level::information).with("Reading", Reading{nan, {short_nan}}));
  EXPECT_THAT(sink, logged(Level::information).with("Took", std::chrono::duration<double>(nan)));
  EXPECT_THAT(sink, Not(logged(Level::information).with("N", 1.5)));
  EXPECT_THAT(sink, Not(logged(Level::information).with("N", "NaN")));
  EXPECT_THAT(sink, Not(logged(Level::information).with("List", std::vector{nan, 1.5})));
  EXPECT_THAT(sink, Not(logged(Level::information).with("Reading", Reading{1.5, {short_nan}})));
}

TEST(Values, that_are_nan_equal_nothing) {
  const cairn::OwnedValue nan(std::numeric_limits<double>::quiet_NaN());
  const cairn::OwnedValue list(std::vector{std::numeric_limits<double>::quiet_NaN()});
  EXPECT_FALSE(nan.view() == nan.view());
  EXPECT_FALSE(list.view() == list.view());
  EXPECT_TRUE(nan.view().is_same_as(nan.view()));
  EXPECT_TRUE(list.view().is_same_as(list.view()));
}

TEST(TestingFailures, name_the_sink_by_what_it_holds) {
  const Logged logged_to;
  EXPECT_EQ(testing::PrintToString(*logged_to.sink), "a MemorySink with 0 events");
  logged_to.log.information("one");
  EXPECT_EQ(testing::PrintToString(*logged_to.sink), "a MemorySink with 1 event");
  logged_to.log.information("two");
  EXPECT_EQ(testing::PrintToString(*logged_to.sink), "a MemorySink with 2 events");
  EXPECT_THAT(testing::PrintToString(logged_to.sink), HasSubstr("a MemorySink with 2 events"));
}

TEST(TestingFailures, cut_long_events_and_say_by_how_much) {
  const Logged logged_to;
  logged_to.log.information("{Text}", std::string(60'000, 'x'));
  logged_to.log.information("{Text}", "short");
  testing::StringMatchResultListener why;
  EXPECT_FALSE(logged(Level::error).MatchAndExplain(*logged_to.sink, why.stream()));
  const std::string whole = cairn::to_clef(logged_to.sink->events().at(0).view());
  EXPECT_THAT(why.str(), HasSubstr(whole.substr(0, 1000) + "…(+" + std::to_string(whole.size() - 1000) + " bytes)\n"));
  EXPECT_THAT(why.str(), HasSubstr(R"("Text":"short"})")) << "and no other";
  EXPECT_LT(why.str().size(), 1300U);
}

TEST(TestingFailures, cut_no_character_in_two) {
  for (int before = 0; before < 4; ++before) {
    const Logged logged_to;
    std::string text(static_cast<std::size_t>(before), 'x');
    for (int i = 0; i < 1000; ++i) text += "\U0001F600";
    logged_to.log.information("{Text}", text);
    testing::StringMatchResultListener why;
    EXPECT_FALSE(logged(Level::error).MatchAndExplain(*logged_to.sink, why.stream()));
    EXPECT_THAT(why.str(), HasSubstr("\U0001F600…(+")) << before;
  }
}

TEST(TestingFailures, cut_what_was_expected) {
  std::ostringstream said;
  const std::string text(50'000, 'y');
  logged(Level::error, text).with("Text", text).with_message(text).DescribeTo(&said);
  EXPECT_THAT(said.str(), HasSubstr(std::string(1000, 'y') + "…(+49000 bytes)\""));
  EXPECT_LT(said.str().size(), 3200U);
}

}  // namespace
