// A buffered file counts events as written that are in its buffer. Where that cannot be written at the end (a full
// disk), the loss is counted and told, and the shutdown did not complete.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cairn/all.hpp>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <thread>

#include "sinks/file_sink.hpp"
#include "support/in_child.hpp"
#include "support/log_folder.hpp"
#include "support/scripted_file_ops.hpp"

namespace {

using cairn::ShutdownStatus;
using cairn::ShutdownStrategy;
using cairn::detail::FileSink;
using cairn::testing::in_child;
using cairn::testing::LogFolder;
using cairn::testing::ManualClock;
using cairn::testing::ScriptedFileOps;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using namespace std::chrono_literals;

/// What a logger was told of itself.
class Heard {
 public:
  void add(std::string_view text) {
    const std::lock_guard lock(mutex_);
    texts_.emplace_back(text);
    changed_.notify_all();
  }
  [[nodiscard]] std::vector<std::string> all() {
    const std::lock_guard lock(mutex_);
    return texts_;
  }
  [[nodiscard]] bool comes(const ::testing::Matcher<std::string>& text) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(
        lock, 30s, [&] { return std::ranges::any_of(texts_, [&](const auto& one) { return text.Matches(one); }); });
  }
  void clear() {
    const std::lock_guard lock(mutex_);
    texts_.clear();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> texts_;
};

class LostBuffer : public ::testing::Test {
 protected:
  [[nodiscard]] std::shared_ptr<FileSink> file() {
    return std::make_shared<FileSink>(folder.path("app.log"),
                                      cairn::FileOptions{.output_template = "{Message}{NewLine}", .buffered = true},
                                      ops, clock);
  }
  cairn::Configuration to_file() {
    cairn::Configuration config;
    config.use_clock(clock);
    config.on_internal_error([this](std::string_view what) { told.add(what); });
    config.write_to(file(), "file");
    return config;
  }
  static void log_three(const cairn::Logger& log) {
    for (int i = 0; i < 3; ++i) log.information("event {N}", i);
  }

  LogFolder folder;
  ManualClock clock;
  ScriptedFileOps ops;
  Heard told;
};

const auto three_lost =
    AllOf(HasSubstr("app.log: No space left on device"), HasSubstr("; 3 events that were in its buffer are lost"));

TEST_F(LostBuffer, at_shutdown_is_counted_told_and_not_called_complete) {
  const auto log = to_file().create_logger();
  log_three(log);
  ops.space = 0;
  const auto report = log.shutdown(ShutdownStrategy::graceful(1min));
  EXPECT_EQ(report.status, ShutdownStatus::failed);
  EXPECT_THAT(report.sinks.at(0).error, three_lost);
  EXPECT_EQ(report.sinks.at(0).emitted, 3U) << "as FileOptions says of a buffered event";
  EXPECT_THAT(told.all(), Contains(three_lost).Times(1));
  const auto sink = log.metrics().sinks.at(0);
  EXPECT_THAT(sink.counters, Contains(Pair("buffered_events_lost", 3U)));
  EXPECT_THAT(sink.last_error, three_lost);
}

TEST_F(LostBuffer, of_a_queued_sink_is_so_too_and_at_an_immediate_shutdown) {
  for (const bool at_once : {false, true}) {
    told.clear();
    ops.space = UINT64_MAX;
    auto config = cairn::Configuration{};
    config.on_internal_error([this](std::string_view what) { told.add(what); });
    const auto sink = file();
    config.write_to(sink, "file").with_queue({.flush_interval = 1h});
    const auto log = config.create_logger();
    config = {};
    log_three(log);
    while (log.metrics().sinks.at(0).emitted != 3) std::this_thread::yield();
    ops.space = 0;
    const auto report = log.shutdown(at_once ? ShutdownStrategy::immediate() : ShutdownStrategy::graceful(1min));
    // At once is ten milliseconds, which may be over before the file is closed.
    EXPECT_NE(report.status, ShutdownStatus::completed) << at_once;
    EXPECT_TRUE(told.comes(three_lost)) << at_once;
    while (sink.use_count() != 1) std::this_thread::yield();
    EXPECT_EQ(log.metrics().sinks.at(0).counters.at("buffered_events_lost"), 3U) << at_once;
  }
}

TEST_F(LostBuffer, is_told_by_close) {
  const auto log = to_file().create_logger();
  log_three(log);
  ops.space = 0;
  const auto result = log.close();
  EXPECT_EQ(result.status, cairn::FlushStatus::failed);
  EXPECT_THAT(result.sinks.at(0).error, three_lost);
}

TEST_F(LostBuffer, is_told_though_something_else_was_told_a_moment_ago) {
  const auto log = to_file().create_logger();
  ops.space = 0;
  while (told.all().empty()) log.information("{Text}", std::string(8'000, 'x'));  // until the buffer is full
  EXPECT_THAT(told.all(), ElementsAre(HasSubstr("No space left on device"))) << "and for a second no more";
  (void)log.close();
  EXPECT_THAT(told.all(), Contains(HasSubstr("events that were in its buffer are lost")));
}

TEST_F(LostBuffer, is_told_when_the_last_handle_goes) {
  {
    const auto log = to_file().create_logger();
    log_three(log);
    ops.space = 0;
  }
  EXPECT_TRUE(told.comes(three_lost));
}

TEST_F(LostBuffer, is_told_when_the_program_exits) {
  EXPECT_EQ(in_child([&] {
              cairn::Configuration config;
              config.on_internal_error([&](std::string_view what) { folder.write("told", std::string(what)); });
              config.write_to(file(), "file");
              static const auto log = config.create_logger();
              log_three(log);
              ops.space = 0;
              std::exit(7);
              return 0;
            }),
            7);
  EXPECT_THAT(folder.read("told"), three_lost);
}

TEST_F(LostBuffer, is_none_where_the_last_attempt_succeeds) {
  const auto log = to_file().create_logger();
  log_three(log);
  ops.fail("write", 1, ENOSPC);
  const auto report = log.shutdown(ShutdownStrategy::graceful(1min));
  EXPECT_EQ(report.status, ShutdownStatus::completed);
  EXPECT_EQ(report.sinks.at(0).error, "");
  EXPECT_THAT(told.all(), IsEmpty());
  EXPECT_THAT(folder.lines(), ElementsAre("event 0", "event 1", "event 2"));
}

/// A sink of the program's own, whose flush fails.
struct Unflushable : cairn::Sink {
  cairn::EmitResult emit(std::span<const cairn::Event> events) override { return cairn::EmitResult::all(events); }
  std::error_code flush(std::chrono::steady_clock::time_point) override {
    return std::make_error_code(std::errc::connection_reset);
  }
};

TEST_F(LostBuffer, is_not_ruled_out_where_the_last_flush_of_any_sink_fails) {
  const auto log = cairn::Configuration{}.write_to(std::make_shared<Unflushable>(), "own").create_logger();
  log.information("event");
  const auto report = log.shutdown(ShutdownStrategy::graceful(1min));
  EXPECT_EQ(report.status, ShutdownStatus::failed);
  EXPECT_THAT(report.sinks.at(0).error, HasSubstr("reset"));
}

}  // namespace
