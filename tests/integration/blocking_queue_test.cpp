// Queues that block: what their callers wait for, what is kept for a protected level, and under which reason an event
// is counted that found no room. Each in a logger whose callers write to lanes, and in one whose callers deliver.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cairn/all.hpp>
#include <cairn/testing.hpp>
#include <stdexcept>
#include <thread>

#include "support/gate_sink.hpp"
#include "support/scripted_sink.hpp"

namespace {

using cairn::Level;
using cairn::Overflow;
using cairn::testing::comes_true;
using cairn::testing::GateSink;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;
using namespace std::chrono_literals;

void expect_sums_hold(const cairn::MetricsSnapshot& now) {
  EXPECT_EQ(now.logger.captured,
            now.logger.dispatched + now.logger.filtered + now.logger.dropped_total() + now.logger.in_lane);
  for (const cairn::SinkCounts& sink : now.sinks) {
    EXPECT_EQ(sink.accepted, sink.emitted + sink.diverted + sink.dropped_total() + sink.failed_total() + sink.pending)
        << sink.name;
  }
}

enum class Way { by_lanes, by_callers };

class BlockingQueue : public testing::TestWithParam<Way> {
 protected:
  BlockingQueue() { gate->keep_messages = true; }
  ~BlockingQueue() override {
    gate->open();
    (void)log.close();
  }
  [[nodiscard]] bool by_callers() const { return GetParam() == Way::by_callers; }
  void make(const cairn::QueueOptions& options, std::uint64_t bytes = 0) {
    cairn::Configuration config;
    config.verbose().on_internal_error([](std::string_view) {});
    if (by_callers()) config.write_to_null();
    cairn::SinkConfiguration sink = config.write_to(gate, "gate");
    sink.with_queue(options);
    if (bytes != 0) sink.with_memory_limit(bytes);
    log = config.create_logger();
  }
  [[nodiscard]] cairn::SinkCounts counts() const { return *log.metrics().sink("gate"); }
  /// Events that found no room, by reason: a call that waits for a lane was not captured, one that delivers was.
  [[nodiscard]] std::map<std::string, std::uint64_t> lost() const {
    const cairn::MetricsSnapshot now = log.metrics();
    expect_sums_hold(now);
    std::map<std::string, std::uint64_t> all = now.logger.rejected;
    for (const auto& [reason, count] : now.sink("gate")->dropped) all[reason] += count;
    return all;
  }

