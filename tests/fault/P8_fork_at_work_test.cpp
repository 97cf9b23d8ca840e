// P8: a process forks while a thread of Cairn's is at work: in a handler of a shutdown, in a callback, at its files. In
// the child that thread is not there; nobody waits for it, and nothing is done twice.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cairn/all.hpp>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "cairn/detail/compressor.hpp"
#include "pipeline/notifier.hpp"
#include "sinks/rolling_file.hpp"
#include "support/fork_test.hpp"
#include "support/in_child.hpp"
#include "support/log_folder.hpp"
#include "support/scripted_file_ops.hpp"

namespace {

using namespace std::chrono_literals;

using cairn::testing::ends_in_a_child;

class P8ForkAtWork : public cairn::testing::ForkTest {};

TEST_F(P8ForkAtWork, of_a_shutdown_leaves_the_child_a_shutdown_of_its_own) {
  std::promise<void> inside;
  std::promise<void> go;
  std::atomic<int> runs{0};
  const auto sink = std::make_shared<cairn::MemorySink>();
  const auto log = quiet().write_to(sink, "memory").with_queue().create_logger();
  log.on_shutdown(
      [&] {
        if (++runs != 1) return;  // the child's
        inside.set_value();
        go.get_future().wait();
      },
      {.timeout = 1h});
  auto report = std::async([&] { return log.shutdown(cairn::ShutdownStrategy::graceful(1h)); });
  inside.get_future().wait();
  EXPECT_TRUE(ends_in_a_child([&] {
    log.information("child");
    const auto own = log.shutdown(cairn::ShutdownStrategy::graceful(10s));
    return own.status == cairn::ShutdownStatus::completed && own.handlers.size() == 1 && runs == 2 && sink->size() == 1;
  }));
  go.set_value();
  EXPECT_EQ(report.get().status, cairn::ShutdownStatus::completed);
  EXPECT_EQ(runs, 1);
  EXPECT_EQ(sink->size(), 0U);
}

TEST_F(P8ForkAtWork, of_a_shutdown_handler_does_not_shut_down_once_more) {
  std::atomic<int> runs{0};
  bool child_ended = false;
  const auto log = quiet().write_to_null().with_queue().create_logger();
  log.on_shutdown(
      [&] {
        ++runs;
        child_ended = ends_in_a_child([&] {
          const auto report = log.shutdown(cairn::ShutdownStrategy::graceful(10s));
          return report.status == cairn::ShutdownStatus::in_progress && runs == 1;
        });
      },
      {.timeout = 1h});
  EXPECT_EQ(log.shutdown(cairn::ShutdownStrategy::graceful(1h)).status, cairn::ShutdownStatus::completed);
  EXPECT_TRUE(child_ended);
  EXPECT_EQ(runs, 1);
}

TEST_F(P8ForkAtWork, of_callbacks_leaves_those_that_wait_to_the_parent) {
  std::promise<void> inside;
  std::promise<void> go;
  std::atomic<int> waiting_ran{0};
  ASSERT_TRUE(cairn::detail::notify([&] {
    inside.set_value();
    go.get_future().wait();
  }));
  inside.get_future().wait();
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(cairn::detail::notify([&] { ++waiting_ran; }));
  EXPECT_TRUE(ends_in_a_child([&] {
    std::promise<void> ran;
    if (!cairn::detail::notify([&] { ran.set_value(); })) return false;
    return ran.get_future().wait_for(10s) == std::future_status::ready && waiting_ran == 0;
  }));
  std::promise<void> last;
  ASSERT_TRUE(cairn::detail::notify([&] { last.set_value(); }));
  go.set_value();
  last.get_future().wait();
  EXPECT_EQ(waiting_ran, 3);
}

TEST_F(P8ForkAtWork, of_periodic_metrics_ends_in_the_child_without_them) {
  const auto log = quiet().write_to_null().with_queue().periodic_metrics(1h).create_logger();
  EXPECT_TRUE(ends_in_a_child(
      [&] { return log.shutdown(cairn::ShutdownStrategy::graceful(10s)).status == cairn::ShutdownStatus::completed; }));
}

/// A filter's, which takes its time to go.
struct SlowToGo {
  std::promise<void>* inside;
  std::shared_future<void> go;
  ~SlowToGo() {
    inside->set_value();
    go.wait();
  }
};

TEST_F(P8ForkAtWork, of_a_logger_that_ends_touches_nothing_that_is_gone) {
  std::promise<void> inside;
  std::promise<void> go;
  auto slow = std::make_shared<SlowToGo>(&inside, go.get_future().share());
  auto config = quiet().write_to(
      cairn::SinkSpec::null().with_name("first").with_filter([slow](const cairn::Event&) { return slow != nullptr; }));
  slow = nullptr;
  config.write_to(cairn::SinkSpec::null().with_name("second"));
  std::optional<cairn::Logger> log(config.create_logger());
  config = {};
  std::thread thread([&] { log.reset(); });
  inside.get_future().wait();
  EXPECT_TRUE(
      ends_in_a_child([&] {  // the second is still there, and what it stands in mostly not (with ASan, it says so)
        quiet().write_to_null().create_logger().information("child");
        return true;
      }));
  go.set_value();
  thread.join();
}

/// Compresses nothing; stands still where it is told to.
struct Gate {
  std::promise<void> inside;
  std::shared_future<void> go;
};
Gate* gate = nullptr;
struct Still final : cairn::detail::CompressorStream {
  bool add(std::string_view input, cairn::OutputBuffer& out) override {
    if (Gate* at = std::exchange(gate, nullptr)) {
      at->inside.set_value();
      at->go.wait();
    }
    out.append(input);
    return true;
  }
  bool finish(cairn::OutputBuffer&) override { return true; }
};

TEST_F(P8ForkAtWork, of_compression_is_not_waited_for_and_goes_on_in_the_child) {
  using namespace cairn::detail;
  register_compressor(cairn::Compress::gzip,
                      []() -> std::unique_ptr<CompressorStream> { return std::make_unique<Still>(); });
  cairn::testing::LogFolder folder;
  cairn::testing::ManualClock clock;
  cairn::testing::ScriptedFileOps ops;
  const cairn::FileOptions options{.max_file_bytes = 4, .compress = cairn::Compress::gzip};
  std::promise<void> go;
  Gate stands{{}, go.get_future().share()};
  gate = &stands;
  {
    RollingFile file(folder.path("app.log"), options, ops, clock);
    for (const char* line : {"aaa", "bbb"}) ASSERT_FALSE(cairn::testing::append(file, line, clock.wall).error);
    stands.inside.get_future().wait();
    EXPECT_TRUE(ends_in_a_child([&] {
      {
        RollingFile own(folder.path("child.log"), options, ops, clock);
        for (const char* line : {"ccc", "ddd"}) {
          if (cairn::testing::append(own, line, clock.wall).error) return false;
        }
        own.wait_for_housekeeping();
        if (own.count(FileCount::files_compressed) != 1) return false;
      }
      for (const char* line : {"ccc", "ddd"}) {
        if (cairn::testing::append(file, line, clock.wall).error) return false;
      }
      file.~RollingFile();  // would wait for the thread
      return true;
    }));
    go.set_value();
    file.wait_for_housekeeping();
  }
}

}  // namespace
