// P3, with a crash ring and handle_fatal_signals(): what nothing takes as the program dies is in the ring at the next
// start.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cairn/all.hpp>
#include <cairn/memory_sink.hpp>
#include <memory>
#include <span>
#include <string_view>
#include <system_error>
#include <utility>

#include "support/fatal_crash.hpp"
#include "support/in_child.hpp"
#include "support/log_folder.hpp"
#include "support/sanitizers.hpp"

namespace {

using cairn::testing::crash_by;
using cairn::testing::in_child;
using cairn::testing::LogFolder;

constexpr int count = 100;

struct Full : cairn::Sink {
  cairn::EmitResult emit(std::span<const cairn::Event>) override {
    return {0, 0, std::make_error_code(std::errc::no_space_on_device)};
  }
};
struct Hangs : cairn::Sink {
  cairn::EmitResult emit(std::span<const cairn::Event>) override {
    for (;;) ::pause();
  }
};
struct Crashes : cairn::Sink {
  cairn::EmitResult emit(std::span<const cairn::Event>) override {
    crash_by(SIGSEGV);
    return {};
  }
};

cairn::Configuration with_ring(const LogFolder& folder, std::shared_ptr<cairn::Sink> sink) {
  cairn::Configuration config;
  config.on_internal_error([](std::string_view) {})
      .with_crash_ring({.application = "app", .folder = folder.path()})
      .write_to(std::move(sink), "sink")
      .with_queue();
  return config;
}

/// Runs `body` in a process that then waits for its end; gives the signal it dies of.
template <class Body>
int dies(Body&& body) {
  return in_child([&]() -> int {
           ::alarm(60);
           const rlimit none{0, 0};
           ::setrlimit(RLIMIT_CORE, &none);
           body();
           for (;;) ::pause();
         }) -
         128;
}

void log_numbers(const cairn::Logger& log) {
  for (int i = 0; i < count; ++i) log.information("{N}", i);
}

/// A pipe that nobody reads: what comes there is waited for, for a while.
void use_a_full_stderr() {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
  while (::write(ends[1], "x", 1) == 1) {
  }
  ASSERT_EQ(::dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
}

/// How many events the next start has.
std::size_t recovered(const LogFolder& folder) {
  const auto sink = std::make_shared<cairn::MemorySink>();
  with_ring(folder, sink).create_logger().close();
  return sink->events().size();
}

TEST(P3CrashRing, keeps_what_neither_a_sink_nor_the_crash_file_has_room_for) {
  if (cairn::testing::under_thread_sanitizer) GTEST_SKIP() << "it lets no child of several threads start one";
  const LogFolder folder;
  EXPECT_EQ(dies([&] {
              auto config = with_ring(folder, std::make_shared<Full>());
              config.handle_fatal_signals({.crash_file = "/dev/full"});
              const auto& log = *new cairn::Logger(config.create_logger());
              log_numbers(log);
              crash_by(SIGSEGV);
            }),
            SIGSEGV);
  EXPECT_EQ(recovered(folder), std::size_t{count});
}

TEST(P3CrashRing, stays_where_a_sink_crashes_on_what_is_recovered_and_nobody_reads_the_rest) {
  if (cairn::testing::under_thread_sanitizer) GTEST_SKIP() << "it lets no child of several threads start one";
  const LogFolder folder;
  EXPECT_EQ(dies([&] {
              const auto& log = *new cairn::Logger(with_ring(folder, std::make_shared<Hangs>()).create_logger());
              log_numbers(log);
              ::kill(::getpid(), SIGKILL);
            }),
            SIGKILL);
  EXPECT_EQ(dies([&] {
              use_a_full_stderr();
              auto config = with_ring(folder, std::make_shared<Crashes>());
              (void)new cairn::Logger(config.handle_fatal_signals().create_logger());
            }),
            SIGSEGV);
  EXPECT_EQ(recovered(folder), std::size_t{count});
}

}  // namespace
