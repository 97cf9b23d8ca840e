// What a log takes for its own again after it had lost its list: which of its files are the older ones, and so the
// first to go.
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
using ::testing::StartsWith;

struct AdoptedFiles : ::testing::Test {
  LogFolder folder;
  ManualClock clock;
  ScriptedFileOps ops;
  std::string path = folder.path("app.log");
  std::vector<std::string> said;
  int written = 0;

  /// A run of the program; each line is as long as a file may be. Says when its files were written, which a quick test
  /// could not tell apart.
  void run(std::initializer_list<const char*> lines, FileOptions options) {
    const auto before = folder.names();
    if (options.max_file_bytes == 0) options.max_file_bytes = 4;
    {
      RollingFile file(path, options, ops, clock);
      for (const char* line : lines) EXPECT_FALSE(append(file, line, clock.wall).error);
      file.wait_for_housekeeping();
      for (const std::string& note : file.take_notes()) said.push_back(note);
    }
    ++written;
    for (const auto& name : folder.names()) {
      if (std::ranges::find(before, name) == before.end()) date(name, written);
    }
  }
  void date(const std::string& name, int when) const {
    const timespec times[] = {{when, 0}, {when, 0}};
    ASSERT_EQ(::utimensat(AT_FDCWD, folder.path(name).c_str(), times, 0), 0);
  }
  void lose_list() const { std::filesystem::remove(folder.path("app.log.files")); }
  /// Five old files, a list that is lost, and two new files.
  void lose_list_and_begin_anew(FileOptions options) {
    options.retain_files = 5;
    run({"o0", "o1", "o2", "o3", "o4", "o5", "o6", "o7", "o8", "o9"}, options);
    lose_list();
    run({"n0", "n1"}, options);
    said.clear();
  }
};

TEST_F(AdoptedFiles, go_before_those_that_were_made_since_the_list_was_lost) {
  for (const bool keep_active_name : {false, true}) {
    SCOPED_TRACE(keep_active_name);
    path = folder.path(keep_active_name ? "kept.log" : "app.log");
    const FileOptions options{.max_file_bytes = 3, .retain_files = 5, .keep_active_name = keep_active_name};
    run({"o0", "o1", "o2", "o3", "o4", "o5", "o6", "o7", "o8", "o9"}, options);
    std::filesystem::remove(path + ".files");
    run({"n0", "n1"}, options);
    FileOptions adopting = options;
    adopting.adopt_files = true;
    run({"a0"}, adopting);
    EXPECT_THAT(folder.lines(), ::testing::IsSupersetOf({"n0", "n1", "a0"}));
    EXPECT_EQ(folder.names().size(), 5U);
    run({"b0"}, options);
    EXPECT_THAT(folder.lines(), ::testing::UnorderedElementsAre("o9", "n0", "n1", "a0", "b0")) << "known for good";
    for (const auto& name : folder.names()) std::filesystem::remove(folder.path(name));
  }
}

TEST_F(AdoptedFiles, are_older_when_they_are_compressed_too) {
  cairn::testing::compress_by_copying();
  lose_list_and_begin_anew({.max_file_bytes = 3});
  run({}, {.max_file_bytes = 3, .retain_files = 0, .compress = Compress::gzip, .adopt_files = true});
  EXPECT_THAT(folder.names(), ::testing::IsSupersetOf({"app.log.gz", "app_009.log.gz"}));
  run({"a0", "a1"}, {.max_file_bytes = 3, .retain_files = 4});
  EXPECT_THAT(folder.lines(), ::testing::UnorderedElementsAre("n0", "n1", "a0", "a1"));
}

TEST_F(AdoptedFiles, that_are_older_are_not_written_to) {
  lose_list_and_begin_anew({.max_file_bytes = 3});
  const auto before = folder.read("app_009.log");
  run({"a0"}, {.max_file_bytes = 100, .adopt_files = true});
  EXPECT_EQ(folder.read("app_009.log"), before);
  EXPECT_EQ(folder.read("app_010.log"), "a0\n");
}

/// As where the list could not be written for a while.
TEST_F(AdoptedFiles, that_were_written_later_keep_the_order_of_their_numbers) {
  run({"aa", "bb"}, {.max_file_bytes = 3});
  const std::string list = folder.read("app.log.files");
  run({"cc", "dd"}, {.max_file_bytes = 3});
  folder.write("app.log.files", list);
  run({"ee"}, {.max_file_bytes = 3});
  run({"ff"}, {.max_file_bytes = 3, .adopt_files = true});
  run({"gg"}, {.max_file_bytes = 3, .retain_files = 4});
  EXPECT_THAT(folder.lines(), ElementsAre("dd", "ee", "ff", "gg"));
}

TEST_F(AdoptedFiles, of_a_later_start_are_told_apart_again) {
  lose_list_and_begin_anew({.max_file_bytes = 3});
  run({"a0"}, {.max_file_bytes = 3, .retain_files = 0, .adopt_files = true});
  run({"b0"}, {.max_file_bytes = 3, .retain_files = 0, .adopt_files = true});
  run({"c0"}, {.max_file_bytes = 3, .retain_files = 5, .adopt_files = true});
  EXPECT_THAT(folder.lines(), ::testing::UnorderedElementsAre("n0", "n1", "a0", "b0", "c0"));
}

/// Both sentences on files name a path, and a path may hold anything.
TEST_F(AdoptedFiles, and_locks_that_cannot_be_had_are_named_in_one_line_whatever_their_path) {
  const auto in_one_line = AllOf(Not(HasSubstr("\n")), Not(HasSubstr("\x1b")), HasSubstr("a\\n[FTL] \\x1b[31mforged"));
  path = folder.path("a\n[FTL] \x1b[31mforged.log");
  folder.write("a\n[FTL] \x1b[31mforged_007.log", "mine\n");
  run({"aaa"}, {});
  EXPECT_THAT(said, ElementsAre(AllOf(in_one_line, HasSubstr("has a name of this log"))));
  said.clear();
  folder.write("a\n[FTL] \x1b[31mforged_008.log", "mine\n");
  run({"bbb"}, {});
  EXPECT_THAT(said, ElementsAre(AllOf(in_one_line, HasSubstr("and 1 more have names of this log"))));
  std::filesystem::create_directory(path + ".lock");
  try {
    const RollingFile file(path, {}, ops, clock);
    FAIL() << "it was opened without a lock";
  } catch (const FileOpenError& error) {
    EXPECT_THAT(error.what(), AllOf(in_one_line, StartsWith("cannot open "), HasSubstr("its lock cannot be had")));
  }
}

}  // namespace
