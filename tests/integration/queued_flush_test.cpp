// A flush of a queued sink: what it covers, whatever else is dropped meanwhile; what it says when the logger ends
// first; that it is tried again where it failed, and told; that a sink which hangs in it is seen to.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cairn/all.hpp>
#include <chrono>
#include <condition_variable>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <system_error>
#include <vector>

#include "support/budget_tests.hpp"
#include "support/sanitizers.hpp"
#include "support/scripted_sink.hpp"

namespace {

using namespace std::chrono_literals;
using cairn::FlushStatus;
using cairn::Overflow;
using cairn::ShutdownStrategy;
using cairn::testing::comes_true;
using cairn::testing::TurnedClock;
using Steady = std::chrono::steady_clock;

/// Each `emit` and each `flush` waits at its door. Notes what it had taken whenever it was flushed.
class WatchedSink final : public cairn::Sink {
 public:
  class Door {
   public:
    explicit Door(bool open) : open_(open) {}
    void pass() {
      std::unique_lock lock(mutex_);
      ++came_;
      changed_.notify_all();
      changed_.wait(lock, [&] { return open_; });
    }
    void set(bool open) {
      const std::lock_guard lock(mutex_);
      open_ = open;
      changed_.notify_all();
    }
    [[nodiscard]] bool wait_for(std::size_t calls) {
      std::unique_lock lock(mutex_);
      return changed_.wait_for(lock, 1min, [&] { return came_ >= calls; });
    }

   private:
    std::mutex mutex_;
    std::condition_variable changed_;
    bool open_;
    std::size_t came_ = 0;
  };
  Door emit_;
  Door flush_{true};
  std::atomic<bool> full{false};  // then a flush fails

  explicit WatchedSink(bool open) : emit_(open) {}

  cairn::EmitResult emit(std::span<const cairn::Event> events) override {
    emit_.pass();
    const std::lock_guard lock(mutex_);
    for (const cairn::Event& event : events) taken_.push_back(event.message());
    return cairn::EmitResult::all(events);
  }
  std::error_code flush(Steady::time_point) override {
    const bool fails = full;
    {
      const std::lock_guard lock(mutex_);
      flushes_.push_back({Steady::now(), taken_, !fails});
    }
    flush_.pass();
    return fails ? std::make_error_code(std::errc::no_space_on_device) : std::error_code();
  }

  struct Flush {
    Steady::time_point at{};
    std::vector<std::string> with;
    bool ok = false;
  };
  [[nodiscard]] std::vector<Flush> flushes() const {
    const std::lock_guard lock(mutex_);
    return flushes_;
  }
  [[nodiscard]] std::size_t taken() const {
    const std::lock_guard lock(mutex_);
    return taken_.size();
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> taken_;
  std::vector<Flush> flushes_;
};

cairn::Configuration quiet() {
  cairn::Configuration config;
  config.verbose().on_internal_error([](std::string_view) {});
  return config;
}

std::size_t count_of(const std::vector<std::string>& messages, const std::string& start) {
  return static_cast<std::size_t>(std::count_if(messages.begin(), messages.end(),
                                                [&](const std::string& each) { return each.starts_with(start); }));
}

bool queues(const cairn::Logger& log, std::uint64_t accepted) {
  return comes_true([&] { return log.metrics().sink("sink")->accepted == accepted; });
}

/// A sink whose first event is inside it, with a flush that covers so many more.
struct FlushUnderWay : testing::Test {
  std::shared_ptr<WatchedSink> sink = std::make_shared<WatchedSink>(false);
  cairn::Logger log;

