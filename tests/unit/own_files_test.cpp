// A log writes, compresses, counts and deletes only files that it made: a file of the user's is safe even where it has
// a name of the log.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <functional>
#include <utility>

#include "cairn/detail/compressor.hpp"
#include "sinks/own_files.hpp"
#include "support/log_folder.hpp"
#include "support/sanitizers.hpp"
#include "support/scripted_file_ops.hpp"

namespace {
using namespace cairn;
using namespace cairn::detail;
using namespace cairn::testing;
using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Lt;
using ::testing::UnorderedElementsAre;

const std::string mine = "the user's; its last line has no end";

/// Compresses nothing, but leaves a mark.
struct Marked final : CompressorStream {
  bool add(std::string_view input, OutputBuffer& out) override {
    out.append(input);
    return true;
  }
  bool finish(OutputBuffer& out) override {
    out.append(")");
    return true;
  }
};

struct OwnFilesOfALog : ::testing::Test {
  LogFolder folder;
  ManualClock clock;
  ScriptedFileOps ops;
  std::vector<std::string> said;
  std::string path = folder.path("report.log");

  /// Each line is as long as a file may be.
  void log(std::initializer_list<const char*> lines, FileOptions options, FileOps& on) {
    options.max_file_bytes = 4;
    RollingFile file(path, options, on, clock);
    for (const char* line : lines) EXPECT_FALSE(append(file, line, clock.wall).error);
    file.wait_for_housekeeping();
    for (const std::string& note : file.take_notes()) said.push_back(note);
  }
  void log(std::initializer_list<const char*> lines, const FileOptions& options = {}) { log(lines, options, ops); }
  [[nodiscard]] std::vector<std::string> list() const {
    std::vector<std::string> lines;
    std::ifstream in(folder.path("report.log.files"));
    for (std::string line; std::getline(in, line);) {
      if (!line.starts_with('#')) lines.push_back(line);
    }
    return lines;
  }
  [[nodiscard]] FileIdentity identity(const std::string& name) const {
    FileIdentity result;
    EXPECT_EQ(system_file_ops().identify(AT_FDCWD, folder.path(name).c_str(), result), 0);
    return result;
  }
};

TEST_F(OwnFilesOfALog, leave_files_of_their_names_that_the_user_made) {
  for (const char* name : {"report_2023.log", "report_002.log", "report_2022.log.gz", "report.log.gz.tmp"})
    folder.write(name, mine);
  log({"aaa", "bbb", "ccc", "ddd", "eee"}, {.retain_files = 2});
  log({"fff", "ggg"}, {.retain_files = 2});
  EXPECT_THAT(folder.names(), ElementsAre("report.log.gz.tmp", "report_002.log", "report_006.log", "report_007.log",
                                          "report_2022.log.gz", "report_2023.log"));
  for (const char* name : {"report_2023.log", "report_002.log", "report_2022.log.gz", "report.log.gz.tmp"})
    EXPECT_EQ(folder.read(name), mine) << name;
  EXPECT_EQ(folder.read("report_007.log"), "ggg\n");
}

TEST_F(OwnFilesOfALog, leave_them_where_the_active_name_is_kept) {
  for (const char* name : {"report_2023.log", "report_002.log"}) folder.write(name, mine);
  log({"aaa", "bbb", "ccc", "ddd", "eee"}, {.retain_files = 2, .keep_active_name = true});
  EXPECT_THAT(folder.names(), ElementsAre("report.log", "report_002.log", "report_005.log", "report_2023.log"));
  for (const char* name : {"report_2023.log", "report_002.log"}) EXPECT_EQ(folder.read(name), mine) << name;
}

TEST_F(OwnFilesOfALog, leave_a_file_of_the_present_period) {
  folder.write("report-20260131.log", mine);
  log({"aaa"}, {.rolling = Rolling::day});
  EXPECT_THAT(folder.names(), ElementsAre("report-20260131.log", "report-20260131_001.log"));
  EXPECT_EQ(folder.read("report-20260131.log"), mine);
}

TEST_F(OwnFilesOfALog, give_no_name_whose_compressed_one_another_has) {
  folder.write("report-20260131.log.gz", mine);
  log({"aaa"}, {.rolling = Rolling::day});
  EXPECT_THAT(folder.names(), ElementsAre("report-20260131.log.gz", "report-20260131_001.log"));
}

TEST_F(OwnFilesOfALog, give_no_number_that_a_compressed_file_of_another_has) {
  folder.write("report_001.log.gz", mine);
  log({"aaa", "bbb"});
  EXPECT_THAT(folder.names(), ElementsAre("report.log", "report_001.log.gz", "report_002.log"));
}

TEST_F(OwnFilesOfALog, say_once_what_they_leave_alone) {
  folder.write("report_2023.log", mine);
  folder.write("report_2024.log", mine);
  log({"aaa", "bbb", "ccc"});
  ASSERT_EQ(said.size(), 1U);
  EXPECT_THAT(said.front(), AllOf(HasSubstr("/report_2023.log and 1 more have names of this log"),
                                  HasSubstr("left alone"), HasSubstr("adopt_files")));
}

TEST_F(OwnFilesOfALog, are_known_to_the_next_start) {
  log({"aaa", "bbb", "ccc"});
  log({"ddd"}, {.retain_files = 2});
  EXPECT_THAT(folder.names(), ElementsAre("report_002.log", "report_003.log"));
  EXPECT_TRUE(said.empty());
  log({"eee"}, {.retain_files = 2});
  EXPECT_THAT(folder.names(), ElementsAre("report_003.log", "report_004.log"));
}

TEST_F(OwnFilesOfALog, take_the_path_itself_whoever_made_it) {
  folder.write("report.log", "xx\n");
  log({"aaa", "bbb"}, {.retain_files = 1});
  EXPECT_THAT(folder.names(), ElementsAre("report_002.log"));
  EXPECT_TRUE(said.empty());
}

TEST_F(OwnFilesOfALog, have_no_list_where_nothing_was_rolled) {
  log({"aaa"});
  EXPECT_FALSE(folder.exists("report.log.files"));
}

TEST_F(OwnFilesOfALog, keep_a_list_that_is_as_readable_as_they_are) {
  log({"aaa", "bbb"}, {.mode = 0600});
  struct ::stat status {};
  ASSERT_EQ(::stat(folder.path("report.log.files").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0600U);
}

TEST_F(OwnFilesOfALog, are_left_alone_when_their_list_is_lost) {
  log({"aaa", "bbb", "ccc"});
  std::filesystem::remove(folder.path("report.log.files"));
  log({"ddd", "eee"}, {.retain_files = 1});
  // report.log goes, being the path itself.
  EXPECT_THAT(folder.names(), ElementsAre("report_001.log", "report_002.log", "report_004.log"));
  EXPECT_EQ(said.size(), 1U);
}

TEST_F(OwnFilesOfALog, can_be_adopted_once_and_for_all) {
  log({"aaa", "bbb", "ccc"});
  std::filesystem::remove(folder.path("report.log.files"));
  folder.write("report_01.log", mine);  // no name of the log
  log({}, {.adopt_files = true});
  EXPECT_EQ(list().size(), 3U);
  log({}, {.adopt_files = true});
  EXPECT_EQ(list().size(), 3U) << "none twice";
  log({"ddd"}, {.retain_files = 1});
  EXPECT_THAT(folder.names(), ElementsAre("report_003.log", "report_01.log"));
  EXPECT_TRUE(said.empty());
}

TEST_F(OwnFilesOfALog, are_no_links_or_folders_even_when_adopted) {
  std::filesystem::create_directory(folder.path("report_001.log"));
  ASSERT_EQ(::symlink("elsewhere", folder.path("report_002.log").c_str()), 0);
  log({"aaa", "bbb"}, {.adopt_files = true});
  EXPECT_EQ(folder.read("report_003.log"), "bbb\n");
}

TEST_F(OwnFilesOfALog, are_not_those_that_were_given_a_deleted_ones_inode) {
  folder.write("report_001.log", mine);
  const FileIdentity file = identity("report_001.log");
  ASSERT_NE(file.born, 0) << "this file system has no birth times";
  folder.write("report.log.files", std::to_string(file.inode) + ' ' + std::to_string(file.born - 1) + '\n');
  log({"aaa", "bbb"}, {.retain_files = 1});
  EXPECT_EQ(folder.read("report_001.log"), mine);
}

TEST_F(OwnFilesOfALog, are_told_by_the_inode_where_there_are_no_birth_times) {
  folder.write("report_001.log", "aa\n");
  folder.write("report.log.files", std::to_string(identity("report_001.log").inode) + " 0\n");
  log({"bbb"}, {.retain_files = 1});
  EXPECT_THAT(folder.names(), ElementsAre("report_002.log"));
}

TEST_F(OwnFilesOfALog, survive_a_torn_line_and_nonsense_in_their_list) {
  log({"aaa", "bbb"});
  std::ofstream(folder.path("report.log.files"), std::ios::app)
      << "nonsense\n-1 5\n18446744073709551616 1\n7\n7 \n\n123 4x\n12";
  log({"ccc"});
  log({"ddd"}, {.retain_files = 2});
  EXPECT_THAT(folder.names(), ElementsAre("report_002.log", "report_003.log"));
  EXPECT_THAT(folder.read("report.log.files"), ::testing::Not(HasSubstr("12" + list().back())));
}

TEST_F(OwnFilesOfALog, forget_those_that_are_gone_when_they_are_most_of_the_list) {
  RollingFile file(path, {.max_file_bytes = 4, .retain_files = 3}, ops, clock);
  for (int i = 0; i < 600; ++i) EXPECT_FALSE(append(file, "aaa", clock.wall).error);
  EXPECT_THAT(list().size(), Lt(300U));
  EXPECT_EQ(folder.names().size(), 3U);
  EXPECT_FALSE(folder.exists("report.log.files.new"));
}

TEST_F(OwnFilesOfALog, keep_their_list_when_a_shorter_one_cannot_be_written) {
  RollingFile file(path, {.max_file_bytes = 4, .retain_files = 3}, ops, clock);
  ops.fail("rename_over", 1, EIO, true);
  for (int i = 0; i < 300; ++i) EXPECT_FALSE(append(file, "aaa", clock.wall).error);
  EXPECT_THAT(list().size(), 299U);
  EXPECT_EQ(folder.names().size(), 3U);
  EXPECT_FALSE(folder.exists("report.log.files.new"));
}

TEST_F(OwnFilesOfALog, get_no_name_where_the_folder_cannot_be_looked_at) {
  for (const bool keep_active_name : {false, true}) {
    const LogFolder other;
    RollingFile file(other.path("a.log"), {.max_file_bytes = 4, .keep_active_name = keep_active_name}, ops, clock);
    EXPECT_FALSE(append(file, "aaa", clock.wall).error);
    ops.fail("list", 1, EIO, true);
    EXPECT_FALSE(append(file, "bbb", clock.wall).error) << "the old file goes on";
    EXPECT_EQ(file.count(FileCount::roll_errors), 1U);
    EXPECT_THAT(other.names(), ElementsAre("a.log"));
    ops.heal();
    clock.pass(1s);
    EXPECT_FALSE(append(file, "ccc", clock.wall).error);
    EXPECT_EQ(other.names().size(), 2U);
  }
}

TEST_F(OwnFilesOfALog, are_written_down_later_where_the_disk_is_full) {
  {
    RollingFile file(path, {.max_file_bytes = 4}, ops, clock);
    for (const char* line : {"aaa", "bbb"}) EXPECT_FALSE(append(file, line, clock.wall).error);
    const std::string before = folder.read("report.log.files");
    ops.space = 5;  // the list's line is longer
    EXPECT_EQ(append(file, "ccc", clock.wall).error, std::errc::no_space_on_device);
    EXPECT_EQ(folder.read("report.log.files"), before) << "whole lines only";
    EXPECT_THAT(file.take_notes(),
                ElementsAre(AllOf(HasSubstr("report.log.files: No space left"), HasSubstr("goes on"))));
    ops.space = UINT64_MAX;
    for (const char* line : {"ccc", "ddd"}) EXPECT_FALSE(append(file, line, clock.wall).error);
  }
  EXPECT_EQ(list().size(), 3U);
  log({"eee"}, {.retain_files = 2});
  EXPECT_THAT(folder.names(), ElementsAre("report_003.log", "report_004.log"));
}

TEST_F(OwnFilesOfALog, do_not_stop_the_start_on_a_full_disk) {
  ops.space = 0;
  RollingFile file(path, {.rolling = Rolling::day}, ops, clock);
  EXPECT_EQ(append(file, "aaa", clock.wall).error, std::errc::no_space_on_device);
  ops.space = UINT64_MAX;
  clock.pass(1s);
  EXPECT_FALSE(append(file, "aaa", clock.wall).error);
  EXPECT_FALSE(append(file, "bbb", clock.wall + 24h).error);
  EXPECT_EQ(list().size(), 2U) << "the first one, too, when there was room";
}

/// Whatever stands in the place of the list: the log goes on, rolls, and keeps what it should of this run.
TEST_F(OwnFilesOfALog, cost_no_event_where_their_list_is_none) {
  using Spoil = std::function<void(const std::string&)>;
  const std::pair<const char*, Spoil> ways[] = {
      {"symbolic link", [](const std::string& at) { ASSERT_EQ(::symlink("elsewhere", at.c_str()), 0); }},
      {"not a regular file", [](const std::string& at) { std::filesystem::create_directory(at); }},
      {"not a regular file", [](const std::string& at) { ASSERT_EQ(::mkfifo(at.c_str(), 0600), 0); }},
      {"hard link",
       [](const std::string& at) {
         std::ofstream(at + ".other") << "mine";
         ASSERT_EQ(::link((at + ".other").c_str(), at.c_str()), 0);
       }},
      {"no list of Cairn's",
       [](const std::string& at) {
         std::ofstream(at).put('\n');
         std::filesystem::resize_file(at, (std::uintmax_t{16} << 20) + 1);
       }},
  };
  for (const auto& [what, spoil] : ways) {
    for (const bool at_start : {true, false}) {
      const LogFolder other;
      FileOptions options{.max_file_bytes = 4, .retain_files = 2};
      if (at_start) spoil(other.path("a.log.files"));
      RollingFile file(other.path("a.log"), options, system_file_ops(), clock);
      for (const char* line : {"aaa", "bbb"}) EXPECT_FALSE(append(file, line, clock.wall).error) << what;
      if (!at_start) {
        std::filesystem::remove(other.path("a.log.files"));
        spoil(other.path("a.log.files"));
      }
      for (const char* line : {"ccc", "ddd"}) EXPECT_FALSE(append(file, line, clock.wall).error) << what;
      EXPECT_EQ(file.count(FileCount::rolls), 3U) << what;
      EXPECT_EQ(other.names().size(), 2U) << what;
      EXPECT_EQ(other.read("a_003.log"), "ddd\n");
      EXPECT_THAT(file.take_notes(), ElementsAre(HasSubstr(what)));
      EXPECT_GT(file.count(FileCount::retention_errors), 0U);
      EXPECT_FALSE(other.exists("elsewhere"));
    }
  }
}

TEST_F(OwnFilesOfALog, do_not_matter_to_a_log_that_never_rolls) {
  std::filesystem::create_directory(folder.path("report.log.files"));
  RollingFile file(path, {.max_file_bytes = 0}, ops, clock);
  EXPECT_FALSE(append(file, "aaa", clock.wall).error);
  EXPECT_FALSE(file.has_notes());
  EXPECT_EQ(file.count(FileCount::retention_errors), 0U);
}

TEST_F(OwnFilesOfALog, are_written_down_anew_when_their_list_is_deleted_meanwhile) {
  RollingFile file(path, {.max_file_bytes = 4}, ops, clock);
  for (const char* line : {"aaa", "bbb", "ccc"}) EXPECT_FALSE(append(file, line, clock.wall).error);
  std::filesystem::remove(folder.path("report.log.files"));
  EXPECT_FALSE(append(file, "ddd", clock.wall).error);
  EXPECT_EQ(list().size(), 3U);
}

TEST_F(OwnFilesOfALog, are_passed_over_when_they_were_given_to_somebody_else) {
  log({"aaa", "bbb"});
  ASSERT_EQ(::link(folder.path("report_001.log").c_str(), folder.path("kept").c_str()), 0);
  FileOptions options{.max_file_bytes = 100};
  RollingFile file(path, options, ops, clock);
  EXPECT_FALSE(append(file, "ccc", clock.wall).error);
  EXPECT_EQ(folder.read("report_001.log"), "bbb\n");
  EXPECT_EQ(folder.read("report_002.log"), "ccc\n");
}

TEST_F(OwnFilesOfALog, do_not_begin_a_file_of_an_earlier_period) {
  const FileOptions options{.rolling = Rolling::day, .retain_files = 2};
  log({"aaa"}, options);
  clock.wall -= 48h;
  log({"bbb", "ccc"}, options);
  clock.wall += 72h;
  log({"ddd"}, options);
  EXPECT_THAT(folder.names(), ElementsAre("report-20260131_002.log", "report-20260201.log"));
  EXPECT_EQ(folder.read("report-20260201.log"), "ddd\n");
}

/// Does this process have its turn at the log? Another one asks.
bool has_turn(const std::string& lock_path) {
  const pid_t child = ::fork();
  if (child == 0) {
    struct flock what {};
    what.l_type = F_WRLCK;
    what.l_whence = SEEK_SET;
    what.l_start = 1;
    what.l_len = 1;
    const int fd = ::open(lock_path.c_str(), O_RDWR | O_CLOEXEC);
    ::_exit(fd >= 0 && ::fcntl(fd, F_GETLK, &what) == 0 && what.l_type != F_UNLCK ? 1 : 0);
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WIFEXITED(status) && WEXITSTATUS(status) == 1;
}

TEST_F(OwnFilesOfALog, change_their_list_in_a_turn) {
  if (children_of_threads_hang) GTEST_SKIP() << "a child may hang in the sanitizer itself";
  register_compressor(Compress::gzip, []() -> std::unique_ptr<CompressorStream> { return std::make_unique<Marked>(); });
  RollingFile file(path, {.max_file_bytes = 4, .compress = Compress::gzip}, ops, clock);
  std::atomic<int> in_turn{0};
  std::atomic<int> outside{0};
  ops.script = [&](const std::string& call, int) {
    if (call == "write") ++(has_turn(path + ".lock") ? in_turn : outside);
    return 0;
  };
  EXPECT_FALSE(append(file, "aaa", clock.wall).error);
  EXPECT_FALSE(append(file, "bbb", clock.wall).error);
  file.wait_for_housekeeping();
  EXPECT_THAT(folder.names(), ElementsAre("report.log.gz", "report_001.log"));
  EXPECT_EQ(in_turn, 2) << "a line for each of the two";
  EXPECT_EQ(outside, 3) << "the two lines of the log, and what is compressed";
}

TEST_F(OwnFilesOfALog, are_on_the_list_before_their_first_byte_with_durable_on_the_disk) {
  for (const Durable durable : {Durable::none, Durable::batch}) {
    const LogFolder other;
    std::vector<std::string> calls;
    RollingFile file(other.path("a.log"), {.max_file_bytes = 4, .durable = durable}, ops, clock);
    EXPECT_FALSE(append(file, "aaa", clock.wall).error);
    ops.script = [&](const std::string& call, int) {
      if (call == "write" || call == "fdatasync") {
        calls.push_back(call + (other.read("a.log.files").empty() ? ", no list"
                                : other.read("a_001.log").empty() ? ", listed"
                                                                  : ", written"));
      }
      return 0;
    };
    EXPECT_FALSE(append(file, "bbb", clock.wall).error);
    ops.heal();
    if (durable == Durable::none)
      EXPECT_THAT(calls, ElementsAre("write, no list", "write, listed"));
    else
      EXPECT_THAT(calls, ElementsAre("write, no list", "fdatasync, listed", "write, listed", "fdatasync, written"));
  }
}

/// A process that is killed at its n-th call of the file system, for every n.
void kill_everywhere(FileOptions options, ManualClock& clock) {
  options.max_file_bytes = 4;
  options.retain_files = 2;
  for (int last = 1;; ++last) {
    const LogFolder here;
    here.write("a_002.log", mine);
    const pid_t child = ::fork();
    if (child == 0) {
      ScriptedFileOps dying;
      dying.script = [last](const std::string&, int number) {
        if (number == last) ::_exit(9);
        return 0;
      };
      RollingFile file(here.path("a.log"), options, dying, clock);
      for (const char* line : {"aaa", "bbb", "ccc", "ddd"}) {
        (void)append(file, line, clock.wall);
        file.wait_for_housekeeping();
      }
      ::_exit(0);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    {
      RollingFile file(here.path("a.log"), options, system_file_ops(), clock);
      for (const char* line : {"eee", "fff", "ggg"}) EXPECT_FALSE(append(file, line, clock.wall).error);
      file.wait_for_housekeeping();
    }
    EXPECT_EQ(here.read("a_002.log"), mine);
    EXPECT_FALSE(here.exists("a.log.files.compressing"));
    std::size_t kept = 0;
    std::size_t never_listed = 0;
    for (const auto& name : here.names()) {
      if (name == "a_002.log") continue;
      ++(here.read(name).empty() ? never_listed : kept);
    }
    EXPECT_EQ(kept, 2U) << "killed at call " << last;
    EXPECT_LE(never_listed, 1U) << "killed at call " << last << ": between the making of a file and its line";
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) break;
    ASSERT_LT(last, 2000);
  }
}

TEST_F(OwnFilesOfALog, are_safe_and_known_wherever_the_process_is_killed) { kill_everywhere({}, clock); }

TEST_F(OwnFilesOfALog, are_so_where_the_active_name_is_kept) { kill_everywhere({.keep_active_name = true}, clock); }

TEST_F(OwnFilesOfALog, are_so_where_they_are_compressed) {
  if (children_of_threads_hang) GTEST_SKIP() << "a child may hang in the sanitizer itself";
  register_compressor(Compress::gzip, []() -> std::unique_ptr<CompressorStream> { return std::make_unique<Marked>(); });
  kill_everywhere({.compress = Compress::gzip}, clock);
}

TEST_F(OwnFilesOfALog, are_one_list_of_all_that_share_the_log) {
  folder.write("report_010.log", mine);
  const FileOptions options{.max_file_bytes = 40, .retain_files = 4, .shared = true};
  std::vector<pid_t> children;
  for (int writer = 0; writer < 3; ++writer) {
    const pid_t child = ::fork();
    if (child == 0) {
      RollingFile file(path, options, system_file_ops(), clock);
      for (int i = 0; i < 400; ++i) {
        if (append(file, "a line of some length", clock.wall).error) ::_exit(1);
      }
      ::_exit(0);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
  EXPECT_EQ(folder.read("report_010.log"), mine);
  {
    RollingFile file(path, options, system_file_ops(), clock);
    for (int i = 0; i < 2; ++i) EXPECT_FALSE(append(file, "a line of some length", clock.wall).error);
  }
  EXPECT_EQ(folder.names().size(), 4U + 1U);
}

TEST(OwnFiles, are_added_once_and_read_back) {
  const LogFolder folder;
  FileOps& ops = system_file_ops();
  const Descriptor directory(ops, ops.open(AT_FDCWD, folder.path("").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0));
  OwnFiles own(ops, folder.path(""), "a.log", 0640, false);
  ASSERT_FALSE(own.load(directory.get()));
  for (const FileIdentity file : {FileIdentity{9, 5}, FileIdentity{3, 0}, FileIdentity{9, 6}, FileIdentity{9, 5}})
    EXPECT_FALSE(own.add(directory.get(), file));
  OwnFiles again(ops, folder.path(""), "a.log", 0640, false);
  ASSERT_FALSE(again.load(directory.get()));
  for (const OwnFiles& files : {own, again}) {
    EXPECT_EQ(files.size(), 3U);
    EXPECT_TRUE(files.contains({9, 5}));
    EXPECT_TRUE(files.contains({9, 6}));
    EXPECT_TRUE(files.contains({9, 0})) << "no birth time was asked for";
    EXPECT_FALSE(files.contains({9, 7}));
    EXPECT_TRUE(files.contains({3, 7})) << "none is known";
    EXPECT_FALSE(files.contains({4, 0}));
  }
  const FileIdentity kept[] = {{9, 6}, {4, 0}};
  ASSERT_FALSE(again.keep_only(directory.get(), kept));
  OwnFiles shorter(ops, folder.path(""), "a.log", 0640, false);
  ASSERT_FALSE(shorter.load(directory.get()));
  EXPECT_EQ(shorter.size(), 1U);
  EXPECT_TRUE(shorter.contains({9, 6}));
}

}  // namespace
