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

struct RollingFileRolling : ::testing::Test {
  LogFolder folder;
  ManualClock clock;
  ScriptedFileOps ops;
  std::string path = folder.path("app.log");
};

TEST_F(RollingFileRolling, begins_a_new_file_before_one_grows_past_the_limit) {
  RollingFile file(path, {.max_file_bytes = 12}, ops, clock);
  const auto result = append(
      file, Lines{}.add("one", clock.wall).add("two", clock.wall).add("three", clock.wall).add("4444", clock.wall));
  EXPECT_EQ(result.units_written, 4U);
  EXPECT_EQ(result.bytes, 19U);
  EXPECT_FALSE(result.error);
  EXPECT_THAT(folder.names(), ElementsAre("app.log", "app_001.log"));
  EXPECT_EQ(folder.read("app.log"), "one\ntwo\n");
  EXPECT_EQ(folder.read("app_001.log"), "three\n4444\n");
}

TEST_F(RollingFileRolling, gives_a_unit_over_the_limit_a_file_of_its_own) {
  RollingFile file(path, {.max_file_bytes = 8}, ops, clock);
  const std::string big(100, 'b');
  EXPECT_EQ(append(file, Lines{}.add("a", clock.wall).add(big, clock.wall).add("c", clock.wall)).units_written, 3U);
  EXPECT_EQ(folder.read("app.log"), "a\n");
  EXPECT_EQ(folder.read("app_001.log"), big + "\n");
  EXPECT_EQ(folder.read("app_002.log"), "c\n");
}

TEST_F(RollingFileRolling, splits_one_append_at_the_boundary_of_the_period) {
  RollingFile file(path, {.rolling = Rolling::day}, ops, clock);
  EXPECT_EQ(append(file, Lines{}.add("today", clock.wall).add("tomorrow", clock.wall + 24h)).units_written, 2U);
  EXPECT_EQ(folder.read("app-20260131.log"), "today\n");
  EXPECT_EQ(folder.read("app-20260201.log"), "tomorrow\n");
}

TEST_F(RollingFileRolling, never_returns_to_an_older_period_when_the_clock_goes_back) {
  RollingFile file(path, {.rolling = Rolling::hour}, ops, clock);
  EXPECT_FALSE(append(file, "noon", clock.wall).error);
  EXPECT_FALSE(append(file, "one", clock.wall + 1h).error);
  clock.wall -= 5h;
  EXPECT_FALSE(append(file, "back", clock.wall).error);
  EXPECT_EQ(folder.read("app-2026013113.log"), "one\nback\n");
  EXPECT_THAT(folder.names(), ElementsAre("app-2026013112.log", "app-2026013113.log"));
}

TEST_F(RollingFileRolling, stays_in_the_newer_period_when_it_opens_again_after_the_clock_went_back) {
  RollingFile file(path, {.rolling = Rolling::hour}, ops, clock);
  EXPECT_FALSE(append(file, "noon", clock.wall).error);
  EXPECT_FALSE(append(file, "one", clock.wall + 1h).error);
  clock.wall -= 5h;
  EXPECT_FALSE(file.reopen());
  EXPECT_FALSE(append(file, "back", clock.wall).error);
  EXPECT_EQ(folder.read("app-2026013113.log"), "one\nback\n");
  EXPECT_THAT(folder.names(), ElementsAre("app-2026013112.log", "app-2026013113.log"));
}

TEST_F(RollingFileRolling, does_both_time_and_size) {
  RollingFile file(path, {.rolling = Rolling::day, .max_file_bytes = 4}, ops, clock);
  for (const auto at : {clock.wall, clock.wall, clock.wall + 24h, clock.wall + 24h})
    EXPECT_FALSE(append(file, "abc", at).error);
  EXPECT_THAT(folder.names(),
              ElementsAre("app-20260131.log", "app-20260131_001.log", "app-20260201.log", "app-20260201_001.log"));
}

