// S1: no room. A whole unit is written or none; what was not written is named, and nothing dies.
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>

#include "support/in_child.hpp"
#include "support/log_folder.hpp"
#include "support/scripted_file_ops.hpp"

namespace {
using namespace cairn;
using namespace cairn::detail;
using namespace cairn::testing;
using namespace std::chrono_literals;

TEST(S1DiskFull, leaves_a_prefix_of_whole_units_at_every_possible_byte) {
  for (std::uint64_t space = 0; space <= 15; ++space) {
    LogFolder folder;
    ManualClock clock;
    ScriptedFileOps ops;
    RollingFile file(folder.path("app.log"), {}, ops, clock);
    ops.space = space;
    const Lines lines = Lines{}.add("one", clock.wall).add("two", clock.wall).add("three", clock.wall);  // 4 + 4 + 6
    const AppendResult first = append(file, lines);
    const std::size_t whole = space >= 14 ? 3 : space >= 8 ? 2 : space >= 4 ? 1 : 0;
    EXPECT_EQ(first.units_written, whole) << space;
    EXPECT_EQ(folder.read("app.log"), lines.bytes.substr(0, first.bytes)) << space;
    EXPECT_EQ(static_cast<bool>(first.error), whole != 3);
    if (whole == 3) continue;
    EXPECT_TRUE(retryable(first.error));
    ops.space = UINT64_MAX;
    Lines rest;
    for (std::size_t i = whole; i < 3; ++i) rest.add(i == 0 ? "one" : i == 1 ? "two" : "three", clock.wall);
    EXPECT_FALSE(append(file, rest).error);
    EXPECT_EQ(folder.read("app.log"), lines.bytes);
  }
}

TEST(S1DiskFull, of_a_shared_file_ends_the_torn_line_and_writes_the_unit_again) {
  LogFolder folder;
  ManualClock clock;
  ScriptedFileOps ops;
  RollingFile file(folder.path("app.log"), {.shared = true}, ops, clock);
  ops.space = 6;
  EXPECT_EQ(append(file, Lines{}.add("one", clock.wall).add("two", clock.wall)).units_written, 1U);
  ops.space = UINT64_MAX;
  EXPECT_FALSE(append(file, "two", clock.wall).error);
  EXPECT_EQ(folder.read("app.log"), "one\ntw\ntwo\n");
  EXPECT_EQ(ops.calls("truncate"), 2) << "the lock's own; never the log";
}

TEST(S1DiskFull, that_cannot_be_repaired_at_once_is_repaired_before_the_next_write) {
  LogFolder folder;
  ManualClock clock;
  ScriptedFileOps ops;
  RollingFile file(folder.path("app.log"), {}, ops, clock);
  ops.space = 6;
  ops.fail("truncate", 1, EIO, true);
  EXPECT_EQ(append(file, Lines{}.add("one", clock.wall).add("two", clock.wall)).units_written, 1U);
  ops.space = UINT64_MAX;
  EXPECT_EQ(append(file, "two", clock.wall).units_written, 0U) << "nothing may follow a torn line";
  ops.heal();
  EXPECT_FALSE(append(file, "two", clock.wall).error);
  EXPECT_EQ(folder.read("app.log"), "one\ntwo\n");
}

TEST(S1DiskFull, on_an_append_only_file_ends_the_torn_line) {
  LogFolder folder;
  ManualClock clock;
  ScriptedFileOps ops;
  RollingFile file(folder.path("app.log"), {}, ops, clock);
  ops.space = 6;
  ops.fail("truncate", 1, EPERM, true);
  EXPECT_EQ(append(file, Lines{}.add("one", clock.wall).add("two", clock.wall)).units_written, 1U);
  ops.space = UINT64_MAX;
  EXPECT_FALSE(append(file, "two", clock.wall).error);
  EXPECT_EQ(folder.read("app.log"), "one\ntw\ntwo\n");
}

TEST(S1DiskFull, is_survived_fifty_times_on_a_real_disk) {
  LogFolder folder;
  constexpr int no_mount = 77;
  const int status = in_child([&] {
    if (::unshare(CLONE_NEWNS) != 0 || ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("tmpfs", folder.path().c_str(), "tmpfs", 0, "size=256k") != 0)
      return no_mount;
    ManualClock clock;
    RollingFile file(folder.path("app.log"), {.max_file_bytes = 0}, system_file_ops(), clock);
    std::uint64_t next = 0;
    for (int round = 0; round < 50; ++round) {
      folder.write("filler", std::string(64 * 1024, 'f'));
      for (bool full = false; !full;) {
        Lines lines;
        for (std::uint64_t i = 0; i < 100; ++i) lines.add(std::to_string(next + i) + std::string(80, '.'), clock.wall);
        const AppendResult result = append(file, lines);
        next += result.units_written;
        full = static_cast<bool>(result.error);
        if (full && !retryable(result.error)) return 1;
      }
      ::unlink(folder.path("filler").c_str());
      if (append(file, std::to_string(next) + std::string(80, '.'), clock.wall).error) return 2;
      ++next;
      // All there, in order, whole; then make room again as an administrator would.
      std::istringstream in(folder.read("app.log"));
      std::uint64_t expected = 0;
      bool first = true;
      for (std::string line; std::getline(in, line);) {
        const std::uint64_t number = std::stoull(line);
        if (line != std::to_string(number) + std::string(80, '.')) return 3;
        if (!std::exchange(first, false) && number != expected) return 4;
        expected = number + 1;
      }
      if (expected != next) return 5;
      if (::truncate(folder.path("app.log").c_str(), 0) != 0) return 6;
    }
    return 0;
  });
  if (status == no_mount) GTEST_SKIP() << "NOT TESTED: mounting a tmpfs needs root";
  EXPECT_EQ(status, 0);
}
}  // namespace
