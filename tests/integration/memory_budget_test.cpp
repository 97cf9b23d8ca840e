// The memory budget of the process: what is charged, what goes when it is short, who is told, what is counted.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <barrier>
#include <cairn/all.hpp>
#include <cairn/testing.hpp>
#include <cstdio>
#include <future>
#include <map>
#include <thread>

#include "../support/budget_tests.hpp"
#include "../support/gate_sink.hpp"
#include "../support/in_child.hpp"
#include "../support/metrics_support.hpp"
#include "../support/sanitizers.hpp"
#include "pipeline/process_memory.hpp"

namespace {

using cairn::testing::Alone;
using cairn::testing::dropped;
using cairn::testing::expect_sums_hold;
using cairn::testing::GateSink;
using cairn::testing::in_child;
using cairn::testing::MiB;
using cairn::testing::quiet;
using cairn::testing::reach_the_queues;
using cairn::testing::resident_bytes;
using namespace std::chrono_literals;

constexpr bool sanitized = cairn::testing::under_sanitizer;

/// Of a producer's event: mostly small, now and then up to 1 MiB.
std::size_t size_of(std::int64_t number) {
  if (number % 101 == 100) return 1 << 20;
  if (number % 37 == 36) return 300'000;
  if (number % 11 == 10) return 30'000;
  if (number % 5 == 4) return 4000;
  return 20 + static_cast<std::size_t>(number % 400);
}

void storm(const cairn::Logger& log, int threads, int each) {
  static const std::string text(1 << 20, 'x');
  std::vector<std::thread> producers;
  for (int thread = 0; thread < threads; ++thread) {
    producers.emplace_back([&log, thread, each] {
      for (int number = 0; number < each; ++number)
        log.information("{Thread} {Number} {Text}", thread, number, std::string_view(text).substr(0, size_of(number)));
    });
  }
  for (std::thread& producer : producers) producer.join();
}

cairn::Configuration large_events(std::uint64_t max_bytes) {
  cairn::Configuration config = quiet();
  config.capture_limits({.string_bytes = 1 << 20, .event_bytes = 2 << 20});
  config.memory_budget({.max_bytes = max_bytes, .max_event_bytes = 2 << 20});
  return config;
}

class MemoryBudgets : public Alone {};
class MemoryShort : public Alone {};
class OnExceeded : public Alone {};
class LargestEvents : public Alone {};
class ShortThreads : public Alone {};
class MemoryBudgetStorm : public Alone, public testing::WithParamInterface<std::uint64_t> {};
class EventBytes : public Alone, public testing::WithParamInterface<bool> {};

TEST_P(MemoryBudgetStorm, into_a_blocked_sink_stays_within_it_and_leaves_the_newest) {
  const std::uint64_t limit = GetParam() * MiB;
  constexpr int threads = 4;
  constexpr int each = 2000;
  auto gate = std::make_shared<GateSink>();
  const auto log = large_events(limit).write_to(gate, "gate").with_queue({.max_size = 100'000}).create_logger();
  log.information("first");
  ASSERT_EQ(gate->wait_inside(), 1U);
  ASSERT_LE(log.metrics().memory.used_bytes, limit);
  const std::uint64_t resident_before = resident_bytes();
  std::uint64_t most_resident = 0;
  std::thread producers([&] { storm(log, threads, each); });
  while (true) {
    const cairn::MetricsSnapshot now = log.metrics();
    expect_sums_hold(now);
    EXPECT_LE(now.memory.used_bytes, limit);
    most_resident = std::max(most_resident, resident_bytes());
    if (now.logger.captured == threads * each + 1 && now.logger.in_lane == 0) break;
    std::this_thread::sleep_for(1ms);
  }
  producers.join();
  EXPECT_LE(log.metrics().memory.peak_bytes, limit);
  EXPECT_EQ(log.metrics().memory.max_bytes, limit);
  if (!sanitized) {
    EXPECT_LE(most_resident, resident_before + limit + std::max(8 * MiB, limit / 10));
  }

  EXPECT_GT(log.metrics().logger.dropped_total() + log.metrics().sinks[0].dropped_total(), 0U);
  gate->open();
  ASSERT_EQ(log.flush(60s).status, cairn::FlushStatus::ok);
  const cairn::MetricsSnapshot now = log.metrics();
  expect_sums_hold(now);
  const auto kept = gate->kept();
  EXPECT_EQ(now.logger.captured, threads * each + 1U);
  EXPECT_EQ(kept.size(), now.sinks[0].emitted);
  EXPECT_EQ(kept.size() + now.logger.dropped_total() + now.sinks[0].dropped_total(), now.logger.captured)
      << "to the unit";

  // What queues dropped came before all that they kept; only what went in the lanes may be missing between.
  std::map<std::int64_t, std::int64_t> next;
  std::uint64_t missing = 0;
  std::uint64_t bytes = 0;
  for (std::size_t i = 1; i < kept.size(); ++i) {
    const auto [at, fresh] = next.try_emplace(kept[i].thread, kept[i].number);
    ASSERT_GE(kept[i].number, at->second) << "a thread's order";
    missing += static_cast<std::uint64_t>(kept[i].number - at->second);
    at->second = kept[i].number + 1;
    bytes += std::min<std::uint64_t>(size_of(kept[i].number), limit / 8);
  }
  for (const auto& [thread, after] : next) missing += static_cast<std::uint64_t>(each - after);
  EXPECT_LE(missing, now.logger.dropped_total());
  EXPECT_GT(bytes, limit / 4) << "no more goes than must";
  const auto gaps = gate->gaps();
  ASSERT_FALSE(gaps.empty());
  std::printf("%llu MiB: kept %zu events, %llu bytes; peak %llu; resident +%lld; lanes lost %llu, given up %llu\n",
              static_cast<unsigned long long>(limit / MiB), kept.size(), static_cast<unsigned long long>(bytes),
              static_cast<unsigned long long>(now.memory.peak_bytes),
              static_cast<long long>(most_resident - resident_before),
              static_cast<unsigned long long>(dropped(now.logger.dropped, "lane_overrun")),
              static_cast<unsigned long long>(dropped(now.logger.dropped, "memory_limit")));
}
INSTANTIATE_TEST_SUITE_P(Limits, MemoryBudgetStorm, testing::Values(1, 16, 64));

/// Has what on_exceeded is told, whenever that comes.
struct Told {
  std::promise<cairn::MemoryExceeded> first;
  std::atomic<int> times{0};
};

TEST_F(MemoryBudgets, the_strictest_of_two_holds_as_long_as_its_logger_and_who_differs_is_warned) {
  std::vector<std::string> warnings;
  const auto with = [&](std::uint64_t max_bytes, std::uint32_t max_event_bytes) {
    cairn::Configuration config = quiet();
    config.on_internal_error([&](std::string_view text) { warnings.emplace_back(text); })
        .memory_budget({.max_bytes = max_bytes, .max_event_bytes = max_event_bytes})
        .write_to_null();
    return config;
  };
  const auto limits = [] {
    const cairn::MemoryBudget& memory = cairn::detail::process_memory();
    return std::pair(memory.max_bytes(), memory.max_event_bytes());
  };
  const auto wide = with(64 * MiB, 100'000).create_logger();
  EXPECT_TRUE(warnings.empty());
  EXPECT_EQ(limits(), std::pair(64 * MiB, 100'000U));
  {
    const auto same = with(64 * MiB, 100'000).create_logger();
    EXPECT_TRUE(warnings.empty()) << "the same is none to warn of";
    const auto strict = with(2 * MiB, 200'000).create_logger();
    ASSERT_EQ(warnings.size(), 1U);
    EXPECT_THAT(warnings[0], testing::AllOf(testing::HasSubstr("2097152 bytes, 200000 an event"),
                                            testing::HasSubstr("67108864 bytes, 100000 an event"),
                                            testing::HasSubstr("the strictest holds, 2097152 bytes, 100000 an event")));
    EXPECT_EQ(limits(), std::pair(2 * MiB, 100'000U)) << "each of the two for itself";
    EXPECT_EQ(strict.metrics().memory.max_bytes, 2 * MiB);
    const auto loose = with(128 * MiB, 200'000).create_logger();
    EXPECT_EQ(warnings.size(), 2U);
    EXPECT_EQ(limits().first, 2 * MiB);
  }
  EXPECT_EQ(limits(), std::pair(64 * MiB, 100'000U)) << "the strict one is gone";
}

TEST_F(MemoryBudgets, out_of_range_are_configuration_errors) {
  cairn::Configuration config = quiet();
  config.memory_budget({.max_bytes = 1000, .max_event_bytes = 100}).write_to_null();
  try {
    (void)config.create_logger();
    FAIL();
  } catch (const cairn::ConfigurationError& error) {
    EXPECT_THAT(error.problems(),
                testing::ElementsAre("memory_budget: max_bytes: 1000; it takes 1048576 (1 MiB) or more",
                                     "memory_budget: max_event_bytes: 100; it takes 1024 (1 KiB) to 4194304 (4 MiB)"));
  }
}

TEST_P(EventBytes, over_the_limit_are_cut_flagged_and_counted_whoever_set_it) {
  auto memory = std::make_shared<cairn::MemorySink>();
  cairn::Configuration config = quiet();
  auto sink = config.write_to(memory, "memory");
  if (GetParam()) sink.with_queue();
  const auto log = config.create_logger();
  const std::string text(60'000, 'x');
  log.information("{Number} {Text}", 1, text);
  {
    const auto strict = quiet().memory_budget({.max_event_bytes = 20'000}).write_to_null().create_logger();
    log.information("{Number} {Text}", 2, text);
    log.information("{Number} {@All}", 3, std::vector<std::string>(100, std::string(1000, 'y')));
    log.information("{Number} {Text}", 4, std::string(15'000, 'x'));
  }
  log.information("{Number} {Text}", 5, text);
  ASSERT_EQ(log.flush().status, cairn::FlushStatus::ok);
  const auto events = memory->events();
  ASSERT_EQ(events.size(), 5U);
  for (std::size_t i = 0; i < 5; ++i) EXPECT_EQ(events[i]->property("Number")->as_int64(), i + 1);
  EXPECT_EQ(events[0]->property("Text")->as_string(), text);
  EXPECT_TRUE(events[1]->truncated());
  EXPECT_LT(events[1]->property("Text")->as_string()->size(), 20'000U);
  EXPECT_GT(events[1]->property("Text")->as_string()->size(), 19'000U);
  EXPECT_THAT(std::string(*events[1]->property("Text")->as_string()), testing::EndsWith(" bytes)"));
  EXPECT_TRUE(events[2]->truncated());
  EXPECT_FALSE(events[3]->truncated());
  EXPECT_FALSE(events[4]->truncated()) << "the limit went with its logger";
  EXPECT_EQ(log.metrics().logger.truncated, 2U);
}
INSTANTIATE_TEST_SUITE_P(Deliveries, EventBytes, testing::Bool(),
                         [](const auto& one) { return one.param ? "queued" : "synchronous"; });

TEST_F(LargestEvents, are_an_eighth_of_the_budget_at_most) {
  auto memory = std::make_shared<cairn::MemorySink>();
  const auto log = quiet().memory_budget({.max_bytes = MiB}).write_to(memory, "memory").with_queue().create_logger();
  log.information("{A} {B} {C}", std::string(60'000, 'a'), std::string(60'000, 'b'), std::string(60'000, 'c'));
  ASSERT_EQ(log.flush().status, cairn::FlushStatus::ok);
  ASSERT_EQ(memory->events().size(), 1U);
  EXPECT_TRUE(memory->events()[0]->truncated());
  EXPECT_EQ(memory->events()[0]->property("B")->as_string()->size(), 60'000U);
  EXPECT_LT(memory->events()[0]->property("C")->as_string()->size(), 12'000U);
}

TEST_F(OnExceeded, is_told_off_the_callers_thread_under_no_lock_and_once_a_second) {
  auto gate = std::make_shared<GateSink>();
  const auto told = std::make_shared<Told>();
  const auto caller = std::this_thread::get_id();
  const auto begun = std::chrono::steady_clock::now();
  cairn::Logger log;
  std::promise<void> made;
  const auto ready = made.get_future().share();
  log = large_events(MiB)
            .memory_budget({.max_bytes = MiB,
                            .on_exceeded =
                                [told, caller, ready, &log](const cairn::MemoryExceeded& what) {
                                  ready.wait();
                                  EXPECT_NE(std::this_thread::get_id(), caller);
                                  if (told->times++ != 0) return;
                                  (void)log.metrics();  // takes every lock there is
                                  (void)log.queue_depth();
                                  log.information("{Number}", -7);
                                  told->first.set_value(what);
                                }})
            .write_to(gate, "gate")
            .with_queue()
            .create_logger();
  made.set_value();
  auto first = told->first.get_future();
  std::uint64_t logged = 1;  // by the callback
  for (; first.wait_for(0s) != std::future_status::ready; logged += 150)
    storm(log, 1, 150);  // a second may have to pass
  const cairn::MemoryExceeded what = first.get();
  EXPECT_EQ(what.max_bytes, MiB);
  EXPECT_LE(what.used_bytes, MiB);
  EXPECT_GT(what.wanted_bytes, 0U);
  for (; log.metrics().memory.exceeded < 3; logged += 150) storm(log, 1, 150);  // more often than it is told of
  gate->open();
  ASSERT_EQ(log.flush(60s).status, cairn::FlushStatus::ok);
  const auto seconds = (std::chrono::steady_clock::now() - begun) / 1s;
  EXPECT_LE(told->times, 1 + seconds);
  EXPECT_EQ(log.metrics().logger.captured, logged) << "what the callback logged among them";
}

TEST_F(OnExceeded, a_sink_is_told_how_many_of_its_events_went) {
  struct Sink {
    std::promise<std::pair<std::string, std::uint64_t>> first;
    std::atomic<int> times{0};
    std::thread::id from;
  };
  const auto told = std::make_shared<Sink>();
  const auto begun = std::chrono::steady_clock::now();
  auto gate = std::make_shared<GateSink>();
  const auto log = quiet()
                       .write_to(gate, "gate")
                       .with_queue({.on_memory_exceeded =
                                        [told](std::string_view sink, std::uint64_t dropped) {
                                          if (told->times++ != 0) return;
                                          told->from = std::this_thread::get_id();
                                          told->first.set_value({std::string(sink), dropped});
                                        }})
                       .with_memory_limit(64 << 10)
                       .create_logger();
  const std::string text(2000, 'x');
  for (int i = 0; i < 1000; ++i) log.information("{Number} {Text}", i, text);
  const auto [sink, count] = told->first.get_future().get();
  EXPECT_EQ(sink, "gate");
  EXPECT_GT(count, 0U);
  EXPECT_NE(told->from, std::this_thread::get_id());
  reach_the_queues(log);
  EXPECT_LE(count, dropped(log.metrics().sinks[0].dropped, "memory_limit"));
  EXPECT_LE(told->times, 1 + (std::chrono::steady_clock::now() - begun) / 1s);
  gate->open();
}

TEST_F(MemoryShort, gaps_are_told_in_the_output_that_has_them) {
  auto gate = std::make_shared<GateSink>();
  gate->keep_messages = true;
  const auto log = large_events(MiB).write_to(gate, "gate").with_queue().create_logger();
  const std::string text(30'000, 'x');
  for (int i = 0; i < 100; ++i) {
    log.information("{Number} {Text}", i, text);
    reach_the_queues(log);
  }
  const cairn::MetricsSnapshot before = log.metrics();
  EXPECT_GT(before.sinks[0].dropped.at("memory_limit"), 0U);
  gate->open();
  ASSERT_EQ(log.flush(60s).status, cairn::FlushStatus::ok);
  ASSERT_EQ(log.close().status, cairn::FlushStatus::ok) << "what was not told yet is told at the end";
  std::uint64_t told = 0;
  std::string texts;
  for (const auto& gap : gate->gaps()) {
    told += std::stoull(gap.message);
    texts += gap.message + '\n';
  }
  EXPECT_THAT(texts, testing::HasSubstr(" memory_limit"));
  EXPECT_EQ(told, before.logger.dropped_total() + before.sinks[0].dropped_total()) << texts;
  EXPECT_EQ(told + gate->kept().size(), 100U);
}

TEST_F(MemoryShort, protected_events_go_last) {
  auto gate = std::make_shared<GateSink>();
  const auto log = quiet()
                       .memory_budget({.max_bytes = MiB})
                       .write_to(gate, "gate")
                       .with_queue({.max_size = 100'000, .protect_level = cairn::Level::error})
                       .create_logger();
  log.information("first");
  gate->wait_inside();
  for (int i = 0; i < 50; ++i) log.error("{Number}", i);
  const std::string text(2000, 'x');
  for (int i = 0; i < 3000; ++i) {
    log.information("{Number} {Text}", 1000 + i, text);
    if (i % 20 == 0) reach_the_queues(log);
  }
  reach_the_queues(log);
  EXPECT_GT(dropped(log.metrics().sinks[0].dropped, "memory_limit"), 2000U);
  gate->open();
  ASSERT_EQ(log.flush(60s).status, cairn::FlushStatus::ok);
  const auto kept = gate->kept();
  ASSERT_GT(kept.size(), 51U);
  for (std::size_t i = 0; i < 50; ++i) EXPECT_EQ(kept[i + 1].number, static_cast<std::int64_t>(i));
  EXPECT_EQ(kept.back().number, 3999);
}

TEST_F(MemoryShort, the_oldest_of_all_queues_go_first_and_protected_ones_of_any_after_all_others) {
  auto first = std::make_shared<GateSink>();
  auto second = std::make_shared<GateSink>();
  const auto old = quiet()
                       .memory_budget({.max_bytes = 2 * MiB})
                       .write_to(first, "first")
                       .with_queue({.max_size = 100'000, .protect_level = cairn::Level::error})
                       .create_logger();
  const auto young = quiet().write_to(second, "second").with_queue({.max_size = 100'000}).create_logger();
  old.information("inside");
  young.information("inside");
  ASSERT_EQ(first->wait_inside(), 1U);
  ASSERT_EQ(second->wait_inside(), 1U);
  const std::string text(3000, 'x');
  for (int i = 0; i < 60; ++i) {
    i % 3 == 0 ? old.error("{Number} {Text}", i, text) : old.information("{Number} {Text}", i, text);
    if (i % 10 == 9) reach_the_queues(old);
  }
  EXPECT_EQ(old.queue_depth("first"), 60U);
  for (int i = 0; dropped(young.metrics().sinks[0].dropped, "memory_limit") == 0; ++i) {
    ASSERT_LT(i, 10'000);
    young.information("{Number} {Text}", i, text);
    if (i % 10 == 9) reach_the_queues(young);
  }
  EXPECT_EQ(dropped(old.metrics().sinks[0].dropped, "memory_limit"), 40U) << "what was older went before";
  EXPECT_EQ(old.queue_depth("first"), 20U) << "but for what is protected";
  first->open();
  second->open();
}

TEST_F(MemoryShort, a_sink_is_busy_with_a_part_of_the_budget_only) {
  struct Sizes final : cairn::Sink {
    cairn::EmitResult emit(std::span<const cairn::Event> events) override {
      std::size_t bytes = 0;
      for (const cairn::Event& event : events) {
        if (const auto text = event.property("Text")) bytes += text->as_string()->size();
      }
      most = std::max(most, bytes);
      all += bytes;
      open.wait(false);
      return cairn::EmitResult::all(events);
    }
    std::atomic<bool> open{false};
    std::size_t most = 0;
    std::size_t all = 0;
  };
  auto sizes = std::make_shared<Sizes>();
  const auto log = quiet()
                       .memory_budget({.max_bytes = 8 * MiB})
                       .write_to(sizes, "sizes")
                       .with_queue({.max_size = 100'000})
                       .create_logger();
  const std::string text(4000, 'x');
  for (int i = 0; i < 1000; ++i) {
    log.information("{Number} {Text}", i, text);
    if (i % 20 == 0) reach_the_queues(log);
  }
  reach_the_queues(log);
  sizes->open = true;
  sizes->open.notify_all();
  ASSERT_EQ(log.flush(60s).status, cairn::FlushStatus::ok);
  EXPECT_GT(sizes->all, 3'000'000U);
  EXPECT_LE(sizes->most, 8 * MiB / 32) << "a thirty-second, and never 512 events of 4 kB";
}

TEST_F(MemoryShort, one_sinks_flood_does_not_take_what_another_keeps_up_with) {
  auto stuck = std::make_shared<GateSink>();
  auto healthy = std::make_shared<GateSink>(true);
  const auto flood = large_events(2 * MiB).write_to(stuck, "stuck").with_queue({.max_size = 100'000}).create_logger();
  const auto log = quiet().write_to(healthy, "healthy").with_queue().create_logger();
  storm(flood, 1, 500);
  for (int i = 0; i < 200; ++i) {
    log.information("{Number}", i);
    storm(flood, 1, 5);
    ASSERT_EQ(log.flush(60s).status, cairn::FlushStatus::ok);
  }
  EXPECT_EQ(healthy->kept().size(), 200U);
  EXPECT_EQ(log.metrics().sinks[0].dropped_total(), 0U);
  const cairn::MetricsSnapshot flooded = flood.metrics();
  EXPECT_GT(flooded.logger.dropped_total() + flooded.sinks[0].dropped_total(), 0U);
  stuck->open();
}

// A sink that blocks loses nothing for want of memory: its callers wait for memory as they do for room.

TEST_F(MemoryShort, callers_of_a_sink_that_blocks_wait_and_nothing_is_lost) {
  auto gate = std::make_shared<GateSink>();
  const auto log = large_events(MiB)
                       .write_to(gate, "gate")
                       .with_queue({.max_size = 100'000, .overflow = cairn::Overflow::block, .block_timeout = 60s})
                       .create_logger();
  log.information("first");
  gate->wait_inside();
  std::atomic<bool> done{false};
  std::thread producers([&] {
    storm(log, 2, 1000);
    done = true;
  });
  // They fill the share and the lanes, and then wait.
  for (std::uint64_t captured = 0;; std::this_thread::sleep_for(50ms)) {
    const cairn::MetricsSnapshot now = log.metrics();
    expect_sums_hold(now);
    EXPECT_LE(now.memory.used_bytes, MiB);
    if (now.logger.captured == captured && captured > 10) break;
    captured = now.logger.captured;
  }
  EXPECT_FALSE(done);
  gate->open();
  producers.join();
  ASSERT_EQ(log.flush(60s).status, cairn::FlushStatus::ok);
  const cairn::MetricsSnapshot now = log.metrics();
  expect_sums_hold(now);
  EXPECT_EQ(gate->kept().size(), 2001U);
  EXPECT_EQ(now.logger.captured, 2001U);
  EXPECT_EQ(now.logger.dropped_total() + now.sinks[0].dropped_total(), 0U);
  EXPECT_TRUE(now.logger.rejected.empty());
}

TEST_F(MemoryShort, a_sink_that_blocks_for_ever_has_its_share_and_its_neighbours_theirs) {
  auto gate = std::make_shared<GateSink>();
  auto healthy = std::make_shared<GateSink>(true);
  const auto stuck = large_events(MiB)
                         .write_to(gate, "gate")
                         .with_queue({.max_size = 100'000, .overflow = cairn::Overflow::block, .block_timeout = 1ms})
                         .create_logger();
  const auto log = quiet().write_to(healthy, "healthy").with_queue().create_logger();
  storm(stuck, 2, 500);
  const cairn::MetricsSnapshot now = stuck.metrics();
  expect_sums_hold(now);
  EXPECT_GT(now.logger.rejected.at("block_timeout"), 100U);
  EXPECT_EQ(now.logger.captured + now.logger.rejected.at("block_timeout"), 1000U);
  EXPECT_EQ(now.logger.dropped_total() + now.sinks[0].dropped_total(), 0U);
  for (int i = 0; i < 1000; ++i) log.information("{Number}", i);
  ASSERT_EQ(log.flush(60s).status, cairn::FlushStatus::ok);
  EXPECT_EQ(healthy->kept().size(), 1000U);
  auto other = std::make_shared<GateSink>();
  const auto flood = quiet().write_to(other, "other").with_queue({.max_size = 100'000}).create_logger();
  for (int i = 0; i < 100; ++i) {
    storm(flood, 1, 11);
    reach_the_queues(flood);
  }
  EXPECT_GT(dropped(flood.metrics().sinks[0].dropped, "memory_limit"), 0U);
  EXPECT_EQ(stuck.metrics().sinks[0].dropped_total(), 0U) << "what blocks keeps its own when memory is short";
  other->open();
  gate->open();
  ASSERT_EQ(stuck.flush(60s).status, cairn::FlushStatus::ok);
  EXPECT_EQ(gate->kept().size(), now.logger.captured);
}

TEST_F(MemoryShort, a_sink_that_drops_beside_one_that_blocks_loses_nothing_for_it) {
  auto gate = std::make_shared<GateSink>();
  auto open = std::make_shared<GateSink>(true);
  const auto log = large_events(MiB)
                       .write_to(gate, "gate")
                       .with_queue({.max_size = 100'000, .overflow = cairn::Overflow::block, .block_timeout = 60s})
                       .write_to(open, "open")
                       .with_queue({.max_size = 100'000})
                       .create_logger();
  std::thread producers([&] { storm(log, 2, 500); });
  gate->wait_inside();
  for (std::size_t kept = 0;; std::this_thread::sleep_for(50ms)) {
    if (open->kept().size() == kept && kept > 10) break;
    kept = open->kept().size();
  }
  gate->open();
  producers.join();
  ASSERT_EQ(log.flush(60s).status, cairn::FlushStatus::ok);
  EXPECT_EQ(gate->kept().size(), 1000U);
  EXPECT_EQ(open->kept().size(), 1000U);
}

TEST_F(MemoryShort, beside_a_synchronous_sink_the_copies_for_a_queue_are_within_the_budget) {
  auto direct = std::make_shared<GateSink>(true);
  auto gate = std::make_shared<GateSink>();
  const auto log = large_events(MiB)
                       .write_to(direct, "direct")
                       .write_to(gate, "gate")
                       .with_queue({.max_size = 100'000})
                       .create_logger();
  storm(log, 2, 500);
  EXPECT_LE(log.metrics().memory.peak_bytes, MiB);
  EXPECT_EQ(direct->kept().size(), 1000U);
  gate->open();
  ASSERT_EQ(log.flush(60s).status, cairn::FlushStatus::ok);
  const cairn::MetricsSnapshot now = log.metrics();
  expect_sums_hold(now);
  EXPECT_EQ(gate->kept().size() + now.sinks[1].dropped.at("memory_limit"), 1000U);
  EXPECT_EQ(gate->kept().back().number, 499);
}

TEST_F(MemoryShort, what_enrichers_and_contexts_add_is_charged_too) {
  auto gate = std::make_shared<GateSink>();
  const auto log = quiet()
                       .memory_budget({.max_bytes = 4 * MiB})
                       .enrich_with_property("Large", std::string(3000, 'e'))
                       .write_to(gate, "gate")
                       .with_queue({.max_size = 100'000})
                       .create_logger();
  log.information("first");
  gate->wait_inside();
  for (int i = 0; i < 3000; ++i) {
    const auto scope = cairn::LogContext::push("Context", std::string(2000, 'c'));
    log.information("{Number}", i);
    if (i % 10 == 0) reach_the_queues(log);
  }
  reach_the_queues(log);
  EXPECT_GT(log.metrics().sinks[0].dropped.at("memory_limit"), 1500U) << "5 kB an event, 15 MB in all";
  EXPECT_LE(log.metrics().memory.peak_bytes, 4 * MiB);
  gate->open();
  ASSERT_EQ(log.flush(60s).status, cairn::FlushStatus::ok);
  EXPECT_EQ(gate->kept().back().number, 2999);
  expect_sums_hold(log.metrics());
}

TEST_F(MemoryShort, threads_get_smaller_lanes_and_those_for_which_there_is_none_are_counted) {
  constexpr int threads = 40;
  auto sink = std::make_shared<GateSink>(true);
  const auto log = quiet().memory_budget({.max_bytes = MiB}).write_to(sink, "sink").with_queue().create_logger();
  std::barrier all(threads);
  std::vector<std::thread> producers;
  for (int thread = 0; thread < threads; ++thread) {
    producers.emplace_back([&, thread] {
      log.information("{Thread} {Number}", thread, 0);
      all.arrive_and_wait();  // nobody gives a lane back before everybody asked for one
      for (int i = 1; i < 10; ++i) log.information("{Thread} {Number}", thread, i);
      all.arrive_and_wait();
    });
  }
  for (std::thread& producer : producers) producer.join();
  ASSERT_EQ(log.flush(60s).status, cairn::FlushStatus::ok);
  const cairn::MetricsSnapshot now = log.metrics();
  expect_sums_hold(now);
  EXPECT_EQ(now.logger.captured, threads * 10U);
  const std::uint64_t without = dropped(now.logger.dropped, "memory_limit");
  EXPECT_GT(without, 100U);
  EXPECT_EQ(sink->kept().size(), threads * 10U - without);
  ASSERT_GT(sink->kept().size(), 20U) << "some had one";
  EXPECT_LE(now.memory.peak_bytes, MiB);
  // Now they are free again.
  std::thread([&] { log.information("{Number}", 77); }).join();
  ASSERT_EQ(log.flush(60s).status, cairn::FlushStatus::ok);
  EXPECT_EQ(sink->kept().back().number, 77);
  EXPECT_EQ(log.metrics().logger.dropped.at("memory_limit"), without);
}

TEST_F(MemoryBudgets, what_is_kept_for_later_goes_when_a_limit_comes) {
  auto sink = std::make_shared<GateSink>(true);
  {
    const auto log = quiet().write_to(sink, "sink").with_queue().create_logger();
    std::barrier all(20);
    std::vector<std::thread> producers;
    for (int thread = 0; thread < 20; ++thread) {
      producers.emplace_back([&] {
        log.information("x");
        all.arrive_and_wait();
      });
    }
    for (std::thread& producer : producers) producer.join();
    ASSERT_EQ(log.flush().status, cairn::FlushStatus::ok);
    EXPECT_GT(log.metrics().memory.used_bytes, 20U * 500'000U) << "a lane a thread";
    (void)log.close();
  }
  const auto log = quiet().memory_budget({.max_bytes = 2 * MiB}).write_to(sink, "sink").with_queue().create_logger();
  while (log.metrics().memory.used_bytes > 2 * MiB) std::this_thread::yield();  // the last lane may be about to close
  log.information("{Number}", 5);
  ASSERT_EQ(log.flush().status, cairn::FlushStatus::ok);
  EXPECT_EQ(sink->kept().back().number, 5);
}

TEST_F(MemoryBudgets, a_forked_process_has_the_whole_of_it) {
  if (sanitized) GTEST_SKIP() << "ThreadSanitizer has no threads in a child of a process that has some";
  auto gate = std::make_shared<GateSink>();
  const auto log = large_events(4 * MiB).write_to(gate, "gate").with_queue({.max_size = 100'000}).create_logger();
  storm(log, 2, 500);
  reach_the_queues(log);
  EXPECT_GT(log.metrics().memory.used_bytes, 2 * MiB) << "the queue's alone: lanes of threads that ended may be gone";
  EXPECT_EQ(in_child([&] {
              if (log.metrics().memory.used_bytes != 0) return 1;
              auto sink = std::make_shared<cairn::MemorySink>();
              const auto own = quiet().write_to(sink, "sink").with_queue().create_logger();
              storm(own, 1, 50);
              if (own.flush(60s).status != cairn::FlushStatus::ok) return 2;
              if (sink->events().size() != 50) return 3;
              return own.metrics().memory.used_bytes != 0 && own.metrics().memory.peak_bytes <= 4 * MiB ? 0 : 4;
            }),
            0);
  gate->open();
  ASSERT_EQ(log.flush(60s).status, cairn::FlushStatus::ok);
  expect_sums_hold(log.metrics());
}

TEST_F(MemoryBudgets, the_sums_hold_in_every_snapshot_while_memory_is_short) {
  auto gate = std::make_shared<GateSink>(true);
  const auto log = large_events(MiB)
                       .filter_by([](const cairn::Event& e) { return e.property("Number")->as_int64() != 13; })
                       .write_to(gate, "gate")
                       .with_queue({.max_size = 100'000})
                       .create_logger();
  std::atomic<bool> done{false};
  std::thread producers([&] {
    storm(log, 4, 1500);
    done = true;
  });
  for (int i = 0; !done; ++i) {
    i % 2 == 0 ? gate->shut() : gate->open();
    const cairn::MetricsSnapshot now = log.metrics();
    expect_sums_hold(now);
    ASSERT_LE(now.memory.used_bytes, MiB);
  }
  producers.join();
  gate->open();
  ASSERT_EQ(log.flush(60s).status, cairn::FlushStatus::ok);
  const cairn::MetricsSnapshot now = log.metrics();
  expect_sums_hold(now);
  EXPECT_EQ(now.logger.captured, 6000U);
  EXPECT_EQ(now.logger.in_lane + now.sinks[0].pending, 0U);
}

/// A hundred thousand of them are in `./dev fault memory`.
TEST_F(ShortThreads, lose_nothing_and_however_many_take_no_more_than_a_thousand) {
  constexpr int threads = sanitized ? 5'000 : 20'000;
  std::atomic<std::uint64_t> emitted{0};
  const auto log = quiet()
                       .write_to_callback([&](const cairn::Event&) { ++emitted; })
                       .with_queue({.max_size = 1 << 16, .overflow = cairn::Overflow::block, .block_timeout = 60s})
                       .create_logger();
  const auto run = [&](int count) {
    for (int i = 0; i < count; i += 2) {
      std::thread other([&] {
        for (int n = 0; n < 3; ++n) log.information("{Number}", n);
      });
      std::thread([&] {
        for (int n = 0; n < 3; ++n) log.information("{Number}", n);
      }).join();
      other.join();
      // Threads that outrun the dispatcher have lanes side by side, as many as the machine is slow.
      if (i % 100 == 0) {
        ASSERT_EQ(log.flush(60s).status, cairn::FlushStatus::ok);
      }
    }
  };
  run(1000);
  ASSERT_EQ(log.flush(60s).status, cairn::FlushStatus::ok);
  const std::uint64_t resident = resident_bytes();
  const std::uint64_t used = log.metrics().memory.peak_bytes;
  run(threads - 1000);
  ASSERT_EQ(log.flush(60s).status, cairn::FlushStatus::ok);
  EXPECT_EQ(emitted, static_cast<std::uint64_t>(threads) * 3);
  EXPECT_EQ(log.metrics().logger.captured, static_cast<std::uint64_t>(threads) * 3);
  EXPECT_EQ(log.metrics().logger.dropped_total() + log.metrics().sinks[0].dropped_total(), 0U);
  if (!sanitized) {
    EXPECT_LE(resident_bytes(), resident + 8 * MiB);
  }
  std::printf("%d threads: resident +%lld, peak of the account %llu, of the first thousand %llu\n", threads,
              static_cast<long long>(resident_bytes()) - static_cast<long long>(resident),
              static_cast<unsigned long long>(log.metrics().memory.peak_bytes), static_cast<unsigned long long>(used));
}

}  // namespace
