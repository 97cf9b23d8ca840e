// Units written in place, in the buffer of a file.
#include <gtest/gtest.h>

#include <string>

#include "support/log_folder.hpp"
#include "support/scripted_file_ops.hpp"

namespace {
using namespace cairn;
using namespace cairn::detail;
using namespace cairn::testing;

struct BufferedFile {
  LogFolder folder;
  ManualClock clock;
  ScriptedFileOps ops;
  RollingFile file{folder.path("app.log"), {.max_file_bytes = 0, .buffered = true}, ops, clock};

  [[nodiscard]] bool keep(const std::string& line) {
    std::error_code error;
    file.buffer()->append(line + '\n');
    const bool kept = file.keep_unit(clock.wall, error);
    EXPECT_NE(kept, static_cast<bool>(error));
    return kept;
  }
};

TEST(RollingFileBuffer, is_there_only_where_units_are_collected) {
  LogFolder folder;
  ManualClock clock;
  RollingFile direct(folder.path("a.log"), {}, system_file_ops(), clock);
  RollingFile durable(folder.path("b.log"), {.buffered = true, .durable = Durable::batch}, system_file_ops(), clock);
  RollingFile buffered(folder.path("c.log"), {.buffered = true}, system_file_ops(), clock);
  EXPECT_EQ(direct.buffer(), nullptr);
  EXPECT_EQ(durable.buffer(), nullptr);
  EXPECT_NE(buffered.buffer(), nullptr);
}

TEST(RollingFileBuffer, holds_what_was_kept_and_forgets_what_was_not) {
  BufferedFile f;
  EXPECT_TRUE(f.keep("one"));
  f.file.buffer()->append("half a li");  // whoever wrote it threw
  EXPECT_TRUE(f.keep("two"));
  f.file.buffer()->append("and anoth");
  EXPECT_EQ(f.ops.calls("write"), 0);
  EXPECT_FALSE(f.file.flush());
  EXPECT_EQ(f.folder.read("app.log"), "one\ntwo\n");
  f.file.buffer()->append("and more");
  EXPECT_FALSE(append(f.file, "three", f.clock.wall).error);
  EXPECT_FALSE(f.file.flush());
  EXPECT_EQ(f.folder.read("app.log"), "one\ntwo\nthree\n");
}

TEST(RollingFileBuffer, hands_over_what_stood_before_a_unit_that_fills_it) {
  BufferedFile f;
  const std::string first(200'000, 'a');
  const std::string second(100'000, 'b');
  EXPECT_TRUE(f.keep(first));
  EXPECT_TRUE(f.keep(second));
  EXPECT_EQ(f.folder.read("app.log"), first + '\n');
  EXPECT_EQ(f.file.buffered_units(), 1U);
  EXPECT_FALSE(f.file.flush());
  EXPECT_EQ(f.folder.read("app.log"), first + '\n' + second + '\n');
}

TEST(RollingFileBuffer, writes_a_unit_that_is_longer_than_itself_at_once) {
  BufferedFile f;
  const std::string longer(300'000, 'x');
  EXPECT_TRUE(f.keep("one"));
  EXPECT_TRUE(f.keep(longer));
  EXPECT_EQ(f.folder.read("app.log"), "one\n" + longer + '\n');
  EXPECT_TRUE(f.keep("two"));
  EXPECT_FALSE(f.file.flush());
  EXPECT_EQ(f.folder.read("app.log"), "one\n" + longer + "\ntwo\n");
}

TEST(RollingFileBuffer, on_a_full_disk_keeps_what_it_has_and_refuses_the_next) {
  BufferedFile f;
  const std::string first(200'000, 'a');
  EXPECT_TRUE(f.keep("zero"));
  EXPECT_TRUE(f.keep(first));
  f.ops.space = 5;
  EXPECT_FALSE(f.keep(std::string(100'000, 'b')));
  EXPECT_EQ(f.file.buffered_units(), 1U);
  f.ops.space = UINT64_MAX;
  EXPECT_TRUE(f.keep("two"));
  EXPECT_FALSE(f.file.flush());
  EXPECT_EQ(f.folder.read("app.log"), "zero\n" + first + "\ntwo\n");
}
}  // namespace
