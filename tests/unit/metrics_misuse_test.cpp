// An account kept by hand that is told what cannot be: its sums hold, and its texts can be read.
#include <gtest/gtest.h>

#include <cairn/metrics.hpp>
#include <cairn/sink_counters.hpp>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "support/metrics_support.hpp"

namespace {

using cairn::Metrics;
using cairn::testing::expect_sums_hold;

TEST(MisusedMetrics, take_what_ended_and_was_not_accepted_as_accepted_until_it_is) {
  Metrics metrics;
  auto& sink = metrics.sink("a");
  sink.emit(5);
  metrics.drop("oom", 2);
  auto now = metrics.snapshot();
  expect_sums_hold(now);
  EXPECT_EQ(now.sinks[0].accepted, 5U);
  EXPECT_EQ(now.sinks[0].pending, 0U);
  EXPECT_EQ(now.logger.captured, 2U);
  EXPECT_EQ(now.logger.in_lane, 0U);
  sink.accept(6);  // five of them are those from before
  metrics.capture(3);
  now = metrics.snapshot();
  expect_sums_hold(now);
  EXPECT_EQ(now.sinks[0].accepted, 6U);
  EXPECT_EQ(now.sinks[0].pending, 1U);
  EXPECT_EQ(now.logger.captured, 3U);
  EXPECT_EQ(now.logger.in_lane, 1U);
}

TEST(MisusedMetrics, hold_their_sums_across_a_reset_in_the_middle_of_it) {
  Metrics metrics;
  auto& sink = metrics.sink("a");
  sink.fail("io_error", 3);
  metrics.reset();
  expect_sums_hold(metrics.snapshot());
  EXPECT_EQ(metrics.snapshot().sinks[0].accepted, 0U);
  sink.divert(2);
  sink.accept(6);
  const auto now = metrics.snapshot();
  expect_sums_hold(now);
  EXPECT_EQ(now.sinks[0].diverted, 2U);
  EXPECT_EQ(now.sinks[0].pending, 1U);
}

TEST(MisusedMetrics, tell_names_apart_as_both_texts_show_them) {
  Metrics metrics;
  metrics.sink("a\xFF").accept(1);
  metrics.sink("a\xFE").accept(2);
  auto& sink = metrics.sink("a\xEF\xBF\xBD");
  sink.accept(3);
  EXPECT_EQ(&sink, &metrics.sink("a\x80"));
  sink.fail("x\xFF");
  sink.fail("x\xFE");
  sink.fail("");
  sink.drop("y\xC3");
  sink.drop("y\xC2");
  sink.count("c\xFF");
  sink.count("c\xFE");
  metrics.reject("r\xFF");
  metrics.reject("r\xFE");
  metrics.talk("T\xFF {A}");
  metrics.talk("T\xFE {A}");
  const auto now = metrics.snapshot();
  ASSERT_EQ(now.sinks.size(), 1U);
  EXPECT_EQ(now.sinks[0].accepted, 6U);
  EXPECT_EQ(now.sinks[0].failed.at("x\xEF\xBF\xBD"), 2U);
  EXPECT_EQ(now.sinks[0].failed.at("other"), 1U) << "no reason is one";
  EXPECT_EQ(now.sinks[0].dropped.at("y\xEF\xBF\xBD"), 2U);
  EXPECT_EQ(now.sinks[0].counters.at("c\xEF\xBF\xBD"), 2U);
  EXPECT_EQ(now.logger.rejected.at("r\xEF\xBF\xBD"), 2U);
  cairn::testing::expect_both_texts_say_the_same(now);  // each series once
}

TEST(MisusedMetrics, refuse_names_of_a_sinks_own_counters_that_the_texts_could_not_tell_apart) {
  EXPECT_THROW((void)cairn::SinkCounters::named({"a\xFF"}), std::invalid_argument);
  EXPECT_EQ(cairn::SinkCounters::named({"\xC3\xA9\xEF\xBF\xBD"})->size(), 1U);
}

}  // namespace
