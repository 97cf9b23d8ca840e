// P1, for files written synchronously: a process killed at any moment leaves whole lines, the first ones it logged
// without a gap; what is left torn is cut off when the file is opened again.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cairn/all.hpp>
#include <random>
#include <sstream>
#include <string>

#include "support/every_output.hpp"
#include "support/log_folder.hpp"

namespace {

using cairn::testing::LogFolder;

/// Logs without end to `path` in a process of its own; tells by a byte that `first` events are logged.
pid_t start_logging(const std::string& path, const cairn::FileOptions& options, std::uint64_t first, int begun) {
  const pid_t child = ::fork();
  if (child != 0) return child;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // a test that is stopped leaves nobody who fills the disk
  const auto log = cairn::Configuration{}.write_to_file(path, options).create_logger();
  const std::string padding(200, 'p');
  for (std::uint64_t n = 0;; ++n) {
    log.information("{N} {Padding}", n, padding);
    if (n + 1 == first) static_cast<void>(!::write(begun, "x", 1));
  }
}

void expect_a_prefix_after_each_kill(const cairn::FileOptions& options, std::uint64_t may_lose) {
  const std::uint32_t seed = std::random_device{}();
  std::cout << "seed " << seed << '\n';
  std::mt19937 random(seed);
  std::uint64_t most = 0;
  for (int round = 0; round < 40; ++round) {
    const LogFolder folder;
    int begun[2];
    ASSERT_EQ(::pipe(begun), 0);
    // With a buffer of 256 KiB and some 300 bytes an event, every other one has written it out.
    const pid_t child = start_logging(folder.path("app.clef"), options, round % 2 == 0 ? 1 : 2000, begun[1]);
    ASSERT_GT(child, 0);
    char ready = 0;
    ASSERT_EQ(::read(begun[0], &ready, 1), 1);
    ::usleep(static_cast<useconds_t>(random() % 3000));  // any moment will do: nothing waits for it
    ASSERT_EQ(::kill(child, SIGKILL), 0);
    ASSERT_EQ(::waitpid(child, nullptr, 0), child);
    ::close(begun[0]);
    ::close(begun[1]);

    {  // a name, since clang 16 ends a temporary whose call takes a template at the end of the block (llvm issue 60709)
      const auto log = cairn::Configuration{}.write_to_file(folder.path("app.clef"), options).create_logger();
      log.information("after");
    }
    std::istringstream lines(folder.read("app.clef"));
    std::uint64_t expected = 0;
    bool after = false;
    for (std::string line; std::getline(lines, line);) {
      ASSERT_FALSE(after) << "nothing follows the last event";
      ASSERT_EQ(cairn::testing::fault_of_clef(line), "") << "seed " << seed << " round " << round << ": " << line;
      const auto event = nlohmann::json::parse(line);
      if (event["@mt"] == "after") {
        after = true;
      } else {
        ASSERT_EQ(event["N"], expected++) << "seed " << seed << " round " << round;
      }
    }
    ASSERT_TRUE(after);
    ASSERT_GE(expected + may_lose, 1U);
    most = std::max(most, expected);
  }
  EXPECT_GT(most, 10U) << "it did log";
}

TEST(P1Killed, a_writer_of_a_file_leaves_a_prefix_of_whole_lines) { expect_a_prefix_after_each_kill({}, 0); }

TEST(P1Killed, a_writer_with_a_buffer_loses_the_buffer_and_no_more) {
  expect_a_prefix_after_each_kill({.buffered = true}, 1);
}

}  // namespace
