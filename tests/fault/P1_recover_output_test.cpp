// What cairn-recover leaves in its output, whatever becomes of it: whole lines, nobody else's lost, and no event that
// is neither there nor in the ring.
#ifdef CAIRN_RECOVER
#include <fcntl.h>
#include <gmock/gmock.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cairn/all.hpp>
#include <cairn/memory_sink.hpp>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "../../tools/cairn_recover/output.hpp"
#include "support/in_child.hpp"
#include "support/log_folder.hpp"

namespace {

using cairn::testing::in_child;
using cairn::testing::LogFolder;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

/// The numbers of the events in `lines`, all of which are events.
std::vector<int> numbers(const std::vector<std::string>& lines) {
  std::vector<int> found;
  for (const std::string& line : lines) {
    const auto event = nlohmann::json::parse(line, nullptr, false);
    if (event.contains("N"))
      found.push_back(event["N"]);
    else
      ADD_FAILURE() << "no event: " << line;
  }
  return found;
}

std::vector<int> up_to(int end) {
  std::vector<int> all;
  for (int n = 0; n < end; ++n) all.push_back(n);
  return all;
}

// ---- the program

/// Takes events and never says so.
class HungSink final : public cairn::Sink {
 public:
  cairn::EmitResult emit(std::span<const cairn::Event>) override {
    for (;;) ::pause();
  }
};

/// 200 events in the ring of a process that is dead.
class P1RecoverTool : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(in_child([&] {
                const auto log = cairn::Configuration{}
                                     .write_to(std::make_shared<HungSink>(), "sink")
                                     .with_queue()
                                     .with_crash_ring({.application = "app", .folder = folder.path()})
                                     .create_logger();
                for (int i = 0; i < 200; ++i) log.information("{N} of the dead", i);
                ::kill(::getpid(), SIGKILL);
                return 0;
              }),
              128 + SIGKILL);
  }
  /// How the tool ends that a shell starts, after `before`, with `redirections`.
  [[nodiscard]] int run(const std::string& options, const std::string& redirections, const std::string& before = {}) {
    const std::string command = before + "exec " CAIRN_RECOVER " " + options + ' ' + rings + ' ' + redirections;
    const int status = std::system(("sh -c '" + command + "'").c_str());
    return WEXITSTATUS(status);
  }
  [[nodiscard]] std::string to_file() const { return "--output " + folder.path("out.clef"); }
  [[nodiscard]] std::string said_to_file() const { return "2>>" + folder.path("said"); }
  [[nodiscard]] std::vector<std::string> lines() const { return lines_of(folder.read("out.clef")); }

  LogFolder folder;
  std::string rings = folder.path("app-" + std::to_string(::geteuid()));
};

TEST_F(P1RecoverTool, takes_a_limit_of_its_files_for_an_error_and_leaves_nothing_of_what_it_could_not_write) {
  folder.write("out.clef", "a torn li");
  EXPECT_EQ(run(to_file(), said_to_file(), "ulimit -f 1; "), 2);
  EXPECT_EQ(folder.read("out.clef"), "a torn li");
  EXPECT_THAT(folder.read("said"), HasSubstr("File too large"));
  EXPECT_EQ(run(to_file(), said_to_file()), 0);
  std::vector<std::string> found = lines();
  ASSERT_THAT(found, Not(IsEmpty()));
  EXPECT_EQ(found[0], "a torn li");
  found.erase(found.begin());
  EXPECT_EQ(numbers(found), up_to(200));
}

TEST_F(P1RecoverTool, says_nothing_in_its_output_that_was_started_without_standard_error) {
  EXPECT_EQ(run("--keep " + to_file(), "2>&-"), 0);
  EXPECT_EQ(numbers(lines()), up_to(200));
  EXPECT_EQ(run("--keep " + to_file(), "<&- >&- 2>&-"), 0);
  EXPECT_EQ(lines().size(), 400U);
  numbers(lines());
}

TEST_F(P1RecoverTool, leaves_the_rings_where_there_is_no_standard_output) {
  EXPECT_EQ(run("", ">&- " + said_to_file()), 2);
  EXPECT_THAT(folder.read("said"), HasSubstr("standard output: Bad file descriptor"));
  EXPECT_EQ(run(to_file(), said_to_file()), 0);
  EXPECT_EQ(numbers(lines()), up_to(200));
}

// ---- its output

std::vector<cairn::OwnedEvent> events(int count) {
  const auto sink = std::make_shared<cairn::MemorySink>();
  const auto log = cairn::Configuration{}.write_to(sink).create_logger();
  for (int i = 0; i < count; ++i) log.information("{N} of the dead", i);
  return sink->events();
}

void limit_files(rlim_t bytes) {
  struct rlimit limit {};
  ::getrlimit(RLIMIT_FSIZE, &limit);
  limit.rlim_cur = bytes;
  ::setrlimit(RLIMIT_FSIZE, &limit);
}

void redirect(const std::string& path, int fd) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  ::dup2(file, fd);
  ::close(file);
}

