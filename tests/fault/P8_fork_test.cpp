// P8: a process forks while its threads log. The parent is unaffected; the child has none of what was on its way, and
// logs on its own.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cairn/all.hpp>
#include <cairn/testing.hpp>
#include <fstream>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "support/sanitizers.hpp"

namespace {

using namespace std::chrono_literals;

struct Way {
  const char* name;
  bool queued;
  bool buffered;
};
void PrintTo(const Way& way, std::ostream* out) { *out << way.name; }

class P8Fork : public testing::TestWithParam<Way> {};

TEST_P(P8Fork, under_load_loses_doubles_and_hangs_nothing) {
  constexpr int forks = 60;
  // Where children may hang in the sanitizer, the parent alone is looked at.
  const int each = GetParam().queued && cairn::testing::children_of_threads_hang ? 0 : 5;
  const std::string path = testing::TempDir() + "p8_" + GetParam().name + std::to_string(::getpid()) + ".log";
  std::atomic<int> parents{0};
  {
    cairn::Configuration config;
    auto sink = cairn::SinkSpec::file(path, {.output_template = "{Message}{NewLine}", .buffered = GetParam().buffered});
    if (GetParam().queued)
      config.write_to(std::move(sink).with_queue({.overflow = cairn::Overflow::block}));
    else
      config.write_to(std::move(sink));
    const auto log = config.create_logger();
    std::atomic<bool> stop{false};
    std::vector<std::thread> threads;
    for (int thread = 0; thread < 4; ++thread) {
      threads.emplace_back([&, thread] {
        for (int i = 0; !stop; ++i) {
          log.information("parent {Thread} {Number}", thread, i);
          ++parents;
          std::this_thread::yield();
        }
      });
    }
    for (int fork_number = 0; fork_number < forks; ++fork_number) {
      const pid_t child = ::fork();
      if (child == 0) {
        ::alarm(20);  // a child that hangs ends badly
        for (int i = 0; i < each; ++i) log.information("child {Fork} {Number}", fork_number, i);
        if (each == 0) ::_exit(0);
        ::_exit(log.flush(10s).status == cairn::FlushStatus::ok ? 0 : 1);
      }
      int status = -1;
      ASSERT_EQ(::waitpid(child, &status, 0), child);
      EXPECT_EQ(status, 0) << "child " << fork_number;
    }
    stop = true;
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(log.flush().status, cairn::FlushStatus::ok);
  }
  std::ifstream in(path);
  std::set<std::string> lines;
  std::size_t count = 0;
  for (std::string line; std::getline(in, line); ++count) lines.insert(line);
  EXPECT_EQ(lines.size(), count) << "nothing twice";
  EXPECT_EQ(count, static_cast<std::size_t>(parents + forks * each)) << "nothing lost";
  std::remove(path.c_str());
}
INSTANTIATE_TEST_SUITE_P(Deliveries, P8Fork,
                         testing::Values(Way{"queued", true, false}, Way{"synchronous", false, false},
                                         Way{"buffered", false, true}),
                         [](const auto& which) { return std::string(which.param.name); });

TEST(P8Room, of_a_blocking_queue_is_whole_in_the_child_of_a_parent_that_had_used_it_all) {
  if (cairn::testing::children_of_threads_hang) GTEST_SKIP() << "a child may hang in the sanitizer itself";
  constexpr std::size_t room = 8;
  const pid_t parent = ::getpid();
  std::atomic<bool> inside{false};
  std::atomic<bool> stuck{true};
  const auto sink = std::make_shared<cairn::MemorySink>();
  cairn::Configuration config;
  config
      .write_to(cairn::SinkSpec::sink(sink, "memory")
                    .with_queue({.max_size = room, .overflow = cairn::Overflow::block, .block_timeout = 10ms}))
      .filter_by([&](const cairn::Event&) {  // holds the parent's dispatcher, so that what was logged stays in the lane
        if (::getpid() == parent) {
          inside = true;
          inside.notify_all();
          stuck.wait(true);
        }
        return true;
      });
  const auto log = config.create_logger();
  for (std::size_t i = 0; i < 2 * room; ++i) log.information("parent {Number}", i);
  inside.wait(false);
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(20);
    for (std::size_t i = 0; i < room; ++i) log.information("child {Number}", i);
    const bool flushed = log.flush(10s).status == cairn::FlushStatus::ok;
    ::_exit(flushed && sink->events().size() == room ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  stuck = false;
  stuck.notify_all();
  ASSERT_EQ(log.flush().status, cairn::FlushStatus::ok);
  EXPECT_EQ(sink->events().size(), room) << "the parent's own";
}

}  // namespace
