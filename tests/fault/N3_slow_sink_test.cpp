// N1, N3: sinks that throw again and again, or are ten times too slow. Their breaker opens, what they did not take goes
// to the fallback in order, and their neighbours notice nothing.
#include <gtest/gtest.h>

#include <cairn/all.hpp>
#include <thread>

#include "support/scripted_sink.hpp"

namespace {

using namespace std::chrono_literals;
using cairn::CircuitState;
using cairn::testing::comes_true;
using cairn::testing::range;
using cairn::testing::ScriptedSink;
using cairn::testing::TurnedClock;

struct Ugly {};

TEST(N1Breaker, takes_whatever_is_thrown_for_a_failure_tries_the_same_events_first_and_then_diverts_them) {
  auto sink = std::make_shared<ScriptedSink>();
  auto other = std::make_shared<ScriptedSink>();
  auto fallback = std::make_shared<ScriptedSink>();
  int calls = 0;
  std::vector<std::int64_t> firsts;
  sink->in_emit = [&](const std::vector<std::int64_t>& numbers) {
    firsts.push_back(numbers.front());
    switch (++calls) {
      case 1: throw std::runtime_error("text");
      case 2: throw 42;
      default: throw Ugly{};
    }
  };
  cairn::Configuration config;
  config.on_internal_error([](std::string_view) {});
  config.write_to(sink, "sink")
      .with_queue()
      .with_circuit_breaker({.failures = 3})
      .with_fallback(cairn::SinkSpec::sink(fallback, "fallback"));
  config.write_to(other, "other").with_queue();
  const auto log = config.create_logger();
  for (std::int64_t i = 0; i < 1000; ++i) log.information("{Number}", i);
  ASSERT_EQ(log.flush().status, cairn::FlushStatus::ok);
  EXPECT_EQ(firsts, (std::vector<std::int64_t>{0, 0, 0}));
  EXPECT_EQ(fallback->numbers(), range(0, 1000));
  EXPECT_EQ(other->numbers(), range(0, 1000));
  EXPECT_EQ(log.circuit_breaker("sink")->state(), CircuitState::open);
  const cairn::MetricsSnapshot now = log.metrics();
  EXPECT_EQ(now.sink("sink")->diverted, 1000U);
  EXPECT_EQ(now.sink("sink")->failed_total() + now.sink("sink")->dropped_total(), 0U);
}

TEST(N3SlowSink, opens_its_breaker_and_costs_its_neighbour_nothing) {
  TurnedClock clock;
  auto slow = std::make_shared<ScriptedSink>();
  auto other = std::make_shared<ScriptedSink>();
  auto fallback = std::make_shared<ScriptedSink>();
  slow->in_emit = [&](const std::vector<std::int64_t>&) { clock.turn(100ms); };
  cairn::Configuration config;
  config.use_clock(clock).on_internal_error([](std::string_view) {});
  config.write_to(slow, "slow")
      .with_queue({.batch_size = 1})
      .with_circuit_breaker({.failures = 1000, .timeout = 5min, .failure_rate = 0.8, .slow_after = 50ms})
      .with_fallback(cairn::SinkSpec::sink(fallback, "fallback"));
  config.write_to(other, "other").with_queue().with_circuit_breaker();
  const auto log = config.create_logger();
  for (std::int64_t i = 0; i < 1000; ++i) log.information("{Number}", i);
  ASSERT_TRUE(comes_true([&] { return log.metrics().sink("fallback")->emitted == 990; }));
  EXPECT_EQ(slow->numbers(), range(0, 10)) << "ten samples are enough to judge by";
  EXPECT_EQ(fallback->numbers(), range(10, 1000));
  ASSERT_TRUE(comes_true([&] { return log.metrics().sink("other")->emitted == 1000; }));
  EXPECT_EQ(other->numbers(), range(0, 1000));
  EXPECT_EQ(log.circuit_breaker("other")->state(), CircuitState::closed);
  (void)log.close();  // before the clock goes
}

}  // namespace