TEST_F(RollingFileRolling, goes_on_in_the_newest_file_of_the_period_after_a_restart) {
  for (int run = 0; run < 5; ++run) {
    RollingFile file(path, {.rolling = Rolling::day, .max_file_bytes = 8}, ops, clock);
    EXPECT_FALSE(append(file, "run" + std::to_string(run), clock.wall).error);
  }
  EXPECT_THAT(folder.names(), ElementsAre("app-20260131.log", "app-20260131_001.log", "app-20260131_002.log",
                                          "app-20260131_003.log", "app-20260131_004.log"));
  RollingFile file(path, {.rolling = Rolling::day}, ops, clock);
  EXPECT_FALSE(append(file, "more", clock.wall).error);
  EXPECT_EQ(folder.read("app-20260131_004.log"), "run4\nmore\n");
}

TEST_F(RollingFileRolling, keeps_the_active_name_and_renames_what_is_done_with) {
  RollingFile file(path, {.rolling = Rolling::day, .max_file_bytes = 4, .keep_active_name = true}, ops, clock);
  for (const auto& [line, at] : {std::pair{"aaa", clock.wall}, {"bbb", clock.wall}, {"ccc", clock.wall + 24h}})
    EXPECT_FALSE(append(file, line, at).error);
  EXPECT_EQ(folder.read("app-20260131.log"), "aaa\n");
  EXPECT_EQ(folder.read("app-20260131_001.log"), "bbb\n");
  EXPECT_EQ(folder.read("app.log"), "ccc\n");
  EXPECT_EQ(file.current_path(), path);
}

TEST_F(RollingFileRolling, keeps_the_active_name_without_periods_too) {
  RollingFile file(path, {.max_file_bytes = 4, .keep_active_name = true}, ops, clock);
  for (const char* line : {"aaa", "bbb", "ccc"}) EXPECT_FALSE(append(file, line, clock.wall).error);
  EXPECT_EQ(folder.read("app_001.log"), "aaa\n");
  EXPECT_EQ(folder.read("app_002.log"), "bbb\n");
  EXPECT_EQ(folder.read("app.log"), "ccc\n");
}

TEST_F(RollingFileRolling, names_a_kept_file_after_the_period_it_was_written_in) {
  const FileOptions options{.rolling = Rolling::day, .keep_active_name = true};
  folder.write("app.log", "old\n");
  const struct timespec old[2] = {{1769774400, 0}, {1769774400, 0}};  // 2026-01-30 12:00 UTC
  ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), old, 0), 0);
  RollingFile file(path, options, ops, clock);
  EXPECT_FALSE(append(file, "new", clock.wall).error);
  EXPECT_EQ(folder.read("app-20260130.log"), "old\n");
  EXPECT_EQ(folder.read("app.log"), "new\n");
}

TEST_F(RollingFileRolling, never_overwrites_what_has_the_name_S13) {
  RollingFile file(path, {.max_file_bytes = 4}, ops, clock);
  EXPECT_FALSE(append(file, "aaa", clock.wall).error);
  folder.write("app_001.log", "mine\n");
  folder.write("app_002.log.gz", "mine too\n");
  ASSERT_EQ(::symlink("/nowhere", folder.path("app_003.log").c_str()), 0);
  EXPECT_FALSE(append(file, "bbb", clock.wall).error);
  EXPECT_EQ(folder.read("app_001.log"), "mine\n");
  EXPECT_EQ(folder.read("app_002.log.gz"), "mine too\n");
  EXPECT_EQ(folder.read("app_004.log"), "bbb\n");
}

TEST_F(RollingFileRolling, never_uses_a_number_that_only_a_compressed_file_has_S13) {
  RollingFile file(path, {.max_file_bytes = 4}, ops, clock);
  EXPECT_FALSE(append(file, "aaa", clock.wall).error);
  folder.write("app_001.log.zst", "mine\n");
  EXPECT_FALSE(append(file, "bbb", clock.wall).error);
  EXPECT_EQ(folder.read("app_002.log"), "bbb\n");
}

TEST_F(RollingFileRolling, does_not_go_on_in_a_file_that_is_compressed_already) {
  folder.write("app.log", "aaa\n");
  for (const char* extension : {".gz", ".zst"}) folder.write(std::string("app.log") + extension, "compressed");
  RollingFile file(path, {}, ops, clock);
  EXPECT_FALSE(append(file, "bbb", clock.wall).error);
  EXPECT_EQ(folder.read("app.log"), "aaa\n");
  EXPECT_EQ(folder.read("app_001.log"), "bbb\n");
}

