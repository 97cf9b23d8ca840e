// A sink that blocks where the process has a memory budget: its callers wait for memory, once.
#include <gtest/gtest.h>

#include <atomic>
#include <cairn/all.hpp>
#include <map>
#include <string>
#include <thread>

#include "support/budget_tests.hpp"
#include "support/gate_sink.hpp"

namespace {

using cairn::testing::GateSink;
using cairn::testing::MiB;
using cairn::testing::quiet;
using namespace std::chrono_literals;

using BlockingUnderABudget = cairn::testing::Alone;

TEST_F(BlockingUnderABudget, callers_are_let_go_when_the_logger_is_shut_down) {
  const auto gate = std::make_shared<GateSink>();
  auto log = quiet()
                 .memory_budget({.max_bytes = MiB})
                 .write_to(gate, "gate")
                 .with_queue({.overflow = cairn::Overflow::block, .block_timeout = 1h})
                 .create_logger();
  std::atomic<int> calls{0};
  std::thread caller([&] {  // more than there is room for: it waits, for memory, until it is let go
    for (int i = 0; i < 40; ++i) {
      ++calls;
      log.information("{Text}", std::string(100'000, 'x'));
    }
  });
  (void)gate->wait_inside();
  for (int before = -1, same = 0; same < 1000; std::this_thread::yield()) {
    same = calls == before ? same + 1 : 0;
    before = calls;
  }
  (void)log.shutdown(cairn::ShutdownStrategy::graceful(100ms));
  caller.join();
  EXPECT_GE(log.metrics().logger.rejected["after_shutdown"], 20U);
  gate->open();
}

/// Beside a synchronous sink, with an event in the sink that blocks that has all the memory there is for it.
class BesideASynchronousSink : public BlockingUnderABudget {
 protected:
  [[nodiscard]] cairn::Logger blocking(std::chrono::nanoseconds timeout) const {
    return quiet()
        .capture_limits({.string_bytes = MiB})
        .memory_budget({.max_bytes = MiB})
        .write_to_null()
        .write_to(gate_, "gate")
        .with_queue({.overflow = cairn::Overflow::block, .block_timeout = timeout})
        .create_logger();
  }
  const std::shared_ptr<GateSink> gate_ = std::make_shared<GateSink>();
  const std::string large_ = std::string(100'000, 'x');
};

TEST_F(BesideASynchronousSink, callers_that_wait_for_memory_are_let_go_when_the_logger_is_shut_down) {
  const auto log = blocking(60s);
  log.information("{Text}", large_);
  (void)gate_->wait_inside();
  std::atomic<bool> waits{false};
  std::atomic<bool> gone{false};
  std::thread caller([&] {
    waits = true;
    log.information("{Text}", large_);
    gone = true;
  });
  while (!waits || log.metrics().sinks[0].accepted != 2) std::this_thread::yield();
  (void)log.shutdown(cairn::ShutdownStrategy::graceful(100ms));
  const auto until = std::chrono::steady_clock::now() + 20s;
  while (!gone && std::chrono::steady_clock::now() < until) std::this_thread::yield();
  EXPECT_TRUE(gone);
  caller.join();
  EXPECT_EQ(log.metrics().sinks[1].dropped["shutdown"], 1U);
  gate_->open();
}

TEST_F(BesideASynchronousSink, events_for_which_there_came_no_memory_in_time_are_counted_as_such) {
  const auto log = blocking(1ms);
  log.information("{Text}", large_);
  (void)gate_->wait_inside();
  log.information("{Text}", large_);
  EXPECT_EQ(log.metrics().sinks[1].dropped, (std::map<std::string, std::uint64_t>{{"block_timeout", 1}}));
  gate_->open();
}

}  // namespace
