// P4, P5, P6 and N2 of queued sinks: programs that end in every way, while sinks hang, from the wrong thread, twice.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cairn/all.hpp>
#include <chrono>
#include <cstdlib>
#include <exception>
#include <string>
#include <thread>
#include <vector>

#include "support/in_child.hpp"
#include "support/log_folder.hpp"

namespace {

using cairn::ShutdownStatus;
using cairn::ShutdownStrategy;
using cairn::testing::in_child;
using cairn::testing::LogFolder;
using namespace std::chrono_literals;

cairn::SinkSpec lines_to(const std::string& path) {
  return cairn::SinkSpec::file(path, {.output_template = "{Message}{NewLine}"})
      .with_queue({.overflow = cairn::Overflow::block, .block_timeout = 1min});
}

/// The same, of which the last lines are written when it is closed, not before.
cairn::SinkSpec held_back_lines_to(const std::string& path) {
  return cairn::SinkSpec::file(path, {.output_template = "{Message}{NewLine}", .buffered = true})
      .with_queue({.flush_interval = 1h, .overflow = cairn::Overflow::block, .block_timeout = 1min});
}

std::string numbers(int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += std::to_string(i) + '\n';
  return text;
}

/// A logger that nobody closes and that will live as long as the process.
cairn::Logger& left_open(cairn::Configuration&& configuration) {
  configuration.on_internal_error([](std::string_view) {});
  static cairn::Logger* kept = nullptr;  // no leak: the program still has it
  kept = new cairn::Logger(configuration.create_logger());
  return *kept;
}
cairn::Logger& left_open(const std::string& path) {
  cairn::Configuration config;
  config.write_to(lines_to(path));
  return left_open(std::move(config));
}

/// A queued sink that never comes back.
void add_hung_sink(cairn::Configuration& config) {
  config.write_to_callback([](const cairn::Event&) { std::this_thread::sleep_for(1h); }).with_name("hung").with_queue();
}

/// Runs `body` in a child that is ended if it hangs.
template <class Body>
int in_mortal_child(Body&& body) {
  return in_child([&] {
    ::alarm(60);
    return body();
  });
}

TEST(P5ShutdownAtExit, delivers_what_was_logged_to_queues_when_main_returns) {
  const LogFolder folder;
  EXPECT_EQ(in_mortal_child([&]() -> int {
              cairn::Configuration config;
              config.write_to(held_back_lines_to(folder.path("a.log")));
              cairn::Logger& log = left_open(std::move(config));
              for (int i = 0; i < 5000; ++i) log.information("{N}", i);
              std::exit(7);
            }),
            7);
  EXPECT_EQ(folder.read("a.log"), numbers(5000));
}

TEST(P5ShutdownAtExit, keeps_each_live_producers_order_without_a_gap) {
  const LogFolder folder;
  EXPECT_EQ(in_mortal_child([&]() -> int {
              cairn::Logger& log = left_open(folder.path("a.log"));
              static std::atomic<int> logged{0};
              for (int thread = 0; thread < 4; ++thread) {
                std::thread([&log, thread] {
                  for (int number = 0;; ++number) {
                    log.information("{Thread} {Number}", thread, number);
                    ++logged;
                  }
                }).detach();
              }
              while (logged < 10'000) std::this_thread::yield();
              std::exit(7);
            }),
            7);
  std::istringstream lines(folder.read("a.log"));
  std::vector<int> next(4);
  std::size_t thread = 0;
  int number = 0;
  while (lines >> thread >> number) ASSERT_EQ(number, next.at(thread)++);
  EXPECT_GE(next[0] + next[1] + next[2] + next[3], 10'000) << "all whose call had returned";
}

TEST(P5ShutdownAtExit, takes_no_longer_than_configured_beside_a_sink_that_never_returns_N2) {
  const LogFolder folder;
  const auto begun = std::chrono::steady_clock::now();
  EXPECT_EQ(in_mortal_child([&]() -> int {
              cairn::Configuration config;
              config.with_shutdown_timeout(1s).write_to(lines_to(folder.path("a.log")));
              add_hung_sink(config);
              left_open(std::move(config)).information("0");
              std::exit(7);
            }),
            7);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 30s);
  EXPECT_EQ(folder.read("a.log"), numbers(1)) << "the healthy sink is drained";
}

TEST(P5ShutdownAtExit, from_a_sinks_own_thread_drains_the_others) {
  const LogFolder folder;
  EXPECT_EQ(in_mortal_child([&]() -> int {
              cairn::Configuration config;
              config.with_shutdown_timeout(5s).write_to(held_back_lines_to(folder.path("a.log")));
              config.on_shutdown([] { std::this_thread::sleep_for(100ms); }, {.timeout = 2s});  // the exit waits for it
              config.write_to_callback([](const cairn::Event&) { std::exit(7); }).with_queue();
              left_open(std::move(config)).information("0");
              while (true) ::pause();
            }),
            7);
  EXPECT_EQ(folder.read("a.log"), numbers(1));
}

TEST(P5ShutdownAtExit, from_a_shutdown_handler_ends_the_program_all_the_same) {
  const LogFolder folder;
  EXPECT_EQ(in_mortal_child([&]() -> int {
              cairn::Configuration config;
              config.on_shutdown([] { std::exit(7); }, {.timeout = 100ms});
              config.write_to(lines_to(folder.path("a.log")));
              cairn::Logger& log = left_open(std::move(config));
              log.information("0");
              static_cast<void>(log.shutdown(ShutdownStrategy::graceful(10s)));
              while (true) ::pause();
            }),
            7);
  EXPECT_EQ(folder.read("a.log"), numbers(1));
}

TEST(P5ShutdownAtExit, may_be_asked_for_again_by_exit_handlers_and_destructors_of_statics_P6) {
  const LogFolder folder;
  EXPECT_EQ(in_mortal_child([&]() -> int {
              static cairn::Logger* log = nullptr;
              struct Late {
                ~Late() {
                  const auto report = log->shutdown(ShutdownStrategy::immediate());
                  if (report.status != ShutdownStatus::completed || report.sinks.at(0).emitted != 2) ::_exit(1);
                  log->information("refused");
                  if (log->metrics().logger.rejected.at("after_shutdown") != 1) ::_exit(2);
                }
              };
              static const Late destroyed_last;
              log = &left_open(folder.path("a.log"));
              log->information("0");
              std::atexit([] {  // registered after the logger's hook: runs before it
                log->information("1");
                if (log->shutdown(ShutdownStrategy::graceful(1min)).status != ShutdownStatus::completed) ::_exit(3);
              });
              std::exit(7);
            }),
            7);
  EXPECT_EQ(folder.read("a.log"), numbers(2));
}

TEST(P4Terminate, may_shut_down_in_the_terminate_handler_whoever_terminates) {
  for (const bool from_sink : {false, true}) {
    const LogFolder folder;
    EXPECT_EQ(in_mortal_child([&]() -> int {
                static cairn::Logger* log = nullptr;
                static const LogFolder* where = &folder;
                cairn::Configuration config;
                config.write_to(lines_to(folder.path("a.log")));
                if (from_sink) config.write_to_callback([](const cairn::Event&) { std::terminate(); }).with_queue();
                log = &left_open(std::move(config));
                std::set_terminate([] {
                  const auto report = log->shutdown(ShutdownStrategy::graceful(1s));
                  while (report.status == ShutdownStatus::in_progress && where->read("a.log") != numbers(1))
                    std::this_thread::yield();  // it goes on beside this thread
                  ::_exit(7);
                });
                log->information("0");
                if (!from_sink) std::terminate();
                while (true) ::pause();
              }),
              7)
        << from_sink;
    EXPECT_EQ(folder.read("a.log"), numbers(1));
  }
}

TEST(N2HungSink, is_named_and_costs_its_neighbours_nothing) {
  const LogFolder folder;
  EXPECT_EQ(in_mortal_child([&]() -> int {
              cairn::Configuration config;
              config.write_to(lines_to(folder.path("a.log")).with_name("file"));
              add_hung_sink(config);
              cairn::Logger& log = left_open(std::move(config));
              for (int i = 0; i < 3000; ++i) log.information("{N}", i);
              const auto report = log.shutdown(ShutdownStrategy::graceful(2s));
              if (report.status != ShutdownStatus::timed_out) return 1;
              const auto* hung = report.sink("hung");
              const auto* file = report.sink("file");
              if (!hung->timed_out || file->timed_out || file->emitted != 3000) return 2;
              const auto shut = hung->dropped.find("shutdown");
              const std::uint64_t dropped = shut == hung->dropped.end() ? 0 : shut->second;
              return hung->accepted == 3000 && hung->pending + dropped == 3000 ? 0 : 3;
            }),
            0);
  EXPECT_EQ(folder.read("a.log"), numbers(3000));
}

}  // namespace
