// Several loggers write to one pipe, console or sink object: their lines stay whole, and one that hangs holds nobody up
// for ever.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cairn/all.hpp>
#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "sinks/console_sink.hpp"
#include "sinks/stream_sink.hpp"
#include "support/gate_sink.hpp"
#include "support/logged_events.hpp"
#include "support/scripted_file_ops.hpp"

namespace {

using namespace std::chrono_literals;
using cairn::testing::batch_of;
using cairn::testing::LoggedEvents;
using testing::Each;
using testing::HasSubstr;

/// A pipe that takes a page at a time: of a longer write it takes pieces, between which others get in.
class NarrowPipe {
 public:
  NarrowPipe() {
    int ends[2];
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    read_end_ = ends[0];
    write_end_ = ends[1];
    EXPECT_GE(::fcntl(write_end_, F_SETPIPE_SZ, 4096), 4096);
  }
  NarrowPipe(const NarrowPipe&) = delete;
  NarrowPipe& operator=(const NarrowPipe&) = delete;
  ~NarrowPipe() {
    close_writer();
    ::close(read_end_);
  }
  [[nodiscard]] int fd() const { return write_end_; }
  void close_writer() {
    if (write_end_ >= 0) ::close(write_end_);
    write_end_ = -1;
  }
  /// All lines, once every writer is closed.
  [[nodiscard]] std::vector<std::string> lines() const {
    std::vector<std::string> lines(1);
    char bytes[4096];
    for (ssize_t got; (got = ::read(read_end_, bytes, sizeof bytes)) > 0;) {
      for (const char c : std::string_view(bytes, static_cast<std::size_t>(got))) {
        if (c == '\n') {
          lines.emplace_back();
        } else {
          lines.back() += c;
        }
      }
    }
    EXPECT_EQ(lines.back(), "");
    lines.pop_back();
    return lines;
  }