class P1RecoverOutput : public testing::Test {
 protected:
  /// Writes 100 events in a child, where a file may have 4096 bytes: `full`, a handler of SIGXFSZ, is called when a
  /// part of them is written. The child's exit status: 2, they were not all written.
  int write_where_there_is_little_room(void (*full)(int)) {
    return in_child([&] {
      redirect(folder.path("said"), STDERR_FILENO);
      ::signal(SIGXFSZ, full);
      const auto all = events(100);
      Output output(folder.path("out.clef"));
      for (const cairn::OwnedEvent& event : all) output.add(event.view());
      limit_files(4096);
      return output.settle() ? 0 : 2;
    });
  }
  [[nodiscard]] std::string read() const { return folder.read("out.clef"); }

  LogFolder folder;
};

TEST_F(P1RecoverOutput, has_nothing_of_a_part_that_there_was_no_room_for) {
  folder.write("out.clef", "whole\n");
  EXPECT_EQ(write_where_there_is_little_room(SIG_IGN), 2);
  EXPECT_EQ(read(), "whole\n");
  EXPECT_THAT(folder.read("said"), HasSubstr("File too large"));
}

const char* path_of_the_other = nullptr;
int descriptor_of_the_other = -1;

void append(int fd) {
  limit_files(RLIM_INFINITY);
  (void)!::write(fd, "{\"Other\":1}\n", 12);
}

/// Every line but the first is an event, the one of the other, or blank: the torn one, of which there is one.
void expect_whole_lines(const std::string& text) {
  ASSERT_GT(text.size(), 4096U);
  EXPECT_EQ(text[4095], '\n') << "where the room ended";
  std::vector<std::string> lines = lines_of(text);
  EXPECT_EQ(std::erase(lines, "{\"Other\":1}"), 1U) << text;
  EXPECT_EQ(std::erase_if(lines, [](const auto& line) { return line.find_first_not_of(' ') == std::string::npos; }), 1U)
      << text;
  const std::vector<int> found = numbers(lines);
  EXPECT_GT(found.size(), 20U);
  EXPECT_EQ(found, up_to(static_cast<int>(found.size())));
}

TEST_F(P1RecoverOutput, keeps_what_another_appends_meanwhile_whole) {
  const std::string path = folder.path("out.clef");
  descriptor_of_the_other = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  EXPECT_EQ(write_where_there_is_little_room([](int) { append(descriptor_of_the_other); }), 2);
  ::close(descriptor_of_the_other);
  expect_whole_lines(read());
  EXPECT_THAT(folder.read("said"), HasSubstr("others write to it: the whole lines stay in it, and come again"));
}

TEST_F(P1RecoverOutput, keeps_what_another_appended_who_is_gone_again_whole) {
  const std::string path = folder.path("out.clef");
  path_of_the_other = path.c_str();
  EXPECT_EQ(write_where_there_is_little_room([](int) {
              const int fd = ::open(path_of_the_other, O_WRONLY | O_APPEND | O_CLOEXEC);
              append(fd);
              ::close(fd);
            }),
            2);
  expect_whole_lines(read());
}

TEST_F(P1RecoverOutput, is_not_cut_while_another_may_append_to_it) {
  const std::string path = folder.path("out.clef");
  const int other = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  const int another = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  const bool told_apart = ::fcntl(other, F_SETLEASE, F_WRLCK) != 0 && errno == EAGAIN;
  ::close(another);
  if (!told_apart) GTEST_SKIP() << "this file system has no leases";
  EXPECT_EQ(write_where_there_is_little_room(SIG_IGN), 2);
  append(other);
  ::close(other);
  expect_whole_lines(read());
}

/// In a child: as a user who may not read what is open for writing.
int append_unreadable(const std::string& path, int count) {
  const auto all = events(count);
  redirect(path, STDOUT_FILENO);
  if (::geteuid() == 0 && (::setgroups(0, nullptr) != 0 || ::setgid(65534) != 0 || ::setuid(65534) != 0)) return 3;
  if (::open(path.c_str(), O_RDONLY) >= 0) return 4;
  Output output("-");
  for (const cairn::OwnedEvent& event : all) output.add(event.view());
  return output.settle() ? 0 : 2;
}

TEST_F(P1RecoverOutput, may_be_a_file_that_cannot_be_read_and_its_last_line_is_ended_all_the_same) {
  folder.write("out.clef", "a torn li");
  ASSERT_EQ(::chmod(folder.path("out.clef").c_str(), 0200), 0);
  const auto append = [&](int count) {
    return in_child([&] { return append_unreadable(folder.path("out.clef"), count); });
  };
  EXPECT_EQ(append(2), 0);
  EXPECT_EQ(append(0), 0);
  EXPECT_EQ(append(1), 0);
  ASSERT_EQ(::chmod(folder.path("out.clef").c_str(), 0600), 0);
  std::vector<std::string> lines = lines_of(read());
  ASSERT_EQ(lines.size(), 5U);
  EXPECT_EQ(lines[0], "a torn li");
  EXPECT_EQ(lines[3], "") << "whether the line before was ended cannot be known";
  lines.erase(lines.begin() + 3);
  lines.erase(lines.begin());
  EXPECT_EQ(numbers(lines), (std::vector{0, 1, 0}));
}

}  // namespace
#endif
