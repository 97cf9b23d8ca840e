// Times of every clock and every tick: none is shown as another one.
#include <gtest/gtest.h>

#include <cairn/all.hpp>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>

namespace {

using cairn::OwnedValue;
using cairn::Timestamp;
using cairn::TimeValue;
using namespace std::chrono;
using namespace std::chrono_literals;

template <class T>
std::string json(const T& value) {
  const auto rendered = cairn::render("{V}", value);
  return nlohmann::json::parse(rendered.clef()).at("V").template get<std::string>();
}

TEST(WideTimes, are_shown_as_they_are_where_nanoseconds_end) {
  EXPECT_EQ(json(sys_days(3000y / 1 / 1)), "3000-01-01T00:00:00.0000000Z");
  EXPECT_EQ(json(sys_seconds(sys_days(1066y / 10 / 14)) + 9h), "1066-10-14T09:00:00.0000000Z");
  EXPECT_EQ(json(sys_time<microseconds>(sys_days(9999y / 12 / 31)) + 1us), "9999-12-31T00:00:00.0000010Z");
  EXPECT_EQ(json(sys_time<milliseconds>(sys_days(1y / 1 / 1)) - 1ms), "0000-12-31T23:59:59.9990000Z");
  EXPECT_EQ(json(Timestamp(nanoseconds::max())), "2262-04-11T23:47:16.8547758Z");
  EXPECT_EQ(json(sys_seconds(floor<seconds>(Timestamp(nanoseconds::max()))) + 1s), "2262-04-11T23:47:17.0000000Z");
  EXPECT_EQ(json(Timestamp(nanoseconds::min())), "1677-09-21T00:12:43.1452241Z");
  EXPECT_EQ(json(floor<seconds>(Timestamp(nanoseconds::min()))), "1677-09-21T00:12:43.0000000Z");
}

TEST(WideTimes, of_years_without_four_digits_have_a_sign) {
  EXPECT_EQ(json(sys_days(10000y / 1 / 1)), "+10000-01-01T00:00:00.0000000Z");
  EXPECT_EQ(json(sys_days(year(-44) / 3 / 15)), "-0044-03-15T00:00:00.0000000Z");
  EXPECT_EQ(json(sys_days(32767y / 12 / 30)), "+32767-12-30T00:00:00.0000000Z");
  EXPECT_EQ(json(sys_days(year(-32767) / 1 / 3)), "-32767-01-03T00:00:00.0000000Z");
}

TEST(WideTimes, reach_to_the_first_and_last_second_of_the_calendar) {
  const sys_seconds first = sys_days(year::min() / 1 / 1);
  const sys_seconds last = sys_seconds(sys_days(year::max() / 12 / 31)) + 86'399s;
  EXPECT_EQ(json(sys_days(year::min() / 1 / 1)), "-32767-01-01T00:00:00.0000000Z");
  EXPECT_EQ(json(sys_days(year::max() / 12 / 31)), "+32767-12-31T00:00:00.0000000Z");
  EXPECT_EQ(json(last), "+32767-12-31T23:59:59.0000000Z");
  EXPECT_EQ(json(sys_time<milliseconds>(last) + 999ms), "+32767-12-31T23:59:59.9990000Z");
  EXPECT_EQ(json(last + 1s), "<time out of range: 971890963200s>");
  EXPECT_EQ(json(first - 1s), "<time out of range: -1096193779201s>");
  EXPECT_EQ(cairn::render("{T:%F %T %j}", first).text, "-32767-01-01 00:00:00 001");
  EXPECT_EQ(cairn::render("{T:%F %T %j}", last).text, "32767-12-31 23:59:59 365");
}

TEST(WideTimes, take_a_pattern) {
  const auto shown = [](const auto& time) {
    return cairn::render("{T:%Y-%m-%d %C %y %G %j %H:%M:%S.%3f %a %s}", time).text;
  };
  EXPECT_EQ(shown(sys_days(3000y / 3 / 1) + 1500ms), "3000-03-01 30 00 3000 060 00:00:01.500 Sat 32508777601");
  EXPECT_EQ(shown(sys_days(year(-44) / 3 / 15)), "-0044-03-15 -01 56 -0044 075 00:00:00.000 Thu -63549360000");
  EXPECT_EQ(cairn::render("{T,14:%Y}|", sys_days(12345y / 1 / 1)).text, "         12345|");
}

TEST(WideTimes, that_no_calendar_has_a_year_for_say_so) {
  EXPECT_EQ(json(sys_seconds(seconds::max())), "<time out of range: 9223372036854775807s>");
  EXPECT_EQ(json(sys_time<hours>(hours(INT32_MAX))), "<time out of range: 2147483647h>");
  EXPECT_EQ(json(sys_time<milliseconds>::min()), "<time out of range: -9223372036854775808ms>");
  EXPECT_EQ(json(sys_days(days(INT32_MIN))), "<time out of range: -2147483648d>");
  EXPECT_EQ(cairn::render("[{T,40:%Y}]", sys_seconds(seconds::max())).text,
            "[<time out of range: 9223372036854775807s>]");
}

TEST(WideTimes, of_a_floating_count_are_shown_to_what_it_holds) {
  using Precise = sys_time<duration<double>>;
  EXPECT_EQ(json(Precise(duration<double>(1.5))), "1970-01-01T00:00:01.5000000Z");
  EXPECT_EQ(json(Precise(duration<double>(-0.25))), "1969-12-31T23:59:59.7500000Z");
  EXPECT_EQ(json(Precise(duration<double>(32503680000.5))), "3000-01-01T00:00:00.5000000Z");
  constexpr double infinity = std::numeric_limits<double>::infinity();
  EXPECT_TRUE(json(Precise(duration<double>(infinity))).starts_with("<time out of range: "));
  EXPECT_TRUE(
      json(Precise(duration<double>(std::numeric_limits<double>::quiet_NaN()))).starts_with("<time out of range: "));
}

TEST(WideTimes, finer_than_a_nanosecond_are_rounded_down) {
  using Picoseconds = duration<std::int64_t, std::pico>;
  EXPECT_EQ(OwnedValue(sys_time<Picoseconds>(Picoseconds(-1))).view().as_time(), (TimeValue{-1, 999'999'999}));
  EXPECT_EQ(OwnedValue(sys_time<Picoseconds>(Picoseconds(1'999))).view().as_time(), (TimeValue{0, 1}));
}

TEST(WideTimes, are_no_timestamps_but_times) {
  const OwnedValue far(sys_days(3000y / 1 / 1));
  EXPECT_EQ(far.view().kind(), cairn::ValueKind::time_point);
  EXPECT_EQ(far.view().as_timestamp(), std::nullopt);
  EXPECT_EQ(far.view().as_time(), (TimeValue{32'503'680'000, 0}));
  EXPECT_EQ(OwnedValue(sys_days(2000y / 1 / 1)).view().as_timestamp(), Timestamp(sys_days(2000y / 1 / 1)));
  EXPECT_EQ(OwnedValue(Timestamp(-1ns)).view().as_time(), (TimeValue{-1, 999'999'999}));
  EXPECT_EQ(OwnedValue(sys_seconds(seconds::max())).view().as_time(), (TimeValue{INT64_MAX, 0}));
  EXPECT_EQ(OwnedValue(sys_time<hours>(hours(INT32_MAX))).view().as_timestamp(), std::nullopt);
  EXPECT_EQ(OwnedValue(1).view().as_time(), std::nullopt);
}

TEST(WideTimes, are_equal_whatever_their_ticks_are) {
  const auto equal = [](const auto& a, const auto& b) { return OwnedValue(a).view() == OwnedValue(b).view(); };
  EXPECT_TRUE(equal(sys_days(3000y / 1 / 1), sys_seconds(sys_days(3000y / 1 / 1))));
  EXPECT_TRUE(equal(sys_seconds(5s), Timestamp(5s)));
  EXPECT_FALSE(equal(sys_seconds(5s), Timestamp(5s + 1ns)));
  EXPECT_FALSE(equal(sys_days(3000y / 1 / 1), sys_days(3000y / 1 / 2)));
}

TEST(FileTimes, are_times) {
  const std::string path = testing::TempDir() + "cairn_file_time";
  std::ofstream(path) << "x";
  const auto written = std::filesystem::last_write_time(path);
  const auto as_system = file_clock::to_sys(written);
  const OwnedValue captured(written);
  EXPECT_EQ(captured.view().kind(), cairn::ValueKind::time_point);
  EXPECT_EQ(captured.view().as_timestamp(), time_point_cast<nanoseconds>(as_system));
  EXPECT_EQ(json(written), json(as_system));
  EXPECT_EQ(cairn::render("{T:%Y}", written).text, cairn::render("{T:%Y}", as_system).text);
  EXPECT_EQ(json(std::filesystem::file_time_type::max()), "2466-04-11T23:47:16.8547758Z");
  std::filesystem::remove(path);
}

}  // namespace
