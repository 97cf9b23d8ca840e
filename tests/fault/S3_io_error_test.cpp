// S3 to S6, S11: calls that fail. Whatever fails, whenever: no torn line, and what was reported as written is there.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>

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
  ops.fail("fdatasync", 1, EIO);
  EXPECT_TRUE(append(file, "one", clock.wall).error);
  ops.fail("open", 1, ENOSPC, true);
  EXPECT_EQ(append(file, "one", clock.wall).error.value(), ENOSPC);
  EXPECT_EQ(folder.read("app.log"), "");
  ops.heal();
  EXPECT_FALSE(append(file, "one", clock.wall).error);
  EXPECT_EQ(folder.read("app_001.log"), "one\n");
}

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
