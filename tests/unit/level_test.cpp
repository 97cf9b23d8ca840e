#include "cairn/level.hpp"

#include <gtest/gtest.h>

namespace {
using cairn::Level;

TEST(Level, reads_full_and_three_letter_names_in_any_case) {
  for (int i = 0; i < 6; ++i) {
    const auto level = static_cast<Level>(i);
    EXPECT_EQ(cairn::parse_level(cairn::to_string(level)), level);
    EXPECT_EQ(cairn::parse_level(cairn::to_short_string(level)), level);
  }
  EXPECT_EQ(cairn::parse_level("wArNiNg"), Level::warning);
  EXPECT_EQ(cairn::parse_level("ftl"), Level::fatal);
}

TEST(Level, refuses_what_is_not_a_level) {
  for (const char* text : {"", " info", "warn ", "informational", "6", "VRBX"})
    EXPECT_FALSE(cairn::parse_level(text)) << text;
}

TEST(Level, orders_from_verbose_to_fatal) {
  EXPECT_LT(Level::verbose, Level::debug);
  EXPECT_LT(Level::information, Level::warning);
  EXPECT_GT(Level::fatal, Level::error);
}
}  // namespace
