// The memory budget of the process and what events need beside their records: the properties of their loggers, their
// contexts, templates known only at run time.
#include <gtest/gtest.h>

#include <atomic>
#include <cairn/all.hpp>
#include <string>
#include <thread>
#include <vector>

#include "../support/budget_tests.hpp"
#include "../support/gate_sink.hpp"
#include "../support/metrics_support.hpp"

namespace {

using cairn::testing::dropped;
using cairn::testing::expect_sums_hold;
using cairn::testing::GateSink;
using cairn::testing::MiB;
using cairn::testing::quiet;
using namespace std::chrono_literals;

class MemoryBesideRecords : public cairn::testing::Alone {};
class BlockingLoggers : public cairn::testing::Alone, public testing::WithParamInterface<int> {};

/// Waits until nothing is on its way to the queues.
void reach_the_queues(const cairn::Logger& log) {
  while (log.metrics().logger.in_lane != 0) std::this_thread::yield();
}

/// A template of so many holes, like no other of that number.
std::string many_holes(int holes, int number) {
  std::string text;
  for (int i = 0; i < holes; ++i) text += "{A}";
  return text + std::to_string(number);
}

TEST_F(MemoryBesideRecords, the_properties_of_loggers_that_queued_events_need_are_within_it) {
  constexpr std::size_t each = 10'000;
  const auto gate = std::make_shared<GateSink>();
  std::atomic<bool> pass{true};
  const auto log = quiet()
                       .memory_budget({.max_bytes = 2 * MiB})
                       .filter_by([&](const cairn::Event&) {
                         pass.wait(false);
                         return true;
                       })
                       .write_to(gate, "gate")
                       .with_queue({.max_size = 100'000})
                       .create_logger();
  log.information("first");
  ASSERT_EQ(gate->wait_inside(), 1U);
  for (int i = 0; i < 2000; ++i) {
    pass = i % 400 >= 399;  // many come at once, and share their batches
    pass.notify_all();
    log.for_context("Own", std::string(each, 'o')).information("{Number}", i);
    if (pass) reach_the_queues(log);
  }
  reach_the_queues(log);
  const cairn::MetricsSnapshot now = log.metrics();
  EXPECT_LE(now.sinks[0].queue_depth * each, 2 * MiB);
  EXPECT_GT(dropped(now.sinks[0].dropped, "memory_limit"), 1500U);
  EXPECT_LE(now.memory.peak_bytes, 2 * MiB);
  expect_sums_hold(now);
  gate->open();
  ASSERT_EQ(log.flush(60s).status, cairn::FlushStatus::ok);
  EXPECT_EQ(gate->kept().back().number, 1999);
}

TEST_F(MemoryBesideRecords, templates_of_run_time_that_queued_events_need_are_within_it) {
  constexpr int holes = 300;
  constexpr std::size_t least = holes * 100;  // of what such a template takes
  const auto gate = std::make_shared<GateSink>();
  const auto log = quiet()
                       .memory_budget({.max_bytes = 2 * MiB})
                       .write_to(gate, "gate")
                       .with_queue({.max_size = 100'000})
                       .create_logger();
  log.information("first");
  ASSERT_EQ(gate->wait_inside(), 1U);
  for (int i = 0; i < 1000; ++i) {
    log.write(cairn::Level::information, cairn::dynamic_template(many_holes(holes, i)), i);
    if (i % 10 == 0) reach_the_queues(log);
  }
  reach_the_queues(log);
  const cairn::MetricsSnapshot now = log.metrics();
  EXPECT_LE(now.sinks[0].queue_depth * least, 2 * MiB);
  EXPECT_GT(dropped(now.sinks[0].dropped, "memory_limit"), 500U);
  EXPECT_LE(now.memory.peak_bytes, 2 * MiB);
  expect_sums_hold(now);
  gate->open();
  EXPECT_EQ(log.flush(60s).status, cairn::FlushStatus::ok);
}

TEST_F(MemoryBesideRecords, a_template_that_takes_more_than_an_eighth_of_it_costs_its_event_and_no_other) {
  const auto sink = std::make_shared<GateSink>(true);
  for (const auto overflow : {cairn::Overflow::drop_oldest, cairn::Overflow::block}) {
    const auto log = quiet()
                         .memory_budget({.max_bytes = 2 * MiB})
                         .write_to(sink, "sink")
                         .with_queue({.overflow = overflow})
                         .create_logger();
    for (const int holes : {3000, 20'000}) {  // in a block, and over it
      log.write(cairn::Level::information, cairn::dynamic_template(many_holes(holes, 0)), 1);
      log.information("{Number}", holes);
      ASSERT_EQ(log.flush(60s).status, cairn::FlushStatus::ok);
      ASSERT_FALSE(sink->kept().empty());
      EXPECT_EQ(sink->kept().back().number, holes);
    }
    const cairn::MetricsSnapshot now = log.metrics();
    EXPECT_EQ(dropped(now.logger.dropped, "memory_limit"), 2U);
    EXPECT_EQ(now.sinks[0].emitted, 2U);
    expect_sums_hold(now);
  }
}

TEST_F(MemoryBesideRecords, events_of_a_logger_with_more_properties_than_there_is_memory_are_delivered) {
  const auto sink = std::make_shared<GateSink>(true);
  const auto log = quiet().memory_budget({.max_bytes = MiB}).write_to(sink, "sink").with_queue().create_logger();
  cairn::Logger large = log.for_context("Own0", std::string(60'000, 'o'));
  for (int i = 1; i < 20; ++i) large = large.for_context("Own" + std::to_string(i), std::string(60'000, 'o'));
  for (int i = 0; i < 100; ++i) large.information("{Number}", i);
  ASSERT_EQ(log.flush(60s).status, cairn::FlushStatus::ok);
  EXPECT_EQ(sink->kept().size(), 100U);
}

TEST_P(BlockingLoggers, deliver_events_with_contexts_and_enrichments_however_little_is_theirs) {
  std::vector<std::shared_ptr<GateSink>> sinks;
  std::vector<cairn::Logger> loggers;
  for (int i = 0; i < GetParam(); ++i) {
    sinks.push_back(std::make_shared<GateSink>(true));
    loggers.push_back(quiet()
                          .memory_budget({.max_bytes = 2 * MiB})
                          .enrich_with_property("Added", "to each")
                          .write_to(sinks.back(), "sink")
                          .with_queue({.overflow = cairn::Overflow::block, .block_timeout = 60s})
                          .create_logger());
  }
  const auto scope = cairn::LogContext::push("Context", "of each");
  for (const cairn::Logger& log : loggers) {
    for (int i = 0; i < 100; ++i) log.information("{Number}", i);
  }
  for (std::size_t i = 0; i < loggers.size(); ++i) {
    EXPECT_EQ(loggers[i].flush(60s).status, cairn::FlushStatus::ok);
    EXPECT_EQ(sinks[i]->kept().size(), 100U);
  }
}
INSTANTIATE_TEST_SUITE_P(SoMany, BlockingLoggers, testing::Values(1, 2, 4));

}  // namespace
