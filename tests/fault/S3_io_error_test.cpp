// S3 to S6, S11: calls that fail. Whatever fails, whenever: no torn line, and what was reported as written is there.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <cairn/all.hpp>

#include "sinks/file_sink.hpp"
#include "support/log_folder.hpp"
#include "support/scripted_file_ops.hpp"

namespace {
using namespace cairn;
using namespace cairn::detail;
using namespace cairn::testing;
using namespace std::chrono_literals;

TEST(S3IoError, takes_back_what_landed_although_the_write_said_it_failed) {
  LogFolder folder;
  ManualClock clock;
  ScriptedFileOps ops;
  RollingFile file(folder.path("app.log"), {}, ops, clock);
  EXPECT_FALSE(append(file, "one", clock.wall).error);
  ops.script = [&](const std::string& call, int) {
    if (call != "write") return 0;
    std::ofstream(folder.path("app.log"), std::ios::app) << "tw";
    return -EIO;
  };
  EXPECT_EQ(append(file, "two", clock.wall).error.value(), EIO);
  ops.heal();
  EXPECT_FALSE(append(file, "two", clock.wall).error);
  EXPECT_EQ(folder.read("app.log"), "one\ntwo\n");
}

TEST(S4SyncFails, leaves_the_file_and_the_caller_writes_the_batch_to_the_next) {
  LogFolder folder;
  ManualClock clock;
  ScriptedFileOps ops;
  RollingFile file(folder.path("app.log"), {.durable = Durable::batch}, ops, clock);
  EXPECT_FALSE(append(file, "one", clock.wall).error);
  ops.fail("fdatasync", 1, EIO);
  const AppendResult result = append(file, "two", clock.wall);
  EXPECT_EQ(result.units_written, 0U);
  EXPECT_EQ(result.error.value(), EIO);
  EXPECT_EQ(file.count(FileCount::durability_lost), 1U);
  EXPECT_EQ(ops.calls("fdatasync"), 2) << "never asked twice for one batch";
  EXPECT_FALSE(append(file, "two", clock.wall).error);
  EXPECT_EQ(folder.read("app.log"), "one\n");
  EXPECT_EQ(folder.read("app_001.log"), "two\n");
}

TEST(S4SyncFails, and_no_new_file_can_be_made_writes_nothing_to_the_old_one) {
  LogFolder folder;
  ManualClock clock;
  ScriptedFileOps ops;
  RollingFile file(folder.path("app.log"), {.durable = Durable::batch}, ops, clock);
  EXPECT_FALSE(append(file, "one", clock.wall).error);
  ops.fail("fdatasync", 1, EIO);
  EXPECT_TRUE(append(file, "two", clock.wall).error);
  ops.fail("open", 1, ENOSPC, true);
  EXPECT_EQ(append(file, "two", clock.wall).error.value(), ENOSPC);
  EXPECT_EQ(folder.read("app.log"), "one\n");
  ops.heal();
  EXPECT_EQ(append(file, "two", clock.wall).error.value(), ENOSPC) << "not more often than each 250 ms";
  clock.pass(250ms);
  EXPECT_FALSE(append(file, "two", clock.wall).error);
  EXPECT_EQ(folder.read("app_001.log"), "two\n");
}

TEST(S4SyncFails, and_again_in_the_next_file_is_tried_each_250_ms) {
  LogFolder folder;
  ManualClock clock;
  ScriptedFileOps ops;
  RollingFile file(folder.path("app.log"), {.durable = Durable::batch}, ops, clock);
  EXPECT_FALSE(append(file, "one", clock.wall).error);
  ops.fail("fdatasync", 1, EIO, true);
  const int before = ops.calls("write");
  for (int i = 0; i < 60; ++i) EXPECT_EQ(append(file, "two", clock.wall).error.value(), EIO);
  EXPECT_EQ(ops.calls("write") - before, 2 + 1) << "one at each file, and one at the list of files";
  ops.heal();
  clock.pass(250ms);
  EXPECT_FALSE(append(file, "two", clock.wall).error);
  EXPECT_EQ(folder.read("app_001.log"), "two\n");
}

TEST(S4SyncFails, and_flush_says_so_until_one_succeeds) {
  LogFolder folder;
  ManualClock clock;
  ScriptedFileOps ops;
  RollingFile file(folder.path("app.log"), {.durable = Durable::batch}, ops, clock);
  EXPECT_FALSE(append(file, "one", clock.wall).error);
  EXPECT_FALSE(file.flush());
  ops.fail("fdatasync", 1, EIO);
  EXPECT_TRUE(append(file, "two", clock.wall).error);
  EXPECT_EQ(file.flush().value(), EIO);
  EXPECT_EQ(file.flush().value(), EIO);
  EXPECT_FALSE(append(file, "two", clock.wall).error);
  EXPECT_FALSE(file.flush());
}

TEST(S4SyncFails, of_a_synchronous_sink_fails_its_flush) {
  LogFolder folder;
  ScriptedFileOps ops;
  Configuration config;
  config.on_internal_error([](std::string_view) {});
  config.write_to(
      std::make_shared<FileSink>(folder.path("app.log"), FileOptions{.durable = Durable::batch}, ops, system_clock()),
      "file");
  const Logger log = config.create_logger();
  log.information("one");
  EXPECT_EQ(log.flush().status, FlushStatus::ok);
  ops.fail("fdatasync", 1, EIO);
  log.information("two");
  EXPECT_EQ(log.flush().status, FlushStatus::failed);
  log.information("three");
  EXPECT_EQ(log.flush().status, FlushStatus::ok);
  static_cast<void>(log.close());  // before `ops` goes
}

TEST(S4SyncFails, and_the_file_cannot_be_cut_back_either_is_not_left_there) {
  LogFolder folder;
  ManualClock clock;
  ScriptedFileOps ops;
  RollingFile file(folder.path("app.log"), {.durable = Durable::batch}, ops, clock);
  EXPECT_FALSE(append(file, "one", clock.wall).error);
  ops.script = [](const std::string& call, int) { return call == "fdatasync" || call == "truncate" ? -EIO : 0; };
  for (int i = 0; i < 20; ++i) {
    EXPECT_TRUE(append(file, "two", clock.wall).error);
    clock.pass(250ms);
  }
  EXPECT_LE(folder.names().size(), 2U);
  ops.heal();
  EXPECT_FALSE(append(file, "two", clock.wall).error);
  EXPECT_EQ(folder.read("app_001.log"), "two\n");
}

TEST(S4SyncFails, after_others_have_cut_the_file_leaves_no_hole_in_it) {
  LogFolder folder;
  ManualClock clock;
  ScriptedFileOps ops;
  RollingFile file(folder.path("app.log"), {.durable = Durable::batch}, ops, clock);
  EXPECT_FALSE(append(file, std::string(1000, 'x'), clock.wall).error);
  ASSERT_EQ(::truncate(folder.path("app.log").c_str(), 0), 0);
  EXPECT_FALSE(append(file, "one", clock.wall).error);
  ops.fail("fdatasync", 1, EIO);
  EXPECT_TRUE(append(file, "two", clock.wall).error);
  EXPECT_EQ(folder.read("app.log"), "one\n");
}

TEST(S4SyncFails, and_a_file_that_is_reopened_under_its_name_is_another) {
  LogFolder folder;
  ManualClock clock;
  ScriptedFileOps ops;
  RollingFile file(folder.path("app.log"), {.keep_active_name = true, .durable = Durable::batch}, ops, clock);
  EXPECT_FALSE(append(file, "one", clock.wall).error);
  ops.fail("fdatasync", 1, EIO);
  EXPECT_TRUE(append(file, "two", clock.wall).error);
  EXPECT_FALSE(file.reopen());
  EXPECT_FALSE(append(file, "two", clock.wall).error);
  EXPECT_EQ(folder.read("app_001.log"), "one\n");
  EXPECT_EQ(folder.read("app.log"), "two\n");
}

TEST(S4SyncFails, of_the_folder_leaves_no_file_that_is_not_used) {
  LogFolder folder;
  ManualClock clock;
  ScriptedFileOps ops;
  RollingFile file(folder.path("app.log"), {.max_file_bytes = 4, .durable = Durable::batch}, ops, clock);
  EXPECT_FALSE(append(file, "one", clock.wall).error);
  ops.fail("fsync", 1, EIO, true);
  for (int i = 0; i < 20; ++i) {
    EXPECT_FALSE(append(file, "two", clock.wall).error) << "too long a file is better than an event lost";
    clock.pass(250ms);
  }
  EXPECT_EQ(folder.names(), std::vector<std::string>{"app.log"});
  ops.heal();
  EXPECT_FALSE(append(file, "three", clock.wall).error);
  EXPECT_EQ(folder.read("app_001.log"), "three\n");
}

/// Of an exclusive and of a shared log, with and without its active name.
class S4SyncFailsForLong : public ::testing::TestWithParam<int> {
 protected:
  const FileOptions options{.max_file_bytes = 8,
                            .retain_files = 5,
                            .keep_active_name = GetParam() % 2 != 0,
                            .durable = Durable::batch,
                            .shared = GetParam() >= 2};
  LogFolder folder;
  ManualClock clock;
  ScriptedFileOps ops;
  std::vector<std::string> history;

