// S10: several processes write and roll one file.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <atomic>
#include <cairn/all.hpp>
#include <set>
#include <thread>

#include "sinks/file_sink.hpp"
#include "support/copying_compressor.hpp"
#include "support/log_folder.hpp"
#include "support/scripted_file_ops.hpp"
#include "support/scripted_sink.hpp"

namespace {
using namespace cairn;
using namespace cairn::detail;
using namespace cairn::testing;
using namespace std::chrono_literals;

constexpr int writers = 4;
constexpr int lines_each = 50'000;

int write_share(const std::string& path, const FileOptions& options, int writer) {
  RollingFile file(path, options, system_file_ops(), system_clock());
  for (int i = 0; i < lines_each;) {
    Lines lines;
    for (int j = 0; j < 100; ++j, ++i)
      lines.add(std::to_string(writer) + ' ' + std::to_string(i) + " the quick brown fox jumps over the lazy dog .",
                system_clock().now());
    if (append(file, lines).error) return 1;
  }
  return 0;
}

void verify(const LogFolder& folder) {
  std::vector<std::vector<int>> seen(writers, std::vector<int>(lines_each));
  std::size_t torn = 0;
  for (const auto& line : folder.lines()) {
    int writer = -1, number = -1, end = 0;
    if (std::sscanf(line.c_str(), "%d %d the quick brown fox jumps over the lazy dog .%n", &writer, &number, &end) !=
            2 ||
        static_cast<std::size_t>(end) != line.size() || writer >= writers || number >= lines_each)
      ++torn;
    else
      ++seen[static_cast<std::size_t>(writer)][static_cast<std::size_t>(number)];
  }
  std::size_t lost = 0, twice = 0;
  for (const auto& numbers : seen)
    for (const int times : numbers) {
      lost += times == 0;
      twice += times > 1;
    }
  EXPECT_EQ(torn, 0U);
  EXPECT_EQ(lost, 0U);
  EXPECT_EQ(twice, 0U);
}

void run_processes(const LogFolder& folder, const FileOptions& options) {
  std::vector<pid_t> children;
  for (int writer = 0; writer < writers; ++writer) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(write_share(folder.path("app.log"), options, writer));
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
}

TEST(S10SharedFile, is_rolled_by_four_processes_without_a_line_lost_torn_or_doubled) {
  LogFolder folder;
  run_processes(folder, {.max_file_bytes = 64 * 1024, .retain_files = 0, .shared = true});
  verify(folder);
  EXPECT_GE(folder.names().size(), 150U);
}

TEST(S10SharedFile, is_rolled_by_renaming_too) {
  LogFolder folder;
  run_processes(folder, {.max_file_bytes = 64 * 1024, .retain_files = 0, .keep_active_name = true, .shared = true});
  verify(folder);
  EXPECT_GE(folder.names().size(), 150U);
}

TEST(S10SharedFile, is_compressed_behind_the_writers_without_loss) {
  cairn::testing::compress_by_copying();
  LogFolder folder;
  const FileOptions options{
      .max_file_bytes = 256 * 1024, .retain_files = 0, .shared = true, .compress = Compress::gzip};
  run_processes(folder, options);
  RollingFile last(folder.path("app.log"), options, system_file_ops(), system_clock());
  last.wait_for_housekeeping();  // what the ends of the processes broke off
  verify(folder);
}

TEST(S10SharedFile, is_left_by_every_sharer_once_one_has_rolled) {
  LogFolder folder;
  ManualClock clock;
  const FileOptions options{.max_file_bytes = 8, .shared = true};
  RollingFile first(folder.path("app.log"), options, system_file_ops(), clock);
  RollingFile second(folder.path("app.log"), options, system_file_ops(), clock);
  EXPECT_FALSE(append(first, "one", clock.wall).error);
  EXPECT_FALSE(append(second, "two", clock.wall).error);
  EXPECT_FALSE(append(first, "rolls", clock.wall).error);
  EXPECT_FALSE(append(second, "x", clock.wall).error);
  EXPECT_EQ(folder.read("app.log"), "one\ntwo\n");
  EXPECT_EQ(folder.read("app_001.log"), "rolls\nx\n");
  EXPECT_EQ(folder.names().size(), 2U) << "the second one followed, and did not roll once more";
}

TEST(S10SharedFile, may_be_opened_twice_in_one_process) {
  LogFolder folder;
  const FileOptions options{.max_file_bytes = 64 * 1024, .retain_files = 0, .shared = true};
  std::vector<std::thread> threads;
  for (int writer = 0; writer < writers; ++writer)
    threads.emplace_back([&, writer] { EXPECT_EQ(write_share(folder.path("app.log"), options, writer), 0); });
  for (auto& thread : threads) thread.join();
  verify(folder);
}

TEST(S10SharedFile, ends_the_line_that_a_killed_sharer_left_torn) {
  LogFolder folder;
  ManualClock clock;
  RollingFile file(folder.path("app.log"), {.shared = true}, system_file_ops(), clock);
  EXPECT_FALSE(append(file, "one", clock.wall).error);
  std::ofstream(folder.path("app.log"), std::ios::app) << "torn by ano";
  EXPECT_FALSE(append(file, "two", clock.wall).error);
  EXPECT_EQ(folder.read("app.log"), "one\ntorn by ano\ntwo\n");
}

TEST(S10SharedFile, has_each_torn_line_counted_once_by_who_ends_it) {
  LogFolder folder;
  ManualClock clock;
  ScriptedFileOps full;
  const FileOptions options{.shared = true};
  RollingFile first(folder.path("app.log"), options, full, clock);
  RollingFile second(folder.path("app.log"), options, full, clock);
  RollingFile third(folder.path("app.log"), options, system_file_ops(), clock);
  full.space = 3;
  EXPECT_TRUE(append(first, "first", clock.wall).error);
  EXPECT_TRUE(append(second, "second", clock.wall).error);
  EXPECT_TRUE(append(first, "first", clock.wall).error);
  RollingFile fourth(folder.path("app.log"), options, system_file_ops(), clock);
  EXPECT_FALSE(append(third, "third", clock.wall).error);
  EXPECT_FALSE(append(fourth, "fourth", clock.wall).error);
  full.space = UINT64_MAX;
  EXPECT_FALSE(append(second, "second", clock.wall).error);
  EXPECT_FALSE(append(first, "first", clock.wall).error);
  EXPECT_EQ(folder.read("app.log"), "fir\nthird\nfourth\nsecond\nfirst\n");
  EXPECT_EQ(first.count(FileCount::torn_bytes), 0U);
  EXPECT_EQ(second.count(FileCount::torn_bytes), 0U);
  EXPECT_EQ(third.count(FileCount::torn_bytes), 3U);
  EXPECT_EQ(fourth.count(FileCount::torn_bytes), 0U);
}

/// A shared file behind a queue: its turn cannot be had for a while, as where the one who has it is stopped.
struct S10SharedFileWithoutItsTurn : ::testing::Test {
  LogFolder folder;
  ScriptedFileOps ops;
  std::atomic<int> error{0};
  std::atomic<int> refused{0};
  S10SharedFileWithoutItsTurn() {
    ops.script = [this](const std::string& call, int) {
      if (call != "lock" || error == 0) return 0;
      ++refused;
      return -error.load();
    };
  }
  Logger make(bool with_breaker) {
    Configuration config;
    config.on_internal_error([](std::string_view) {});
    auto file =
        config.write_to(std::make_shared<FileSink>(folder.path("app.log"),
                                                   FileOptions{.output_template = "{Message}{NewLine}", .shared = true},
                                                   ops, system_clock()),
                        "file");
    file.with_queue();
    if (with_breaker) file.with_circuit_breaker({.failures = 1, .timeout = 1h, .max_timeout = 1h});
    return config.create_logger();
  }
  void expect_nothing_is_lost(const Logger& log) {
    error = 0;
    EXPECT_EQ(log.flush().status, FlushStatus::ok);
    EXPECT_EQ(log.metrics().sink("file")->failed_total(), 0U);
    EXPECT_EQ(folder.read("app.log"), "kept\n");
    static_cast<void>(log.close());  // before `ops` goes
  }
};

TEST_F(S10SharedFileWithoutItsTurn, keeps_what_is_queued) {
  for (const int each : {ETIMEDOUT, ENOLCK, EMFILE, ENFILE, ENOMEM}) {
    folder.write("app.log", "");
    const Logger log = make(false);
    refused = 0;
    error = each;
    log.information("kept");
    EXPECT_TRUE(comes_true([&] { return refused >= 2; })) << each;
    EXPECT_EQ(log.metrics().sink("file")->pending, 1U) << each;
    expect_nothing_is_lost(log);
  }
}

TEST_F(S10SharedFileWithoutItsTurn, is_no_failure_for_its_breaker) {
  const Logger log = make(true);
  error = ETIMEDOUT;
  log.information("kept");
  EXPECT_TRUE(comes_true([&] { return log.circuit_breaker("file")->stats().cancelled >= 2; }));
  EXPECT_EQ(log.circuit_breaker("file")->stats().state, CircuitState::closed);
  expect_nothing_is_lost(log);
}
}  // namespace
