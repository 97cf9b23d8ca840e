// A folder that has the name of a rolled file is left alone, and its number skipped.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "support/log_folder.hpp"

namespace {
using namespace cairn;
using namespace cairn::detail;
using namespace cairn::testing;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct RollingFileInTheWay : ::testing::Test {
  LogFolder folder;
  ManualClock clock;

  void make(const std::string& name) const { std::filesystem::create_directory(folder.path(name)); }
  void log(const std::string& line, const FileOptions& options) {
    RollingFile file(folder.path("a.log"), options, system_file_ops(), clock);
    EXPECT_FALSE(append(file, line, clock.wall).error);
  }
};

TEST_F(RollingFileInTheWay, a_folder_does_not_stop_the_start) {
  make("a_002.log");
  log("one", {});
  log("two", {});
  EXPECT_THAT(folder.names(), ElementsAre("a.log", "a_002.log"));
  EXPECT_EQ(folder.read("a.log"), "one\ntwo\n");
}

TEST_F(RollingFileInTheWay, a_folder_with_the_number_of_a_period_does_not_either) {
  make("a-20260131.log");
  make("a-20260131_001.log");
  log("one", {.rolling = Rolling::day});
  EXPECT_EQ(folder.read("a-20260131_002.log"), "one\n");
}

TEST_F(RollingFileInTheWay, a_folder_is_skipped_by_a_roll) {
  RollingFile file(folder.path("b.log"), {.max_file_bytes = 4}, system_file_ops(), clock);
  make("b_001.log");
  EXPECT_FALSE(append(file, Lines{}.add("one", clock.wall).add("two", clock.wall)).error);
  EXPECT_EQ(folder.read("b_002.log"), "two\n");
}

TEST_F(RollingFileInTheWay, a_folder_in_the_place_of_the_log_itself_is_an_error) {
  make("a.log");
  try {
    log("one", {});
    FAIL() << "it was opened";
  } catch (const FileOpenError& error) {
    EXPECT_THAT(error.what(), HasSubstr("it is not a regular file"));
  }
}

}  // namespace
