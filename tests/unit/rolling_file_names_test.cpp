#include <gtest/gtest.h>

#include <cstdlib>

#include "sinks/file_names.hpp"

namespace {
using namespace cairn;
using namespace cairn::detail;
using namespace std::chrono;

Timestamp at(int y, unsigned mo, unsigned d, int h = 0, int mi = 0) {
  return sys_days(year(y) / month(mo) / day(d)) + hours(h) + minutes(mi);
}

TEST(RollingFileNames, carry_the_digits_of_the_period) {
  const Timestamp moment = at(2026, 1, 31, 17, 5);
  const auto name = [&](Rolling rolling, std::uint32_t number = 0) {
    return FileNames("app.log", rolling, false).name({Periods(rolling, TimeZone::utc).of(moment), number});
  };
  EXPECT_EQ(name(Rolling::none), "app.log");
  EXPECT_EQ(name(Rolling::none, 1), "app_001.log");
  EXPECT_EQ(name(Rolling::none, 1234), "app_1234.log");
  EXPECT_EQ(name(Rolling::year), "app-2026.log");
  EXPECT_EQ(name(Rolling::month), "app-202601.log");
  EXPECT_EQ(name(Rolling::day), "app-20260131.log");
  EXPECT_EQ(name(Rolling::day, 1), "app-20260131_001.log");
  EXPECT_EQ(name(Rolling::hour), "app-2026013117.log");
  EXPECT_EQ(name(Rolling::minute), "app-202601311705.log");
  EXPECT_EQ(FileNames("app", Rolling::none, false).name({0, 2}), "app_002");
  EXPECT_EQ(FileNames(".app", Rolling::none, false).name({0, 2}), ".app_002");
}

TEST(RollingFileNames, are_read_back_to_the_letter_and_nothing_else_is) {
  const FileNames names("app.log", Rolling::day, false);
  for (const FileId id : {FileId{20260131, 0}, FileId{20260131, 1}, FileId{20260131, 999}, FileId{20260131, 1000}}) {
    const auto match = names.parse(names.name(id));
    ASSERT_TRUE(match);
    EXPECT_EQ(match->id, id);
    EXPECT_EQ(names.parse(names.name(id) + ".gz")->compressed, Compress::gzip);
    EXPECT_EQ(names.parse(names.name(id) + ".zst")->compressed, Compress::zstd);
  }
  for (const char* other : {"app.log",
                            "app-2026013.log",
                            "app-202601311.log",
                            "app-20260131_01.log",
                            "app-20260131_000.log",
                            "app-20260131_0001.log",
                            "app-20260131_.log",
                            "app-20260131_1.log",
                            "app-20260131_001.log.gz.tmp",
                            "app-20260131_001.log.bz2",
                            "app-20260131.log.1",
                            "app-20260131.log.gz.gz",
                            "app-2026013a.log",
                            "-20260131.log",
                            "app-20260131",
                            "app-+2026013.log",
                            "app-20260131_99999999999999999999.log",
                            "bapp-20260131.log",
                            "",
                            "."})
    EXPECT_FALSE(names.parse(other)) << other;
}

TEST(RollingFileNames, of_rolled_files_begin_at_one_where_the_active_name_is_kept) {
  const FileNames names("app.log", Rolling::none, true);
  EXPECT_TRUE(names.parse("app.log")->active);
  EXPECT_FALSE(names.parse("app.log.gz"));
  EXPECT_EQ(names.parse("app_001.log")->id.number, 1U);
  EXPECT_EQ(names.active_name({0, 7}), "app.log");
}

TEST(RollingFileNames, follow_the_local_calendar_if_asked) {
  ::setenv("TZ", "XXX-05:30", 1);  // five and a half hours ahead
  ::tzset();
  Periods local(Rolling::hour, TimeZone::local);
  EXPECT_EQ(local.of(at(2026, 1, 31, 18, 29)), 2026013123U);
  EXPECT_EQ(local.of(at(2026, 1, 31, 18, 30)), 2026020100U);
  ::unsetenv("TZ");
  ::tzset();
}

TEST(RollingFileNames, have_periods_before_1970_too) {
  EXPECT_EQ(Periods(Rolling::minute, TimeZone::utc).of(at(1969, 12, 31, 23, 59)), 196912312359U);
}
}  // namespace
