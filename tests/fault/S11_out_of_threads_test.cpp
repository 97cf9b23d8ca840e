// S11: the system gives the process no more threads. What was logged waits in its queue, nothing throws or hangs, and
// every event is in a count; once there are threads again it is delivered, at the latest when the logger is shut down.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <cairn/all.hpp>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <thread>

#include "support/in_child.hpp"
#include "support/sanitizers.hpp"

namespace {

using namespace std::chrono_literals;

constexpr uid_t somebody = 54'321;  // the limit is one of a user's, and none for root

bool may_have_threads(bool yes) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NPROC, &limit) != 0) return false;
  limit.rlim_cur = yes ? limit.rlim_max : 0;
  return ::setrlimit(RLIMIT_NPROC, &limit) == 0;
}

class S11OutOfThreads : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "it takes root to become another user";
    if (cairn::testing::under_thread_sanitizer) GTEST_SKIP() << "it lets no child of several threads start one";
  }
  static cairn::Configuration quiet() {
    cairn::Configuration config;
    config.on_internal_error([](std::string_view) {});
    return config;
  }
};

TEST_F(S11OutOfThreads, keeps_events_in_their_queue_until_there_are_some_again) {
  EXPECT_EQ(cairn::testing::in_child([] {
              ::alarm(60);
              const auto sink = std::make_shared<cairn::MemorySink>();
              const auto log = quiet().write_to(sink, "memory").with_queue().create_logger();
              if (::setresuid(somebody, somebody, somebody) != 0 || !may_have_threads(false)) return 1;
              for (int i = 0; i < 3; ++i) log.information("{Number}", i);
              if (log.flush(10s).status == cairn::FlushStatus::ok) return 2;
              const auto metrics = log.metrics();
              const auto& counts = metrics.sinks[0];
              if (counts.accepted != 3 || counts.pending != 3 || counts.worker_alive) return 3;
              if (!may_have_threads(true)) return 4;
              log.information("{Number}", 3);
              if (log.flush(10s).status != cairn::FlushStatus::ok) return 5;
              return sink->size() == 4 ? 0 : 6;
            }),
            0);
}

TEST_F(S11OutOfThreads, delivers_at_shutdown_on_the_thread_that_asks_for_it) {
  EXPECT_EQ(cairn::testing::in_child([] {
              ::alarm(60);
              const auto sink = std::make_shared<cairn::MemorySink>();
              const auto log = quiet().write_to(sink, "memory").with_queue().create_logger();
              if (::setresuid(somebody, somebody, somebody) != 0 || !may_have_threads(false)) return 1;
              for (int i = 0; i < 3; ++i) log.information("{Number}", i);
              const auto report = log.shutdown(cairn::ShutdownStrategy::graceful(10s));
              if (report.status != cairn::ShutdownStatus::completed) return 2;
              const cairn::ShutdownSink& counts = report.sinks[0];
              if (counts.accepted != 3 || counts.emitted != 3 || counts.pending != 0) return 3;
              return sink->size() == 3 ? 0 : 4;
            }),
            0);
}

TEST_F(S11OutOfThreads, ends_in_its_time_beside_a_sink_that_hangs_N2) {
  EXPECT_EQ(cairn::testing::in_child([] {
              ::alarm(60);
              const auto sink = std::make_shared<cairn::MemorySink>();
              std::atomic<bool> inside{false};
              auto config = quiet();
              config
                  .write_to_callback([&](const cairn::Event&) {
                    inside = true;
                    std::this_thread::sleep_for(1h);
                  })
                  .with_name("hung")
                  .with_queue();
              config.write_to(sink, "memory").with_queue();
              const auto log = config.create_logger();
              for (int i = 0; i < 100; ++i) log.information("{Number}", i);
              while (!inside) std::this_thread::yield();
              if (::setresuid(somebody, somebody, somebody) != 0 || !may_have_threads(false)) return 1;
              const auto begun = std::chrono::steady_clock::now();
              const auto report = log.shutdown(cairn::ShutdownStrategy::graceful(1s));
              if (std::chrono::steady_clock::now() - begun > 20s) return 2;
              if (report.status != cairn::ShutdownStatus::timed_out || !report.sink("hung")->timed_out) return 3;
              if (report.sink("memory")->timed_out || report.sink("memory")->emitted != 100) return 4;
              ::_exit(sink->size() == 100 ? 0 : 5);  // with a thread that never comes back
            }),
            0);
}

TEST_F(S11OutOfThreads, counts_what_a_sink_then_does_not_take) {
  EXPECT_EQ(cairn::testing::in_child([] {
              ::alarm(60);
              const auto log = quiet()
                                   .write_to_callback([](const cairn::Event&) { throw std::runtime_error("no"); })
                                   .with_queue()
                                   .create_logger();
              if (::setresuid(somebody, somebody, somebody) != 0 || !may_have_threads(false)) return 1;
              for (int i = 0; i < 3; ++i) log.information("{Number}", i);
              const auto report = log.shutdown(cairn::ShutdownStrategy::graceful(10s));
              const auto& failed = report.sinks[0].failed;
              return failed.find("sink_threw") != failed.end() && failed.at("sink_threw") == 3 ? 0 : 2;
            }),
            0);
}

}  // namespace
