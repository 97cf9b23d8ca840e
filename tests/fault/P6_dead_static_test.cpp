// P6: a static logger is destroyed at exit while other threads log through it.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cairn/all.hpp>
#include <cstdlib>
#include <string>
#include <thread>

#include "support/log_folder.hpp"

namespace {

using cairn::testing::LogFolder;

std::atomic<std::uint64_t> calls{0};  // that returned, of the thread that never stops

/// Ends the program once the other thread has gone round a thousand times more through the handles that are dead by
/// now.
struct LastOfAll {
  const cairn::Logger* log = nullptr;
  const cairn::Logger* derived = nullptr;
  ~LastOfAll() {
    const std::uint64_t before = calls.load();
    while (calls.load() <= before + 1000) std::this_thread::yield();
    const auto counts = [](const cairn::Logger& l) {
      const auto rejected = l.metrics().logger.rejected;
      const auto after = rejected.find("after_shutdown");
      return after == rejected.end() ? std::uint64_t{0} : after->second;
    };
    const bool counted = counts(*log) >= 2000 && counts(*derived) >= 2000;  // the thread uses both handles
    ::_exit(counted && !log->is_enabled(cairn::Level::fatal) ? 7 : 8);
  }
};

[[noreturn]] void exit_while_logging(const std::string& path, bool queued) {
  static LastOfAll made_first_so_destroyed_last;
  cairn::Configuration configuration;
  auto sink = cairn::SinkSpec::file(path, {.output_template = "{Message}{NewLine}"});
  configuration.write_to(queued ? std::move(sink).with_queue() : std::move(sink));
  static const cairn::Logger log = configuration.create_logger();
  static const cairn::Logger derived = log.for_source("Other").for_context("Shard", 7);
  made_first_so_destroyed_last.log = &log;
  made_first_so_destroyed_last.derived = &derived;
  std::thread([] {
    while (true) {
      log.information("{Number}", calls.load());
      derived.information("{Text} {Number}", std::string("text"), 2);
      calls.fetch_add(1);
    }
  }).detach();
  while (calls.load() < 1000) std::this_thread::yield();
  std::exit(9);
}

void runs_to_its_end(bool queued, const char* name) {
  if (const char* const path = std::getenv("CAIRN_TEST_DEAD_STATIC")) exit_while_logging(path, queued);
  const LogFolder folder;
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    ::setenv("CAIRN_TEST_DEAD_STATIC", folder.path("app.log").c_str(), 1);
    ::setenv("MALLOC_PERTURB_", "165", 1);  // what is freed is overwritten at once
    ::unsetenv("GTEST_OUTPUT");             // the result of the real test is not to be written over
    const std::string filter = std::string("--gtest_filter=") + name;
    ::execl("/proc/self/exe", "dead", "--gtest_brief=1", filter.c_str(), nullptr);
    ::_exit(10);
  }
  int ended = 0;
  ASSERT_EQ(::waitpid(child, &ended, 0), child);
  ASSERT_TRUE(WIFEXITED(ended)) << "by signal " << WTERMSIG(ended);
  EXPECT_EQ(WEXITSTATUS(ended), 7);
  EXPECT_GT(folder.lines().size(), 1999U) << "what was logged before the exit is there";
}

TEST(P6DeadStatic, is_harmless_to_threads_that_log_through_it) {
  runs_to_its_end(false, "P6DeadStatic.is_harmless_to_threads_that_log_through_it");
}

TEST(P6DeadStatic, is_harmless_to_threads_that_log_through_it_into_a_queue) {
  runs_to_its_end(true, "P6DeadStatic.is_harmless_to_threads_that_log_through_it_into_a_queue");
}

TEST(P6DeadStatic, a_static_handle_that_is_not_the_last_keeps_the_state_for_good_too) {
  // Here without an exit: a place in static storage whose handle is destroyed before the copy of it.
  alignas(cairn::Logger) static unsigned char place[sizeof(cairn::Logger)];
  const auto memory = std::make_shared<cairn::MemorySink>();
  auto* const in_static = new (place) cairn::Logger(cairn::Configuration{}.write_to(memory).create_logger());
  {
    const auto copy = std::make_unique<cairn::Logger>(*in_static);
    in_static->~Logger();
    copy->information("by the copy");
    EXPECT_EQ(memory->size(), 1U) << "the copy keeps the logger open";
  }
  in_static->information("by the dead one");  // its bits are there, and so is what they point to
  EXPECT_EQ(memory->size(), 1U);
  const auto rejected = in_static->metrics().logger.rejected;
  EXPECT_EQ(rejected.at("after_shutdown"), 1U);
}

}  // namespace
