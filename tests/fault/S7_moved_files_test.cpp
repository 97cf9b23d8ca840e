// S7 to S9, S14: what others do to the file, and what a crash left of it.
#include <gtest/gtest.h>

#include "support/log_folder.hpp"
#include "support/scripted_file_ops.hpp"

namespace {
using namespace cairn;
using namespace cairn::detail;
using namespace cairn::testing;
using namespace std::chrono_literals;

TEST(S7FileGone, is_noticed_within_a_second_with_its_whole_directory) {
  LogFolder folder;
  ManualClock clock;
  for (const bool shared : {false, true}) {
    RollingFile file(folder.path("deep/er/app.log"), {.shared = shared}, system_file_ops(), clock);
    for (int round = 0; round < 20; ++round) {
      EXPECT_FALSE(append(file, "before", clock.wall).error);
      std::filesystem::remove_all(folder.path("deep"));
      clock.pass(1s);
      EXPECT_FALSE(append(file, "after", clock.wall).error);
      EXPECT_EQ(folder.read("deep/er/app.log"), "after\n");
    }
    EXPECT_EQ(file.count(FileCount::reopened), 20U);
  }
}

TEST(S7FileGone, to_another_name_is_noticed_although_nothing_took_its_place) {
  LogFolder folder;
  ManualClock clock;
  RollingFile file(folder.path("app.log"), {}, system_file_ops(), clock);
  EXPECT_FALSE(append(file, "before", clock.wall).error);
  ASSERT_EQ(::rename(folder.path("app.log").c_str(), folder.path("moved").c_str()), 0);
  clock.pass(1s);
  EXPECT_FALSE(append(file, "after", clock.wall).error);
  EXPECT_EQ(folder.read("moved"), "before\n");
  EXPECT_EQ(folder.read("app.log"), "after\n");
}

TEST(S7FileGone, is_looked_for_once_a_second_at_most) {
  LogFolder folder;
  ManualClock clock;
  ScriptedFileOps ops;
  RollingFile file(folder.path("app.log"), {}, ops, clock);
  const int before = ops.calls();
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(append(file, "x", clock.wall).error);
  EXPECT_EQ(ops.calls() - before, 100) << "a write each, nothing else";
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(append(file, Lines{}.add("x", clock.wall).add("y", clock.wall)).error);
  EXPECT_EQ(ops.calls() - before, 200) << "nor for several at once";
}

TEST(S8Logrotate, with_create_loses_nothing_and_splits_nothing) {
  LogFolder folder;
  ManualClock clock;
  RollingFile file(folder.path("app.log"), {}, system_file_ops(), clock);
  std::size_t next = 0;
  for (int round = 0; round < 200; ++round) {
    for (int i = 0; i < 5; ++i) EXPECT_FALSE(append(file, std::to_string(next++), clock.wall).error);
    EXPECT_NE(folder.read("app.log"), "") << "round " << round << ": it writes to the one that has its name";
    ASSERT_EQ(::rename(folder.path("app.log").c_str(), folder.path("old." + std::to_string(round)).c_str()), 0);
    folder.write("app.log", "");
    EXPECT_FALSE(append(file, std::to_string(next++), clock.wall).error);
    if (round % 2 == 0)
      EXPECT_FALSE(file.reopen());
    else
      clock.pass(1s);  // nobody told it
  }
  std::vector<bool> seen(next);
  for (const auto& line : folder.lines()) {
    const std::size_t number = std::stoull(line);
    EXPECT_FALSE(seen[number]) << number;
    seen[number] = true;
  }
  EXPECT_EQ(std::ranges::count(seen, false), 0);
}

TEST(S9CopyTruncate, is_counted_and_leaves_no_hole) {
  LogFolder folder;
  ManualClock clock;
  RollingFile file(folder.path("app.log"), {}, system_file_ops(), clock);
  EXPECT_FALSE(append(file, std::string(1000, 'x'), clock.wall).error);
  ASSERT_EQ(::truncate(folder.path("app.log").c_str(), 0), 0);
  clock.pass(1s);
  EXPECT_FALSE(append(file, "after", clock.wall).error);
  EXPECT_EQ(folder.read("app.log"), "after\n");
  EXPECT_EQ(file.count(FileCount::external_truncate), 1U);
}

TEST(S9CopyTruncate, of_a_shared_file_is_counted_by_each_who_sees_it_shorter) {
  LogFolder folder;
  ManualClock clock;
  RollingFile first(folder.path("app.log"), {.shared = true}, system_file_ops(), clock);
  RollingFile second(folder.path("app.log"), {.shared = true}, system_file_ops(), clock);
  EXPECT_FALSE(append(second, "one", clock.wall).error);
  for (std::uint64_t round = 1; round <= 5; ++round) {
    for (int i = 0; i < 10; ++i) EXPECT_FALSE(append(first, std::string(100, 'x'), clock.wall).error);
    ASSERT_EQ(::truncate(folder.path("app.log").c_str(), 0), 0);
    clock.pass(round % 2 * 1s);  // with the look around, or without
    EXPECT_FALSE(append(first, "after", clock.wall).error);
    EXPECT_EQ(first.count(FileCount::external_truncate), round);
  }
  EXPECT_FALSE(append(second, "two", clock.wall).error);
  EXPECT_EQ(second.count(FileCount::external_truncate), 0U) << "it knew four bytes, and found six";
}

TEST(S9CopyTruncate, is_not_what_a_sharer_does_who_rolls_or_ends_a_torn_line) {
  LogFolder folder;
  ManualClock clock;
  ScriptedFileOps ops;
  for (const bool keep : {false, true}) {
    const FileOptions options{.max_file_bytes = 40, .keep_active_name = keep, .shared = true};
    RollingFile first(folder.path("app.log"), options, ops, clock);
    RollingFile second(folder.path("app.log"), options, system_file_ops(), clock);
    for (int i = 0; i < 50; ++i) {
      ops.space = 3;
      EXPECT_TRUE(append(first, "first", clock.wall).error);
      ops.space = UINT64_MAX;
      EXPECT_FALSE(append(second, "second", clock.wall).error);
      EXPECT_FALSE(append(first, "first", clock.wall).error);
      clock.pass(100ms);
    }
    EXPECT_EQ(first.count(FileCount::external_truncate), 0U);
    EXPECT_EQ(second.count(FileCount::external_truncate), 0U);
  }
}

TEST(S9CopyTruncate, before_a_failed_write_does_not_make_the_repair_write_zeros) {
  LogFolder folder;
  ManualClock clock;
  ScriptedFileOps ops;
  RollingFile file(folder.path("app.log"), {}, ops, clock);
  EXPECT_FALSE(append(file, std::string(1000, 'x'), clock.wall).error);
  ASSERT_EQ(::truncate(folder.path("app.log").c_str(), 0), 0);
  ops.space = 6;
  EXPECT_EQ(append(file, Lines{}.add("one", clock.wall).add("two", clock.wall)).units_written, 1U);
  EXPECT_EQ(folder.read("app.log"), "one\n");
}

TEST(S9CopyTruncate, before_a_repair_that_had_to_wait_does_not_make_it_write_zeros) {
  LogFolder folder;
  ManualClock clock;
  ScriptedFileOps ops;
  RollingFile file(folder.path("app.log"), {}, ops, clock);
  EXPECT_FALSE(append(file, std::string(1000, 'x'), clock.wall).error);
  ops.space = 3;
  ops.fail("truncate", 1, EIO);
  EXPECT_TRUE(append(file, "torn", clock.wall).error);
  EXPECT_EQ(folder.read("app.log").size(), 1004U) << "it could not be cut off";
  ASSERT_EQ(::truncate(folder.path("app.log").c_str(), 0), 0);
  ops.space = UINT64_MAX;
  EXPECT_FALSE(append(file, "after", clock.wall).error);
  EXPECT_EQ(folder.read("app.log"), "after\n");
}

TEST(S14TornTail, is_cut_off_at_every_offset_of_a_file_of_three_lines) {
  const std::string whole = "first line\nsecond\nthird and last\n";
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    const std::string left = whole.substr(0, size);
    const std::size_t good = left.rfind('\n') == std::string::npos ? 0 : left.rfind('\n') + 1;
    ManualClock clock;
    {
      LogFolder folder;
      folder.write("app.log", left);
      RollingFile file(folder.path("app.log"), {}, system_file_ops(), clock);
      EXPECT_EQ(file.count(FileCount::torn_bytes), size - good);
      EXPECT_FALSE(append(file, "next", clock.wall).error);
      EXPECT_EQ(folder.read("app.log"), left.substr(0, good) + "next\n");
    }
    LogFolder folder;
    folder.write("app.log", left);
    RollingFile file(folder.path("app.log"), {.shared = true}, system_file_ops(), clock);
    EXPECT_EQ(file.count(FileCount::torn_bytes), 0U) << "until it is ended: another may do so";
    EXPECT_FALSE(append(file, "next", clock.wall).error);
    EXPECT_EQ(file.count(FileCount::torn_bytes), size - good);
    EXPECT_EQ(folder.read("app.log"), left + (good == size ? "" : "\n") + "next\n");
  }
}

TEST(S14TornTail, across_reading_chunks_is_found_and_a_file_that_is_no_log_is_not_shortened) {
  ManualClock clock;
  LogFolder folder;
  folder.write("app.log", "good\n" + std::string(200'000, 't'));
  {
    RollingFile file(folder.path("app.log"), {}, system_file_ops(), clock);
    EXPECT_EQ(folder.read("app.log"), "good\n");
  }
  const std::string blob(3 << 20, 'b');
  folder.write("app.log", "good\n" + blob);
  RollingFile file(folder.path("app.log"), {}, system_file_ops(), clock);
  EXPECT_FALSE(append(file, "next", clock.wall).error);
  EXPECT_EQ(folder.read("app.log"), "good\n" + blob + "\nnext\n");
}
}  // namespace
