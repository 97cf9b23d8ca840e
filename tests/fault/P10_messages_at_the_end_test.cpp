// P10: what a signal handler left to be logged when the program, or its logger, ends; and what a child has of it.
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cairn/all.hpp>
#include <cairn/signals.hpp>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>

#include "support/in_child.hpp"
#include "support/log_folder.hpp"

namespace {

using cairn::testing::in_child;
using cairn::testing::LogFolder;
using namespace std::chrono_literals;

bool taken = false;

/// In a handler; gives what log_signal_safe said.
bool say_in_a_handler() {
  std::signal(SIGUSR1, [](int) { taken = cairn::log_signal_safe(cairn::Level::warning, "last words"); });
  std::raise(SIGUSR1);
  return taken;
}

void log_to(const std::string& path) {
  cairn::set_logger(cairn::Configuration{}
                        .write_to_file(path, {.output_template = "{Message}{NewLine}"})
                        .with_queue()
                        .create_logger());
}

TEST(P10MessagesAtTheEnd, that_no_thread_logged_are_logged_at_the_exit) {
  const LogFolder folder;
  EXPECT_EQ(in_child([&]() -> int {
              ::alarm(60);
              log_to(folder.path("a.log"));
              std::exit(say_in_a_handler() ? 7 : 1);
            }),
            7);
  EXPECT_EQ(folder.read("a.log"), "last words\n");
}

TEST(P10MessagesAtTheEnd, that_no_thread_logged_are_logged_by_close_and_flush) {
  const LogFolder folder;
  EXPECT_EQ(in_child([&]() -> int {
              ::alarm(60);
              log_to(folder.path("a.log"));
              if (!say_in_a_handler()) return 1;
              cairn::close_and_flush();
              return 7;
            }),
            7);
  EXPECT_EQ(folder.read("a.log"), "last words\n");
}

TEST(P10MessagesAtTheEnd, are_waited_for_while_the_signal_thread_is_at_the_ones_before) {
  const LogFolder folder;
  EXPECT_EQ(in_child([&]() -> int {
              ::alarm(60);
              static std::atomic<int> seen{0};
              cairn::set_logger(cairn::Configuration{}
                                    .with_shutdown_timeout(1min)
                                    .write_to_callback([&folder](const cairn::Event&) {
                                      const int number = ++seen;
                                      if (number == 1) std::this_thread::sleep_for(50ms);
                                      folder.write(std::to_string(number), "");
                                    })
                                    .create_logger());
              cairn::start_signal_thread();
              if (!say_in_a_handler()) return 1;
              while (seen == 0) std::this_thread::yield();
              if (!say_in_a_handler()) return 2;
              std::exit(7);
            }),
            7);
  EXPECT_TRUE(folder.exists("2"));
}

TEST(P10MessagesAtTheEnd, are_not_waited_for_by_the_thread_that_logs_them) {
  EXPECT_EQ(in_child([]() -> int {
              ::alarm(60);
              cairn::set_logger(cairn::Configuration{}
                                    .write_to_callback([](const cairn::Event&) {
                                      const auto begun = std::chrono::steady_clock::now();
                                      cairn::close_and_flush();
                                      ::_exit(std::chrono::steady_clock::now() - begun < 1s ? 7 : 1);
                                    })
                                    .create_logger());
              cairn::start_signal_thread();
              if (!say_in_a_handler()) return 2;
              while (true) ::pause();
            }),
            7);
}

TEST(P10MessagesAtTheEnd, hold_up_the_exit_for_a_part_of_its_time_where_a_sink_hangs) {
  const auto begun = std::chrono::steady_clock::now();
  EXPECT_EQ(in_child([]() -> int {
              ::alarm(60);
              cairn::set_logger(cairn::Configuration{}
                                    .with_shutdown_timeout(1s)
                                    .write_to_callback([](const cairn::Event&) { std::this_thread::sleep_for(1h); })
                                    .create_logger());
              std::exit(say_in_a_handler() ? 7 : 1);
            }),
            7);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 30s);
}

TEST(P10MessagesAtTheEnd, of_the_parent_are_nothing_to_a_child_P8) {
  EXPECT_EQ(in_child([] {
              ::alarm(60);
              int refused = 0;
              for (int i = 0; i < 70; ++i)
                refused += cairn::log_signal_safe(cairn::Level::warning, "the parent's") ? 0 : 1;
              if (refused != 6) return 1;
              return in_child([] {
                ::alarm(60);
                const auto sink = std::make_shared<cairn::MemorySink>();
                cairn::set_logger(cairn::Configuration{}.write_to(sink, "memory").create_logger());
                if (!cairn::log_signal_safe(cairn::Level::warning, "the child's")) return 2;
                cairn::start_signal_thread();
                cairn::close_and_flush();
                const auto messages = sink->messages();
                return messages.size() == 1 && messages[0] == "the child's" ? 0 : 3;
              });
            }),
            0);
}

}  // namespace