 private:
  int read_end_ = -1;
  int write_end_ = -1;
};

constexpr std::size_t length = 9000;
constexpr int rounds = 100;

/// Runs `write('a')` and `write('b')` at a time, and gives what came out.
template <class Write>
std::vector<std::string> written_by_two(NarrowPipe& pipe, Write&& write) {
  auto lines = std::async(std::launch::async, [&] { return pipe.lines(); });
  {
    std::jthread one([&] { write('a'); });
    std::jthread other([&] { write('b'); });
  }
  pipe.close_writer();
  return lines.get();
}

/// How many are not of one writer alone.
auto torn(const std::vector<std::string>& lines) {
  return std::count_if(lines.begin(), lines.end(), [](const std::string& line) {
    return line != std::string(length, 'a') && line != std::string(length, 'b');
  });
}

TEST(OutputTurns, of_two_loggers_with_one_descriptor_keep_their_lines_whole) {
  NarrowPipe pipe;
  const auto lines = written_by_two(pipe, [&](char letter) {
    const auto log = cairn::Configuration{}
                         .write_to_descriptor(pipe.fd(), {.output_template = "{Message}{NewLine}"})
                         .create_logger();
    for (int i = 0; i < rounds; ++i) log.information("{Text}", std::string(length, letter));
  });
  EXPECT_EQ(lines.size(), 2U * rounds);
  EXPECT_EQ(torn(lines), 0);
}

TEST(OutputTurns, of_queued_batches_keep_their_lines_whole) {
  NarrowPipe pipe;
  const auto lines = written_by_two(pipe, [&](char letter) {
    const auto log = cairn::Configuration{}
                         .write_to_descriptor(pipe.fd(), {.output_template = "{Message}{NewLine}"})
                         .with_queue({.overflow = cairn::Overflow::block, .block_timeout = 1min})
                         .create_logger();
    for (int i = 0; i < rounds; ++i) log.information("{Text}", std::string(length, letter));
    EXPECT_EQ(log.flush(1min).status, cairn::FlushStatus::ok);
  });
  EXPECT_EQ(lines.size(), 2U * rounds);
  EXPECT_EQ(torn(lines), 0);
}

TEST(OutputTurns, of_the_console_and_a_duplicate_of_its_descriptor_keep_their_lines_whole) {
  NarrowPipe pipe;
  const auto lines = written_by_two(pipe, [&](char letter) {
    LoggedEvents events;
    events.log.information("{Text}", std::string(length, letter));
    const auto kept = events.kept();
    const int duplicate = ::dup(pipe.fd());
    std::unique_ptr<cairn::Sink> sink;
    if (letter == 'a') {
      sink = std::make_unique<cairn::detail::ConsoleSink>(
          cairn::ConsoleOptions{.output_template = "{Message}{NewLine}", .colour = cairn::Colour::never},
          cairn::detail::ConsoleWorld{.out = pipe.fd()});
    } else {
      sink = std::make_unique<cairn::detail::DescriptorSink>(
          duplicate, cairn::StreamOptions{.output_template = "{Message}{NewLine}"});
    }
    for (int i = 0; i < rounds; ++i) EXPECT_EQ(sink->emit(batch_of(kept)).emitted, 1U);
    ::close(duplicate);
  });
  EXPECT_EQ(lines.size(), 2U * rounds);
  EXPECT_EQ(torn(lines), 0);
}

TEST(OutputTurns, after_a_line_that_another_wrote_in_part_begin_a_line_of_their_own) {
  LoggedEvents events;
  events.log.information("one");
  events.log.information("two");
  const auto kept = events.kept();
  const auto batch = batch_of(kept);
  NarrowPipe pipe;
  cairn::testing::ScriptedFileOps full;
  full.space = 6;
  cairn::detail::DescriptorSink one(pipe.fd(), {.output_template = "{Message}"}, full);
  cairn::detail::DescriptorSink other(pipe.fd(), {.output_template = "{Message}"});
  EXPECT_EQ(one.emit(batch).emitted, 1U);
  EXPECT_EQ(other.emit(std::span(batch).first(1)).emitted, 1U);
  pipe.close_writer();
  EXPECT_THAT(pipe.lines(), testing::ElementsAre("one", "tw", "one"));
}

TEST(OutputTurns, are_not_waited_for_without_end_when_files_are_reopened) {
  const auto hung = std::make_shared<cairn::testing::GateSink>();
  const auto one = cairn::Configuration{}.write_to(hung).create_logger();
  std::vector<std::string> told;
  const auto other = cairn::Configuration{}
                         .on_internal_error([&](std::string_view what) { told.emplace_back(what); })
                         .write_to(hung, "both")
                         .create_logger();
  std::thread caller([&] { one.information("held"); });
  (void)hung->wait_inside();
  auto reopened = std::async(std::launch::async, [&] { other.reopen(); });
  const bool came_back = reopened.wait_for(1min) == std::future_status::ready;
  hung->open();
  caller.join();
  reopened.get();
  EXPECT_TRUE(came_back);
  EXPECT_THAT(told, Each(HasSubstr("sink both could not be reopened: another logger's call into it has not ended")));
  EXPECT_EQ(told.size(), 1U);
  EXPECT_THAT(other.metrics().sink("both")->last_error, HasSubstr("another logger's call"));
}

TEST(OutputTurns, that_another_logger_has_let_a_flush_time_out) {
  const auto hung = std::make_shared<cairn::testing::GateSink>();
  const auto one = cairn::Configuration{}.write_to(hung).create_logger();
  const auto other = cairn::Configuration{}.write_to(hung, "both").create_logger();
  std::thread caller([&] { one.information("held"); });
  (void)hung->wait_inside();
  for (const auto& [log, why] : {std::pair(&other, "another logger's call into it has not ended"),
                                 std::pair(&one, "the sink is still busy with an event")}) {
    const cairn::FlushResult result = log->flush(20ms);
    EXPECT_EQ(result.status, cairn::FlushStatus::timed_out);
    ASSERT_EQ(result.sinks.size(), 1U);
    EXPECT_EQ(result.sinks[0].status, cairn::FlushStatus::timed_out);
    EXPECT_EQ(result.sinks[0].error, why);
  }
  hung->open();
  caller.join();
  EXPECT_EQ(other.flush().status, cairn::FlushStatus::ok);
}

/// Its storage says so, long before the deadline.
struct TimesOut final : cairn::Sink {
  cairn::EmitResult emit(std::span<const cairn::Event> events) override { return cairn::EmitResult::all(events); }
  std::error_code flush(std::chrono::steady_clock::time_point) override {
    return std::make_error_code(std::errc::timed_out);
  }
};

TEST(OutputTurns, are_not_what_a_storage_that_times_out_is_taken_for) {
  const auto log = cairn::Configuration{}.write_to(std::make_shared<TimesOut>()).create_logger();
  EXPECT_EQ(log.flush(1h).status, cairn::FlushStatus::failed);
}

}  // namespace
