// Queued sinks: what is dropped when a queue is full, who waits, what is counted.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cairn/all.hpp>
#include <cairn/testing.hpp>
#include <future>
#include <thread>

#include "support/gate_sink.hpp"
#include "support/metrics_support.hpp"
#include "support/queue_tests.hpp"

namespace {

using cairn::testing::expect_sums_hold;
using cairn::testing::GateSink;
using cairn::testing::quiet;
using cairn::testing::reach_the_queues;
using cairn::testing::storm;
using namespace std::chrono_literals;

class DropOldest : public testing::TestWithParam<int> {};

TEST_P(DropOldest, leaves_exactly_the_newest_and_counts_the_others_to_the_unit) {
  constexpr std::size_t max_size = 1000;
  constexpr int each = 100'000;
  auto gate = std::make_shared<GateSink>();
  const auto log = quiet().write_to(gate, "gate").with_queue({.max_size = max_size}).create_logger();
  log.information("first");
  ASSERT_EQ(gate->wait_inside(), 1U);
  storm(log, GetParam(), each);
  reach_the_queues(log);
  expect_sums_hold(log.metrics());
  EXPECT_EQ(log.queue_depth("gate"), max_size);
  gate->open();
  ASSERT_EQ(log.flush().status, cairn::FlushStatus::ok);

  const auto kept = gate->kept();
  ASSERT_EQ(kept.size(), 1 + max_size);  // the one it was busy with, and a queue full
  std::map<std::int64_t, std::int64_t> next;
  for (std::size_t i = 1; i < kept.size(); ++i) {
    const auto [at, fresh] = next.try_emplace(kept[i].thread, kept[i].number);
    EXPECT_EQ(at->second, kept[i].number) << "a thread's newest follow one another";
    at->second = kept[i].number + 1;
  }
  for (const auto& [thread, after] : next) EXPECT_EQ(after, each) << "up to its last, thread " << thread;

  const cairn::MetricsSnapshot now = log.metrics();
  expect_sums_hold(now);
  const cairn::SinkCounts& sink = now.sinks[0];
  EXPECT_EQ(now.logger.captured, static_cast<std::uint64_t>(GetParam()) * each + 1);
  EXPECT_EQ(sink.accepted, now.logger.captured - now.logger.dropped_total());
  EXPECT_EQ(sink.dropped.at("queue_full"), sink.accepted - kept.size());
  EXPECT_EQ(sink.emitted, kept.size());
  EXPECT_EQ(sink.high_water, max_size);
}
INSTANTIATE_TEST_SUITE_P(Producers, DropOldest, testing::Values(1, 4));

TEST(DropNewest, keeps_what_came_first) {
  auto gate = std::make_shared<GateSink>();
  const auto log = quiet()
                       .write_to(gate, "gate")
                       .with_queue({.max_size = 100, .overflow = cairn::Overflow::drop_newest})
                       .create_logger();
  log.information("first");
  gate->wait_inside();
  storm(log, 1, 5000);
  reach_the_queues(log);
  gate->open();
  ASSERT_EQ(log.flush().status, cairn::FlushStatus::ok);
  const auto kept = gate->kept();
  ASSERT_EQ(kept.size(), 101U);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(kept[static_cast<std::size_t>(i) + 1].number, i);
  EXPECT_EQ(log.metrics().sinks[0].dropped.at("queue_full"), 4900U);
}

TEST(Queues, a_burst_of_8192_events_of_three_numbers_loses_nothing) {
  auto gate = std::make_shared<GateSink>();
  const auto log = quiet().write_to(gate, "gate").with_queue().create_logger();
  std::thread([&] {
    for (int i = 0; i < 8192; ++i) log.information("{Number} {B} {C}", i, i * 2, 0.5 * i);
  }).join();
  gate->open();
  ASSERT_EQ(log.flush().status, cairn::FlushStatus::ok);
  EXPECT_EQ(gate->kept().size(), 8192U);
  EXPECT_EQ(log.metrics().logger.dropped_total() + log.metrics().sinks[0].dropped_total(), 0U);
}

TEST(LaneOverrun, is_counted_and_told_in_every_queued_sink) {
  // A filter that stops the dispatcher: what does not fit in the lane meanwhile is overwritten.
  std::promise<void> entered;
  std::promise<void> go;
  std::atomic<bool> stop{true};
  auto gate = std::make_shared<GateSink>(true);
  auto second = std::make_shared<cairn::MemorySink>();
  const auto log = quiet()
                       .filter_by([&](const cairn::Event&) {
                         if (stop.exchange(false)) {
                           entered.set_value();
                           go.get_future().wait();
                         }
                         return true;
                       })
                       .write_to(gate, "gate")
                       .with_queue({.max_size = 64})
                       .write_to(second, "second")
                       .with_queue({.max_size = 64})
                       .create_logger();
  log.information("first");
  entered.get_future().wait();
  storm(log, 1, 100'000);
  go.set_value();
  ASSERT_EQ(log.flush().status, cairn::FlushStatus::ok);
  (void)log.close();
  const cairn::MetricsSnapshot now = log.metrics();
  expect_sums_hold(now);
  EXPECT_EQ(now.logger.captured, 100'001U);
  EXPECT_GT(now.logger.dropped.at("lane_overrun"), 0U);
  EXPECT_EQ(now.logger.dispatched + now.logger.dropped.at("lane_overrun"), 100'001U);
  ASSERT_FALSE(gate->gaps().empty());
  EXPECT_EQ(now.sinks[0].self_events, gate->gaps().size());
  EXPECT_THAT(second->messages(), testing::Contains(testing::HasSubstr("lane_overrun")));
  EXPECT_EQ(gate->kept().back().number, 99'999) << "the newest are there";
}

TEST(Gaps, are_told_once_in_the_output_that_has_them_and_counted_apart) {
  auto gate = std::make_shared<GateSink>();
  gate->keep_messages = true;
  const auto log = quiet().write_to(gate, "gate").with_queue({.max_size = 10}).create_logger();
  log.information("first");
  gate->wait_inside();
  storm(log, 1, 1000);
  reach_the_queues(log);
  gate->open();
  ASSERT_EQ(log.flush().status, cairn::FlushStatus::ok);
  const auto gaps = gate->gaps();
  ASSERT_EQ(gaps.size(), 1U);
  EXPECT_THAT(gaps[0].message, testing::StartsWith("990 events dropped (990 queue_full) since "));
  const cairn::SinkCounts sink = log.metrics().sinks[0];
  EXPECT_EQ(sink.self_events, 1U);
  EXPECT_EQ(sink.emitted, 11U);
  EXPECT_EQ(sink.accepted, 1001U);
}

TEST(Protected, events_are_pushed_out_by_their_equals_only) {
  auto gate = std::make_shared<GateSink>();
  const auto log =
      quiet().write_to(gate, "gate").with_queue({.max_size = 80, .protect_level = cairn::Level::error}).create_logger();
  log.information("first");
  gate->wait_inside();
  for (int i = 0; i < 30; ++i) log.error("{Number}", i);  // 10 of the 80 places are theirs
  storm(log, 1, 5000);
  reach_the_queues(log);
  gate->open();
  ASSERT_EQ(log.flush().status, cairn::FlushStatus::ok);
  std::vector<std::int64_t> errors;
  std::vector<std::int64_t> others;
  for (const auto& kept : gate->kept()) (kept.level == cairn::Level::error ? errors : others).push_back(kept.number);
  ASSERT_EQ(errors.size(), 10U);
  EXPECT_EQ(errors.front(), 20);
  EXPECT_EQ(errors.back(), 29);
  ASSERT_EQ(others.size(), 71U);
  EXPECT_EQ(others[1], 4930);
  EXPECT_EQ(others.back(), 4999);
  EXPECT_EQ(log.metrics().sinks[0].dropped.at("queue_full"), 20U + 4930U);
}

TEST(Block, the_caller_waits_and_nothing_is_lost) {
  auto gate = std::make_shared<GateSink>();
  const auto log = quiet()
                       .write_to(gate, "gate")
                       .with_queue({.max_size = 16, .overflow = cairn::Overflow::block, .block_timeout = 60s})
                       .create_logger();
  std::atomic<bool> done{false};
  std::thread producer([&] {
    storm(log, 2, 2000);
    done = true;
  });
  gate->wait_inside();
  EXPECT_FALSE(done);
  gate->open();
  producer.join();
  ASSERT_EQ(log.flush().status, cairn::FlushStatus::ok);
  EXPECT_EQ(gate->kept().size(), 4000U);
  const cairn::MetricsSnapshot now = log.metrics();
  expect_sums_hold(now);
  EXPECT_EQ(now.sinks[0].emitted, 4000U);
  EXPECT_TRUE(now.logger.rejected.empty());
  EXPECT_LE(now.sinks[0].high_water, 16U);
}

TEST(Block, after_the_timeout_an_event_is_rejected_and_counted) {
  auto gate = std::make_shared<GateSink>();
  const auto log = quiet()
                       .write_to(gate, "gate")
                       .with_queue({.max_size = 4, .overflow = cairn::Overflow::block, .block_timeout = 1ms})
                       .create_logger();
  log.information("first");
  gate->wait_inside();
  storm(log, 1, 10);
  const cairn::MetricsSnapshot full = log.metrics();
  EXPECT_EQ(full.logger.rejected.at("block_timeout") + full.logger.captured, 11U);
  EXPECT_EQ(full.logger.captured, 4U);
  gate->open();
  ASSERT_EQ(log.flush().status, cairn::FlushStatus::ok);
  EXPECT_EQ(gate->kept().size(), 4U);
  storm(log, 1, 4);
  ASSERT_EQ(log.flush().status, cairn::FlushStatus::ok);
  EXPECT_EQ(gate->kept().size(), 8U) << "there is room again";
  expect_sums_hold(log.metrics());
}

TEST(Block, a_call_waits_for_its_timeout_once) {
  auto gate = std::make_shared<GateSink>();
  const auto log = quiet()
                       .write_to(gate, "gate")
                       .with_queue({.max_size = 1, .overflow = cairn::Overflow::block, .block_timeout = 400ms})
                       .create_logger();
  log.information("first");
  gate->wait_inside();
  const auto begun = std::chrono::steady_clock::now();
  log.information("second");
  const auto waited = std::chrono::steady_clock::now() - begun;
  EXPECT_GE(waited, 400ms);
  EXPECT_LT(waited, 800ms);
  EXPECT_EQ(log.metrics().logger.rejected.at("block_timeout"), 1U);
  gate->open();
}

TEST(Block, a_sink_that_blocks_makes_its_callers_wait_and_nobody_else) {
  auto gate = std::make_shared<GateSink>();
  auto neighbour = std::make_shared<GateSink>(true);
  const auto log = quiet()
                       .write_to(gate, "gate")
                       .with_queue({.max_size = 16, .overflow = cairn::Overflow::block, .block_timeout = 60s})
                       .write_to(neighbour, "neighbour")
                       .with_queue({.max_size = 100, .flush_interval = 1ms})
                       .create_logger();
  auto other_sink = std::make_shared<GateSink>(true);
  const auto other = quiet().write_to(other_sink, "other").with_queue().create_logger();
  std::thread producer([&] { storm(log, 1, 1000); });
  gate->wait_inside();
  neighbour->wait_flushed_with(16);  // what the caller could log has reached the neighbour
  storm(other, 1, 100);              // another root does not wait
  ASSERT_EQ(other.flush().status, cairn::FlushStatus::ok);
  EXPECT_EQ(other_sink->kept().size(), 100U);
  gate->open();
  producer.join();
  ASSERT_EQ(log.flush().status, cairn::FlushStatus::ok);
  EXPECT_EQ(gate->kept().size(), 1000U);
  EXPECT_EQ(neighbour->kept().size() + log.metrics().sinks[1].dropped_total(), 1000U);
  expect_sums_hold(log.metrics());
}

TEST(Block, credit_comes_back_for_what_filters_and_levels_stop) {
  auto sink = std::make_shared<GateSink>(true);
  const auto log =
      quiet()
          .filter_by([](const cairn::Event& e) { return e.property("Number")->as_int64().value() % 2 == 0; })
          .write_to(sink, "sink")
          .with_queue({.max_size = 8, .overflow = cairn::Overflow::block, .block_timeout = 60s})
          .with_filter([](const cairn::Event& e) { return e.property("Number")->as_int64().value() % 4 == 0; })
          .create_logger();
  storm(log, 1, 4000);
  ASSERT_EQ(log.flush().status, cairn::FlushStatus::ok);
  EXPECT_EQ(sink->kept().size(), 1000U);
  EXPECT_TRUE(log.metrics().logger.rejected.empty());
}

TEST(Flush, covers_every_call_that_returned_before_it_on_any_thread) {
  auto sink = std::make_shared<GateSink>(true);
  const auto log = quiet().write_to(sink, "sink").with_queue({.max_size = 1 << 20}).create_logger();
  for (int round = 1; round <= 50; ++round) {
    storm(log, 3, 20);
    ASSERT_EQ(log.flush().status, cairn::FlushStatus::ok);
    ASSERT_EQ(sink->kept().size(), static_cast<std::size_t>(round) * 60);
  }
}

TEST(Flush, names_the_sink_that_did_not_make_it) {
  auto gate = std::make_shared<GateSink>();
  auto good = std::make_shared<GateSink>(true);
  const auto log = quiet().write_to(gate, "gate").with_queue().write_to(good, "good").with_queue().create_logger();
  storm(log, 1, 10);
  const cairn::FlushResult result = log.flush(1s);  // time enough for the other on any machine
  EXPECT_EQ(result.status, cairn::FlushStatus::timed_out);
  ASSERT_EQ(result.sinks.size(), 2U);
  EXPECT_EQ(result.sinks[0].name, "gate");
  EXPECT_EQ(result.sinks[0].status, cairn::FlushStatus::timed_out);
  EXPECT_EQ(result.sinks[1].status, cairn::FlushStatus::ok);
  EXPECT_EQ(good->kept().size(), 10U);
  gate->open();
}

TEST(Flush, is_called_on_the_sink_within_the_interval) {
  auto sink = std::make_shared<GateSink>(true);
  const auto log = quiet().write_to(sink, "sink").with_queue({.flush_interval = 5ms}).create_logger();
  storm(log, 1, 3);
  sink->wait_flushed_with(3);  // nobody asked for it
  EXPECT_GE(sink->flushes(), 1U);
}

TEST(Order, across_threads_is_by_time) {
  auto sink = std::make_shared<GateSink>(true);
  const auto log = quiet().write_to(sink, "sink").with_queue({.max_size = 1 << 17}).create_logger();
  std::atomic<int> turn{0};
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 3; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = 0; i < 2000; ++i) {
        while (turn.load() % 3 != thread) std::this_thread::yield();
        log.information("{Thread} {Number}", thread, turn.load());
        turn.fetch_add(1);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_EQ(log.flush().status, cairn::FlushStatus::ok);
  const auto kept = sink->kept();
  ASSERT_EQ(kept.size(), 6000U);
  std::chrono::nanoseconds latest{};
  for (std::size_t i = 1; i < kept.size(); ++i) {
    ASSERT_LE(kept[i - 1].time, kept[i].time);
    // The processor may read the counter ahead of the load that told the thread it was its turn: of two calls, one
    // after the other on two threads, the times may be out of order by a few microseconds.
    if (kept[i].number < kept[i - 1].number) latest = std::max(latest, kept[i].time - kept[i - 1].time);
  }
  EXPECT_LT(latest, 10us);
}

TEST(Callbacks, come_from_another_thread_and_at_most_once_a_second) {
  auto gate = std::make_shared<GateSink>();
  std::mutex mutex;
  std::condition_variable told;
  std::vector<std::size_t> depths;
  const auto begun = std::chrono::steady_clock::now();  // before the first may come
  std::thread::id from;
  const auto log = quiet()
                       .write_to(gate, "gate")
                       .with_queue({.max_size = 100,
                                    .back_pressure_threshold = 0.5,
                                    .on_back_pressure =
                                        [&](const cairn::QueuePressure& pressure) {
                                          const std::lock_guard lock(mutex);
                                          EXPECT_EQ(pressure.sink, "gate");
                                          EXPECT_EQ(pressure.max_size, 100U);
                                          depths.push_back(pressure.depth);
                                          from = std::this_thread::get_id();
                                          told.notify_all();
                                        }})
                       .create_logger();
  log.information("first");
  gate->wait_inside();
  storm(log, 1, 40);
  reach_the_queues(log);
  EXPECT_TRUE(depths.empty());
  storm(log, 1, 2000);
  {
    std::unique_lock lock(mutex);
    told.wait(lock, [&] { return !depths.empty(); });
    EXPECT_GE(depths[0], 50U);
    EXPECT_NE(from, std::this_thread::get_id());
  }
  reach_the_queues(log);
  gate->open();
  (void)log.flush();
  const std::lock_guard lock(mutex);
  const auto seconds = (std::chrono::steady_clock::now() - begun) / 1s;
  EXPECT_LE(depths.size(), 1U + static_cast<std::size_t>(seconds)) << "at most once a second";
}

TEST(Queues, what_a_sink_logs_to_its_own_root_is_refused) {
  struct Chatty final : cairn::Sink {
    cairn::EmitResult emit(std::span<const cairn::Event> events) override {
      log->information("again");
      return cairn::EmitResult::all(events);
    }
    const cairn::Logger* log = nullptr;
  };
  auto chatty = std::make_shared<Chatty>();
  const auto log = quiet().write_to(chatty, "chatty").with_queue().create_logger();
  chatty->log = &log;
  storm(log, 1, 5);
  ASSERT_EQ(log.flush().status, cairn::FlushStatus::ok);
  const cairn::MetricsSnapshot now = log.metrics();
  EXPECT_EQ(now.logger.captured, 5U);
  EXPECT_GE(now.logger.rejected.at("reentrant"), 1U);
}

TEST(Queues, what_a_filter_on_the_dispatcher_logs_to_its_own_root_is_refused_and_another_root_takes_it) {
  auto other_sink = std::make_shared<GateSink>(true);
  const auto other = quiet().write_to(other_sink, "other").with_queue().create_logger();
  const cairn::Logger* self = nullptr;
  auto sink = std::make_shared<GateSink>(true);
  auto log = quiet()
                 .filter_by([&](const cairn::Event& e) {
                   self->information("mine");
                   other.information("{Number}", e.property("Number")->as_int64().value());
                   return true;
                 })
                 .write_to(sink, "sink")
                 .with_queue()
                 .create_logger();
  self = &log;
  storm(log, 1, 20);
  ASSERT_EQ(log.flush().status, cairn::FlushStatus::ok);
  ASSERT_EQ(other.flush().status, cairn::FlushStatus::ok);
  EXPECT_EQ(log.metrics().logger.rejected.at("reentrant"), 20U);
  EXPECT_EQ(other_sink->kept().size(), 20U);
  (void)log.close();
}

TEST(Queues, mixed_with_a_synchronous_sink_both_get_everything) {
  auto direct = std::make_shared<cairn::MemorySink>();
  auto queued = std::make_shared<GateSink>(true);
  std::atomic<int> enriched{0};
  const auto log = quiet()
                       .enrich_with([&](cairn::EventBuilder& e) { e.add("Count", ++enriched); })
                       .write_to(direct, "direct")
                       .write_to(queued, "queued")
                       .with_queue({.max_size = 10'000})
                       .create_logger();
  storm(log, 2, 500);
  EXPECT_EQ(direct->events().size(), 1000U) << "at once";
  ASSERT_EQ(log.flush().status, cairn::FlushStatus::ok);
  EXPECT_EQ(queued->kept().size(), 1000U);
  EXPECT_EQ(enriched, 1000) << "once an event";
  expect_sums_hold(log.metrics());
}

TEST(Memory, over_the_limit_the_oldest_go_first_and_are_counted) {
  auto gate = std::make_shared<GateSink>();
  const auto log =
      quiet().write_to(gate, "gate").with_queue({.max_size = 100'000}).with_memory_limit(64 << 10).create_logger();
  log.information("first");
  gate->wait_inside();
  const std::string text(1000, 'x');
  for (int i = 0; i < 1000; ++i) log.information("{Number} {Text}", i, text);
  reach_the_queues(log);
  const cairn::SinkCounts full = log.metrics().sinks[0];
  EXPECT_LE(full.memory_bytes, 64U << 10U);
  EXPECT_GT(full.memory_bytes, 60U << 10U);
  gate->open();
  ASSERT_EQ(log.flush().status, cairn::FlushStatus::ok);
  const auto kept = gate->kept();
  EXPECT_EQ(kept.back().number, 999);
  EXPECT_EQ(kept[1].number, 1000 - static_cast<std::int64_t>(kept.size() - 1)) << "the newest, without a gap";
  EXPECT_EQ(log.metrics().sinks[0].dropped.at("memory_limit"), 1001U - kept.size());
}

TEST(Events, larger_than_a_block_go_through_whole) {
  auto memory = std::make_shared<cairn::MemorySink>();
  const auto log = quiet().write_to(memory, "memory").with_queue().create_logger();
  for (int i = 0; i < 20; ++i) {
    const std::string a(60'000, static_cast<char>('a' + i));
    log.information("{Number} {A} {B}", i, a, a);
    log.information("{Number} {A}", 100 + i, std::string_view("small"));
  }
  ASSERT_EQ(log.flush().status, cairn::FlushStatus::ok);
  const auto events = memory->events();
  ASSERT_EQ(events.size(), 40U);
  for (int i = 0; i < 20; ++i) {
    const auto& large = events[static_cast<std::size_t>(i) * 2];
    EXPECT_EQ(large->property("Number")->as_int64(), i);
    EXPECT_EQ(large->property("B")->as_string()->size(), 60'000U);
    EXPECT_EQ(large->property("B")->as_string()->front(), 'a' + i);
    EXPECT_FALSE(large->truncated());
  }
}

TEST(Events, over_the_limits_are_cut_and_said_to_be) {
  auto memory = std::make_shared<cairn::MemorySink>();
  const auto log = quiet().write_to(memory, "memory").with_queue().create_logger();
  log.information("{Text}", std::string(1 << 20, 'x'));
  log.information("{Text}", std::string_view("after"));
  ASSERT_EQ(log.flush().status, cairn::FlushStatus::ok);
  const auto events = memory->events();
  ASSERT_EQ(events.size(), 2U);
  EXPECT_TRUE(events[0]->truncated());
  EXPECT_EQ(log.metrics().logger.truncated, 1U);
  EXPECT_EQ(events[1]->property("Text")->as_string(), "after");
}

TEST(QueuedRoot, the_last_one_gone_everything_is_delivered_in_the_background) {
  struct Told final : cairn::Sink {
    explicit Told(std::promise<std::size_t>& promise) : closed(promise) {}
    ~Told() override { closed.set_value(emitted); }
    cairn::EmitResult emit(std::span<const cairn::Event> events) override {
      emitted += events.size();
      return cairn::EmitResult::all(events);
    }
    std::promise<std::size_t>& closed;
    std::size_t emitted = 0;
  };
  std::promise<std::size_t> closed;
  {
    const auto log =
        quiet().write_to(std::make_shared<Told>(closed), "told").with_queue({.max_size = 1 << 16}).create_logger();
    storm(log, 2, 5000);
  }
  EXPECT_EQ(closed.get_future().get(), 10'000U);
}

TEST(QueuedRoot, closing_delivers_what_was_logged_and_counts_what_comes_after) {
  auto sink = std::make_shared<GateSink>(true);
  const auto log = quiet().write_to(sink, "sink").with_queue({.max_size = 1 << 16}).create_logger();
  storm(log, 4, 2500);
  EXPECT_EQ(log.close().status, cairn::FlushStatus::ok);
  EXPECT_EQ(sink->kept().size(), 10'000U);
  storm(log, 1, 7);
  EXPECT_EQ(log.metrics().logger.rejected.at("after_shutdown"), 7U);
  EXPECT_EQ(sink->kept().size(), 10'000U);
  expect_sums_hold(log.metrics());
}

TEST(Threads, that_end_lose_nothing_and_give_their_lane_back) {
  auto sink = std::make_shared<GateSink>(true);
  const auto log = quiet().write_to(sink, "sink").with_queue({.max_size = 1 << 16}).create_logger();
  for (int round = 0; round < 1000; ++round) {
    storm(log, 2, 3);
    if (round % 100 == 99) {
      ASSERT_EQ(log.flush().status, cairn::FlushStatus::ok);
    }
  }
  ASSERT_EQ(log.flush().status, cairn::FlushStatus::ok);
  EXPECT_EQ(sink->kept().size(), 6000U);
  EXPECT_EQ(log.metrics().logger.captured, 6000U);
}

TEST(Snapshots, hold_their_sums_under_load) {
  auto sink = std::make_shared<GateSink>(true);
  const auto log =
      quiet()
          .filter_by([](const cairn::Event& e) { return e.property("Number")->as_int64().value() % 3 != 0; })
          .write_to(sink, "sink")
          .with_queue({.max_size = 256})
          .create_logger();
  std::atomic<bool> done{false};
  std::thread producer([&] {
    storm(log, 2, 50'000);
    done = true;
  });
  std::uint64_t last = 0;
  while (!done) {
    const cairn::MetricsSnapshot now = log.metrics();
    expect_sums_hold(now);
    EXPECT_GE(now.logger.captured, last);
    last = now.logger.captured;
  }
  producer.join();
  ASSERT_EQ(log.flush().status, cairn::FlushStatus::ok);
  EXPECT_EQ(log.metrics().logger.captured, 100'000U);
  expect_sums_hold(log.metrics());
}

TEST(Enrichers, that_must_see_the_calling_thread_do) {
  auto memory = std::make_shared<cairn::MemorySink>();
  const auto log = quiet()
                       .enrich_with(cairn::enrichers::thread_id())
                       .enrich_at_capture([](cairn::EventBuilder& e) { e.add("Mine", pthread_self()); })
                       .enrich_with([](cairn::EventBuilder& e) { e.add("Late", pthread_self()); })
                       .write_to(memory, "memory")
                       .with_queue()
                       .create_logger();
  log.information("x");
  ASSERT_EQ(log.flush().status, cairn::FlushStatus::ok);
  const auto event = memory->events().at(0);
  EXPECT_EQ(event->property("ThreadId")->as_int64(), gettid());
  EXPECT_EQ(event->property("Mine")->as_uint64(), pthread_self());
  EXPECT_NE(event->property("Late")->as_uint64(), pthread_self());
}

TEST(Signals, a_call_in_a_handler_that_interrupts_a_call_is_refused_or_delivered_never_torn) {
  auto sink = std::make_shared<GateSink>(true);
  static const cairn::Logger* current = nullptr;
  const auto log = quiet().write_to(sink, "sink").with_queue({.max_size = 1 << 20}).create_logger();
  current = &log;
  static std::atomic<std::uint64_t> in_handler;
  in_handler = 0;
  struct sigaction action {};
  action.sa_handler = [](int) {
    current->information("{Thread} {Number}", 9, 9);
    in_handler.fetch_add(1);
  };
  sigaction(SIGUSR2, &action, nullptr);
  std::atomic<bool> done{false};
  std::atomic<bool> ready{false};
  std::mutex sending;
  std::unique_lock sends(sending);
  std::thread logger([&] {
    log.information("{Thread} {Number}", 0, 0);  // a thread's first call takes memory, which a handler must not
    ready = true;
    for (int i = 1; i < 200'000; ++i) log.information("{Thread} {Number}", 0, i);
    while (in_handler == 0) std::this_thread::yield();
    done = true;
    const std::lock_guard all_sent(sending);  // what came after the thread's end would be a first call again
  });
  while (!ready) std::this_thread::yield();
  while (!done) pthread_kill(logger.native_handle(), SIGUSR2);
  sends.unlock();
  logger.join();
  ASSERT_EQ(log.flush().status, cairn::FlushStatus::ok);
  std::int64_t next = 0;
  std::uint64_t handled = 0;
  for (const auto& kept : sink->kept()) {
    if (kept.thread == 9) {
      ++handled;
    } else {
      ASSERT_EQ(kept.number, next++);
    }
  }
  EXPECT_EQ(next, 200'000);
  const cairn::MetricsSnapshot now = log.metrics();
  const auto refused = now.logger.rejected.find("reentrant");
  EXPECT_EQ(handled + (refused == now.logger.rejected.end() ? 0 : refused->second), in_handler.load());
  expect_sums_hold(now);
}

TEST(QueuedSink, that_takes_no_warnings_is_told_of_no_gap) {
  const auto gate = std::make_shared<GateSink>();
  const auto log = cairn::Configuration{}
                       .write_to(gate, "gate")
                       .with_min_level(cairn::Level::error)
                       .with_queue({.max_size = 1})
                       .create_logger();
  log.error("{Number}", 0);
  (void)gate->wait_inside();
  for (int i = 1; i < 10; ++i) log.error("{Number}", i);
  while (log.metrics().sinks[0].dropped_total() != 8) std::this_thread::yield();
  gate->open();
  log.close();
  EXPECT_EQ(gate->kept().size(), 2U);
  EXPECT_EQ(gate->gaps().size(), 0U);
  EXPECT_EQ(log.metrics().sinks[0].self_events, 0U);
}

}  // namespace
