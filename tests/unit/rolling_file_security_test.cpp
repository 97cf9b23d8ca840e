#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/wait.h>
#include <functional>

#include "support/log_folder.hpp"
#include "support/scripted_file_ops.hpp"

namespace {
using namespace cairn;
using namespace cairn::detail;
using namespace cairn::testing;
using namespace std::chrono_literals;
using ::testing::HasSubstr;

struct RollingFileSecurity : ::testing::Test {
  LogFolder folder;
  ManualClock clock;
  FileOps& ops = system_file_ops();
  std::string path = folder.path("app.log");

  std::string refusal(const FileOptions& options = {}) {
    try {
      RollingFile file(path, options, ops, clock);
      return {};
    } catch (const FileOpenError& error) {
      return error.what();
    }
  }
  static unsigned mode_of(const std::string& name) {
    struct ::stat status {};
    EXPECT_EQ(::stat(name.c_str(), &status), 0) << name;
    return status.st_mode & 07777U;
  }
};

TEST_F(RollingFileSecurity, follows_no_symbolic_link) {
  folder.write("victim", "precious\n");
  ASSERT_EQ(::symlink("victim", path.c_str()), 0);
  EXPECT_THAT(refusal(), HasSubstr("symbolic link"));
  EXPECT_EQ(folder.read("victim"), "precious\n");
}

TEST_F(RollingFileSecurity, follows_no_link_that_takes_the_place_after_the_first_look) {
  folder.write("victim", "precious\n");
  folder.write("app.log", "log\n");
  ScriptedFileOps swapping;
  swapping.script = [&](const std::string& call, int) {
    if (call != "open") return 0;
    ::unlink(path.c_str());
    EXPECT_EQ(::symlink(folder.path("victim").c_str(), path.c_str()), 0);
    return 0;
  };
  OpenedFile opened;
  EXPECT_TRUE(open_file(swapping, AT_FDCWD, path, path, OpenMode::existing, 0640, opened));
  EXPECT_FALSE(opened.descriptor);
}

TEST_F(RollingFileSecurity, takes_no_file_that_changed_between_the_look_and_the_opening) {
  folder.write("victim", "precious\n");
  const auto swapped_for = [&](const std::function<int()>& swap) {
    ::unlink(path.c_str());
    folder.write("app.log", "log\n");
    ScriptedFileOps swapping;
    swapping.script = [&](const std::string& call, int) {
      if (call != "open") return 0;
      ::unlink(path.c_str());
      EXPECT_EQ(swap(), 0);
      return 0;
    };
    OpenedFile opened;
    const Problem refused = open_file(swapping, AT_FDCWD, path, path, OpenMode::existing, 0640, opened);
    EXPECT_FALSE(opened.descriptor);
    return refused.what;
  };
  EXPECT_THAT(swapped_for([&] { return ::link(folder.path("victim").c_str(), path.c_str()); }), HasSubstr("hard link"));
  EXPECT_THAT(swapped_for([&] { return ::mkfifo(path.c_str(), 0600); }), HasSubstr("not a regular file"));
  EXPECT_EQ(folder.read("victim"), "precious\n");
}

TEST_F(RollingFileSecurity, creates_no_file_over_one_that_appears_after_the_first_look) {
  ScriptedFileOps racing;
  racing.script = [&](const std::string& call, int) {
    if (call == "open") folder.write("app.log", "mine\n");
    return 0;
  };
  OpenedFile opened;
  EXPECT_EQ(open_file(racing, AT_FDCWD, path, path, OpenMode::create, 0640, opened).code, std::errc::file_exists);
}

TEST_F(RollingFileSecurity, writes_no_file_that_has_a_second_name) {
  folder.write("victim", "precious\n");
  ASSERT_EQ(::link(folder.path("victim").c_str(), path.c_str()), 0);
  EXPECT_THAT(refusal(), HasSubstr("hard link"));
  EXPECT_EQ(folder.read("victim"), "precious\n");
}

TEST_F(RollingFileSecurity, hangs_on_no_fifo_and_takes_no_directory_or_device) {
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  EXPECT_THAT(refusal(), HasSubstr("not a regular file"));
  ::unlink(path.c_str());
  ASSERT_EQ(::mkdir(path.c_str(), 0700), 0);
  EXPECT_THAT(refusal(), HasSubstr("not a regular file"));
  path = "/dev/null";
  EXPECT_NE(refusal(), "");
  path = "/proc/self/mem";
  EXPECT_NE(refusal(), "");
}

TEST_F(RollingFileSecurity, writes_no_file_of_another_user) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to give a file away";
  folder.write("app.log", "theirs\n");
  ASSERT_EQ(::chown(path.c_str(), 12345, 12345), 0);
  EXPECT_THAT(refusal(), HasSubstr("another user"));
}

TEST_F(RollingFileSecurity, uses_no_directory_that_everyone_may_write_to_unless_it_is_sticky) {
  ASSERT_EQ(::chmod(folder.path().c_str(), 0777), 0);
  EXPECT_THAT(refusal(), HasSubstr("everyone may write"));
  ASSERT_EQ(::chmod(folder.path().c_str(), 01777), 0);
  EXPECT_EQ(refusal(), "");
}

