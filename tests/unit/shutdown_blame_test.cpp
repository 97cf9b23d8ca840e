// What a shutdown says where the dispatcher does not get to what is in the lanes.
#include <gtest/gtest.h>

#include <atomic>
#include <cairn/all.hpp>
#include <chrono>
#include <thread>

#include "dispatch/dispatcher.hpp"
#include "dispatch/lane_root.hpp"

namespace {

using namespace std::chrono_literals;

TEST(ShutdownBesideABusyDispatcher, blames_no_filter) {
  cairn::Configuration config;
  config.write_to_null().with_queue();
  const auto log = config.create_logger();
  log.information("x");
  ASSERT_EQ(log.flush().status, cairn::FlushStatus::ok);

  const cairn::detail::LaneRoot another;
  std::atomic<bool> holds{false};
  std::atomic<bool> over{false};
  std::thread holder([&] {
    EXPECT_TRUE(cairn::detail::Dispatcher::instance().at_rest(
        another,
        [&](const cairn::detail::LaneCounts&) {
          holds = true;
          holds.notify_all();
          over.wait(false);
        },
        1min));
  });
  holds.wait(false);
  const cairn::ShutdownReport report = log.shutdown(cairn::ShutdownStrategy::immediate());
  over = true;
  over.notify_all();
  holder.join();
  EXPECT_FALSE(report.filters_timed_out) << "there is none";
  EXPECT_TRUE(report.logger.stalled);
}

}  // namespace
