// P13: of an event for a sink that blocks and counts bytes, each allocation fails in turn, in its call and on its way
// into the queue. The event is delivered or counted, and the credit it had comes back.
#include <gtest/gtest.h>

#include <cairn/all.hpp>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "support/allocation_probe.hpp"
#include "support/gate_sink.hpp"
#include "support/scripted_sink.hpp"

namespace {

using cairn::testing::comes_true;
using cairn::testing::GateSink;
using cairn::testing_support::FailingAllocations;
using namespace std::chrono_literals;

/// Where the allocation that fails is looked for: behind what of the program runs for an event.
enum class Behind { the_sinks_filter, the_neighbours_filter };

struct P13BlockedBytes : testing::TestWithParam<Behind> {
  ~P13BlockedBytes() override {
    gate->open();
    (void)log.close();
  }
  void make() {
    cairn::Configuration config;
    config.on_internal_error([](std::string_view) {})
        .enrich_with([this](cairn::EventBuilder& e) {
          if (e.event().property("Left")) e.add("Added", std::string(100, 'a'));
          failing.reset();
        })
        .write_to(gate, "gate")
        .with_queue({.max_size = 1000, .batch_size = 1, .overflow = cairn::Overflow::block, .block_timeout = 20ms})
        .with_memory_limit(16 << 10)
        .with_filter((cairn::filters::level(cairn::Level::error) || cairn::filters::sample_every(2)) &&
                     cairn::Filter([this](const cairn::Event& e) {
                       fail(Behind::the_sinks_filter, e);
                       return true;
                     }))
        .write_to_null()
        .with_queue()
        .with_filter([this](const cairn::Event& e) {
          fail(Behind::the_neighbours_filter, e);
          return true;
        });
    log = config.create_logger();
  }
  /// On the dispatcher, which brings the event there.
  void fail(Behind now, const cairn::Event& event) {
    failing.reset();
    const auto left = event.property("Left");
    if (left && now == GetParam()) failing.emplace(static_cast<std::size_t>(left->as_int64().value_or(0)), 1);
  }
  [[nodiscard]] std::uint64_t fill() {
    gate->shut();
    const std::string text(500, 'x');
    log.error("{Text}", text);
    (void)gate->wait_inside();
    const auto timeouts = [&] { return log.metrics().logger.rejected["block_timeout"]; };
    const std::uint64_t before = timeouts();
    for (int i = 0; timeouts() == before && i < 1000; ++i) log.error("{Text}", text);
    EXPECT_TRUE(comes_true([&] { return log.metrics().logger.in_lane == 0; }));
    const std::uint64_t count = log.metrics().sink("gate")->queue_depth;
    gate->open();
    EXPECT_EQ(log.flush().status, cairn::FlushStatus::ok);
    const cairn::MetricsSnapshot now = log.metrics();
    EXPECT_EQ(now.logger.captured, now.logger.dispatched + now.logger.filtered + now.logger.dropped_total());
    for (const auto& sink : now.sinks) EXPECT_EQ(sink.accepted, sink.emitted + sink.dropped_total()) << sink.name;
    return count;
  }

  const std::shared_ptr<GateSink> gate = std::make_shared<GateSink>(true);
  std::optional<FailingAllocations> failing;  // of the dispatcher
  cairn::Logger log;
};
constexpr const char* names[] = {"filter", "neighbour"};
INSTANTIATE_TEST_SUITE_P(Behind, P13BlockedBytes,
                         testing::Values(Behind::the_sinks_filter, Behind::the_neighbours_filter),
                         [](const auto& each) { return names[static_cast<std::size_t>(each.param)]; });

TEST_P(P13BlockedBytes, come_back_whatever_fails_on_the_way) {
  make();
  const std::uint64_t before = fill();
  EXPECT_GT(before, 10U);
  const std::string long_text(25'000, 'y');  // over a block, and of the allocator's memory
  for (int left = 0; left < 12; ++left) {
    for (int i = 0; i < (left == 0 ? 40 : 4); ++i) {  // the queue itself takes memory for several at a time
      const auto scope = cairn::LogContext::push("Context", i);
      log.information("{Left}", left);
      log.information("{Left} {Text}", left, long_text);
      log.error("{Left} {Text}", left, long_text);
      ASSERT_EQ(log.flush().status, cairn::FlushStatus::ok);
    }
  }
  EXPECT_EQ(fill(), before);
  const cairn::MetricsSnapshot now = log.metrics();
  const std::uint64_t lost = now.logger.dropped_total() + now.sink("gate")->dropped_total();
  EXPECT_GT(lost, 3U);
}

using P13BlockedBytesOfACall = P13BlockedBytes;

TEST_P(P13BlockedBytesOfACall, come_back_whatever_fails_in_it) {
  make();
  const std::uint64_t before = fill();
  const cairn::Logger other = log.with_enricher(
      cairn::Enricher([](cairn::EventBuilder& e) { e.add("Here", std::string(2000, 'a')); }).at_capture());
  const std::string long_text(25'000, 'y');  // over a block, and of the allocator's memory
  const auto call = [&](std::string_view text) { other.error("{Text}", text); };
  call("its template is known from here on");
  for (std::size_t left = 0; left < 20; ++left) {
    for (const bool large : {false, true}) {
      std::thread([&] {
        other.error("a lane");
        const FailingAllocations one(left, 1);
        call(large ? std::string_view(long_text) : "short");
      }).join();
    }
  }
  EXPECT_EQ(fill(), before);
  EXPECT_GT(log.metrics().logger.rejected["oom"], 1U);
}
INSTANTIATE_TEST_SUITE_P(Alone, P13BlockedBytesOfACall, testing::Values(Behind::the_sinks_filter));

}  // namespace
