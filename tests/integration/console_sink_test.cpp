// The console, streams and descriptors, on real pipes and a real terminal.
#include "sinks/console_sink.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sstream>
#include <thread>

#include "sinks/stream_sink.hpp"
#include "support/log_folder.hpp"
#include "support/logged_events.hpp"
#include "support/scripted_file_ops.hpp"

namespace {
using namespace cairn;
using cairn::detail::ConsoleSink;
using cairn::detail::ConsoleWorld;
using cairn::detail::DescriptorSink;
using cairn::detail::StreamSink;
using cairn::testing::batch_of;
using cairn::testing::LoggedEvents;
using cairn::testing::ScriptedFileOps;
using ::testing::HasSubstr;
using ::testing::Not;

const char* empty_environment(const char*) { return nullptr; }
const char* no_color(const char* name) { return std::string_view(name) == "NO_COLOR" ? "1" : nullptr; }
const char* force_color(const char* name) { return std::string_view(name) == "FORCE_COLOR" ? "1" : nullptr; }

/// Two connected descriptors; what was written at one comes out at the other.
class Channel {
 public:
  static Channel pipe() {
    Channel channel;
    int both[2];
    EXPECT_EQ(::pipe2(both, O_CLOEXEC), 0);
    channel.read_end_ = both[0];
    channel.write_end_ = both[1];
    return channel;
  }
  static Channel terminal() {
    Channel channel;
    EXPECT_EQ(::openpty(&channel.read_end_, &channel.write_end_, nullptr, nullptr, nullptr), 0);
    return channel;
  }
  Channel(Channel&& other) noexcept
      : read_end_(std::exchange(other.read_end_, -1)), write_end_(std::exchange(other.write_end_, -1)) {}
  ~Channel() {
    close_reader();
    if (write_end_ >= 0) ::close(write_end_);
  }
  [[nodiscard]] int fd() const { return write_end_; }
  [[nodiscard]] int reader() const { return read_end_; }
  void close_reader() {
    if (read_end_ >= 0) ::close(std::exchange(read_end_, -1));
  }
  /// All that was written so far; a terminal's `\r\n` as `\n`.
  std::string take() {
    std::string text;
    EXPECT_EQ(::fcntl(read_end_, F_SETFL, O_NONBLOCK), 0);
    char buffer[4096];
    for (ssize_t got; (got = ::read(read_end_, buffer, sizeof buffer)) > 0;)
      text.append(buffer, static_cast<std::size_t>(got));
    std::erase(text, '\r');
    return text;
  }

