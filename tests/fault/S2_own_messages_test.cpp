// S2, of what Cairn writes beside files: its own messages on stderr, a stream of the program's, the ring. A reader that
// went away and the limit of file sizes are errors there, too, and never the end of the process; a reader that stands
// still is not waited for.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include <cairn/all.hpp>
#include <fstream>
#include <iostream>
#include <string>

#include "support/in_child.hpp"
#include "support/log_folder.hpp"
#include "support/scripted_sink.hpp"

namespace {
using namespace cairn;
using namespace cairn::testing;
using namespace std::chrono_literals;

constexpr int survived = 7;

/// Each test runs in a child: where the defence is missing, the process is ended.
template <class Body>
int survives(Body&& body) {
  return in_child([&] {
    const struct rlimit none {};
    ::setrlimit(RLIMIT_CORE, &none);
    ::signal(SIGPIPE, SIG_DFL);
    ::signal(SIGXFSZ, SIG_DFL);
    ::alarm(20);
    body();
    return survived;
  });
}

std::shared_ptr<ScriptedSink> broken_sink() {
  auto sink = std::make_shared<ScriptedSink>();
  sink->break_down();
  return sink;
}

/// `fd` is a pipe that nobody reads.
void lose_reader(int fd) {
  int ends[2];
  if (::pipe(ends) != 0 || ::dup2(ends[1], fd) != fd) ::_exit(1);
  ::close(ends[0]);
  ::close(ends[1]);
}

/// `fd` is a file that is as long as files may get.
void fill_file(const LogFolder& folder, int fd) {
  const int file = ::open(folder.path("full").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  if (::write(file, std::string(100, '.').data(), 100) != 100 || ::dup2(file, fd) != fd) ::_exit(1);
  const struct rlimit limit { 100, RLIM_INFINITY };
  ::setrlimit(RLIMIT_FSIZE, &limit);
}

/// One sink that fails, told of on stderr.
void tell_of_a_failure() {
  const auto log = Configuration{}.write_to(broken_sink(), "broken").create_logger();
  for (int i = 0; i < 3; ++i) log.information("{Number}", i);
}

/// A chain of sinks that fail; its events go to stderr. Gives what was counted of those.
SinkCounts end_at_stderr(int events) {
  Configuration config;
  config.on_internal_error([](std::string_view) {});
  config.write_to(broken_sink(), "broken").with_fallback(SinkSpec::sink(broken_sink(), "last"));
  const auto log = config.create_logger();
  for (int i = 0; i < events; ++i) log.information("{Number} {Text}", i, std::string(10000, 'x'));
  return *log.metrics().sink("emergency");
}

TEST(S2OwnMessages, on_a_stderr_that_nobody_reads_do_not_end_the_process) {
  EXPECT_EQ(survives([] {
              lose_reader(STDERR_FILENO);
              tell_of_a_failure();
            }),
            survived);
  EXPECT_EQ(survives([] {
              lose_reader(STDERR_FILENO);
              if (end_at_stderr(3).failed.at("io_error") != 3) ::_exit(1);
            }),
            survived);
}

TEST(S2OwnMessages, on_a_stderr_past_the_limit_of_file_sizes_do_not_end_the_process) {
  const LogFolder folder;
  EXPECT_EQ(survives([&] {
              fill_file(folder, STDERR_FILENO);
              tell_of_a_failure();
            }),
            survived);
  EXPECT_EQ(survives([&] {
              fill_file(folder, STDERR_FILENO);
              if (end_at_stderr(3).failed.at("io_error") != 3) ::_exit(1);
            }),
            survived);
}

TEST(S2OwnMessages, on_a_full_stderr_hold_nobody_up_and_are_counted) {
  for (const bool may_wait : {true, false}) {
    EXPECT_EQ(survives([&] {
                int ends[2];
                if (::pipe(ends) != 0) ::_exit(1);
                if (!may_wait) ::fcntl(ends[1], F_SETFL, O_NONBLOCK);
                ::dup2(ends[1], STDERR_FILENO);
                const auto begin = std::chrono::steady_clock::now();
                const SinkCounts counts = end_at_stderr(10);  // 100 kB, where there is room for 64 KiB
                if (std::chrono::steady_clock::now() - begin > 10s) ::_exit(2);
                const auto failed = counts.failed.find("io_error");
                if (failed == counts.failed.end() || counts.emitted + failed->second != 10) ::_exit(3);
                if (counts.emitted < 4) ::_exit(4);
                tell_of_a_failure();
                // Once somebody reads it is written to again, on a line of its own.
                ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
                std::string text(1 << 20, '\0');
                while (::read(ends[0], text.data(), text.size()) > 0) {
                }
                tell_of_a_failure();
                const ssize_t size = ::read(ends[0], text.data(), text.size());
                if (size <= 0) ::_exit(5);
                text.resize(static_cast<std::size_t>(size));
                if (text.find("\ncairn: sink broken failed") == std::string::npos) ::_exit(6);
              }),
              survived)
        << may_wait;
  }
}

TEST(S2OwnMessages, that_there_was_no_room_for_are_counted_in_the_next) {
  EXPECT_EQ(survives([] {
              int ends[2];
              if (::pipe(ends) != 0) ::_exit(1);
              const int flags = ::fcntl(ends[1], F_GETFL);
              ::fcntl(ends[1], F_SETFL, flags | O_NONBLOCK);
              while (::write(ends[1], "x", 1) == 1) {
              }
              ::fcntl(ends[1], F_SETFL, flags);
              ::dup2(ends[1], STDERR_FILENO);
              TurnedClock clock;
              const auto log = Configuration{}.use_clock(clock).write_to(broken_sink(), "broken").create_logger();
              log.information("{Number}", 1);  // there is no room for what is told of it
              std::string text(1 << 20, '\0');
              if (::read(ends[0], text.data(), text.size()) <= 0) ::_exit(2);
              clock.turn(2s);
              log.information("{Number}", 2);
              const ssize_t size = ::read(ends[0], text.data(), text.size());
              text.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
              if (text.find("(1 more messages were held back)") == std::string::npos) ::_exit(3);
            }),
            survived);
}

TEST(S2StreamSink, whose_reader_is_gone_fails_and_does_not_end_the_process) {
  for (const bool queued : {false, true}) {
    EXPECT_EQ(survives([&] {
                lose_reader(STDOUT_FILENO);
                Configuration config;
                config.on_internal_error([](std::string_view) {});
                auto sink = config.write_to_stream(std::cout, {}).with_name("stream");
                if (queued) sink.with_queue();
                const auto log = config.create_logger();
                for (int i = 0; i < 100; ++i) log.information("{Number}", i);
                (void)log.flush();
                if (log.metrics().sink("stream")->failed_total() != 100) ::_exit(1);
                sigset_t pending;
                ::sigpending(&pending);
                if (::sigismember(&pending, SIGPIPE) != 0) ::_exit(2);
              }),
              survived)
        << queued;
  }
}

TEST(S2StreamSink, past_the_limit_of_file_sizes_fails_and_does_not_end_the_process) {
  const LogFolder folder;
  EXPECT_EQ(
      survives([&] {
        std::ofstream stream(folder.path("stream"));
        const struct rlimit limit { 100, RLIM_INFINITY };
        ::setrlimit(RLIMIT_FSIZE, &limit);
        Configuration config;
        config.on_internal_error([](std::string_view) {});
        config.write_to_stream(stream, {}).with_name("stream");
        const auto log = config.create_logger();
        for (int i = 0; i < 100; ++i) log.information("{Number}", i);
        ::_exit(log.metrics().sink("stream")->failed_total() != 0 ? survived : 1);  // else the stream itself writes
      }),
      survived);
}

TEST(S2CrashRing, past_the_limit_of_file_sizes_is_done_without_and_told) {
  const LogFolder folder;
  EXPECT_EQ(survives([&] {
              const struct rlimit limit { 4096, RLIM_INFINITY };
              ::setrlimit(RLIMIT_FSIZE, &limit);
              std::string told;
              const auto sink = std::make_shared<MemorySink>();
              Configuration config;
              config.write_to(sink, "sink").with_queue();
              config.with_crash_ring({.application = "app", .folder = folder.path()})
                  .on_internal_error([&](std::string_view what) { told = what; });
              const auto log = config.create_logger();
              log.information("{Number}", 1);
              if (log.flush().status != FlushStatus::ok || sink->events().size() != 1) ::_exit(1);
              if (!log.metrics().logger.crash_ring.starts_with("disabled: there is no room for a ring")) ::_exit(2);
              if (!told.starts_with("crash_ring: disabled(there is no room for a ring")) ::_exit(3);
            }),
            survived);
}

}  // namespace
