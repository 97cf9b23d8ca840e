// What a logger's shutdown handlers hold: it goes once the logger is shut down, the logger itself included.
#include <gtest/gtest.h>

#include <cairn/all.hpp>
#include <chrono>
#include <memory>
#include <thread>

namespace {

using cairn::ShutdownStrategy;
using namespace std::chrono_literals;

TEST(LoggerShutdown, lets_its_handlers_go_when_it_is_over) {
  for (const auto strategy : {ShutdownStrategy::graceful(1min), ShutdownStrategy::immediate()}) {
    auto held = std::make_shared<int>(7);
    const std::weak_ptr<int> seen = held;
    const auto log = cairn::Configuration{}.write_to_null().create_logger();
    log.on_shutdown([held, log] {});  // the logger holds itself until then
    held.reset();
    EXPECT_FALSE(seen.expired());
    log.shutdown(strategy);
    // After immediate() there may have been no time to wait for it.
    while (strategy.kind() == ShutdownStrategy::Kind::immediate && !seen.expired()) std::this_thread::yield();
    EXPECT_TRUE(seen.expired());
  }
}

TEST(LoggerShutdown, keeps_no_handler_that_comes_after_it) {
  auto held = std::make_shared<int>(7);
  const std::weak_ptr<int> seen = held;
  const auto log = cairn::Configuration{}.write_to_null().create_logger();
  log.shutdown(ShutdownStrategy::graceful(1min));
  const auto id = log.on_shutdown([held = std::move(held), log] {});
  EXPECT_TRUE(seen.expired());
  EXPECT_FALSE(log.remove_shutdown_handler(id));
}

TEST(LoggerShutdown, by_the_handle_that_only_a_handler_held_ends_well) {
  auto held = std::make_shared<int>(7);
  const std::weak_ptr<int> seen = held;
  {
    const auto log = cairn::Configuration{}.write_to_null().with_queue().create_logger();
    auto other = std::make_unique<cairn::Logger>(log);
    log.on_shutdown([held, other = std::shared_ptr<cairn::Logger>(std::move(other))] {});
    held.reset();
    log.shutdown(ShutdownStrategy::graceful(1min));
  }
  EXPECT_TRUE(seen.expired());
}

}  // namespace