TEST_F(RollingFileSecurity, gives_files_the_mode_asked_for_whatever_the_umask) {
  for (const mode_t mask : {mode_t{0}, mode_t{077}}) {
    const mode_t before = ::umask(mask);
    const std::string name = folder.path("deep" + std::to_string(mask) + "/er/app.log");
    { RollingFile file(name, {}, ops, clock); }
    ::umask(before);
    EXPECT_EQ(mode_of(name), 0640U);
    EXPECT_EQ(mode_of(name.substr(0, name.rfind('/'))) & 0027U, 0U) << "a directory made has 0750 at most";
  }
  path = folder.path("private.log");
  { RollingFile file(path, {.mode = 0600}, ops, clock); }
  EXPECT_EQ(mode_of(path), 0600U);
}

TEST_F(RollingFileSecurity, leaves_no_descriptor_to_a_program_that_is_started_P9) {
  RollingFile file(path, {.shared = true}, ops, clock);
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    const auto target = std::filesystem::read_symlink(entry.path(), gone).string();
    if (!target.starts_with(folder.path())) continue;
    EXPECT_NE(::fcntl(std::stoi(entry.path().filename()), F_GETFD) & FD_CLOEXEC, 0) << target;
  }
}

TEST_F(RollingFileSecurity, refuses_a_path_without_a_name) {
  for (const char* bad : {"", "/", "logs/", "logs/..", "."})
    EXPECT_THROW(RollingFile(bad, {}, ops, clock), std::invalid_argument) << bad;
  EXPECT_THROW(RollingFile(std::string("a\0b", 3), {}, ops, clock), std::invalid_argument);
}

struct RollingFileOwner : RollingFileSecurity {};

TEST_F(RollingFileOwner, is_one_in_a_process) {
  RollingFile file(path, {}, ops, clock);
  EXPECT_THAT(refusal(), HasSubstr("open in this process already"));
  EXPECT_THAT(refusal({.shared = true}), HasSubstr("open in this process already"));
  EXPECT_FALSE(append(file, "still fine", clock.wall).error);
}

TEST_F(RollingFileOwner, is_one_process_and_the_other_is_told_its_pid) {
  int ready[2], done[2];
  ASSERT_EQ(::pipe(ready), 0);
  ASSERT_EQ(::pipe(done), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    char c = 0;
    {
      RollingFile file(path, {}, ops, clock);
      (void)!::write(ready[1], "x", 1);
      (void)!::read(done[0], &c, 1);
    }
    ::_exit(0);
  }
  char c = 0;
  ASSERT_EQ(::read(ready[0], &c, 1), 1);
  EXPECT_THAT(refusal(), HasSubstr("in use by process " + std::to_string(child)));
  EXPECT_THAT(refusal({.shared = true}), HasSubstr("in use by process " + std::to_string(child)));
  ASSERT_EQ(::write(done[1], "x", 1), 1);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  EXPECT_EQ(refusal(), "");
  EXPECT_FALSE(folder.exists("app.log.lock")) << "an exclusive owner leaves nothing behind";
  for (const int fd : {ready[0], ready[1], done[0], done[1]}) ::close(fd);
}

TEST_F(RollingFileOwner, is_free_after_a_crash) {
  const pid_t child = ::fork();
  if (child == 0) {
    RollingFile file(path, {}, ops, clock);
    ::kill(::getpid(), SIGKILL);
  }
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  EXPECT_TRUE(folder.exists("app.log.lock"));
  EXPECT_EQ(refusal(), "");
}

TEST_F(RollingFileOwner, is_not_lost_because_the_program_reads_its_own_log) {
  RollingFile file(path, {}, ops, clock);
  EXPECT_EQ(folder.read("app.log"), "");  // opens and closes it: that drops POSIX locks on the file itself
  const pid_t child = ::fork();
  if (child == 0) {
    // The register of this process is inherited, the lock is not: ask as a stranger would.
    ::_exit(refusal().find("in use by process") == std::string::npos ? 1 : 0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST_F(RollingFileOwner, holds_a_lock_that_others_see_even_if_the_last_owner_removes_its_file_meanwhile) {
  ScriptedFileOps racing;
  bool removed = false;
  racing.script = [&](const std::string& call, int) {
    if (call == "lock" && !std::exchange(removed, true)) ::unlink(folder.path("app.log.lock").c_str());
    return 0;
  };
  RollingFile file(path, {}, racing, clock);
  EXPECT_TRUE(removed);
  EXPECT_TRUE(folder.exists("app.log.lock"));
}

TEST_F(RollingFileOwner, does_not_write_its_buffer_twice_when_forked) {
  {
    RollingFile file(path, {.buffered = true}, ops, clock);
    EXPECT_FALSE(append(file, "once", clock.wall).error);
    const pid_t child = ::fork();
    if (child == 0) {
      file.~RollingFile();
      ::_exit(0);
    }
    ASSERT_EQ(::waitpid(child, nullptr, 0), child);
    EXPECT_TRUE(folder.exists("app.log.lock")) << "the lock is the parent's";
  }
  EXPECT_EQ(folder.read("app.log"), "once\n");
}

TEST_F(RollingFileOwner, leaves_its_buffer_to_the_parent_when_a_forked_child_writes) {
  {
    RollingFile file(path, {.buffered = true}, ops, clock);
    EXPECT_FALSE(append(file, "parent", clock.wall).error);
    const pid_t child = ::fork();
    if (child == 0) {
      const bool failed = append(file, "child", clock.wall).error || file.flush();
      ::_exit(failed ? 1 : 0);
    }
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
  EXPECT_EQ(folder.read("app.log"), "child\nparent\n");
}
}  // namespace