TEST_F(RollingFileRolling, takes_the_next_number_if_a_name_appears_between_looking_and_creating_S13) {
  RollingFile file(path, {.max_file_bytes = 4, .keep_active_name = true}, ops, clock);
  EXPECT_FALSE(append(file, "aaa", clock.wall).error);
  ops.script = [&](const std::string& call, int) {
    if (call == "rename_new" && !folder.exists("app_001.log")) folder.write("app_001.log", "mine\n");
    return 0;
  };
  EXPECT_FALSE(append(file, "bbb", clock.wall).error);
  EXPECT_EQ(folder.read("app_001.log"), "mine\n");
  EXPECT_EQ(folder.read("app_002.log"), "aaa\n");
}

TEST_F(RollingFileRolling, writes_on_in_the_old_file_when_the_new_one_cannot_be_made) {
  RollingFile file(path, {.max_file_bytes = 4}, ops, clock);
  EXPECT_FALSE(append(file, "aaa", clock.wall).error);
  ops.fail("open", 1, EACCES, true);
  EXPECT_FALSE(append(file, "bbb", clock.wall).error);
  EXPECT_FALSE(append(file, "ccc", clock.wall).error);
  EXPECT_EQ(file.count(FileCount::roll_errors), 1U) << "tried once in 250 ms";
  EXPECT_EQ(folder.read("app.log"), "aaa\nbbb\nccc\n");
  ops.heal();
  clock.pass(250ms);
  EXPECT_FALSE(append(file, "ddd", clock.wall).error);
  EXPECT_EQ(folder.read("app_001.log"), "ddd\n");
}

TEST_F(RollingFileRolling, collects_whole_units_in_a_buffer_and_puts_them_into_the_file_of_their_time) {
  RollingFile file(path, {.rolling = Rolling::day, .buffered = true}, ops, clock);
  EXPECT_EQ(append(file, Lines{}.add("today", clock.wall).add("tomorrow", clock.wall + 24h)).units_written, 2U);
  EXPECT_EQ(folder.read("app-20260131.log"), "");
  EXPECT_EQ(file.buffered_units(), 2U);
  EXPECT_FALSE(file.flush());
  EXPECT_EQ(folder.read("app-20260131.log"), "today\n");
  EXPECT_EQ(folder.read("app-20260201.log"), "tomorrow\n");
}

TEST_F(RollingFileRolling, writes_the_buffer_when_it_is_full_and_when_it_closes) {
  const std::string line(99'999, 'x');
  {
    RollingFile file(path, {.buffered = true}, ops, clock);
    for (int i = 0; i < 3; ++i) EXPECT_FALSE(append(file, line, clock.wall).error);
    EXPECT_EQ(folder.read("app.log").size(), 200'000U);
    EXPECT_EQ(ops.calls("write"), 1);
  }
  EXPECT_EQ(folder.read("app.log").size(), 300'000U);
}

TEST_F(RollingFileRolling, keeps_the_buffer_when_it_cannot_be_written) {
  RollingFile file(path, {.buffered = true}, ops, clock);
  EXPECT_EQ(append(file, Lines{}.add("one", clock.wall).add("two", clock.wall)).units_written, 2U);
  ops.space = 6;  // the first and half of the second
  EXPECT_TRUE(retryable(file.flush()));
  EXPECT_EQ(file.buffered_units(), 1U);
  EXPECT_EQ(folder.read("app.log"), "one\n");
  ops.space = UINT64_MAX;
  EXPECT_FALSE(file.flush());
  EXPECT_EQ(folder.read("app.log"), "one\ntwo\n");
}

TEST_F(RollingFileRolling, hands_an_unbuffered_append_to_the_kernel_with_one_write) {
  RollingFile file(path, {}, ops, clock);
  EXPECT_FALSE(append(file, Lines{}.add("a", clock.wall).add("b", clock.wall).add("c", clock.wall)).error);
  EXPECT_EQ(ops.calls("write"), 1);
}
}  // namespace
