#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cairn/detail/compressor.hpp"
#include "support/log_folder.hpp"
#include "support/scripted_file_ops.hpp"
#ifdef CAIRN_HAS_ZLIB
#include "cairn/compression/gzip.hpp"
#endif
#ifdef CAIRN_HAS_ZSTD
#include "cairn/compression/zstd.hpp"
#endif

namespace {
using namespace cairn;
using namespace cairn::detail;
using namespace cairn::testing;
using namespace std::chrono_literals;
using ::testing::ElementsAre;

/// Compresses nothing, but can be read without a library: "Z(" … ")".
struct Plain final : CompressorStream {
  bool begun = false;
  bool add(std::string_view input, OutputBuffer& out) override {
    if (!std::exchange(begun, true)) out.append("Z(");
    out.append(input);
    return true;
  }
  bool finish(OutputBuffer& out) override {
    if (!std::exchange(begun, true)) out.append("Z(");
    out.append(")");
    return true;
  }
};

struct RollingFileCompression : ::testing::Test {
  LogFolder folder;
  ManualClock clock;
  ScriptedFileOps ops;
  std::string path = folder.path("app.log");
  FileOptions options{.max_file_bytes = 4, .compress = Compress::gzip};
  void SetUp() override {
    register_compressor(Compress::gzip,
                        []() -> std::unique_ptr<CompressorStream> { return std::make_unique<Plain>(); });
  }
  void write(RollingFile& file, std::initializer_list<const char*> lines) {
    for (const char* line : lines) EXPECT_FALSE(append(file, line, clock.wall).error);
    file.wait_for_housekeeping();
  }
};

TEST_F(RollingFileCompression, is_done_to_every_file_but_the_one_being_written) {
  RollingFile file(path, options, ops, clock);
  write(file, {"aaa", "bbb", "ccc"});
  EXPECT_THAT(folder.names(), ElementsAre("app.log.gz", "app_001.log.gz", "app_002.log"));
  EXPECT_EQ(folder.read("app.log.gz"), "Z(aaa\n)");
  EXPECT_EQ(file.count(FileCount::files_compressed), 2U);
}

TEST_F(RollingFileCompression, never_gives_a_number_out_again) {
  for (int run = 0; run < 3; ++run) {
    RollingFile file(path, options, ops, clock);
    write(file, {"aaa"});
  }
  EXPECT_THAT(folder.names(), ElementsAre("app.log.gz", "app_001.log.gz", "app_002.log"));
}

TEST_F(RollingFileCompression, counts_as_a_file_for_retention) {
  options.retain_files = 2;
  RollingFile file(path, options, ops, clock);
  write(file, {"aaa", "bbb", "ccc", "ddd"});
  EXPECT_THAT(folder.names(), ElementsAre("app_002.log.gz", "app_003.log"));
}

TEST_F(RollingFileCompression, cleans_up_and_does_again_what_a_crash_left) {
  folder.write("app.log", "aaa\n");
  folder.write("app.log.files.compressing", "Z(a");
  folder.write("app_001.log", "bbb\n");
  options.adopt_files = true;
  RollingFile file(path, options, ops, clock);
  file.wait_for_housekeeping();
  EXPECT_THAT(folder.names(), ElementsAre("app.log.gz", "app_001.log.gz", "app_002.log"));
  EXPECT_EQ(folder.read("app.log.gz"), "Z(aaa\n)");
  EXPECT_FALSE(folder.exists("app.log.files.compressing"));
}

TEST_F(RollingFileCompression, is_not_done_to_a_file_that_the_log_did_not_make) {
  folder.write("app_001.log", "mine");
  folder.write("app_002.log.gz", "mine too");
  RollingFile file(path, options, ops, clock);
  write(file, {"aaa", "bbb", "ccc"});
  EXPECT_THAT(folder.names(),
              ElementsAre("app.log.gz", "app_001.log", "app_002.log.gz", "app_003.log.gz", "app_004.log"));
  EXPECT_EQ(folder.read("app_001.log"), "mine");
  EXPECT_EQ(folder.read("app_002.log.gz"), "mine too");
}

TEST_F(RollingFileCompression, keeps_a_file_whose_compressed_name_is_taken_by_another) {
  folder.write("app.log", "aaa\n");
  folder.write("app.log.gz", "something else");
  const struct timespec long_ago[2] = {{1, 0}, {1, 0}};
  ASSERT_EQ(::utimensat(AT_FDCWD, folder.path("app.log.gz").c_str(), long_ago, 0), 0);
  RollingFile file(path, options, ops, clock);
  file.wait_for_housekeeping();
  EXPECT_EQ(folder.read("app.log"), "aaa\n");
  EXPECT_EQ(folder.read("app.log.gz"), "something else");
}

TEST_F(RollingFileCompression, is_left_to_the_sharer_that_is_at_it) {
  options.shared = true;
  std::unique_ptr<OwnerLock> other;
  ASSERT_FALSE(OwnerLock::acquire(ops, path + ".lock", true, 0640, other));
  ASSERT_TRUE(other->try_housekeeping());
  RollingFile file(path, options, ops, clock);
  write(file, {"aaa", "bbb"});
  EXPECT_THAT(folder.names(), ElementsAre("app.log", "app_001.log"));
  other->end_housekeeping();
  write(file, {"ccc"});
  EXPECT_THAT(folder.names(), ElementsAre("app.log.gz", "app_001.log.gz", "app_002.log"));
}

TEST_F(RollingFileCompression, loses_no_file_whichever_call_fails) {
  for (int nth = 1; nth < 400; ++nth) {
    LogFolder here;
    ScriptedFileOps failing;
    failing.fail("", nth, EIO);
    std::string written;
    int made = 0;
    {
      FileOptions retry = options;
      retry.on_open_failure = OnOpenFailure::retry;
      RollingFile file(here.path("app.log"), retry, failing, clock);
      for (const char* line : {"aaa", "bbb", "ccc"}) {
        while (append(file, line, clock.wall).error) clock.pass(250ms);
        file.wait_for_housekeeping();
      }
      made = failing.calls();
    }
    std::string all;
    for (const auto& name : here.names()) all += here.read(name);
    // A source and its compression may both be there; what counts is that every line is somewhere, whole.
    for (const char* line : {"aaa\n", "bbb\n", "ccc\n"}) EXPECT_NE(all.find(line), std::string::npos) << nth << line;
    if (made < nth) return;
  }
  FAIL() << "never ran to the end without a failure";
}

TEST_F(RollingFileCompression, is_reported_as_not_available_until_its_component_is_used) {
  EXPECT_TRUE(compressor_available(Compress::none));
  register_compressor(Compress::zstd, nullptr);
  EXPECT_FALSE(compressor_available(Compress::zstd));
  EXPECT_EQ(make_compressor(Compress::zstd), nullptr);
  EXPECT_TRUE(compressor_available(Compress::gzip));
}

[[maybe_unused]] std::string output_of(const std::string& command) {
  std::string result;
  FILE* const pipe = ::popen(command.c_str(), "r");
  char buffer[65536];
  while (const std::size_t count = ::fread(buffer, 1, sizeof buffer, pipe)) result.append(buffer, count);
  ::pclose(pipe);
  return result;
}

[[maybe_unused]] std::string some_megabytes() {
  std::string text;
  std::uint64_t x = 1;
  while (text.size() < 3'000'000) text += std::to_string(x = x * 6364136223846793005ULL + 1) + "\n";
  return text;
}

TEST_F(RollingFileCompression, by_gzip_is_read_by_gzip) {
#ifndef CAIRN_HAS_ZLIB
  GTEST_SKIP() << "built without zlib";
#else
  use_gzip();
  const std::string text = some_megabytes();
  folder.write("app.log", text);
  RollingFile file(path, options, ops, clock);
  file.wait_for_housekeeping();
  EXPECT_LT(folder.read("app.log.gz").size(), text.size());
  EXPECT_EQ(output_of("gzip -dc " + folder.path("app.log.gz")), text);
#endif
}

TEST_F(RollingFileCompression, by_zstd_is_read_by_zstd) {
#ifndef CAIRN_HAS_ZSTD
  GTEST_SKIP() << "built without zstd";
#else
  if (std::system("command -v zstd >/dev/null") != 0) GTEST_SKIP() << "no zstd program to read it with";
  use_zstd();
  options.compress = Compress::zstd;
  const std::string text = some_megabytes();
  folder.write("app.log", text);
  RollingFile file(path, options, ops, clock);
  file.wait_for_housekeeping();
  EXPECT_EQ(output_of("zstd -dc " + folder.path("app.log.zst")), text);
#endif
}
}  // namespace
