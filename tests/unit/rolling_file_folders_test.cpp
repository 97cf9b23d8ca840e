// The folders of a log: made with the permissions promised, refused where anybody could put others in their place; and
// what stands in a log's place is named for what it is.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/stat.h>
#include <unistd.h>
#include <filesystem>

#include "support/log_folder.hpp"

namespace {
using namespace cairn;
using namespace cairn::detail;
using namespace cairn::testing;
using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

struct RollingFileFolders : ::testing::Test {
  LogFolder folder;
  ManualClock clock;

  std::string refusal(const std::string& path, const FileOptions& options = {}) {
    try {
      RollingFile file(path, options, system_file_ops(), clock);
      return {};
    } catch (const FileOpenError& error) {
      return error.what();
    }
  }
  void make(const std::string& name, mode_t mode) const {
    ASSERT_EQ(::mkdir(folder.path(name).c_str(), 0700), 0);
    ASSERT_EQ(::chmod(folder.path(name).c_str(), mode), 0);
  }
  unsigned mode_of(const std::string& name) const {
    struct ::stat status {};
    EXPECT_EQ(::stat(folder.path(name).c_str(), &status), 0) << name;
    return status.st_mode & 07777U;
  }
};

TEST_F(RollingFileFolders, are_made_with_0750_whatever_the_umask) {
  for (const mode_t mask : {mode_t{0}, mode_t{022}, mode_t{077}, mode_t{0777}}) {
    if (mask == 0777 && ::geteuid() != 0) continue;  // nobody else could go into what that makes
    const std::string top = "made" + std::to_string(mask);
    const mode_t before = ::umask(mask);
    const std::string refused = refusal(folder.path(top + "/deep/er/app.log"));
    ::umask(before);
    EXPECT_EQ(refused, "");
    for (const char* below : {"", "/deep", "/deep/er"}) EXPECT_EQ(mode_of(top + below), 0750U) << mask << below;
  }
}

TEST_F(RollingFileFolders, keep_the_group_bit_that_they_inherit) {
  make("shared", 02770);
  const mode_t before = ::umask(077);  // so that the permissions have to be set
  const std::string refused = refusal(folder.path("shared/new/app.log"));
  ::umask(before);
  EXPECT_EQ(refused, "");
  EXPECT_EQ(mode_of("shared/new"), 02750U);
}

TEST_F(RollingFileFolders, that_are_there_keep_the_permissions_they_have) {
  make("there", 0700);
  EXPECT_EQ(refusal(folder.path("there/app.log")), "");
  EXPECT_EQ(mode_of("there"), 0700U);
}

TEST_F(RollingFileFolders, below_one_that_everyone_may_write_to_are_refused_unless_it_is_sticky) {
  make("open", 0777);
  EXPECT_THAT(refusal(folder.path("open/new/er/app.log")),
              AllOf(HasSubstr("everyone may write to " + folder.path("open") + ","), HasSubstr("trust_folder")));
  EXPECT_THAT(refusal(folder.path("open/app.log")), HasSubstr("everyone may write to it,"));
  EXPECT_EQ(refusal(folder.path("open/new/er/app.log"), {.trust_folder = true}), "");
  EXPECT_EQ(refusal(folder.path("open/app.log"), {.trust_folder = true}), "");
  ASSERT_EQ(::chmod(folder.path("open").c_str(), 01777), 0);
  EXPECT_EQ(refusal(folder.path("open/new/er/app.log")), "");
}

TEST_F(RollingFileFolders, that_a_link_leads_to_are_taken_and_judged_where_they_are) {
  make("real", 0755);
  make("real/logs", 0750);
  ASSERT_EQ(::symlink("real/logs", folder.path("link").c_str()), 0);
  EXPECT_EQ(refusal(folder.path("link/app.log")), "");
  EXPECT_TRUE(folder.exists("real/logs/app.log"));
  ASSERT_EQ(::chmod(folder.path("real").c_str(), 0777), 0);
  EXPECT_THAT(refusal(folder.path("link/app.log")), HasSubstr("everyone may write to"))
      << "above what the link leads to";
  ASSERT_EQ(::chmod(folder.path("real").c_str(), 0755), 0);
  make("open", 0777);
  ASSERT_EQ(::symlink("../real/logs", folder.path("open/link").c_str()), 0);
  EXPECT_THAT(refusal(folder.path("open/link/app.log")), HasSubstr(folder.path("open") + ",")) << "where the link is";
}

TEST_F(RollingFileFolders, with_something_else_in_the_logs_place_say_what_it_is_and_not_that_a_lock_failed) {
  EXPECT_THAT(refusal("/dev/null"), AllOf(HasSubstr("/dev/null: it is not a regular file"), Not(HasSubstr(".lock"))));
  EXPECT_THAT(refusal("/proc/self/task"), AllOf(HasSubstr("not a regular file"), Not(HasSubstr(".lock"))));
  EXPECT_THAT(refusal("/proc/self/cwd"), AllOf(HasSubstr("symbolic link"), Not(HasSubstr(".lock"))));
  for (const std::string path : {"/proc/self/mem", "/proc/self/new.log"}) {  // a regular file, and none
    EXPECT_THAT(refusal(path),
                StartsWith("cannot open " + path + ": its lock cannot be had: cannot create " + path + ".lock: "));
  }
}
}  // namespace
