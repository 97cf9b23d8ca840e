// A sink that blocks where the process has a memory budget: its callers wait for memory, once.
#include <gtest/gtest.h>

#include <atomic>
#include <cairn/all.hpp>
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

}  // namespace
