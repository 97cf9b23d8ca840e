// Folders that are made for a log which must survive a power cut: their names are synced as well.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <set>

#include "support/log_folder.hpp"
#include "support/scripted_file_ops.hpp"

namespace {
using namespace cairn;
using namespace cairn::detail;
using namespace cairn::testing;
using namespace std::chrono_literals;
using ::testing::IsEmpty;
using ::testing::IsSupersetOf;

/// Remembers which files and folders were synced.
struct SyncedFileOps : ScriptedFileOps {
  std::set<ino_t> synced;
  int fsync(int fd) noexcept override {
    const int result = ScriptedFileOps::fsync(fd);
    struct ::stat status {};
    if (result == 0 && ::fstat(fd, &status) == 0) synced.insert(status.st_ino);
    return result;
  }
};

struct RollingFileMadeFolders : ::testing::Test {
  LogFolder folder;
  ManualClock clock;
  SyncedFileOps ops;

  ino_t inode(const std::string& name = {}) const {
    struct ::stat status {};
    EXPECT_EQ(::stat(folder.path(name).c_str(), &status), 0) << name;
    return status.st_ino;
  }
};

TEST_F(RollingFileMadeFolders, are_synced_one_in_the_other) {
  RollingFile file(folder.path("new/deep//er/app.log"), {.durable = Durable::batch}, ops, clock);
  EXPECT_THAT(ops.synced, IsSupersetOf({inode(), inode("new"), inode("new/deep"), inode("new/deep/er")}));
}

TEST_F(RollingFileMadeFolders, are_not_where_nothing_is_promised_of_power_cuts) {
  RollingFile file(folder.path("new/deep/app.log"), {}, ops, clock);
  EXPECT_THAT(ops.synced, IsEmpty());
}

TEST_F(RollingFileMadeFolders, that_could_not_be_synced_are_before_anything_counts_as_written) {
  ops.fail("fsync", 2, EIO);  // of two above the log's own folder
  RollingFile file(folder.path("new/deep/app.log"),
                   {.durable = Durable::batch, .on_open_failure = OnOpenFailure::retry}, ops, clock);
  EXPECT_FALSE(file.is_open());
  clock.pass(1s);
  EXPECT_FALSE(append(file, "one", clock.wall).error);
  EXPECT_THAT(ops.synced, IsSupersetOf({inode(), inode("new"), inode("new/deep")}));
}

}  // namespace
