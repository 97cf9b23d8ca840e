// A shutdown under way, and a second call of the same kind that has less time.
#include <gtest/gtest.h>

#include <cairn/shutdown.hpp>
#include <chrono>
#include <future>
#include <thread>

namespace {

using cairn::ShutdownHandlerStatus;
using cairn::ShutdownStrategy;
using namespace std::chrono_literals;

TEST(Shutdown, is_cut_short_by_a_graceful_call_that_has_less_time) {
  cairn::Shutdown shutdown;
  std::promise<void> inside;
  std::promise<void> gate;
  shutdown.on_shutdown(
      [&inside, opened = gate.get_future().share()] {
        inside.set_value();
        opened.wait();
      },
      {.timeout = 1h, .name = "hangs"});
  auto first = std::async(std::launch::async, [&] { return shutdown.execute(ShutdownStrategy::graceful(1h)); });
  inside.get_future().wait();
  static_cast<void>(shutdown.execute(ShutdownStrategy::graceful(10ms)));
  const auto report = first.get();  // after an hour, else
  ASSERT_EQ(report.handlers.size(), 1U);
  EXPECT_EQ(report.handlers[0].status, ShutdownHandlerStatus::timed_out);
  gate.set_value();
}

}  // namespace
