// P13: each allocation of a shutdown fails in turn, or all from it on. What is queued is delivered all the same.
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cairn/all.hpp>
#include <cairn/memory_sink.hpp>
#include <cairn/signals.hpp>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "support/allocation_probe.hpp"
#include "support/in_child.hpp"
#include "support/log_folder.hpp"
#include "support/number_file_sink.hpp"

namespace {

using namespace std::chrono_literals;
using cairn::testing::NumberFileSink;
using cairn::testing_support::FailingAllocations;

constexpr int count = 100;

/// Takes so long that a shutdown which does not wait is back before it.
struct SlowSink : cairn::Sink {
  std::atomic<int> taken{0};
  cairn::EmitResult emit(std::span<const cairn::Event> events) override {
    std::this_thread::sleep_for(1ms);
    taken += static_cast<int>(events.size());
    return cairn::EmitResult::all(events);
  }
};

/// Shuts down with `failures` allocations that fail once `left` have not. True: none was left to fail.
bool shuts_down(std::size_t left, std::size_t failures) {
  const auto sink = std::make_shared<SlowSink>();
  cairn::Configuration config;
  config.on_internal_error([](std::string_view) {})
      .on_shutdown([] {}, {.timeout = 1min})
      .write_to(sink, "slow")
      .with_queue({.batch_size = 5});
  const auto log = config.create_logger();
  for (int i = 0; i < count; ++i) log.information("{N}", i);
  cairn::ShutdownReport report;
  const auto strategy = cairn::ShutdownStrategy::graceful(1min);
  const std::size_t before = cairn::testing_support::allocations();
  {
    const FailingAllocations failing(left, failures);
    report = log.shutdown(strategy);
  }
  const std::size_t made = cairn::testing_support::allocations() - before;
  EXPECT_EQ(sink->taken, count) << left;
  if (const auto* slow = report.sink("slow")) {
    EXPECT_EQ(slow->emitted, std::uint64_t{count}) << left;
  }
  EXPECT_FALSE(log.is_enabled(cairn::Level::fatal)) << left;
  return failures != 0 && made <= left && report.status == cairn::ShutdownStatus::completed;
}

TEST(P13OutOfMemory, at_any_allocation_of_a_shutdown_loses_nothing_that_is_queued) {
  for (const std::size_t failures : {std::size_t{1}, SIZE_MAX}) {
    std::size_t left = 0;
    while (left < 200 && !shuts_down(left, failures)) ++left;
    EXPECT_GT(left, 5U);
    EXPECT_LT(left, 200U) << "with enough memory all is well";
  }
}

/// The same of handlers: each runs, once, before those of a lower priority.
bool runs_handlers(std::size_t left, std::size_t failures) {
  cairn::Shutdown shutdown;
  std::atomic<int> ran{0};
  std::atomic<bool> in_order{true};
  const std::string name = "a name that takes memory to be copied";
  for (int i = 0; i < 6; ++i) {
    shutdown.on_shutdown(
        [&, i] {
          if ((i < 3) != (ran.fetch_add(1) >= 3)) in_order = false;
        },
        {.priority = i / 3, .timeout = 1min, .name = name});
  }
  cairn::ShutdownReport report;
  const std::size_t before = cairn::testing_support::allocations();
  {
    const FailingAllocations failing(left, failures);
    report = shutdown.execute(cairn::ShutdownStrategy::graceful(2min));
  }
  const std::size_t made = cairn::testing_support::allocations() - before;
  EXPECT_EQ(ran, 6) << left;
  EXPECT_TRUE(in_order) << left;
  const bool all_is_well = made <= left && report.status == cairn::ShutdownStatus::completed;
  if (all_is_well) {
    EXPECT_EQ(report.handlers.size(), 6U) << left;
  }
  // There is memory again, and they run again.
  shutdown.reset();
  report = shutdown.execute(cairn::ShutdownStrategy::graceful(2min));
  EXPECT_EQ(ran, 12) << left;
  EXPECT_EQ(report.status, cairn::ShutdownStatus::completed) << left;
  EXPECT_EQ(report.handlers.size(), 6U) << left;
  return all_is_well;
}

TEST(P13OutOfMemory, at_any_allocation_of_a_shutdown_runs_its_handlers_all_the_same) {
  for (const std::size_t failures : {std::size_t{1}, SIZE_MAX}) {
    std::size_t left = 0;
    while (left < 200 && !runs_handlers(left, failures)) ++left;
    EXPECT_GT(left, 5U);
    EXPECT_LT(left, 200U) << "with enough memory all is well";
  }
}

TEST(P13OutOfMemory, an_exit_without_any_delivers_what_is_queued_in_every_logger) {
  const cairn::testing::LogFolder folder;
  constexpr std::string_view names[] = {"first", "second"};
  for (std::size_t left = 0; left < 12; ++left) {
    EXPECT_EQ(cairn::testing::in_child([&]() -> int {
                ::alarm(60);
                for (const auto name : names) {
                  const auto sink = std::make_shared<NumberFileSink>(folder.path(std::string(name)));
                  sink->fails = false;
                  cairn::Configuration config;
                  config.on_internal_error([](std::string_view) {}).write_to(sink, "file").with_queue();
                  const auto& log = *new cairn::Logger(config.create_logger());
                  for (int i = 0; i < count; ++i) log.information("{N}", i);
                }
                const FailingAllocations failing(left);
                std::quick_exit(3);
              }),
              3)
        << left;
    for (const auto name : names) {
      std::string expected;
      for (int i = 0; i < count; ++i) expected += std::to_string(i) + '\n';
      EXPECT_EQ(folder.read(std::string(name)), expected) << left;
      std::filesystem::remove(folder.path(std::string(name)));
    }
  }
}

TEST(P13OutOfMemory, an_end_without_any_delivers_what_is_queued_and_counts_what_signal_handlers_left) {
  for (std::size_t left = 0; left < 12; ++left) {
    const auto sink = std::make_shared<cairn::MemorySink>();
    const auto log = cairn::Configuration{}.write_to(sink, "memory").with_queue().create_logger();
    cairn::set_logger(log);
    for (int i = 0; i < count; ++i) cairn::information("{N}", i);
    EXPECT_TRUE(cairn::log_signal_safe(cairn::Level::warning, "last words"));
    {
      const FailingAllocations failing(left);
      cairn::close_and_flush();
    }
    EXPECT_EQ(sink->events().size() + log.metrics().logger.rejected_total(), count + 1U) << left;
    EXPECT_GE(sink->events().size(), std::size_t{count}) << left;
    EXPECT_FALSE(cairn::log().is_enabled(cairn::Level::fatal));
  }
}

}  // namespace