 private:
  Channel() = default;
  int read_end_ = -1;
  int write_end_ = -1;
};

constexpr const char* short_layout = "{Level:u3} {Message}{NewLine}{Exception}";

TEST(ConsoleSink, colours_only_where_a_terminal_reads) {
  LoggedEvents events;
  events.log.warning("Hello {User}", "Ada");
  const auto kept = events.kept();
  Channel terminal = Channel::terminal();
  Channel pipe = Channel::pipe();
  for (Channel* channel : {&terminal, &pipe}) {
    ConsoleSink sink({.output_template = short_layout, .theme = Theme::ansi},
                     {.out = channel->fd(), .environment = empty_environment});
    EXPECT_EQ(sink.emit(batch_of(kept)).emitted, 1U);
  }
  EXPECT_EQ(terminal.take(), "\x1b[1;33mWRN\x1b[0m\x1b[90m \x1b[0mHello \x1b[36mAda\x1b[0m\n");
  EXPECT_EQ(pipe.take(), "WRN Hello Ada\n");
}

TEST(ConsoleSink, follows_the_environment_and_before_it_the_options) {
  LoggedEvents events;
  events.log.warning("x");
  const auto kept = events.kept();
  const auto coloured = [&](Channel channel, detail::Environment environment, Colour colour,
                            Theme theme = Theme::literate, Format format = Format::text) {
    ConsoleSink sink({.format = format, .theme = theme, .colour = colour},
                     {.out = channel.fd(), .environment = environment});
    EXPECT_EQ(sink.emit(batch_of(kept)).emitted, 1U);
    return channel.take().find('\x1b') != std::string::npos;
  };
  EXPECT_FALSE(coloured(Channel::terminal(), no_color, Colour::automatic));
  EXPECT_TRUE(coloured(Channel::pipe(), force_color, Colour::automatic));
  EXPECT_TRUE(coloured(Channel::pipe(), no_color, Colour::always));
  EXPECT_FALSE(coloured(Channel::terminal(), force_color, Colour::never));
  EXPECT_FALSE(coloured(Channel::terminal(), force_color, Colour::always, Theme::none));
  EXPECT_FALSE(coloured(Channel::terminal(), force_color, Colour::always, Theme::literate, Format::clef))
      << "CLEF is for programs";
}

TEST(ConsoleSink, sends_events_to_stderr_from_the_level_on_and_decides_colours_for_each_side) {
  LoggedEvents events;
  for (const Level level : {Level::information, Level::warning, Level::error, Level::fatal})
    events.log.write(level, "x");
  const auto kept = events.kept();
  Channel out = Channel::pipe();
  Channel err = Channel::terminal();
  ConsoleSink sink({.output_template = short_layout, .theme = Theme::grayscale, .stderr_from = Level::error},
                   {.out = out.fd(), .err = err.fd(), .environment = empty_environment});
  const EmitResult result = sink.emit(batch_of(kept));
  EXPECT_EQ(result.emitted, 4U);
  EXPECT_EQ(out.take(), "INF x\nWRN x\n");
  EXPECT_EQ(err.take(), "\x1b[7mERR\x1b[0m\x1b[2m \x1b[0mx\n\x1b[1;7mFTL\x1b[0m\x1b[2m \x1b[0mx\n");
}

TEST(ConsoleSink, keeps_the_order_between_the_two_sides) {
  LoggedEvents events;
  events.log.information("1");
  events.log.error("2");
  events.log.error("3");
  events.log.information("4");
  const auto kept = events.kept();
  Channel both = Channel::pipe();
  ConsoleSink sink({.output_template = "{Message}", .stderr_from = Level::error}, {.out = both.fd(), .err = both.fd()});
  EXPECT_EQ(sink.emit(batch_of(kept)).emitted, 4U);
  EXPECT_EQ(both.take(), "1\n2\n3\n4\n");
}

TEST(ConsoleSink, writes_a_batch_with_one_call) {
  LoggedEvents events;
  for (int i = 0; i < 50; ++i) events.log.information("{I}", i);
  const auto kept = events.kept();
  Channel pipe = Channel::pipe();
  ScriptedFileOps ops;
  ConsoleSink sink({.output_template = "{Message}"}, {.out = pipe.fd(), .ops = &ops});
  const EmitResult result = sink.emit(batch_of(kept));
  EXPECT_EQ(result.emitted, 50U);
  EXPECT_EQ(result.bytes, 10 * 2 + 40 * 3U);
  EXPECT_EQ(ops.calls("write"), 1);
}

TEST(ConsoleSink, goes_on_after_interruptions_and_short_writes) {
  LoggedEvents events;
  for (int i = 0; i < 3; ++i) events.log.information("line {I}", i);
  const auto kept = events.kept();
  Channel pipe = Channel::pipe();
  ScriptedFileOps ops;
  ops.longest_write = 5;
  ops.fail("write", 2, EINTR);
  ConsoleSink sink({.output_template = "{Message}"}, {.out = pipe.fd(), .ops = &ops});
  EXPECT_EQ(sink.emit(batch_of(kept)).emitted, 3U);
  EXPECT_EQ(pipe.take(), "line 0\nline 1\nline 2\n");
}

TEST(ConsoleSink, waits_for_a_full_pipe_that_does_not_block) {
  LoggedEvents events;
  const std::string text(60'000, 'x');
  for (int i = 0; i < 20; ++i) events.log.information("{Text}", text);
  const auto kept = events.kept();
  Channel pipe = Channel::pipe();
  ASSERT_EQ(::fcntl(pipe.fd(), F_SETFL, O_NONBLOCK), 0);
  const std::size_t expected = 20 * (text.size() + 1);
  std::size_t got = 0;
  std::thread reader([&] {
    char buffer[4096];
    while (got < expected) {
      const ssize_t more = ::read(pipe.reader(), buffer, sizeof buffer);
      if (more <= 0) return;
      got += static_cast<std::size_t>(more);
    }
  });
  ConsoleSink sink({.output_template = "{Message}"}, {.out = pipe.fd()});
  const EmitResult result = sink.emit(batch_of(kept));
  if (result.error) pipe.close_reader();
  reader.join();
  EXPECT_FALSE(result.error) << result.error.message();
  EXPECT_EQ(result.emitted, 20U);
  EXPECT_EQ(got, expected);
}

TEST(ConsoleSink, survives_a_reader_that_went_away_and_says_so) {
  LoggedEvents events;
  events.log.information("x");
  const auto kept = events.kept();
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {  // its own process, so that the default action of SIGPIPE can be the default
    ::signal(SIGPIPE, SIG_DFL);
    Channel pipe = Channel::pipe();
    pipe.close_reader();
    ConsoleSink sink({}, {.out = pipe.fd()});
    const EmitResult result = sink.emit(batch_of(kept));
    sigset_t pending;
    sigset_t blocked;
    ::sigpending(&pending);
    ::sigprocmask(SIG_SETMASK, nullptr, &blocked);
    const bool ok = result.emitted == 0 && result.error == std::errc::broken_pipe &&
                    ::sigismember(&pending, SIGPIPE) == 0 && ::sigismember(&blocked, SIGPIPE) == 0;
    ::_exit(ok ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status)) << "killed by signal " << WTERMSIG(status);
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(ConsoleSink, leaves_a_pending_SIGPIPE_of_the_program_alone) {
  LoggedEvents events;
  events.log.information("x");
  const auto kept = events.kept();
  sigset_t pipe_signal;
  sigset_t before;
  sigset_t pending;
  ::sigemptyset(&pipe_signal);
  ::sigaddset(&pipe_signal, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
  ::pthread_kill(::pthread_self(), SIGPIPE);
  Channel pipe = Channel::pipe();
  pipe.close_reader();
  EXPECT_EQ(ConsoleSink({}, {.out = pipe.fd()}).emit(batch_of(kept)).error, std::errc::broken_pipe);
  ::sigpending(&pending);
  EXPECT_EQ(::sigismember(&pending, SIGPIPE), 1);
  const struct timespec at_once {};
  ::sigtimedwait(&pipe_signal, nullptr, &at_once);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

TEST(ConsoleSink, counts_the_events_written_whole_and_begins_anew_after_a_torn_line) {
  LoggedEvents events;
  for (const char* text : {"one", "two", "three"}) events.log.information("{Text}", text);
  const auto kept = events.kept();
  const auto batch = batch_of(kept);
  Channel pipe = Channel::pipe();
  ScriptedFileOps ops;
  ops.space = 6;
  ConsoleSink sink({.output_template = "{Message}"}, {.out = pipe.fd(), .ops = &ops});
  const EmitResult first = sink.emit(batch);
  EXPECT_EQ(first.emitted, 1U);
  EXPECT_EQ(first.bytes, 6U);
  EXPECT_EQ(first.error, std::errc::no_space_on_device);
  EXPECT_EQ(sink.emit(std::span(batch).subspan(1)).emitted, 0U) << "still no room";
  ops.space = UINT64_MAX;
  EXPECT_EQ(sink.emit(std::span(batch).subspan(1)).emitted, 2U);
  EXPECT_EQ(pipe.take(), "one\ntw\ntwo\nthree\n");
}

TEST(ConsoleSink, stops_at_the_first_side_that_fails_so_that_what_is_delivered_is_a_prefix) {
  LoggedEvents events;
  events.log.information("1");
  events.log.error("2");
  events.log.information("3");
  const auto kept = events.kept();
  Channel out = Channel::pipe();
  Channel err = Channel::pipe();
  err.close_reader();
  ConsoleSink sink({.output_template = "{Message}", .stderr_from = Level::error}, {.out = out.fd(), .err = err.fd()});
  const EmitResult result = sink.emit(batch_of(kept));
  EXPECT_EQ(result.emitted, 1U);
  EXPECT_EQ(result.error, std::errc::broken_pipe);
  EXPECT_EQ(out.take(), "1\n");
}

TEST(ConsoleSink, shows_a_terminal_no_escape_that_came_in_a_value) {
  LoggedEvents events;
  const std::string hostile =
      "a\x1b]0;title\x07\x1b[2J\r\nforged \xE2\x80\xAE \xC2\x9B"
      "31m";
  events.log.for_source(hostile).error("Hello {User}", hostile);
  const auto kept = events.kept();
  Channel terminal = Channel::terminal();
  ConsoleSink sink({.output_template = "{SourceContext} {Message}"},
                   {.out = terminal.fd(), .environment = empty_environment});
  EXPECT_EQ(sink.emit(batch_of(kept)).emitted, 1U);
  const std::string shown = "a\\x1b]0;title\\x07\\x1b[2J\\r\\nforged \\u202e \\u009b31m";
  EXPECT_EQ(cairn::testing::without_colours(terminal.take()), shown + " Hello " + shown + "\n");
}

TEST(ConsoleSink, writes_clef_to_either_side) {
  LoggedEvents events;
  events.log.error("Hello {User}", "Ada");
  const auto kept = events.kept();
  Channel err = Channel::pipe();
  ConsoleSink sink({.format = Format::clef, .stderr_from = Level::error}, {.err = err.fd()});
  EXPECT_EQ(sink.emit(batch_of(kept)).emitted, 1U);
  EXPECT_EQ(err.take(),
            "{\"@t\":\"2026-01-31T17:05:09.1234567Z\",\"@mt\":\"Hello {User}\",\"@l\":\"Error\",\"User\":\"Ada\"}\n");
}

TEST(ConsoleSink, is_what_write_to_console_makes) {
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  {
    const Logger log =
        Configuration{}
            .write_to_console({.output_template = short_layout, .colour = Colour::never, .stderr_from = Level::error})
            .create_logger();
    log.information("Hello {User}", "Ada");
    log.error("Goodbye {User}", "Ada");
  }
  EXPECT_EQ(::testing::internal::GetCapturedStdout(), "INF Hello Ada\n");
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "ERR Goodbye Ada\n");
}

TEST(StreamSink, writes_text_or_clef_and_hands_over_at_once) {
  LoggedEvents events;
  events.log.information("Hello {User}", "Ada");
  const auto kept = events.kept();
  std::ostringstream text;
  EXPECT_EQ(StreamSink(text).emit(batch_of(kept)).emitted, 1U);
  EXPECT_EQ(text.str(), "2026-01-31 17:05:09.123 +0000 [INF] Hello Ada\n");
  std::ostringstream clef;
  EXPECT_EQ(StreamSink(clef, {.format = Format::clef}).emit(batch_of(kept)).emitted, 1U);
  EXPECT_EQ(clef.str(), "{\"@t\":\"2026-01-31T17:05:09.1234567Z\",\"@mt\":\"Hello {User}\",\"User\":\"Ada\"}\n");
}

TEST(StreamSink, reports_a_stream_that_failed_until_its_owner_clears_it) {
  LoggedEvents events;
  events.log.information("x");
  const auto kept = events.kept();
  std::ostringstream stream;
  StreamSink sink(stream, {.output_template = "{Message}"});
  stream.setstate(std::ios_base::failbit);
  const EmitResult failed = sink.emit(batch_of(kept));
  EXPECT_EQ(failed.emitted, 0U);
  EXPECT_EQ(failed.error, std::io_errc::stream);
  EXPECT_EQ(sink.flush({}), std::io_errc::stream);
  stream.clear();
  EXPECT_EQ(sink.emit(batch_of(kept)).emitted, 1U);
  EXPECT_FALSE(sink.flush({}));
  EXPECT_EQ(stream.str(), "x\n");
}

TEST(StreamSink, takes_a_stream_that_throws_as_one_that_failed) {
  LoggedEvents events;
  events.log.information("x");
  const auto kept = events.kept();
  struct Full : std::streambuf {
  } full;  // takes nothing
  std::ostream stream(&full);
  stream.exceptions(std::ios_base::badbit | std::ios_base::failbit);
  StreamSink sink(stream);
  const EmitResult result = sink.emit(batch_of(kept));
  EXPECT_EQ(result.emitted, 0U);
  EXPECT_EQ(result.error, std::io_errc::stream);
}

TEST(DescriptorSink, writes_to_a_descriptor_that_it_does_not_own) {
  LoggedEvents events;
  events.log.information("x");
  const auto kept = events.kept();
  Channel pipe = Channel::pipe();
  {
    DescriptorSink sink(pipe.fd(), {.output_template = "{Message}"});
    EXPECT_EQ(sink.emit(batch_of(kept)).bytes, 2U);
  }
  EXPECT_GE(::fcntl(pipe.fd(), F_GETFD), 0) << "still open";
  EXPECT_EQ(pipe.take(), "x\n");
}

TEST(DescriptorSink, reports_a_descriptor_that_is_not_open) {
  LoggedEvents events;
  events.log.information("x");
  const auto kept = events.kept();
  int closed = -1;
  {
    Channel pipe = Channel::pipe();
    closed = pipe.fd();
  }
  EXPECT_EQ(DescriptorSink(closed).emit(batch_of(kept)).error, std::errc::bad_file_descriptor);
}
}  // namespace
