// P8: a child that no handler of a fork is told of, by _Fork() or clone(2), delivers nothing of the parent's, and ends
// at once.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cairn/all.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <memory>
#include <string>
#include <thread>

#include "support/fork_test.hpp"
#include "support/log_folder.hpp"

namespace {

using namespace std::chrono_literals;
using cairn::testing::LogFolder;

/// Writes numbers to a file; in the process that made it not before it may.
struct Numbers : cairn::Sink {
  explicit Numbers(const std::string& path)
      : fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)) {}
  ~Numbers() override { ::close(fd); }
  const int fd;
  const pid_t maker = ::getpid();
  std::atomic<bool> inside{false};
  std::atomic<bool> may{false};
  cairn::EmitResult emit(std::span<const cairn::Event> events) override {
    inside = true;
    while (::getpid() == maker && !may) std::this_thread::yield();
    for (const cairn::Event& event : events) {
      const std::string line = std::to_string(*event.property("N")->as_int64()) + '\n';
      if (::write(fd, line.data(), line.size()) < 0) return {};
    }
    return cairn::EmitResult::all(events);
  }
};

class P8PastFork : public cairn::testing::ForkTest {
 protected:
  /// Expects that `body` ends by exit(0) in such a child, in a small part of the time that a shutdown has.
  template <class Body>
  static void expect_to_end_at_once(Body&& body) {
    std::fflush(nullptr);  // exit() would write it once more
    const auto begun = std::chrono::steady_clock::now();
    const auto child = static_cast<pid_t>(::syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr));
    if (child == 0) {
      ::alarm(60);
      body();
      std::exit(0);
    }
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    EXPECT_LT(std::chrono::steady_clock::now() - begun, 20s);
  }
  LogFolder folder;
};

TEST_F(P8PastFork, a_child_writes_nothing_that_waits_in_the_parents_queue_and_ends_at_once) {
  const auto sink = std::make_shared<Numbers>(folder.path("a.log"));
  const cairn::Logger log = quiet().with_shutdown_timeout(1min).write_to(sink, "numbers").with_queue().create_logger();
  for (int i = 0; i < 3; ++i) log.information("{N}", i);
  while (!sink->inside) std::this_thread::yield();
  while (log.metrics().sink("numbers")->accepted != 3) std::this_thread::yield();
  expect_to_end_at_once([&] {
    log.information("{N}", 3);
    if (log.flush(30s).status == cairn::FlushStatus::ok) ::_exit(1);
  });
  sink->may = true;
  EXPECT_EQ(log.flush().status, cairn::FlushStatus::ok);
  EXPECT_EQ(folder.read("a.log"), "0\n1\n2\n");
}

TEST_F(P8PastFork, a_child_logs_to_synchronous_sinks_as_ever) {
  const cairn::Logger log =
      quiet().write_to_file(folder.path("a.log"), {.output_template = "{Message}{NewLine}"}).create_logger();
  log.information("parent");
  expect_to_end_at_once([&] { log.information("child"); });
  EXPECT_EQ(folder.read("a.log"), "parent\nchild\n");
}

TEST_F(P8PastFork, a_child_made_while_its_parent_shuts_a_logger_down_ends_at_once) {
  std::atomic<bool> inside{false};
  std::promise<void> over;
  const cairn::Logger log = quiet()
                                .with_shutdown_timeout(2min)
                                .on_shutdown(
                                    [&] {
                                      inside = true;
                                      over.get_future().wait();
                                    },
                                    {.timeout = 1min})
                                .write_to_null()
                                .create_logger();
  std::thread closes([&] { log.close(); });
  while (!inside) std::this_thread::yield();
  expect_to_end_at_once([&] { EXPECT_EQ(log.shutdown(cairn::ShutdownStrategy::graceful(1min)).sinks.size(), 0U); });
  over.set_value();
  closes.join();
}

TEST_F(P8PastFork, a_child_leaves_the_parents_crash_ring_alone_P1) {
  cairn::Configuration config = quiet();
  config.with_crash_ring({.application = "app", .folder = folder.path()}).with_shutdown_timeout(1min);
  config.write_to_file(folder.path("a.log"), {.output_template = "{N}{NewLine}"}).with_queue();
  const cairn::Logger log = config.create_logger();
  log.information("{N}", 0);
  expect_to_end_at_once([&] {
    log.information("{N}", 1);
    std::thread([&] { log.information("{N}", 2); }).join();
  });
  log.information("{N}", 3);
  EXPECT_EQ(log.flush().status, cairn::FlushStatus::ok);
  EXPECT_EQ(folder.read("a.log"), "0\n3\n");
  log.close();
}

}  // namespace
