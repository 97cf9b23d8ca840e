// What a log knows of its files when it starts again, when its list stood in the way of nothing any more, and when it
// shares them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <memory>

#include "support/copying_compressor.hpp"
#include "support/log_folder.hpp"
#include "support/scripted_file_ops.hpp"

namespace {
using namespace cairn;
using namespace cairn::detail;
using namespace cairn::testing;
using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

struct OwnFilesLater : ::testing::Test {
  LogFolder folder;
  ManualClock clock;
  ScriptedFileOps ops;
  std::string path = folder.path("app.log");
  std::vector<std::string> said;

  /// A run of the program; each line is as long as a file may be.
  void run(std::initializer_list<const char*> lines, FileOptions options) {
    options.max_file_bytes = 4;
    RollingFile file(path, options, ops, clock);
    for (const char* line : lines) EXPECT_FALSE(append(file, line, clock.wall).error);
    file.wait_for_housekeeping();
    for (const std::string& note : file.take_notes()) said.push_back(note);
  }
  [[nodiscard]] std::size_t listed() const {
    const std::string list = folder.read("app.log.files");
    return static_cast<std::size_t>(std::ranges::count(list, '\n')) - (list.empty() ? 0U : 1U);
  }
};

TEST_F(OwnFilesLater, are_tidied_by_a_start_that_keeps_the_active_name) {
  FileOptions keeps{.keep_active_name = true};
  run({"aaa", "bbb", "ccc", "ddd"}, keeps);
  ASSERT_EQ(folder.names().size(), 4U);
  keeps.retain_files = 3;
  run({}, keeps);
  EXPECT_THAT(folder.names(), ElementsAre("app.log", "app_002.log", "app_003.log"));
  keeps.retain_bytes = 8;
  run({}, keeps);
  EXPECT_THAT(folder.names(), ElementsAre("app.log", "app_003.log"));
  keeps.retain_age = 24h;
  for (const auto& name : folder.names()) {
    const timespec old{std::chrono::floor<std::chrono::seconds>(clock.wall.time_since_epoch()).count() - 48 * 3600, 0};
    const timespec times[] = {old, old};
    ASSERT_EQ(::utimensat(AT_FDCWD, folder.path(name).c_str(), times, 0), 0);
  }
  run({}, keeps);
  EXPECT_THAT(folder.names(), ElementsAre("app.log"));
  EXPECT_THAT(said, IsEmpty()) << "all are its own";
}

TEST_F(OwnFilesLater, are_compressed_by_a_start_that_keeps_the_active_name) {
  cairn::testing::compress_by_copying();
  run({"aaa", "bbb", "ccc"}, {.keep_active_name = true});
  run({}, {.keep_active_name = true, .compress = Compress::gzip});
  EXPECT_THAT(folder.names(), ElementsAre("app.log", "app_001.log.gz", "app_002.log.gz"));
  EXPECT_THAT(said, IsEmpty());
}

TEST_F(OwnFilesLater, are_written_down_at_the_close_when_nothing_stands_in_the_way_any_more) {
  std::filesystem::create_directory(folder.path("app.log.files"));
  {
    RollingFile file(path, {.max_file_bytes = 4}, ops, clock);
    for (const char* line : {"aaa", "bbb", "ccc"}) EXPECT_FALSE(append(file, line, clock.wall).error);
    std::filesystem::remove(folder.path("app.log.files"));
  }
  EXPECT_EQ(listed(), 2U);
  run({"ddd"}, {});
  EXPECT_THAT(folder.names(), ElementsAre("app.log", "app_001.log", "app_002.log", "app_003.log"));
  EXPECT_THAT(said, IsEmpty());
}

TEST_F(OwnFilesLater, are_written_down_within_a_second_of_writing_when_nothing_stands_in_the_way_any_more) {
  std::filesystem::create_directory(folder.path("app.log.files"));
  RollingFile file(path, {.max_file_bytes = 8}, ops, clock);
  for (const char* line : {"aaaaaaa", "bbb"}) EXPECT_FALSE(append(file, line, clock.wall).error);
  std::filesystem::remove(folder.path("app.log.files"));
  clock.pass(1s);
  EXPECT_FALSE(append(file, "ccc", clock.wall).error);
  EXPECT_EQ(file.count(FileCount::rolls), 1U);
  EXPECT_EQ(listed(), 1U);
}

TEST_F(OwnFilesLater, are_written_down_at_the_close_when_their_list_was_deleted) {
  {
    RollingFile file(path, {.max_file_bytes = 4}, ops, clock);
    for (const char* line : {"aaa", "bbb", "ccc"}) EXPECT_FALSE(append(file, line, clock.wall).error);
    std::filesystem::remove(folder.path("app.log.files"));
  }
  EXPECT_EQ(listed(), 2U);
}

TEST_F(OwnFilesLater, are_those_that_the_sharers_agreed_on_whatever_their_list_says) {
  std::filesystem::create_directory(folder.path("app.log.files"));
  for (const bool keep_active_name : {false, true}) {
    const FileOptions options{.max_file_bytes = 40, .keep_active_name = keep_active_name, .shared = true};
    const std::string log = folder.path(keep_active_name ? "kept.log" : "app.log");
    if (keep_active_name) std::filesystem::create_directory(log + ".files");
    RollingFile one(log, options, ops, clock);
    RollingFile two(log, options, ops, clock);
    for (int i = 0; i < 40; ++i) EXPECT_FALSE(append(i % 2 == 0 ? one : two, "nine char", clock.wall).error);
  }
  EXPECT_EQ(folder.lines().size(), 80U);
  EXPECT_THAT(folder.names(), SizeIs(2 * 10)) << "four lines a file";
}

TEST_F(OwnFilesLater, say_of_a_number_that_leaves_none_to_come_that_even_adopting_leaves_it) {
  folder.write("app_600000000.log", "mine\n");
  run({"aaa", "bbb"}, {.adopt_files = true});
  EXPECT_THAT(folder.names(), ElementsAre("app.log", "app_001.log", "app_600000000.log"));
  EXPECT_THAT(said, ElementsAre(AllOf(HasSubstr("app_600000000.log"), HasSubstr("even with `adopt_files`"))));
}

TEST_F(OwnFilesLater, do_not_go_on_from_one_that_was_given_the_highest_number) {
  run({"aaa", "bbb"}, {});
  std::filesystem::rename(folder.path("app_001.log"), folder.path("app_999999999.log"));
  run({"ccc", "ddd"}, {});
  EXPECT_THAT(folder.names(), ElementsAre("app.log", "app_001.log", "app_002.log", "app_999999999.log"));
  EXPECT_EQ(folder.read("app_999999999.log"), "bbb\n");
}

TEST_F(OwnFilesLater, are_named_in_one_line_whatever_their_path) {
  const std::string name = "a\n[FTL] \x1b[31mforged.log";
  std::filesystem::create_directory(folder.path(name));
  try {
    const RollingFile file(folder.path(name), {}, ops, clock);
    FAIL() << "a folder was opened";
  } catch (const FileOpenError& error) {
    EXPECT_THAT(error.what(), AllOf(Not(HasSubstr("\n")), Not(HasSubstr("\x1b")), HasSubstr("a\\n[FTL] \\x1b[31m")));
  }
}

}  // namespace
