// A duration of floats is shown as its floats are, and not as the doubles nearest to them.
#include <gtest/gtest.h>

#include <cairn/all.hpp>
#include <chrono>
#include <cmath>
#include <limits>
#include <vector>

namespace {

using Seconds = std::chrono::duration<float>;
using Milliseconds = std::chrono::duration<float, std::milli>;

TEST(FloatDurations, are_the_shortest_that_read_back_as_the_same_float) {
  EXPECT_EQ(cairn::render("{D}", Seconds(0.1F)).text, "0.1s");
  EXPECT_EQ(cairn::render("{D}", Seconds(0.1F)).clef(), R"({"@mt":"{D}","D":"0.1s"})");
  EXPECT_EQ(cairn::render("{D}", Milliseconds(-16777.217F)).text, "-16777.217ms");
  EXPECT_EQ(cairn::render("{D}", Milliseconds(3.4028235e38F)).text, "3.4028235e+38ms");
  EXPECT_EQ(cairn::render("{D}", std::vector{Seconds(0.7F), Seconds(1.5F)}).text, R"(["0.7s","1.5s"])");
  EXPECT_EQ(cairn::render("{D}", std::chrono::duration<double>(0.1F)).text, "0.10000000149011612s") << "a double's";
}

TEST(FloatDurations, take_formats) {
  EXPECT_EQ(cairn::render("{D:%Q %q}", Milliseconds(-0.3F)).text, "-0.3 ms");
  EXPECT_EQ(cairn::render("{D:.2}", Seconds(0.126F)).text, "0.13s");
  EXPECT_EQ(cairn::render("{D:>8}", Seconds(0.1F)).text, "    0.1s");
  EXPECT_EQ(cairn::render("{D:%H:%M:%S}", Seconds(3661.5F)).text, "01:01:01.500000");
}

TEST(FloatDurations, that_are_no_numbers_say_so) {
  EXPECT_EQ(cairn::render("{D}", Seconds(std::numeric_limits<float>::quiet_NaN())).text, "NaNs");
  EXPECT_EQ(cairn::render("{D}", Seconds(-std::numeric_limits<float>::infinity())).text, "-Infinitys");
  EXPECT_EQ(cairn::render("{D}", Seconds(-0.0F)).text, "-0s");
}

TEST(FloatDurations, are_told_as_floats_where_no_calendar_has_them) {
  using Time = std::chrono::sys_time<Seconds>;
  EXPECT_EQ(cairn::render("{T}", Time(Seconds(1e30F))).text, "<time out of range: 1e+30s>");
}

TEST(FloatDurations, are_the_number_that_the_float_is) {
  const cairn::OwnedValue captured(Seconds(0.1F));
  EXPECT_EQ(captured.view().as_duration()->floating_count, static_cast<double>(0.1F));
  EXPECT_EQ(cairn::OwnedValue(captured.view()).view().to_text(), "0.1s");
}

}  // namespace
