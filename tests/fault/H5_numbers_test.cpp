// H5: numbers at their ends. Integers are exact, what is no number is a string, in every output by one function.
#include <gtest/gtest.h>

#include <cairn/all.hpp>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "support/every_output.hpp"

namespace {

using cairn::testing::EveryOutput;

struct Numbers {
  double real;
};

TEST(H5Numbers, what_is_no_number_is_a_string_wherever_it_stands) {
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  constexpr double infinity = std::numeric_limits<double>::infinity();
  EveryOutput out;
  for (const auto& [number, name] :
       {std::pair(nan, "NaN"), {-nan, "NaN"}, {infinity, "Infinity"}, {-infinity, "-Infinity"}}) {
    out.log.for_context("L", number)
        .information("{A} {B} {@C} {D} {E} {F}", number, static_cast<float>(number), Numbers{number},
                     std::vector<double>{number}, std::map<std::string, double>{{"k", number}},
                     static_cast<long double>(number));
    const auto read = out.last();
    EXPECT_EQ(read["L"], name);
    EXPECT_EQ(read["A"], name);
    EXPECT_EQ(read["B"], name);
    EXPECT_EQ(read["C"]["real"], name);
    EXPECT_EQ(read["D"][0], name);
    EXPECT_EQ(read["E"]["k"], name);
    EXPECT_EQ(read["F"], name);
  }
  out.expect_sound(4);
}

TEST(H5Numbers, what_is_no_number_is_as_std_format_has_it_in_a_hole_with_a_format_and_a_string_as_a_property) {
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  constexpr double infinity = std::numeric_limits<double>::infinity();
  EveryOutput out;
  out.log.information("{A:.2f}|{B:08.3f}|{C:+.1e}|{D:G}|{E:>6.1f}|{F:F}", nan, -infinity, infinity, nan, infinity,
                      -infinity);
  const auto read = out.last();
  EXPECT_EQ(read["@r"], nlohmann::json({"nan", "    -inf", "+inf", "NAN", "   inf", "-INF"}));
  for (const char* name : {"A", "D"}) EXPECT_EQ(read[name], "NaN") << name;
  for (const char* name : {"C", "E"}) EXPECT_EQ(read[name], "Infinity") << name;
  for (const char* name : {"B", "F"}) EXPECT_EQ(read[name], "-Infinity") << name;
  EXPECT_NE(out.text().find("nan|    -inf|+inf|NAN|   inf|-INF"), std::string::npos) << out.text();
  out.expect_sound(1);
}

TEST(H5Numbers, integers_are_exact_to_the_last_digit) {
  EveryOutput out;
  out.log.information("{A} {B} {C} {D} {E}", UINT64_MAX, INT64_MIN, (std::int64_t{1} << 53) + 1,
                      -(std::int64_t{1} << 53) - 1, INT64_MAX);
  for (const std::string& line : {out.clef_file(), out.text()}) {
    for (const char* digits : {"18446744073709551615", "-9223372036854775808", "9007199254740993", "-9007199254740993",
                               "9223372036854775807"})
      EXPECT_NE(line.find(digits), std::string::npos) << line;
  }
  EXPECT_EQ(out.last()["A"].get<std::uint64_t>(), UINT64_MAX);
  EXPECT_EQ(out.last()["B"].get<std::int64_t>(), INT64_MIN);
  out.expect_sound(1);
}

TEST(H5Numbers, reals_at_their_ends_read_back_as_they_were) {
  EveryOutput out;
  std::size_t count = 0;
  for (const double number : {0.0, -0.0, 5e-324, -5e-324, 2.2250738585072009e-308, 2.2250738585072014e-308, 1e308,
                              1.7976931348623157e308, -1.7976931348623157e308, 0.1, 1e21, 1e-7, 9007199254740993.0}) {
    out.log.information("{A}", number);
    const auto read = out.last()["A"];
    ASSERT_TRUE(read.is_number()) << number;
    EXPECT_EQ(read.get<double>(), number);
    EXPECT_EQ(std::signbit(read.get<double>()), std::signbit(number)) << number;
    ++count;
  }
  out.expect_sound(count);
}

}  // namespace