  void begin(const cairn::Logger& made, int more, cairn::Level level = cairn::Level::information) {
    log = made;
    log.information("first");
    ASSERT_TRUE(sink->emit_.wait_for(1));
    for (int i = 0; i < more; ++i) log.write(level, "covered {Number}", i);
    ASSERT_TRUE(queues(log, 1U + static_cast<unsigned>(more)));
    // It has begun, though nobody waits; the sink is flushed when it is done.
    ASSERT_EQ(log.flush(0s).status, FlushStatus::timed_out);
  }
  /// With what of it the sink was flushed.
  std::size_t covered_by_the_first() {
    sink->emit_.set(true);
    EXPECT_TRUE(sink->flush_.wait_for(1));
    const auto flushes = sink->flushes();
    return flushes.empty() ? 0 : count_of(flushes.front().with, "covered");
  }
};

TEST_F(FlushUnderWay, is_not_ended_by_what_a_full_queue_drops_as_it_comes) {
  begin(quiet()
            .write_to(sink, "sink")
            .with_queue({.max_size = 80, .batch_size = 10, .flush_interval = 1h, .overflow = Overflow::drop_newest})
            .create_logger(),
        60);
  for (int i = 0; i < 3000; ++i) log.information("later");
  ASSERT_TRUE(queues(log, 3061));
  EXPECT_EQ(covered_by_the_first(), 60U);
}

TEST_F(FlushUnderWay, is_not_ended_by_others_that_are_pushed_out_before_the_protected) {
  begin(quiet()
            .write_to(sink, "sink")
            .with_queue({.max_size = 80, .batch_size = 1, .flush_interval = 1h, .protect_level = cairn::Level::error})
            .create_logger(),
        9, cairn::Level::error);
  for (int i = 0; i < 1000; ++i) log.information("later");
  ASSERT_TRUE(queues(log, 1010));
  EXPECT_EQ(covered_by_the_first(), 9U);
}

TEST_F(FlushUnderWay, is_not_ended_by_what_is_refused_while_callers_wait_for_places) {
  cairn::Configuration config = quiet();
  config.write_to(sink, "sink")
      .with_queue(
          {.max_size = 50, .batch_size = 5, .flush_interval = 1h, .overflow = Overflow::block, .block_timeout = 1ms});
  config.write_to_null();
  begin(config.create_logger(), 40);
  for (int i = 0; i < 100; ++i) log.information("later");
  ASSERT_TRUE(queues(log, 141));
  EXPECT_EQ(covered_by_the_first(), 40U);
}

TEST_F(FlushUnderWay, is_not_ended_by_what_is_too_large_for_the_queue) {
  cairn::Configuration config = quiet();
  config.write_to(sink, "sink").with_queue({.batch_size = 5, .flush_interval = 1h}).with_memory_limit(20 << 10);
  config.write_to_null();  // no lane is in the way of large events
  begin(config.create_logger(), 20);
  const std::string large(24 << 10, 'x');
  for (int i = 0; i < 60; ++i) log.information("later {Text}", large);
  ASSERT_TRUE(queues(log, 81));
  EXPECT_EQ(log.metrics().sink("sink")->dropped_total(), 60U);
  EXPECT_EQ(covered_by_the_first(), 20U);
}

TEST_F(FlushUnderWay, is_done_once_all_that_it_covers_was_pushed_out) {
  begin(quiet()
            .write_to(sink, "sink")
            .with_queue({.max_size = 50, .batch_size = 10, .flush_interval = 1h})
            .create_logger(),
        50);
  for (int i = 0; i < 1000; ++i) log.information("later");
  ASSERT_TRUE(queues(log, 1051));
  EXPECT_EQ(covered_by_the_first(), 0U);
  EXPECT_EQ(count_of(sink->flushes().front().with, "later"), 0U) << "it waits for nothing that came after it";
}

// ---- a logger that ends meanwhile

TEST(FlushAtTheEnd, fails_where_a_shutdown_drops_what_it_covers) {
  for (const auto& how : {ShutdownStrategy::immediate(), ShutdownStrategy::graceful(1ms)}) {
    const auto before = std::make_shared<WatchedSink>(true);
    const auto sink = std::make_shared<WatchedSink>(false);
    cairn::Configuration config = quiet();
    config.write_to(before, "before");
    config.write_to(sink, "sink").with_queue({.batch_size = 1, .flush_interval = 1h});
    const auto log = config.create_logger();
    for (int i = 0; i < 50; ++i) log.information("{Number}", i);
    ASSERT_TRUE(sink->emit_.wait_for(1));
    auto flush = std::async(std::launch::async, [&] { return log.flush(1min); });
    ASSERT_TRUE(before->flush_.wait_for(1));  // when the first sink is flushed, the flush of both has begun
    (void)log.shutdown(how);
    const cairn::FlushResult result = flush.get();
    EXPECT_EQ(result.status, FlushStatus::failed);
    EXPECT_EQ(result.sinks.at(0).status, FlushStatus::ok);
    EXPECT_EQ(result.sinks.at(1).status, FlushStatus::failed);
    EXPECT_EQ(result.sinks.at(1).error, "the logger ended: 50 events are still pending");

    const cairn::FlushResult later = log.flush(0s);
    EXPECT_EQ(later.sinks.at(1).status, FlushStatus::timed_out);
    EXPECT_EQ(later.sinks.at(1).error, "1 events are still pending") << "the sink has one";
    sink->emit_.set(true);
    EXPECT_EQ(log.flush(1min).status, FlushStatus::ok) << "all that was dropped before has had its end";
    EXPECT_EQ(log.metrics().sink("sink")->pending, 0U);
  }
}

TEST(FlushAtTheEnd, is_ok_beside_a_close_that_delivers_everything) {
  for (int round = 0; round < 200; ++round) {
    const auto kept = std::make_shared<WatchedSink>(true);
    const auto log = quiet().write_to(kept, "sink").with_queue().create_logger();
    log.information("one");
    auto flush = std::async(std::launch::async, [&] { return log.flush(1min); });
    ASSERT_EQ(log.close().status, FlushStatus::ok);
    ASSERT_EQ(flush.get().status, FlushStatus::ok) << "round " << round;
    ASSERT_EQ(kept->taken(), 1U);
  }
}

// ---- a flush that fails

TEST(FailedFlush, is_tried_again_after_a_pause_until_it_is_done_though_nothing_more_comes) {
  for (const auto interval : {std::chrono::nanoseconds(1ms), std::chrono::nanoseconds(10s)}) {
    const auto sink = std::make_shared<WatchedSink>(true);
    const auto log = quiet().write_to(sink, "sink").with_queue({.flush_interval = interval}).create_logger();
    sink->full = true;
    log.information("one");
    EXPECT_EQ(log.flush(1min).status, FlushStatus::failed);
    ASSERT_TRUE(comes_true([&] { return sink->flushes().size() >= 4; }));
    sink->full = false;
    ASSERT_TRUE(comes_true([&] { return sink->flushes().back().ok; }));

    const auto flushes = sink->flushes();
    for (std::size_t i = 2; i < flushes.size(); ++i)  // the first two may be the interval's and the asked one
      EXPECT_GE(flushes[i].at - flushes[i - 1].at, 250ms);
    EXPECT_EQ(log.close().status, FlushStatus::ok);
  }
}

TEST(FailedFlush, holds_up_no_end) {
  const auto sink = std::make_shared<WatchedSink>(true);
  const auto log = quiet().write_to(sink, "sink").with_queue({.flush_interval = 1ms}).create_logger();
  sink->full = true;
  log.information("one");
  ASSERT_TRUE(comes_true([&] { return !sink->flushes().empty(); }));
  const cairn::ShutdownReport report = log.shutdown(ShutdownStrategy::graceful(1min));
  EXPECT_EQ(report.status, cairn::ShutdownStatus::failed);
  EXPECT_FALSE(report.sinks.at(0).timed_out);
  EXPECT_LE(sink->flushes().size(), 10U);
}

// ---- a sink that hangs in its flush

TEST(HungFlush, shows_as_stalled_and_is_told_as_slow_without_a_breaker_or_fallback) {
  TurnedClock clock;
  clock.turn(1h);
  std::atomic<int> told{0};
  const auto sink = std::make_shared<WatchedSink>(true);
  sink->flush_.set(false);
  cairn::Configuration config = quiet();
  config.use_clock(clock)
      .write_to(sink, "sink")
      .with_queue({.flush_interval = 1ms, .on_slow = [&](const cairn::SlowSink&) { ++told; }, .slow_after = 20s});
  {
    const auto log = config.create_logger();
    log.information("one");
    ASSERT_TRUE(sink->flush_.wait_for(1));
    EXPECT_FALSE(log.metrics().sink("sink")->stalled);
    clock.turn(21s);
    EXPECT_TRUE(log.metrics().sink("sink")->stalled);
    log.information("two");
    EXPECT_TRUE(comes_true([&] { return told != 0; }));
    sink->flush_.set(true);
    EXPECT_EQ(log.flush(1min).status, FlushStatus::ok);
    EXPECT_FALSE(log.metrics().sink("sink")->stalled);
    (void)log.close();
  }
}

TEST(SinkThatHung, is_flushed_in_vain_however_often_and_no_memory_goes_with_it) {
  const auto sink = std::make_shared<WatchedSink>(false);
  const auto log = quiet().write_to_null().write_to(sink, "sink").with_queue().create_logger();
  log.information("one");
  ASSERT_TRUE(sink->emit_.wait_for(1));
  const auto in_vain = [&](int times) {
    for (int i = 0; i < times; ++i) ASSERT_EQ(log.flush(0s).status, FlushStatus::timed_out);
  };
  in_vain(1000);
  const std::uint64_t before = cairn::testing::resident_bytes();
  in_vain(50'000);  // some 40 bytes each, were they kept
  if (!cairn::testing::under_sanitizer) {
    EXPECT_LT(cairn::testing::resident_bytes(), before + cairn::testing::MiB);
  }
  sink->emit_.set(true);
  EXPECT_EQ(log.flush(60s).status, FlushStatus::ok);
}

TEST(SinkThatHung, is_flushed_of_what_it_took_after_all_though_nothing_more_comes) {
  TurnedClock clock;
  clock.turn(1h);
  std::atomic<bool> left{false};
  const auto sink = std::make_shared<WatchedSink>(false);
  cairn::Configuration config = quiet();
  config.use_clock(clock)
      .on_internal_error([&](std::string_view said) {
        if (said.find("its events go to its fallback") != std::string_view::npos) left = true;
      })
      .write_to(sink, "sink")
      .with_queue({.flush_interval = 1ms})
      .with_fallback(cairn::SinkSpec::sink(std::make_shared<cairn::MemorySink>(), "spare"));
  {
    const auto log = config.create_logger();
    log.information("one");
    ASSERT_TRUE(sink->emit_.wait_for(1));
    clock.turn(31s);
    ASSERT_TRUE(comes_true([&] { return left.load(); }));
    sink->emit_.set(true);
    EXPECT_TRUE(comes_true([&] {
      const auto flushes = sink->flushes();
      return !flushes.empty() && flushes.back().with.size() == 1;
    }));
    EXPECT_EQ(log.shutdown(ShutdownStrategy::graceful(1min)).status, cairn::ShutdownStatus::completed);
  }
}

}  // namespace