  void write_history(RollingFile& file) {
    for (int i = 0; i < 10; ++i) {
      const std::string line = "old" + std::to_string(i);
      EXPECT_FALSE(append(file, line, clock.wall).error);
      if (i >= 5) history.push_back(line);  // a line a file
    }
    EXPECT_EQ(folder.lines().size(), 5U);
  }
  void expect_history(std::size_t from = 0) {
    const auto lines = folder.lines();
    for (std::size_t i = from; i < history.size(); ++i) EXPECT_EQ(std::ranges::count(lines, history[i]), 1) << i;
  }
};

TEST_P(S4SyncFailsForLong, and_no_older_file_is_deleted_nor_one_after_the_other_made) {
  RollingFile file(folder.path("app.log"), options, ops, clock);
  write_history(file);
  ops.fail("fdatasync", 1, EIO, true);
  for (int i = 0; i < 60; ++i) {
    EXPECT_TRUE(append(file, "new", clock.wall).error);
    EXPECT_LE(folder.names().size(), 7U);
    expect_history();
    clock.pass(250ms);
  }
  EXPECT_TRUE(file.flush());
  ops.heal();
  EXPECT_FALSE(append(file, "new", clock.wall).error);
  EXPECT_EQ(folder.names().size(), 5U);
  EXPECT_GE(std::ranges::count(folder.lines(), "new"), 1);
  expect_history(2);  // what was new in the last of them, where it is shared, has a file of its own
}

class S4SyncFailsForLongOfTwo : public S4SyncFailsForLong {};

TEST_P(S4SyncFailsForLongOfTwo, who_share_it_and_no_older_file_is_deleted_either) {
  RollingFile first(folder.path("app.log"), options, ops, clock);
  RollingFile second(folder.path("app.log"), options, ops, clock);
  write_history(first);
  ops.fail("fdatasync", 1, EIO, true);
  for (int i = 0; i < 60; ++i) {
    EXPECT_TRUE(append(first, "first", clock.wall).error);
    EXPECT_TRUE(append(second, "second", clock.wall).error);
    EXPECT_LE(folder.names().size(), 7U);
    expect_history();
    clock.pass(250ms);
  }
  ops.heal();
  EXPECT_FALSE(append(first, "first", clock.wall).error);
  EXPECT_FALSE(append(second, "second", clock.wall).error);
  EXPECT_GE(std::ranges::count(folder.lines(), "first"), 1);
  EXPECT_GE(std::ranges::count(folder.lines(), "second"), 1);
}

INSTANTIATE_TEST_SUITE_P(Variants, S4SyncFailsForLong, ::testing::Range(0, 4));
INSTANTIATE_TEST_SUITE_P(Variants, S4SyncFailsForLongOfTwo, ::testing::Range(2, 4));

TEST(S5ShortWrites, of_one_byte_and_interruptions_are_completed) {
  LogFolder folder;
  ManualClock clock;
  ScriptedFileOps ops;
  RollingFile file(folder.path("app.log"), {.durable = Durable::batch}, ops, clock);
  ops.longest_write = 1;
  int turn = 0;
  ops.script = [&](const std::string& call, int) {
    return (call == "write" || call == "fdatasync") && ++turn % 2 == 1 ? -EINTR : 0;
  };
  const AppendResult result = append(file, Lines{}.add("one", clock.wall).add("two", clock.wall));
  EXPECT_EQ(result.units_written, 2U);
  EXPECT_FALSE(result.error);
  EXPECT_EQ(folder.read("app.log"), "one\ntwo\n");
}

TEST(S6OpenFails, is_an_error_or_heals_by_itself_as_configured) {
  LogFolder folder;
  ManualClock clock;
  ScriptedFileOps ops;
  ops.fail("open", 1, EROFS, true);
  EXPECT_THROW(RollingFile(folder.path("app.log"), {}, ops, clock), FileOpenError);
  RollingFile file(folder.path("app.log"), {.on_open_failure = OnOpenFailure::retry}, ops, clock);
  EXPECT_FALSE(file.is_open());
  EXPECT_EQ(append(file, "one", clock.wall).error.value(), EROFS);
  const int tried = ops.calls("open");
  ops.heal();
  EXPECT_EQ(append(file, "one", clock.wall).error.value(), EROFS);
  EXPECT_EQ(ops.calls("open"), tried) << "not more often than each 250 ms";
  clock.pass(250ms);
  EXPECT_FALSE(append(file, "one", clock.wall).error);
  EXPECT_EQ(folder.read("app.log"), "one\n");
}

TEST(S11OutOfDescriptors, rolls_with_the_one_that_was_kept) {
  LogFolder folder;
  ManualClock clock;
  ScriptedFileOps ops;
  int released = 0;  // before the file: closing it runs the script once more
  RollingFile file(folder.path("app.log"), {.max_file_bytes = 4}, ops, clock);
  EXPECT_FALSE(append(file, "aaa", clock.wall).error);
  ops.script = [&](const std::string& call, int) {
    if (call == "close") ++released;
    return (call == "open" || call == "list") && released == 0 ? -EMFILE : 0;
  };
  EXPECT_FALSE(append(file, "bbb", clock.wall).error);
  EXPECT_EQ(file.count(FileCount::roll_errors), 0U);
  EXPECT_EQ(folder.read("app_001.log"), "bbb\n");
}

/// Writes thirty lines with everything switched on, appending again what was not written, while the script is at work.
/// Returns the lines reported as written.
std::vector<std::string> write_all(const std::string& path, FileOptions options, ScriptedFileOps& ops, bool heals) {
  ManualClock clock;
  std::vector<std::string> written;
  options.on_open_failure = OnOpenFailure::retry;
  RollingFile file(path, options, ops, clock);
  std::size_t next = 0;
  for (int attempt = 0; attempt < (heals ? 1000 : 40) && next < 30; ++attempt) {
    Lines lines;
    std::vector<std::string> names;
    for (std::size_t i = next; i < std::min<std::size_t>(30, next + 4); ++i) {
      names.push_back("line-" + std::to_string(i) + "-end");
      lines.add(names.back(), clock.wall + 5h * (i / 10));
    }
    const AppendResult result = append(file, lines);
    EXPECT_LE(result.units_written, names.size());
    EXPECT_EQ(static_cast<bool>(result.error), result.units_written != names.size());
    written.insert(written.end(), names.begin(), names.begin() + static_cast<std::ptrdiff_t>(result.units_written));
    next += result.units_written;
    if (result.error) clock.pass(250ms);
    if (attempt % 5 == 4) clock.pass(1s);  // it looks around
  }
  if (heals) {
    EXPECT_EQ(next, 30U);
  }
  return written;
}

class S3EveryCall : public ::testing::TestWithParam<int> {};

TEST_P(S3EveryCall, may_fail_without_a_torn_line_or_a_lost_unit) {
  const FileOptions variants[] = {
      {.rolling = Rolling::hour, .max_file_bytes = 60},
      {.rolling = Rolling::hour, .max_file_bytes = 60, .keep_active_name = true},
      {.rolling = Rolling::hour, .max_file_bytes = 60, .durable = Durable::batch},
      {.rolling = Rolling::hour, .max_file_bytes = 60, .shared = true},
      {.rolling = Rolling::hour, .max_file_bytes = 60, .keep_active_name = true, .shared = true},
  };
  const FileOptions& options = variants[GetParam()];
  for (const int error : {EIO, ENOSPC, EACCES}) {
    for (const bool for_good : {false, true}) {
      for (int nth = 1;; ++nth) {
        ASSERT_LT(nth, 5000);
        LogFolder folder;
        ScriptedFileOps ops;
        ops.longest_write = 17;  // so that a failure may come in the middle of a line
        ops.really_sync = false;
        int seen = 0;
        ops.script = [&, nth](const std::string& call, int) {
          if (call == "lock" && error == EACCES) return 0;  // that would mean: held by another; it would be waited for
          ++seen;
          return seen == nth || (for_good && seen > nth) ? -error : 0;
        };
        const auto written = write_all(folder.path("app.log"), options, ops, !for_good);
        const bool to_the_end = seen < nth;
        // A tail that could not be repaired while everything failed is repaired by the next start.
        if (for_good) {
          ManualClock clock;
          ScriptedFileOps healthy;
          FileOptions same = options;
          RollingFile next(folder.path("app.log"), same, healthy, clock);
          for (const auto& name : folder.names()) {
            const std::string text = folder.read(name);
            if (text.empty() || text.back() == '\n' || options.shared) continue;
            folder.write(name, text.substr(0, text.rfind('\n') + 1));  // of an older period: no start looks there
          }
        }
        std::vector<std::string> found = folder.lines();
        for (const auto& line : found) {
          const bool is_whole = line.starts_with("line-") && line.ends_with("-end");
          if (!options.shared) {
            EXPECT_TRUE(is_whole) << nth << ' ' << line;
          }
        }
        for (const auto& line : written)
          EXPECT_EQ(std::ranges::count(found, line), 1) << line << " nth " << nth << " error " << error << for_good;
        if (::testing::Test::HasFailure()) return;
        if (to_the_end) break;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Variants, S3EveryCall, ::testing::Range(0, 5));
}  // namespace
