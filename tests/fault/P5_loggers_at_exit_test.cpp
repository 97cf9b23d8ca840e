// P5: loggers that are made while the program exits: by exit handlers that run after the hook, and by threads that go
// on.
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cairn/all.hpp>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <string>
#include <thread>

#include "support/in_child.hpp"
#include "support/log_folder.hpp"

namespace {

using cairn::testing::in_child;
using cairn::testing::LogFolder;
using namespace std::chrono_literals;
using Steady = std::chrono::steady_clock;

constexpr int count = 1000;

std::string numbers() {
  std::string text;
  for (int i = 0; i < count; ++i) text += std::to_string(i) + '\n';
  return text;
}

/// A logger that nobody closes; and the one before, so that it is no leak.
struct OpenLogger {
  cairn::Logger log;
  OpenLogger* before;
};
std::atomic<OpenLogger*> last_opened{};

/// Makes one of a queued file, and logs `count` events.
void log_to(const std::string& path) {
  cairn::Configuration config;
  config.write_to_file(path, {.output_template = "{Message}{NewLine}", .buffered = true})
      .with_queue({.flush_interval = 1h});
  auto* const opened = new OpenLogger{config.create_logger(), last_opened};
  while (!last_opened.compare_exchange_weak(opened->before, opened)) {
  }
  const cairn::Logger& log = opened->log;
  for (int i = 0; i < count; ++i) log.information("{N}", i);
}

std::function<void()> in_exit_handler;

/// Exits with `late` called by an exit handler that runs after the hook of the first logger.
void exit_with(std::function<void()> late) {
  in_exit_handler = std::move(late);
  std::atexit([] { in_exit_handler(); });
  std::at_quick_exit([] { in_exit_handler(); });
  cairn::Configuration config;
  config.with_shutdown_timeout(60s).write_to_null().with_queue();
  static const cairn::Logger first = config.create_logger();
  first.information("x");
}

TEST(P5LoggersAtExit, made_by_an_exit_handler_after_the_hook_are_drained) {
  const LogFolder folder;
  EXPECT_EQ(in_child([&]() -> int {
              ::alarm(60);
              exit_with([&] { log_to(folder.path("a.log")); });
              std::exit(7);
            }),
            7);
  EXPECT_EQ(folder.read("a.log"), numbers());
}

TEST(P5LoggersAtExit, made_by_each_of_several_exit_handlers_are_drained) {
  const LogFolder folder;
  EXPECT_EQ(in_child([&]() -> int {
              ::alarm(60);
              exit_with([&] {
                static int calls = 0;
                if (++calls < 3) std::atexit([] { in_exit_handler(); });
                log_to(folder.path("a" + std::to_string(calls) + ".log"));
              });
              std::exit(7);
            }),
            7);
  for (const char* name : {"a1.log", "a2.log", "a3.log"}) EXPECT_EQ(folder.read(name), numbers());
}

TEST(P5LoggersAtExit, made_after_the_hook_are_drained_when_it_is_quick) {
  const LogFolder folder;
  EXPECT_EQ(in_child([&]() -> int {
              ::alarm(60);
              exit_with([&] { log_to(folder.path("a.log")); });
              std::quick_exit(7);
            }),
            7);
  EXPECT_EQ(folder.read("a.log"), numbers());
}

TEST(P5LoggersAtExit, made_by_a_thread_that_an_exit_handler_waits_for_are_drained) {
  const LogFolder folder;
  EXPECT_EQ(in_child([&]() -> int {
              ::alarm(60);
              exit_with([&] { std::thread([&] { log_to(folder.path("a.log")); }).join(); });
              std::exit(7);
            }),
            7);
  EXPECT_EQ(folder.read("a.log"), numbers());
}

TEST(P5LoggersAtExit, of_threads_that_make_one_after_the_other_hold_no_exit_up) {
  const auto begun = Steady::now();
  EXPECT_EQ(in_child([]() -> int {
              ::alarm(60);
              static std::atomic<int> made{0};
              const auto one = [] {
                cairn::Configuration config;
                config.with_shutdown_timeout(500ms).write_to_null().with_queue();
                const auto log = config.create_logger();
                log.information("x");
                ++made;
              };
              for (int i = 0; i < 2; ++i) {
                std::thread([one] {
                  while (true) one();
                }).detach();
              }
              while (made < 10) std::this_thread::yield();
              std::exit(7);
            }),
            7);
  EXPECT_LT(Steady::now() - begun, 20s) << "twice half a second, and what a busy machine adds";
}

}  // namespace
