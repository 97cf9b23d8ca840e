// P5, P6: ways a program ends while its logger is open, and calls from what runs after it.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cairn/all.hpp>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>

#include "support/log_folder.hpp"

namespace {

using cairn::testing::LogFolder;

/// Runs `f` in a process of its own, which must end with that status.
void in_a_process(const std::function<void()>& f, int status) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    f();
    ::_exit(99);
  }
  int ended = 0;
  ASSERT_EQ(::waitpid(child, &ended, 0), child);
  ASSERT_TRUE(WIFEXITED(ended)) << "by signal " << WTERMSIG(ended);
  ASSERT_EQ(WEXITSTATUS(ended), status);
}

cairn::Logger* still_open = nullptr;  // reachable: LeakSanitizer looks before the last hooks ran, and finds no leak

/// A logger that nobody closes, with three events in the buffer of its file.
void left_open(const std::string& path, bool graceful = true) {
  cairn::Configuration configuration;
  configuration.with_graceful_shutdown(graceful);
  configuration.write_to_file(path, {.output_template = "{Message}{NewLine}", .buffered = true});
  still_open = new cairn::Logger(configuration.create_logger());
  for (int i = 1; i <= 3; ++i) still_open->information("{N}", i);
  EXPECT_EQ(std::filesystem::file_size(path), 0U) << "the buffer holds them still";
}

TEST(P5Exit, writes_what_is_still_held) {
  const LogFolder folder;
  in_a_process(
      [&] {
        left_open(folder.path("app.log"));
        std::exit(7);
      },
      7);
  EXPECT_EQ(folder.read("app.log"), "1\n2\n3\n");
}

TEST(P5Exit, writes_what_is_still_held_when_it_is_quick) {
  const LogFolder folder;
  in_a_process(
      [&] {
        left_open(folder.path("app.log"));
        std::quick_exit(7);
      },
      7);
  EXPECT_EQ(folder.read("app.log"), "1\n2\n3\n");
}

TEST(P5Exit, past_every_hook_loses_the_buffer_and_harms_nothing) {
  const LogFolder folder;
  in_a_process(
      [&] {
        left_open(folder.path("app.log"));
        ::_exit(7);
      },
      7);
  EXPECT_EQ(folder.read("app.log"), "");
}

TEST(P5Exit, is_left_alone_where_the_program_says_so) {
  const LogFolder folder;
  in_a_process(
      [&] {
        left_open(folder.path("app.log"), false);
        std::exit(7);
      },
      7);
  EXPECT_EQ(folder.read("app.log"), "");
}

int late_report = -1;
void log_late() {
  still_open->information("late");
  still_open->error(std::runtime_error("late"), "late {N}", 1);
  cairn::information("late");
  const auto rejected = still_open->metrics().logger.rejected;
  const auto after = rejected.find("after_shutdown");
  const std::string report = after == rejected.end() ? "none" : std::to_string(after->second);
  static_cast<void>(!::write(late_report, report.data(), report.size()));
}
struct LateStatic {
  ~LateStatic() {
    if (still_open != nullptr) still_open->information("from a static's destructor");
  }
};

/// What the test below runs in a program that has made no logger yet.
[[noreturn]] void log_too_late(const char* path) {
  static const LateStatic made_before_so_destroyed_after;
  late_report = std::atoi(std::getenv("CAIRN_TEST_LATE_REPORT"));
  std::atexit(log_late);  // before the logger is made: runs after its hook
  left_open(path);
  std::exit(7);
}

TEST(P6AfterTheEnd, calls_from_exit_handlers_and_statics_are_refused_and_counted) {
  if (const char* const path = std::getenv("CAIRN_TEST_LATE_PATH")) log_too_late(path);
  const LogFolder folder;
  int report[2];
  ASSERT_EQ(::pipe(report), 0);
  in_a_process(
      [&] {
        ::setenv("CAIRN_TEST_LATE_PATH", folder.path("app.log").c_str(), 1);
        ::setenv("CAIRN_TEST_LATE_REPORT", std::to_string(report[1]).c_str(), 1);
        ::unsetenv("GTEST_OUTPUT");  // the result of the real test is not to be written over
        ::execl("/proc/self/exe", "late", "--gtest_brief=1",
                "--gtest_filter=P6AfterTheEnd.calls_from_exit_handlers_and_statics_are_refused_and_counted", nullptr);
      },
      7);
  ::close(report[1]);
  char text[16]{};
  ASSERT_GT(::read(report[0], text, sizeof(text) - 1), 0);
  ::close(report[0]);
  EXPECT_STREQ(text, "2");
  EXPECT_EQ(folder.read("app.log"), "1\n2\n3\n");
}

}  // namespace