  const std::shared_ptr<GateSink> gate = std::make_shared<GateSink>();
  cairn::Logger log;
};

TEST_P(BlockingQueue, of_so_many_bytes_makes_its_callers_wait_and_loses_nothing) {
  constexpr std::uint64_t most = 64 << 10;
  constexpr std::int64_t events = 8000;  // of a kilobyte: more than a lane and the queue hold, but for the places
  make({.max_size = 8192, .overflow = Overflow::block, .block_timeout = 10min}, most);
  std::atomic<bool> done{false};
  std::thread producer([&] {
    const std::string kilobyte(1000, 'x');
    for (std::int64_t i = 0; i < events; ++i) log.information("{Number} {Text}", i, kilobyte);
    done = true;
  });
  EXPECT_TRUE(comes_true([&] { return counts().memory_bytes > most / 2; }));
  EXPECT_FALSE(done);
  gate->open();
  std::uint64_t largest = 0;
  while (!done) largest = std::max(largest, counts().memory_bytes);
  producer.join();
  ASSERT_EQ(log.flush().status, cairn::FlushStatus::ok);
  EXPECT_LE(largest, most);
  EXPECT_TRUE(lost().empty());
  const auto kept = gate->kept();
  ASSERT_EQ(kept.size(), static_cast<std::size_t>(events));
  for (std::int64_t i = 0; i < events; ++i) ASSERT_EQ(kept[static_cast<std::size_t>(i)].number, i);
}

TEST_P(BlockingQueue, takes_an_event_that_is_over_its_bytes_once_it_is_empty) {
  make({.max_size = 64, .overflow = Overflow::block, .block_timeout = 10min}, 4096);
  log.information("{Number}", 0);
  ASSERT_EQ(gate->wait_inside(), 1U);
  std::thread producer([&] {
    const std::string long_text(20'000, 'x');
    for (int i = 1; i <= 6; ++i) log.information("{Number} {Text}", i, i % 2 == 0 ? long_text : "short");
  });
  EXPECT_TRUE(comes_true([&] { return counts().queue_depth == 1; })) << "a short one; behind it the first long one";
  gate->open();
  producer.join();
  ASSERT_EQ(log.flush().status, cairn::FlushStatus::ok);
  EXPECT_EQ(gate->kept().size(), 7U);
  EXPECT_TRUE(lost().empty());
}

TEST_P(BlockingQueue, keeps_places_for_a_protected_level_that_others_wait_for) {
  make({.max_size = 64,
        .batch_size = 1,
        .overflow = Overflow::block,
        .block_timeout = 1ms,
        .protect_level = Level::error});
  for (int i = 0; i < 70; ++i) log.information("{Number}", i);
  EXPECT_THAT(lost(), ElementsAre(Pair("block_timeout", 14)));
  for (int i = 70; i < 78; ++i) log.error("{Number}", i);
  EXPECT_THAT(lost(), ElementsAre(Pair("block_timeout", 14))) << "an eighth of the places is theirs";
  log.error("{Number}", 78);
  log.information("{Number}", 79);
  EXPECT_THAT(lost(), ElementsAre(Pair("block_timeout", 16))) << "and no more than that";
  gate->open();
  ASSERT_EQ(log.flush().status, cairn::FlushStatus::ok);
  const auto kept = gate->kept();
  ASSERT_EQ(kept.size(), 64U);
  for (std::size_t i = 1; i < kept.size(); ++i) EXPECT_LT(kept[i - 1].number, kept[i].number) << "in order";
}

TEST_P(BlockingQueue, counts_a_call_that_a_shutdown_ends_as_ended_by_it) {
  make({.max_size = 8, .batch_size = 1, .overflow = Overflow::block, .block_timeout = 24h});
  std::thread producer([&] {
    for (int i = 0; i < 20; ++i) log.information("{Number}", i);
  });
  EXPECT_TRUE(comes_true([&] { return counts().pending == 8; }));
  (void)log.shutdown(cairn::ShutdownStrategy::immediate());
  producer.join();
  gate->open();
  EXPECT_TRUE(comes_true([&] { return counts().pending == 0; }));
  const auto all = lost();
  EXPECT_FALSE(all.contains("block_timeout")) << "it did not wait for a day";
  EXPECT_EQ(all.at("after_shutdown") + all.at("shutdown") + counts().emitted, 20U);
}
INSTANTIATE_TEST_SUITE_P(Ways, BlockingQueue, testing::Values(Way::by_lanes, Way::by_callers),
                         [](const auto& each) { return each.param == Way::by_lanes ? "by_lanes" : "by_callers"; });

using BlockingQueueOfCallers = BlockingQueue;

TEST_P(BlockingQueueOfCallers, that_waited_in_vain_for_places_or_for_bytes_say_so_in_the_output) {
  make({.max_size = 4, .batch_size = 1, .overflow = Overflow::block, .block_timeout = 1ms}, 4096);
  log.information("{Number}", 0);
  gate->wait_inside();
  for (int i = 1; i < 10; ++i) log.information("{Number}", i);
  EXPECT_THAT(lost(), ElementsAre(Pair("block_timeout", 6)));
  gate->open();
  EXPECT_TRUE(comes_true([&] { return gate->gaps().size() == 1; }));
  EXPECT_THAT(gate->gaps().at(0).message, HasSubstr("6 events dropped (6 block_timeout)"));
  ASSERT_EQ(log.flush().status, cairn::FlushStatus::ok);
  gate->shut();
  const std::string long_text(3000, 'x');
  log.information("{Number} {Text}", 10, long_text);
  gate->wait_inside();
  for (int i = 11; i < 14; ++i) log.information("{Number} {Text}", i, long_text);
  EXPECT_THAT(lost(), ElementsAre(Pair("block_timeout", 8))) << "one is inside, the queue has room for one";
}
INSTANTIATE_TEST_SUITE_P(Alone, BlockingQueueOfCallers, testing::Values(Way::by_callers));

// ---- as a fallback

struct Broken final : cairn::Sink {
  cairn::EmitResult emit(std::span<const cairn::Event>) override { throw std::runtime_error("out of order"); }
};

struct BlockingFallback : testing::Test {
  ~BlockingFallback() override {
    gate->open();
    (void)log.close();
  }
  void make(bool queued, std::chrono::nanoseconds timeout) {
    cairn::Configuration config;
    config.on_internal_error([this](std::string_view message) { said += std::string(message) + '\n'; });
    cairn::SinkConfiguration sink = config.write_to(std::make_shared<Broken>(), "broken");
    if (queued) sink.with_queue();
    sink.with_fallback(
        cairn::SinkSpec::sink(gate, "behind")
            .with_queue({.max_size = 8, .batch_size = 1, .overflow = Overflow::block, .block_timeout = timeout}));
    log = config.create_logger();
    at_first = said;
    for (int i = 0; i < 20; ++i) log.information("{Number}", i);
  }
  [[nodiscard]] cairn::SinkCounts behind() const { return *log.metrics().sink("behind"); }

  const std::shared_ptr<GateSink> gate = std::make_shared<GateSink>();
  std::string said;
  std::string at_first;
  cairn::Logger log;
};

TEST_F(BlockingFallback, of_a_queued_sink_is_not_waited_for_says_so_and_counts_what_found_no_room_as_such) {
  make(true, 24h);
  EXPECT_THAT(at_first, HasSubstr("sink behind: with_queue: overflow = block as the fallback of a queued sink"));
  EXPECT_TRUE(comes_true([&] { return behind().accepted == 20; }));
  EXPECT_THAT(behind().dropped, ElementsAre(Pair("queue_full", 12)));
  gate->open();
  ASSERT_EQ(log.flush().status, cairn::FlushStatus::ok);
  EXPECT_EQ(gate->kept().size(), 8U);
}

TEST_F(BlockingFallback, of_a_synchronous_sink_is_waited_for_by_its_callers) {
  make(false, 1ms);
  EXPECT_EQ(at_first, "");
  EXPECT_THAT(behind().dropped, ElementsAre(Pair("block_timeout", 12)));
}

}  // namespace
