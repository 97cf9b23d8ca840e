#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/log_folder.hpp"
#include "support/scripted_file_ops.hpp"

namespace {
using namespace cairn;
using namespace cairn::detail;
using namespace cairn::testing;
using namespace std::chrono_literals;
using ::testing::ElementsAre;

struct RollingFileRetention : ::testing::Test {
  LogFolder folder;
  ManualClock clock;
  ScriptedFileOps ops;
  std::string path = folder.path("app.log");
};

TEST_F(RollingFileRetention, keeps_the_newest_files_the_active_one_included) {
  folder.write("app-20250101.log.gz", "old, compressed\n");
  RollingFile file(path, {.rolling = Rolling::day, .retain_files = 3, .adopt_files = true}, ops, clock);
  for (int day = 0; day < 6; ++day) EXPECT_FALSE(append(file, "x", clock.wall + 24h * day).error);
  EXPECT_THAT(folder.names(), ElementsAre("app-20260203.log", "app-20260204.log", "app-20260205.log"));
  EXPECT_EQ(file.count(FileCount::files_deleted), 4U);
}

TEST_F(RollingFileRetention, deletes_no_file_with_lines_for_empty_ones) {
  RollingFile file(path, {.rolling = Rolling::minute, .retain_files = 3}, ops, clock);
  for (int minute = 0; minute < 3; ++minute) EXPECT_FALSE(append(file, "x", clock.wall + 1min * minute).error);
  ops.space = 0;
  for (int minute = 3; minute < 10; ++minute) {
    EXPECT_TRUE(append(file, "x", clock.wall + 1min * minute).error);
    clock.pass(1s);
  }
  EXPECT_EQ(folder.names().size(), 3U) << "nor are they kept beyond the number";
  EXPECT_EQ(folder.lines().size(), 2U);
  ops.space = UINT64_MAX;
  for (int minute = 10; minute < 13; ++minute) EXPECT_FALSE(append(file, "x", clock.wall + 1min * minute).error);
  EXPECT_EQ(folder.lines().size(), 3U);
}

TEST_F(RollingFileRetention, of_a_durable_log_waits_until_something_is_synced_in_the_new_file) {
  RollingFile file(path, {.rolling = Rolling::day, .retain_files = 2, .durable = Durable::batch}, ops, clock);
  for (int day = 0; day < 2; ++day) EXPECT_FALSE(append(file, "x", clock.wall + 24h * day).error);
  ops.fail("fdatasync", 1, EIO, true);
  for (int i = 0; i < 10; ++i, clock.pass(1s)) EXPECT_TRUE(append(file, "x", clock.wall + 24h * 2).error);
  EXPECT_THAT(folder.names(), ElementsAre("app-20260131.log", "app-20260201.log"));
  ops.heal();
  EXPECT_FALSE(append(file, "x", clock.wall + 24h * 2).error);
  EXPECT_THAT(folder.names(), ElementsAre("app-20260201.log", "app-20260202.log"));
}

TEST_F(RollingFileRetention, touches_no_file_that_is_not_to_the_letter_its_own) {
  const std::vector<std::string> others = {"app-20250101.log.bak", "app-2025010.log", "app-20250101_01.log", "app.log",
                                           "app2-20250101.log",    "notes.txt"};
  for (const auto& name : others) folder.write(name, "mine");
  std::filesystem::create_directory(folder.path("app-20250102.log"));
  ASSERT_EQ(::symlink("notes.txt", folder.path("app-20250103.log").c_str()), 0);
  RollingFile file(path, {.rolling = Rolling::day, .retain_files = 1, .adopt_files = true}, ops, clock);
  EXPECT_FALSE(append(file, "x", clock.wall + 24h).error);
  for (const auto& name : others) EXPECT_EQ(folder.read(name), "mine") << name;
  EXPECT_TRUE(folder.exists("app-20250102.log"));
  EXPECT_TRUE(folder.exists("app-20250103.log"));
  EXPECT_FALSE(folder.exists("app-20260131.log"));
}

TEST_F(RollingFileRetention, deletes_by_bytes_oldest_first_and_never_the_active_file) {
  RollingFile file(path, {.max_file_bytes = 10, .retain_bytes = 25}, ops, clock);
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(append(file, "123456789", clock.wall).error);
  EXPECT_THAT(folder.names(), ElementsAre("app_002.log", "app_003.log", "app_004.log"));
  const std::string big(100, 'x');
  EXPECT_FALSE(append(file, big, clock.wall).error);
  EXPECT_FALSE(append(file, big, clock.wall).error);
  EXPECT_EQ(folder.read("app_006.log"), big + "\n");
}

TEST_F(RollingFileRetention, deletes_by_age_and_takes_a_time_in_the_future_for_young) {
  const auto touch = [&](const std::string& name, std::chrono::seconds ago) {
    folder.write(name, "x\n");
    const auto when = std::chrono::floor<std::chrono::seconds>(clock.wall - ago).time_since_epoch().count();
    const struct timespec times[2] = {{when, 0}, {when, 0}};
    ASSERT_EQ(::utimensat(AT_FDCWD, folder.path(name).c_str(), times, 0), 0);
  };
  touch("app-20260101.log", 48h);
  touch("app-20260102.log", 12h);
  touch("app-20260103.log", -1000h);
  RollingFile file(path, {.rolling = Rolling::day, .retain_age = 24h, .adopt_files = true}, ops, clock);
  EXPECT_THAT(folder.names(), ElementsAre("app-20260102.log", "app-20260103.log", "app-20260131.log"));
}

TEST_F(RollingFileRetention, keeps_the_active_name_whatever_else_goes) {
  RollingFile file(path, {.max_file_bytes = 4, .retain_files = 2, .keep_active_name = true}, ops, clock);
  for (const char* line : {"aaa", "bbb", "ccc", "ddd"}) EXPECT_FALSE(append(file, line, clock.wall).error);
  EXPECT_THAT(folder.names(), ElementsAre("app.log", "app_003.log"));
  EXPECT_EQ(folder.read("app.log"), "ddd\n");
}

TEST_F(RollingFileRetention, counts_what_it_cannot_delete_and_says_so_once_a_minute_S13) {
  RollingFile file(path, {.max_file_bytes = 4, .retain_files = 1}, ops, clock);
  ops.fail("unlink", 1, EACCES, true);
  for (int i = 0; i < 4; ++i) EXPECT_FALSE(append(file, "aaa", clock.wall).error);
  EXPECT_EQ(file.count(FileCount::retention_errors), 1U + 2U + 3U);
  EXPECT_THAT(file.take_notes(), ElementsAre(::testing::HasSubstr("app.log: Permission denied")));
  clock.pass(61s);
  EXPECT_FALSE(append(file, "aaa", clock.wall).error);
  EXPECT_EQ(file.take_notes().size(), 1U);
  ops.heal();
  EXPECT_FALSE(append(file, "aaa", clock.wall).error);
  EXPECT_EQ(folder.names().size(), 1U);
}

TEST_F(RollingFileRetention, counts_a_file_and_its_compression_as_one) {
  for (const char* name : {"app.log", "app_001.log", "app_001.log.gz", "app_002.log", "app_002.log.gz"})
    folder.write(name, "xxx\n");
  RollingFile file(path, {.max_file_bytes = 4, .retain_files = 3, .adopt_files = true}, ops, clock);
  EXPECT_THAT(folder.names(),
              ElementsAre("app_001.log", "app_001.log.gz", "app_002.log", "app_002.log.gz", "app_003.log"));
  EXPECT_FALSE(append(file, "yyy", clock.wall).error);
  EXPECT_FALSE(append(file, "zzz", clock.wall).error);
  EXPECT_THAT(folder.names(), ElementsAre("app_002.log", "app_002.log.gz", "app_003.log", "app_004.log"));
}

TEST_F(RollingFileRetention, rolls_past_ten_thousand_files) {
  for (const char* name : {"app_9999.log", "app_999.log", "app_1000.log"}) folder.write(name, "x\n");
  RollingFile file(path, {.max_file_bytes = 2, .retain_files = 2, .adopt_files = true}, ops, clock);
  EXPECT_FALSE(append(file, "y", clock.wall).error);
  EXPECT_THAT(folder.names(), ElementsAre("app_10000.log", "app_9999.log"));
}
}  // namespace
