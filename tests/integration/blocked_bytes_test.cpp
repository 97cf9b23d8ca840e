// Queues that block and have a limit of bytes: callers take credit in bytes, so that nobody but they waits for it, and
// all of it comes back, whatever becomes of the events.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cairn/all.hpp>
#include <cairn/testing.hpp>
#include <functional>
#include <future>
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
using testing::Pair;
using namespace std::chrono_literals;
namespace filters = cairn::filters;

constexpr std::uint64_t most_bytes = 16 << 10;
const std::string text(500, 'x');

void expect_sums_hold(const cairn::MetricsSnapshot& now) {
  EXPECT_EQ(now.logger.captured,
            now.logger.dispatched + now.logger.filtered + now.logger.dropped_total() + now.logger.in_lane);
  for (const cairn::SinkCounts& sink : now.sinks) {
    EXPECT_EQ(sink.accepted, sink.emitted + sink.diverted + sink.dropped_total() + sink.failed_total() + sink.pending)
        << sink.name;
  }
}

enum class Way { by_lanes, by_callers };

/// A logger with one sink behind a gate, whose queue is as good as without a limit but for bytes.
class BlockedBytes : public testing::TestWithParam<Way> {
 protected:
  ~BlockedBytes() override {
    gate->open();
    (void)log.close();
  }
  using Also = std::function<void(cairn::Configuration&)>;
  using AlsoSink = std::function<void(cairn::SinkConfiguration&)>;
  void make(std::chrono::nanoseconds timeout, const Also& also = {}, const AlsoSink& also_sink = {}) {
    cairn::Configuration config;
    config.verbose().on_internal_error([](std::string_view) {});
    if (also) also(config);
    if (GetParam() == Way::by_callers) config.write_to_null();
    cairn::SinkConfiguration sink = config.write_to(gate, "gate");
    sink.with_queue({.max_size = 100'000, .batch_size = 1, .overflow = Overflow::block, .block_timeout = timeout})
        .with_memory_limit(most_bytes);
    if (also_sink) also_sink(sink);
    log = config.create_logger();
  }
  [[nodiscard]] cairn::SinkCounts counts() const { return *log.metrics().sink("gate"); }
  [[nodiscard]] std::uint64_t lost_by_timeout() const {
    const cairn::MetricsSnapshot now = log.metrics();
    const auto& by_reason = GetParam() == Way::by_callers ? now.sink("gate")->dropped : now.logger.rejected;
    const auto found = by_reason.find("block_timeout");
    return found == by_reason.end() ? 0 : found->second;
  }
  /// How many events of one size the queue takes, behind what the sink is busy with. Then all are delivered.
  std::uint64_t fill() {
    gate->shut();
    log.fatal("{Number} {Text}", 0, text);
    (void)gate->wait_inside();  // perhaps what tells of those that found no room before
    const std::uint64_t before = lost_by_timeout();
    for (int i = 1; lost_by_timeout() == before && i < 1000; ++i) log.fatal("{Number} {Text}", i, text);
    EXPECT_TRUE(comes_true([&] { return log.metrics().logger.in_lane == 0; }));
    EXPECT_LE(counts().memory_bytes, most_bytes);
    const std::uint64_t count = counts().queue_depth;
    gate->open();
    EXPECT_EQ(log.flush().status, cairn::FlushStatus::ok);
    EXPECT_EQ(counts().memory_bytes, 0U);
    expect_sums_hold(log.metrics());
    return count;
  }
  /// Does as much fit in after `f` as before?
  void expect_all_back(const std::function<void()>& f) {
    const std::uint64_t before = fill();
    EXPECT_GT(before, 10U);
    EXPECT_LT(before, 40U);
    EXPECT_EQ(fill(), before);
    f();
    ASSERT_EQ(log.flush().status, cairn::FlushStatus::ok);
    EXPECT_EQ(fill(), before);
  }

  const std::shared_ptr<GateSink> gate = std::make_shared<GateSink>(true);
  cairn::Logger log;
};

TEST_P(BlockedBytes, come_back_when_events_of_all_sizes_are_delivered) {
  make(20ms);
  expect_all_back([&] {
    for (std::size_t i = 0; i < 200; ++i) log.information("{Number} {Text}", i, std::string(1 + i * 97 % 9000, 'y'));
    log.information("{Text}", std::string(100'000, 'y'));  // over the limit, and larger than a block of a lane
    log.information("{Text}", std::string(15'000, 'y'));
  });
}

TEST_P(BlockedBytes, come_back_of_calls_that_waited_in_vain) {
  make(1ms);
  expect_all_back([&] {
    gate->shut();
    log.information("{Text}", text);
    (void)gate->wait_inside();
    for (int i = 0; i < 10; ++i) log.information("{Text}", std::string(5000, 'y'));
    for (int i = 0; i < 10; ++i) log.information("{Text}", std::string(50'000, 'y'));
    EXPECT_GT(lost_by_timeout(), 15U);
    gate->open();
  });
}

TEST_P(BlockedBytes, that_a_call_waited_for_in_vain_leave_its_place_to_others) {
  make(1ms, {}, [](cairn::SinkConfiguration& sink) {
    sink.with_queue({.max_size = 3, .batch_size = 1, .overflow = Overflow::block, .block_timeout = 1ms});
  });
  gate->shut();
  log.information("{Text}", text);
  (void)gate->wait_inside();  // it has one place, the next another
  log.information("{Text}", std::string(most_bytes - 1000, 'x'));
  std::promise<void> done;
  std::promise<void> called;
  std::thread other([&] {
    log.information("{Text}", std::string(2000, 'x'));
    called.set_value();
    done.get_future().wait();  // a thread keeps what it has as long as it lives
  });
  called.get_future().wait();
  EXPECT_EQ(lost_by_timeout(), 1U);
  log.information("{Text}", "small");
  EXPECT_EQ(lost_by_timeout(), 1U);
  done.set_value();
  other.join();
}

TEST_P(BlockedBytes, come_back_of_events_that_are_not_for_the_sink) {
  const auto passes = [](const cairn::Event& e) { return !e.property("Logger"); };
  const auto is_for_it = [](const cairn::Event& e) { return !e.property("Sink"); };
  make(
      200ms, [&](cairn::Configuration& config) { config.filter_by(passes); },
      [&](cairn::SinkConfiguration& sink) { sink.with_min_level(Level::information).with_filter(is_for_it); });
  expect_all_back([&] {
    for (int i = 0; i < 100; ++i) {
      log.information("{Logger} {Text}", i, text);
      log.information("{Sink} {Text}", i, text);
      log.debug("{Text}", text);
    }
    EXPECT_EQ(lost_by_timeout(), 2U) << "of each fill(), and no other";
  });
}

TEST_P(BlockedBytes, come_back_of_events_that_grow_on_their_way) {
  const auto grow = [](cairn::EventBuilder& e) {
    if (e.event().property("Grows")) e.add("Added", std::string(1000, 'a'));
  };
  const auto grow_more = [](cairn::EventBuilder& e) {
    if (e.event().property("Grows")) e.add("More", std::string(300, 'm'));
  };
  make(10s, [&](cairn::Configuration& config) { config.enrich_with(grow).enrich_at_capture(grow_more); });
  for (int i = 0; i < 200; ++i) log.information("{Grows} {$Text} {Other}", i, cairn::Level::error, text);
  ASSERT_EQ(log.flush().status, cairn::FlushStatus::ok);
  EXPECT_EQ(lost_by_timeout(), 0U);
  log.close();
  make(20ms, [&](cairn::Configuration& config) { config.enrich_with(grow).enrich_at_capture(grow_more); });
  expect_all_back([&] {
    for (int i = 0; i < 10; ++i) log.information("{Grows} {$Text} {Other}", i, cairn::Level::error, text);
  });
}

TEST_P(BlockedBytes, come_back_of_events_that_tell_their_sink_what_was_held_back) {
  make(20ms, {}, [](cairn::SinkConfiguration& sink) {
    sink.with_filter(filters::level(Level::fatal) || filters::sample_every(3));
  });
  expect_all_back([&] {
    for (int i = 0; i < 100; ++i) log.information("{Number} {Text}", i, std::string(100, 'y'));
  });
}

TEST_P(BlockedBytes, of_several_threads_and_all_sizes_lose_nothing_and_stay_within_the_limit) {
  constexpr int threads = 4;
  constexpr int each = 300;
  constexpr std::uint64_t longest = 3 * most_bytes;
  make(10min);
  gate->shut();
  std::vector<std::thread> producers;
  std::atomic<int> done{0};
  for (int thread = 0; thread < threads; ++thread) {
    producers.emplace_back([&, thread] {
      for (int i = 0; i < each; ++i) {
        const auto mixed = static_cast<std::size_t>(1 + (i * 131 + thread * 37) % 4000);
        const std::size_t size = i % 40 == 39 ? std::size_t{longest} : mixed;
        log.information("{Thread} {Number} {Text}", thread, i, std::string(size, 'y'));
      }
      ++done;
    });
  }
  EXPECT_TRUE(comes_true([&] { return counts().memory_bytes > most_bytes / 2; }));
  gate->open();
  std::uint64_t largest = 0;
  while (done != threads) largest = std::max(largest, counts().memory_bytes);
  for (auto& producer : producers) producer.join();
  ASSERT_EQ(log.flush().status, cairn::FlushStatus::ok);
  EXPECT_LE(largest, longest + 1000) << "the largest, alone";
  EXPECT_EQ(lost_by_timeout(), 0U);
  std::vector<std::int64_t> next(threads, 0);
  for (const GateSink::Kept& kept : gate->kept())
    EXPECT_EQ(kept.number, next.at(static_cast<std::size_t>(kept.thread))++);
  EXPECT_EQ(next, std::vector<std::int64_t>(threads, each));
  expect_sums_hold(log.metrics());
}

TEST_P(BlockedBytes, that_a_call_waits_for_are_waited_for_no_more_when_a_shutdown_comes) {
  make(24h);
  gate->shut();
  constexpr int count = 60;
  std::atomic<int> called{0};
  std::thread producer([&] {
    for (int i = 0; i < count; ++i, ++called) log.information("{Number} {Text}", i, text);
  });
  EXPECT_TRUE(comes_true([&] { return counts().memory_bytes > most_bytes - 700; }));
  EXPECT_LT(called, count);
  (void)log.shutdown(cairn::ShutdownStrategy::immediate());
  producer.join();
  gate->open();
  EXPECT_TRUE(comes_true([&] { return counts().pending == 0; }));
  EXPECT_EQ(lost_by_timeout(), 0U) << "it did not wait for a day";
  const cairn::MetricsSnapshot now = log.metrics();
  expect_sums_hold(now);
  EXPECT_EQ(now.logger.rejected.at("after_shutdown") + counts().emitted + counts().dropped_total(),
            std::uint64_t{count});
}

TEST_P(BlockedBytes, make_a_call_of_a_protected_level_wait_as_well) {
  make(1ms, {}, [](cairn::SinkConfiguration& sink) {
    sink.with_queue({.max_size = 1000,
                     .batch_size = 1,
                     .overflow = Overflow::block,
                     .block_timeout = 1ms,
                     .protect_level = Level::error});
  });
  expect_all_back([&] {
    gate->shut();
    log.information("{Text}", text);
    (void)gate->wait_inside();
    for (int i = 0; i < 100; ++i) {
      log.information("{Text}", text);
      log.error("{Text}", text);
    }
    EXPECT_LE(counts().memory_bytes, most_bytes);
    EXPECT_GT(lost_by_timeout(), 150U);
    gate->open();
  });
}
INSTANTIATE_TEST_SUITE_P(Ways, BlockedBytes, testing::Values(Way::by_lanes, Way::by_callers),
                         [](const auto& each) { return each.param == Way::by_lanes ? "by_lanes" : "by_callers"; });

// ---- neighbours

struct BlockedBytesBeside : testing::Test {
  ~BlockedBytesBeside() override {
    stuck->open();
    (void)log.close();
  }
  void make(std::chrono::nanoseconds timeout) {
    const cairn::QueueOptions blocks{.batch_size = 1, .overflow = Overflow::block, .block_timeout = timeout};
    cairn::Configuration config;
    config.on_internal_error([](std::string_view) {});
    config.write_to(drops, "drops").with_queue({.max_size = 100'000});
    config.write_to(stuck, "stuck").with_queue(blocks).with_memory_limit(most_bytes);
    config.write_to(roomy, "roomy").with_queue(blocks).with_memory_limit(8 << 20);
    log = config.create_logger();
  }
  [[nodiscard]] std::uint64_t captured() const { return log.metrics().logger.captured; }

  const std::shared_ptr<GateSink> drops = std::make_shared<GateSink>(true);
  const std::shared_ptr<GateSink> stuck = std::make_shared<GateSink>();
  const std::shared_ptr<GateSink> roomy = std::make_shared<GateSink>(true);
  cairn::Logger log;
};

TEST_F(BlockedBytesBeside, other_sinks_keep_none_of_them_waiting) {
  constexpr int count = 60;
  make(2ms);
  for (int i = 0; i < count; ++i) log.information("{Number} {Text}", i, text);
  const std::uint64_t went_in = captured();
  EXPECT_GT(went_in, 10U);
  EXPECT_THAT(log.metrics().logger.rejected, ElementsAre(Pair("block_timeout", count - went_in)));
  EXPECT_TRUE(comes_true([&] { return drops->kept().size() == went_in && roomy->kept().size() == went_in; }))
      << "with what one of the three has no room for";
  const cairn::MetricsSnapshot meanwhile = log.metrics();
  EXPECT_EQ(meanwhile.logger.in_lane, 0U);
  EXPECT_EQ(meanwhile.sink("stuck")->pending, went_in);
  EXPECT_LE(meanwhile.sink("stuck")->memory_bytes, most_bytes);
  expect_sums_hold(meanwhile);
  stuck->open();
  ASSERT_EQ(log.flush().status, cairn::FlushStatus::ok);
  EXPECT_EQ(stuck->kept().size(), went_in);
  expect_sums_hold(log.metrics());
}

TEST_F(BlockedBytesBeside, a_call_that_waits_others_have_all_before_it) {
  make(10min);
  constexpr int count = 200;
  std::atomic<bool> done{false};
  std::thread producer([&] {
    for (int i = 0; i < count; ++i) log.information("{Number} {Text}", i, text);
    done = true;
  });
  EXPECT_TRUE(comes_true([&] { return log.metrics().sink("stuck")->memory_bytes > most_bytes - 700; }));
  EXPECT_TRUE(comes_true([&] { return drops->kept().size() == captured() && roomy->kept().size() == captured(); }));
  EXPECT_FALSE(done);
  stuck->open();
  producer.join();
  ASSERT_EQ(log.flush().status, cairn::FlushStatus::ok);
  for (const auto& sink : {drops, stuck, roomy}) EXPECT_EQ(sink->kept().size(), std::size_t{count});
  EXPECT_TRUE(log.metrics().logger.rejected.empty());
}

// ---- of events that enrichers make much larger than their callers knew

TEST(BlockedBytesOfEventsThatGrow, are_passed_by_little) {
  constexpr std::uint64_t limit = 64 << 10;
  constexpr std::size_t grows_by = 4000;
  const auto gate = std::make_shared<GateSink>();
  cairn::Configuration config;
  config.on_internal_error([](std::string_view) {});
  config.enrich_with([](cairn::EventBuilder& e) { e.add("Added", std::string(grows_by, 'a')); });
  config.write_to(gate, "gate")
      .with_queue({.max_size = 100'000, .batch_size = 1, .overflow = Overflow::block, .block_timeout = 1ms})
      .with_memory_limit(limit);
  const cairn::Logger log = config.create_logger();
  for (int i = 0; i < 400; ++i) log.information("{Number}", i);
  const auto memory = [&] { return log.metrics().sink("gate")->memory_bytes; };
  EXPECT_TRUE(comes_true([&] { return memory() > limit; }));
  std::uint64_t largest = 0;
  for (int looks = 0; looks < 50; ++looks) {
    log.information("{Number}", 400 + looks);
    largest = std::max(largest, memory());
  }
  EXPECT_LE(largest, limit + limit / 4 + limit / 8 + 2 * (grows_by + 500));
  gate->open();
  ASSERT_EQ(log.flush().status, cairn::FlushStatus::ok);
  const cairn::MetricsSnapshot now = log.metrics();
  expect_sums_hold(now);
  EXPECT_EQ(gate->kept().size(), now.logger.captured);
  EXPECT_GT(now.logger.captured, 20U);
}

// ---- as a fallback

struct BrokenSink final : cairn::Sink {
  cairn::EmitResult emit(std::span<const cairn::Event>) override { throw std::runtime_error("out of order"); }
};

TEST(BlockedBytesOfAFallback, are_not_waited_for_by_a_queue_before_it_and_come_back) {
  const auto gate = std::make_shared<GateSink>();
  cairn::Configuration config;
  config.on_internal_error([](std::string_view) {});
  config.write_to(std::make_shared<BrokenSink>(), "broken")
      .with_queue()
      .with_fallback(cairn::SinkSpec::sink(gate, "behind")
                         .with_queue({.batch_size = 1, .overflow = Overflow::block, .block_timeout = 24h})
                         .with_memory_limit(most_bytes));
  const auto log = config.create_logger();
  std::uint64_t first = 0;
  for (int round = 0; round < 3; ++round) {
    gate->shut();
    log.information("{Text}", text);
    (void)gate->wait_inside();
    for (int i = 0; i < 60; ++i) log.information("{Number} {Text}", i, text);
    const std::uint64_t logged = 61 * (static_cast<std::uint64_t>(round) + 1);
    EXPECT_TRUE(comes_true([&] { return log.metrics().sink("broken")->diverted == logged; }));
    const cairn::SinkCounts behind = *log.metrics().sink("behind");
    EXPECT_LE(behind.memory_bytes, most_bytes);
    EXPECT_GT(behind.dropped.at("memory_limit"), 10U);
    if (round == 0) first = behind.queue_depth;
    EXPECT_EQ(behind.queue_depth, first);
    gate->open();
    ASSERT_EQ(log.flush().status, cairn::FlushStatus::ok);
  }
}

}  // namespace
