// Times and durations as text, against strftime over the whole range and by hand at the edges.
#include "text/time_format.hpp"

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <ctime>

#include "format_test_support.hpp"
#include "text/duration_format.hpp"

namespace {

using namespace std::chrono_literals;
using namespace cairn::format;
using cairn::Timestamp;
using cairn::TimeZone;
using cairn::test::below;
using cairn::test::seeded;
using cairn::test::written;

constexpr Timestamp at(std::int64_t second, std::int64_t nanosecond = 0) {
  return Timestamp{std::chrono::nanoseconds{second * 1'000'000'000 + nanosecond}};
}

std::string shown(std::string_view pattern, Timestamp time, TimeZone zone = TimeZone::utc) {
  TimeFormat format(pattern);
  const std::string once = written([&](auto& out) { format.append(out, time, zone); });
  EXPECT_EQ(written([&](auto& out) { format.append(out, time, zone); }), once) << "differs from the cache";
  EXPECT_EQ(written([&](auto& out) { append_time(out, time, pattern, zone); }), once) << "differs without a cache";
  return once;
}

std::string iso(Timestamp time, int decimals) {
  return written([&](auto& out) { append_iso_utc(out, time, decimals); });
}

/// The zone of the process, set for a while.
class Zone {
 public:
  explicit Zone(const char* name) {
    if (const char* old = std::getenv("TZ")) old_ = old;
    ::setenv("TZ", name, 1);
    ::tzset();
  }
  ~Zone() {
    old_.empty() ? ::unsetenv("TZ") : ::setenv("TZ", old_.c_str(), 1);
    ::tzset();
  }

 private:
  std::string old_;
};

constexpr const char* everything =
    "%Y|%m|%d|%H|%M|%S|%z|%a|%A|%b|%B|%e|%j|%y|%C|%I|%p|%F|%T|%D|%R|%r|%u|%w|%n|%t|%%|%h|%G|%g|%V|%U|%W|%c|%x|%X";

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"  // the patterns are this file's own
std::string by_strftime(const char* pattern, std::int64_t second, TimeZone zone) {
  const std::time_t time = second;
  std::tm parts{};
  zone == TimeZone::utc ? ::gmtime_r(&time, &parts) : ::localtime_r(&time, &parts);
  std::array<char, 512> text;
  return {text.data(), std::strftime(text.data(), text.size(), pattern, &parts)};
}
#pragma GCC diagnostic pop

std::int64_t random_second(std::mt19937_64& random) {
  if (below(random, 2) == 0) return static_cast<std::int64_t>(random()) / 1'000'000'000;  // 1677 to 2262
  return static_cast<std::int64_t>(below(random, 4'102'444'800));                         // 1970 to 2100
}

TEST(TimeFormat, is_what_strftime_prints_in_utc) {
  auto random = seeded("is_what_strftime_prints_in_utc");
  TimeFormat format(everything);
  for (int i = 0; i < 100'000 && !HasFailure(); ++i) {
    const std::int64_t second = random_second(random);
    const std::string ours = written([&](auto& out) {
      format.append(out, at(second, second > 0 ? static_cast<std::int64_t>(below(random, 900'000'000)) : 0),
                    TimeZone::utc);
    });
    EXPECT_EQ(ours, by_strftime(everything, second, TimeZone::utc)) << second;
  }
}

TEST(TimeFormat, is_what_strftime_prints_in_local_time) {
  auto random = seeded("is_what_strftime_prints_in_local_time");
  const std::string pattern = std::string(everything).append("|%Z");
  for (const char* name : {"Europe/Berlin", "America/St_Johns", "Asia/Kathmandu", "Australia/Lord_Howe",
                           "America/New_York", "Africa/Monrovia", "Pacific/Apia", "UTC", "<-0330>3:30"}) {
    const Zone zone(name);
    TimeFormat format(pattern);
    TimeFormat seconds("%s");
    for (int i = 0; i < 4'000 && !HasFailure(); ++i) {
      const std::int64_t second = random_second(random);
      for (const std::int64_t near : {second, second + 1, second + 600, second + 900}) {
        if (near > 9'223'372'036 || near < -9'223'372'036) continue;
        EXPECT_EQ(written([&](auto& out) { format.append(out, at(near), TimeZone::local); }),
                  by_strftime(pattern.c_str(), near, TimeZone::local))
            << name << " " << near;
        // strftime takes %s back from the local time, and cannot tell which of two equal ones it was (Apia had two 4ths
        // of July).
        EXPECT_EQ(written([&](auto& out) { seconds.append(out, at(near), TimeZone::local); }), std::to_string(near))
            << name;
      }
    }
  }
}

TEST(TimeFormat, local_time_is_right_on_both_sides_of_a_change_of_clocks) {
  const Zone zone("Europe/Berlin");
  TimeFormat format("%F %T %z %Z");
  const auto local = [&](std::int64_t second) {
    return written([&](auto& out) { format.append(out, at(second), TimeZone::local); });
  };
  EXPECT_EQ(local(1774745999), "2026-03-29 01:59:59 +0100 CET");
  EXPECT_EQ(local(1774746000), "2026-03-29 03:00:00 +0200 CEST");
  EXPECT_EQ(local(1792889999), "2026-10-25 02:59:59 +0200 CEST");
  EXPECT_EQ(local(1792890000), "2026-10-25 02:00:00 +0100 CET");
}

TEST(TimeFormat, a_change_of_clocks_inside_a_quarter_is_seen_at_its_second) {
  const Zone zone("Africa/Monrovia");  // moved by 44 minutes 30 seconds at 00:00 on 1972-01-07, 00:44:30 UTC
  TimeFormat format("%T");
  for (std::int64_t second = 63593070 - 1000; second < 63593070 + 1000; ++second) {
    ASSERT_EQ(written([&](auto& out) { format.append(out, at(second), TimeZone::local); }),
              by_strftime("%T", second, TimeZone::local));
  }
}

TEST(TimeFormat, fractions_are_cut_not_rounded) {
  EXPECT_EQ(shown("%S.%3f %S.%6f %9f", at(9, 123'987'999)), "09.123 09.123987 123987999");
  EXPECT_EQ(shown("%T.%3f", at(59, 999'999'999)), "00:00:59.999");
}

TEST(TimeFormat, the_cache_follows_every_change) {
  TimeFormat format("%T.%3f");
  const auto text = [&](Timestamp time, TimeZone zone = TimeZone::utc) {
    return written([&](auto& out) { format.append(out, time, zone); });
  };
  const Zone zone("<+01>-1");
  EXPECT_EQ(text(at(10, 5'000'000)), "00:00:10.005");
  EXPECT_EQ(text(at(10, 6'000'000)), "00:00:10.006");
  EXPECT_EQ(text(at(11)), "00:00:11.000");
  EXPECT_EQ(text(at(11), TimeZone::local), "01:00:11.000");
  EXPECT_EQ(text(at(11)), "00:00:11.000");
  EXPECT_EQ(text(at(10)), "00:00:10.000");
}

TEST(TimeFormat, the_ends_of_time_work) {
  EXPECT_EQ(shown("%F %T.%9f", Timestamp::min()), "1677-09-21 00:12:43.145224192");
  EXPECT_EQ(shown("%F %T.%9f", Timestamp::max()), "2262-04-11 23:47:16.854775807");
  EXPECT_EQ(shown("%F %T.%9f %s", at(0, -1)), "1969-12-31 23:59:59.999999999 -1");
  EXPECT_EQ(shown("%Z %z", at(0)), "UTC +0000");
}

TEST(TimeFormat, what_is_not_known_stays_and_is_reported) {
  EXPECT_EQ(shown("a%Kb%4f%", at(0)), "a%Kb%4f%");
  EXPECT_EQ(shown("", at(0)), "");
  EXPECT_TRUE(time_format_errors("[%H:%M:%S.%3f %z] 100%%").empty());
  EXPECT_EQ(time_format_errors("%H:%K"), std::vector<std::string>{"'%K' at position 3 is not a conversion"});
  EXPECT_EQ(time_format_errors("x%"), std::vector<std::string>{"'%' at position 1 is not a conversion"});
  EXPECT_EQ(time_format_errors("%4f"),
            std::vector<std::string>{"'%4f' at position 0 is not a conversion (fractions are %3f, %6f and %9f)"});
}

TEST(IsoTime, has_the_decimals_asked_for) {
  const Timestamp time = at(1769879109, 123'456'789);
  EXPECT_EQ(iso(time, 7), "2026-01-31T17:05:09.1234567Z");
  EXPECT_EQ(iso(time, 9), "2026-01-31T17:05:09.123456789Z");
  EXPECT_EQ(iso(time, 0), "2026-01-31T17:05:09Z");
  EXPECT_EQ(iso(Timestamp{}, 7), "1970-01-01T00:00:00.0000000Z");
  EXPECT_EQ(iso(Timestamp::min(), 9), "1677-09-21T00:12:43.145224192Z");
}

TEST(IsoTime, the_cache_changes_nothing) {
  auto random = seeded("the_cache_changes_nothing");
  IsoTimeCache cache;
  std::int64_t second = 0;
  for (int i = 0; i < 100'000 && !HasFailure(); ++i) {
    if (below(random, 3) == 0) second = random_second(random);
    const std::int64_t nanosecond =
        second > 9'223'372'000 || second < -9'223'372'000 ? 0 : static_cast<std::int64_t>(below(random, 1'000'000'000));
    char fraction[16];
    std::snprintf(fraction, sizeof fraction, ".%07dZ", static_cast<int>(nanosecond / 100));
    EXPECT_EQ(written([&](auto& out) { append_iso_utc(out, at(second, nanosecond), 7, cache); }),
              by_strftime("%Y-%m-%dT%H:%M:%S", second, TimeZone::utc).append(fraction));
  }
}

template <typename Rep, typename Period>
std::string duration(std::chrono::duration<Rep, Period> value, std::string_view text = "") {
  const auto spec = cairn::detail::parse_format_spec(text, cairn::detail::FormatClass::duration);
  if (!spec) return "refused";
  using Count = std::conditional_t<std::is_floating_point_v<Rep>, double, std::int64_t>;
  return written([&](auto& out) {
    append_duration(out, static_cast<Count>(value.count()), Period::num, Period::den, text.empty() ? nullptr : &*spec);
  });
}

TEST(Duration, is_its_count_with_its_unit) {
  EXPECT_EQ(duration(1500us), "1500us");
  EXPECT_EQ(duration(std::chrono::duration<double, std::milli>(1.5)), "1.5ms");
  EXPECT_EQ(duration(-3s), "-3s");
  EXPECT_EQ(duration(5min), "5min");
  EXPECT_EQ(duration(2h), "2h");
  EXPECT_EQ(duration(std::chrono::days{7}), "7d");
  EXPECT_EQ(duration(std::chrono::weeks{2}), "2[604800]s");
  EXPECT_EQ(duration(std::chrono::duration<int, std::ratio<1, 30>>(4)), "4[1/30]s");
  EXPECT_EQ(duration(std::chrono::nanoseconds::min()), "-9223372036854775808ns");
  EXPECT_EQ(duration(std::chrono::duration<double, std::milli>(1.23456), ".2"), "1.23ms");
  EXPECT_EQ(duration(15ms, ">8"), "    15ms");
}

TEST(Duration, patterns_show_its_parts) {
  EXPECT_EQ(duration(3661s, "%H:%M:%S"), "01:01:01");
  EXPECT_EQ(duration(3661s, "%T|%R"), "01:01:01|01:01");
  EXPECT_EQ(duration(-3661s, "%T"), "-01:01:01");
  EXPECT_EQ(duration(1234ms, "%S"), "01.234");
  EXPECT_EQ(duration(1234ms, "%S.%6f"), "01.234000");
  EXPECT_EQ(duration(-1ms, "%T"), "-00:00:00.001");
  EXPECT_EQ(duration(90min, "%H h %M min"), "01 h 30 min");
  EXPECT_EQ(duration(100h, "%H"), "100");
  EXPECT_EQ(duration(100h, "%j d %H h"), "4 d 04 h");
  EXPECT_EQ(duration(13h, "%I %p"), "01 PM");
  EXPECT_EQ(duration(-15ms, "%Q%q"), "-15ms");
  EXPECT_EQ(duration(15ms, "%Q %q %%"), "15 ms %");
  EXPECT_EQ(duration(15s, "*^14%T"), "***00:00:15***");
  EXPECT_EQ(duration(std::chrono::duration<double>(1.5), "%S"), "01.500000");
  EXPECT_EQ(duration(std::chrono::nanoseconds::min(), "%T"), "-2562047:47:16.854775808");
  EXPECT_EQ(duration(std::chrono::hours::max(), "%T"), "9223372036854775807h");  // more seconds than there are numbers
}

TEST(Duration, its_parts_add_up) {
  auto random = seeded("its_parts_add_up");
  for (int i = 0; i < 50'000 && !HasFailure(); ++i) {
    const auto count = static_cast<std::int64_t>(random()) >> below(random, 63);
    const std::string text = duration(std::chrono::nanoseconds{count}, "%H %M %S");
    long long hours = 0;
    int minutes = 0, seconds = 0, nanoseconds = 0;
    ASSERT_EQ(std::sscanf(text.c_str() + (text[0] == '-'), "%lld %d %d.%9d", &hours, &minutes, &seconds, &nanoseconds),
              4);
    const auto total = static_cast<std::uint64_t>(hours * 3600 + minutes * 60 + seconds) * 1'000'000'000u +
                       static_cast<std::uint64_t>(nanoseconds);
    const auto bits = static_cast<std::uint64_t>(count);
    EXPECT_EQ(total, count < 0 ? 0 - bits : bits) << text;
    EXPECT_EQ(text[0] == '-', count < 0);
  }
}

TEST(LocalTime, at_the_ends_of_the_calendar_is_utc_where_there_is_no_local_year) {
  const auto shown = [](std::chrono::sys_seconds time) {
    return written([&](auto& out) {
      append_time(out, Moment{time.time_since_epoch().count(), 0}, "%Y-%m-%d %H %z", TimeZone::local);
    });
  };
  const Zone ahead("AAA-14");
  EXPECT_EQ(shown(std::chrono::sys_days(32767y / 12 / 31) + 9h), "32767-12-31 23 +1400");
  EXPECT_EQ(shown(std::chrono::sys_days(32767y / 12 / 31) + 10h), "32767-12-31 10 +0000");
  const Zone behind("BBB+12");
  EXPECT_EQ(shown(std::chrono::sys_days(-32767y / 1 / 1) + 11h), "-32767-01-01 11 +0000");
}

}  // namespace
