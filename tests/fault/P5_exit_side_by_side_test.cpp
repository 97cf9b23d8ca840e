// P5, N2: an exit with several loggers, of which some hang and some write to others; it has one deadline.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <cairn/all.hpp>
#include <cairn/signals.hpp>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <string>
#include <thread>

#include "support/in_child.hpp"
#include "support/log_folder.hpp"
#include "support/sanitizers.hpp"

namespace {

using cairn::testing::in_child;
using cairn::testing::LogFolder;
using namespace std::chrono_literals;
using Steady = std::chrono::steady_clock;

/// A logger that nobody closes and that will live as long as the process.
cairn::Logger& left_open(cairn::Configuration&& configuration) {
  configuration.on_internal_error([](std::string_view) {});
  static auto& open = *new std::deque<cairn::Logger>;  // never destroyed
  return open.emplace_back(configuration.create_logger());
}

/// One whose sink has an event and never comes back.
void hang_one(std::chrono::nanoseconds timeout) {
  static std::atomic<int> inside{0};
  const int before = inside;
  cairn::Configuration config;
  config.with_shutdown_timeout(timeout);
  config
      .write_to_callback([](const cairn::Event&) {
        ++inside;
        std::this_thread::sleep_for(1h);
      })
      .with_queue();
  left_open(std::move(config)).information("x");
  while (inside == before) std::this_thread::yield();
}

cairn::SinkSpec lines_to(const std::string& path) {
  return cairn::SinkSpec::file(path, {.output_template = "{Message}{NewLine}", .buffered = true})
      .with_queue({.flush_interval = 1h});
}

TEST(P5ExitSideBySide, takes_no_longer_with_four_loggers_that_hang_than_with_one) {
  const auto begun = Steady::now();
  EXPECT_EQ(in_child([]() -> int {
              ::alarm(60);
              for (int i = 0; i < 4; ++i) hang_one(3s);
              std::exit(7);
            }),
            7);
  EXPECT_LT(Steady::now() - begun, 9s) << "3 s and what a busy machine adds, not 12";
}

TEST(P5ExitSideBySide, closes_a_logger_that_is_well_long_before_those_that_hang) {
  const LogFolder folder;
  EXPECT_EQ(in_child([&]() -> int {
              ::alarm(60);
              static std::string file = folder.path("a.log");
              cairn::Configuration config;
              config.with_shutdown_timeout(30s).write_to(lines_to(file));
              static cairn::Logger& well = left_open(std::move(config));
              for (int i = 0; i < 2; ++i) hang_one(30s);
              well.information("last words");
              cairn::start_signal_thread();
              std::signal(SIGTERM, [](int) { cairn::request_shutdown_from_signal(); });
              const auto begun = Steady::now();
              std::raise(SIGTERM);
              const auto written = [] {
                std::error_code none;
                return std::filesystem::file_size(file, none) != 0;
              };
              while (!written() && Steady::now() - begun < 25s) std::this_thread::yield();
              ::_exit(written() ? 7 : 1);
            }),
            7);
  EXPECT_EQ(folder.read("a.log"), "last words\n");
}

TEST(P5ExitSideBySide, ends_a_logger_after_those_that_write_to_it_by_a_sink_of_their_own) {
  const LogFolder folder;
  EXPECT_EQ(in_child([&]() -> int {
              ::alarm(60);
              cairn::Configuration to;
              to.with_shutdown_timeout(60s).write_to(lines_to(folder.path("a.log")));
              cairn::Logger& target = left_open(std::move(to));
              cairn::Configuration from;
              from.write_to_callback([&](const cairn::Event& event) {
                    std::this_thread::sleep_for(1ms);  // so that it has not ended when its target could
                    target.information("{N}", *event.property("N")->as_int64());
                  })
                  .with_queue({.overflow = cairn::Overflow::block});
              cairn::Logger& log = left_open(std::move(from));
              for (int i = 0; i < 100; ++i) log.information("{N}", i);
              std::exit(7);
            }),
            7);
  std::string expected;
  for (int i = 0; i < 100; ++i) expected += std::to_string(i) + '\n';
  EXPECT_EQ(folder.read("a.log"), expected);
}

TEST(P5ExitSideBySide, ends_the_target_of_write_to_logger_once_all_was_handed_over) {
  const LogFolder folder;
  EXPECT_EQ(in_child([&]() -> int {
              ::alarm(60);
              cairn::Configuration to;
              to.with_shutdown_timeout(10s).write_to(lines_to(folder.path("a.log")));
              cairn::Logger& target = left_open(std::move(to));
              cairn::Configuration from;
              from.with_shutdown_timeout(10s)
                  .enrich_with([](cairn::EventBuilder&) {
                    static std::atomic<bool> slept{false};
                    if (!slept.exchange(true))
                      std::this_thread::sleep_for(1s);  // an exit waits half as long before it goes on
                  })
                  .write_to_logger(target)
                  .with_queue();
              cairn::Logger& log = left_open(std::move(from));
              for (int i = 0; i < 100; ++i) log.information("{N}", i);
              std::exit(7);
            }),
            7);
  std::string expected;
  for (int i = 0; i < 100; ++i) expected += std::to_string(i) + '\n';
  EXPECT_EQ(folder.read("a.log"), expected);
}

TEST(P5ExitSideBySide, does_without_threads_where_there_are_none) {
  if (::geteuid() != 0) GTEST_SKIP() << "it takes root to become another user";
  if (cairn::testing::under_sanitizer)
    GTEST_SKIP() << "at the exit a sanitizer needs a thread itself, or lets none begin";
  const LogFolder folder;
  EXPECT_EQ(in_child([&]() -> int {
              ::alarm(60);
              for (const char* name : {"a.log", "b.log", "c.log"}) {
                cairn::Configuration config;
                config.write_to_file(folder.path(name), {.output_template = "{Message}{NewLine}", .buffered = true});
                left_open(std::move(config)).information("{Name}", name);
              }
              constexpr uid_t somebody = 54'321;  // the limit is one of a user's, and none for root
              const rlimit none{0, 0};
              if (::setresuid(somebody, somebody, somebody) != 0 || ::setrlimit(RLIMIT_NPROC, &none) != 0) return 1;
              std::exit(7);
            }),
            7);
  for (const char* name : {"a.log", "b.log", "c.log"}) EXPECT_EQ(folder.read(name), std::string(name) + '\n');
}

}  // namespace
