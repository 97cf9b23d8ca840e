// What was in the buffer of a file and could not be written when it was closed is counted.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "support/log_folder.hpp"
#include "support/scripted_file_ops.hpp"

namespace {
using namespace cairn;
using namespace cairn::detail;
using namespace cairn::testing;
using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;

constexpr auto lost = static_cast<std::size_t>(FileCount::buffered_events_lost);

struct RollingFileClose : ::testing::Test {
  LogFolder folder;
  ManualClock clock;
  ScriptedFileOps ops;
  std::optional<RollingFile> file{std::in_place, folder.path("app.log"), FileOptions{.buffered = true}, ops, clock};
  std::shared_ptr<SinkCounters> counters = file->counters();

  void three_lines() {
    EXPECT_FALSE(append(*file, Lines{}.add("one", clock.wall).add("two", clock.wall).add("three", clock.wall)).error);
  }
};

TEST_F(RollingFileClose, counts_what_the_buffer_could_not_give_away) {
  three_lines();
  ops.space = 5;  // the first line, and a piece of the second
  const std::error_code error = file->close();
  EXPECT_EQ(error, std::errc::no_space_on_device);
  EXPECT_EQ(counters->value(lost), 2U);
  EXPECT_THAT(file->describe(error), AllOf(HasSubstr("app.log: No space left on device"),
                                           EndsWith("; 2 events that were in its buffer are lost")));
  EXPECT_EQ(folder.read("app.log"), "one\n");
  ops.space = UINT64_MAX;
  file.reset();
  EXPECT_EQ(counters->value(lost), 2U) << "they are counted once";
  EXPECT_EQ(folder.read("app.log"), "one\n");
}

TEST_F(RollingFileClose, speaks_of_one_event_as_of_one) {
  EXPECT_FALSE(append(*file, "one", clock.wall).error);
  ops.space = 0;
  EXPECT_THAT(file->describe(file->close()), EndsWith("; one event that was in its buffer is lost"));
}

TEST_F(RollingFileClose, is_what_the_destructor_does) {
  three_lines();
  ops.fail("write", 1, EIO, true);
  file.reset();
  EXPECT_EQ(counters->value(lost), 3U);
}

TEST_F(RollingFileClose, of_a_buffer_that_was_written_loses_nothing) {
  three_lines();
  EXPECT_FALSE(file->close());
  file.reset();
  EXPECT_EQ(counters->value(lost), 0U);
  EXPECT_EQ(folder.read("app.log"), "one\ntwo\nthree\n");
}

TEST_F(RollingFileClose, writes_what_an_earlier_flush_could_not) {
  three_lines();
  ops.space = 0;
  const std::error_code error = file->flush();
  EXPECT_THAT(file->describe(error), EndsWith("No space left on device"));
  EXPECT_EQ(counters->value(lost), 0U) << "it may still be written";
  ops.space = UINT64_MAX;
  EXPECT_FALSE(file->close());
  EXPECT_EQ(folder.read("app.log"), "one\ntwo\nthree\n");
}

}  // namespace
