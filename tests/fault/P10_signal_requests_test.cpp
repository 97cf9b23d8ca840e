// P10, S8, P9: what signal handlers may ask for, and what a program that is started finds open.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cairn/all.hpp>
#include <filesystem>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <thread>

#include "support/in_child.hpp"
#include "support/log_folder.hpp"
#include "support/sanitizers.hpp"

namespace {

using cairn::testing::in_child;
using cairn::testing::LogFolder;
using namespace std::chrono_literals;

template <class Body>
int in_mortal_child(Body&& body) {
  return in_child([&] {
    ::alarm(60);
    return body();
  });
}

TEST(P10LogSignalSafe, in_a_handler_that_interrupts_log_calls_is_delivered) {
  EXPECT_EQ(in_mortal_child([] {
              auto sink = std::make_shared<cairn::MemorySink>();
              cairn::set_logger(cairn::Configuration{}
                                    .write_to(sink, "memory")
                                    .with_filter(cairn::filters::level(cairn::Level::warning))
                                    .with_queue({.overflow = cairn::Overflow::block, .block_timeout = 1min})
                                    .create_logger());
              cairn::start_signal_thread();
              ::signal(SIGUSR1, [](int) { (void)cairn::log_signal_safe(cairn::Level::warning, "from a handler"); });
              std::atomic<bool> stop{false};
              std::thread logger([&] {
                while (!stop) cairn::information("{N} {Text}", 1, std::string("interrupted"));
              });
              for (std::size_t i = 1; i <= 200; ++i) {
                ::pthread_kill(logger.native_handle(), SIGUSR1);
                while (sink->events().size() < i) std::this_thread::yield();
              }
              stop = true;
              logger.join();
              for (const std::string& message : sink->messages()) {
                if (message != "from a handler") return 1;
              }
              return sink->events().size() == 200 ? 0 : 2;
            }),
            0);
}

TEST(P10LogSignalSafe, counts_what_there_was_no_room_for_and_tells_of_it) {
  EXPECT_EQ(in_mortal_child([] {
              auto sink = std::make_shared<cairn::MemorySink>();
              cairn::set_logger(cairn::Configuration{}.write_to(sink, "memory").create_logger());
              std::uint64_t taken = 0;
              std::uint64_t refused = 0;
              for (int i = 0; i < 100; ++i)  // before there is a thread to take them
                ++(cairn::log_signal_safe(cairn::Level::error, "one of many") ? taken : refused);
              if (taken != 64 || refused != 36) return 1;
              cairn::start_signal_thread();
              while (sink->events().size() < 65) std::this_thread::yield();
              const auto last = sink->events().back();
              return last->property("LostCount")->as_uint64() == 36 ? 0 : 2;
            }),
            0);
}

TEST(P10RequestShutdown, from_a_handler_ends_every_logger) {
  const LogFolder folder;
  EXPECT_EQ(in_mortal_child([&] {
              if (cairn::request_shutdown_from_signal()) return 1;  // there is no thread yet
              const auto log = cairn::Configuration{}
                                   .write_to_file(folder.path("a.log"), {.output_template = "{Message}{NewLine}"})
                                   .with_queue()
                                   .create_logger();
              cairn::start_signal_thread();
              ::signal(SIGTERM, [](int) { cairn::request_shutdown_from_signal(); });
              for (int i = 0; i < 1000; ++i) log.information("{N}", i);
              ::raise(SIGTERM);
              while (log.is_enabled(cairn::Level::fatal)) std::this_thread::yield();
              const auto report = log.shutdown(cairn::ShutdownStrategy::graceful(1min));
              return report.sinks.at(0).emitted == 1000 ? 0 : 2;
            }),
            0);
}

int hups_seen = 0;

struct ReopenedSink : cairn::Sink {
  std::atomic<bool> reopened{false};
  cairn::EmitResult emit(std::span<const cairn::Event> events) override { return cairn::EmitResult::all(events); }
  std::error_code reopen() override {
    reopened = true;
    return {};
  }
};

TEST(P10RequestShutdown, of_the_parent_is_nothing_to_a_child_P8) {
  if (cairn::testing::under_thread_sanitizer) GTEST_SKIP() << "it lets no child of several threads start one";
  EXPECT_EQ(in_mortal_child([]() -> int {
              cairn::start_signal_thread();
              std::atomic<bool> inside{false};
              cairn::Configuration config;
              config.with_shutdown_timeout(50s)
                  .write_to_callback([&](const cairn::Event&) {
                    inside = true;
                    std::this_thread::sleep_for(1h);
                  })
                  .with_queue();
              const auto log = config.create_logger();
              log.information("x");
              while (!inside) std::this_thread::yield();
              cairn::request_shutdown_from_signal();
              while (log.is_enabled(cairn::Level::fatal)) std::this_thread::yield();
              cairn::request_shutdown_from_signal();  // the thread is still at the first
              ::_exit(in_mortal_child([]() -> int {
                const auto sink = std::make_shared<ReopenedSink>();
                cairn::Configuration own;
                own.reopen_on_sighup().write_to(sink, "own").with_queue();
                const auto child = own.create_logger();
                ::raise(SIGHUP);  // comes after a shutdown
                while (!sink->reopened && child.is_enabled(cairn::Level::fatal)) std::this_thread::yield();
                ::_exit(child.is_enabled(cairn::Level::fatal) ? 0 : 1);
              }));
            }),
            0);
}

TEST(S8Sighup, opens_the_files_afresh_and_calls_the_handler_before) {
  const LogFolder folder;
  EXPECT_EQ(in_mortal_child([&] {
              ::signal(SIGHUP, [](int) { ++hups_seen; });
              const auto log = cairn::Configuration{}
                                   .reopen_on_sighup()
                                   .write_to_file(folder.path("a.log"), {.output_template = "{Message}{NewLine}"})
                                   .create_logger();
              log.information("0");
              std::filesystem::rename(folder.path("a.log"), folder.path("a.log.1"));
              ::raise(SIGHUP);
              int next = 1;
              while (!folder.exists("a.log")) log.information("{N}", next++);
              log.information("{N}", next++);
              log.close();
              std::istringstream lines(folder.read("a.log.1") + folder.read("a.log"));
              int expected = 0;
              for (int number = 0; lines >> number; ++expected) {
                if (number != expected) return 1;
              }
              return expected == next && hups_seen == 1 ? 0 : 2;
            }),
            0);
}

/// What `ls` sees in /proc/self/fd, in the place of a program that logs in every way.
std::string descriptors_after_exec() {
  const LogFolder folder;
  int out[2];
  EXPECT_EQ(::pipe(out), 0);
  EXPECT_EQ(in_mortal_child([&] {
              ::dup2(out[1], STDOUT_FILENO);
              ::close_range(3, ~0U, 0);
              const auto log = cairn::Configuration{}
                                   .reopen_on_sighup()
                                   .handle_fatal_signals({.crash_file = folder.path("crash.clef")})
                                   .write_to_file(folder.path("a.log"), {.rolling = cairn::Rolling::day})
                                   .with_queue()
                                   .write_to_file(folder.path("b.clef"), {.shared = true})
                                   .write_to_console()
                                   .with_min_level(cairn::Level::fatal)
                                   .create_logger();
              log.information("x");
              static_cast<void>(log.flush(1min));
              ::execl("/bin/ls", "ls", "/proc/self/fd", nullptr);
              return 1;
            }),
            0);
  ::close(out[1]);
  char text[256]{};
  EXPECT_GT(::read(out[0], text, sizeof(text) - 1), 0);
  ::close(out[0]);
  return text;
}

TEST(P9Exec, finds_no_descriptor_of_ours_whatever_is_in_use) {
  // UndefinedBehaviorSanitizer opens a pipe, without O_CLOEXEC, for the moment in which it looks whether memory can be
  // read: for each type that a virtual call meets first, on the thread that calls. An exec at that moment leaves both
  // ends to `ls`. A descriptor of ours would be there each time.
  const int looks = cairn::testing::under_sanitizer ? 20 : 1;
  const std::string expected = "0\n1\n2\n3\n";  // the three that were there, and the folder that ls reads
  std::string found;
  for (int look = 0; look < looks && found != expected; ++look) found = descriptors_after_exec();
  EXPECT_EQ(found, expected);
}

}  // namespace
