// N2: what is called because a sink hangs may hang as well, and so may a synchronous fallback behind a queue. Neither
// hides another sink that hangs, nor itself.
#include <gtest/gtest.h>

#include <cairn/all.hpp>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <semaphore>

#include "support/scripted_sink.hpp"

namespace {
using namespace cairn;
using namespace cairn::testing;
using namespace std::chrono_literals;

/// What hangs until it is let go; then nothing does any more.
class Trap {
 public:
  /// Waits for those who are inside.
  ~Trap() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return inside_ == 0; });
  }
  void enter() {
    std::unique_lock lock(mutex_);
    caught_ = true;
    ++inside_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
    --inside_;
    changed_.notify_all();
  }
  void wait_caught() {  // the test program has a time limit
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return caught_; });
  }
  [[nodiscard]] bool has_caught() {
    const std::lock_guard lock(mutex_);
    return caught_;
  }
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int inside_ = 0;
  bool caught_ = false;
  bool open_ = false;
};

class N2HungCallback : public ::testing::Test {
 protected:
  static inline const CircuitBreakerOptions breaker{.failures = 1, .jitter = 0, .attempt_timeout = 5s};

  void SetUp() override { clock.turn(1h); }
  void TearDown() override {
    for (Trap* each : {&trap, &callback, &other_trap}) each->open();
    (void)log.shutdown(ShutdownStrategy::graceful(1min));
    (void)other.shutdown(ShutdownStrategy::graceful(1min));
  }
  static std::shared_ptr<ScriptedSink> caught_in(Trap& where) {
    auto sink = std::make_shared<ScriptedSink>();
    sink->in_emit = [&](const auto&) { where.enter(); };
    return sink;
  }
  /// The sink of `log` hangs, and then the callback that is told of it; the sink of `other` hangs after that.
  void expect_that_another_is_seen_to_hang(Configuration& config, CircuitBreakerOptions options) {
    config.use_clock(clock).write_to(caught_in(trap), "hung").with_queue().with_circuit_breaker(std::move(options));
    log = config.create_logger();
    log.information("{Number}", 1);
    trap.wait_caught();
    clock.turn(5s);
    callback.wait_caught();

    const auto fallback = std::make_shared<ScriptedSink>();
    Configuration second;
    second.use_clock(clock).on_internal_error([](std::string_view) {});
    second.write_to(caught_in(other_trap), "other")
        .with_queue()
        .with_circuit_breaker(breaker)
        .with_fallback(SinkSpec::sink(fallback, "fallback"));
    other = second.create_logger();
    other.information("{Number}", 1);
    other_trap.wait_caught();
    clock.turn(5s);
    other.information("{Number}", 2);
    EXPECT_TRUE(comes_true([&] { return fallback->numbers() == std::vector<std::int64_t>{2}; }));
  }

  TurnedClock clock;
  Trap trap;
  Trap callback;
  Trap other_trap;
  Logger log;
  Logger other;
};

TEST_F(N2HungCallback, on_transition_of_a_sink_that_hangs_hides_no_other) {
  CircuitBreakerOptions options = breaker;
  options.on_transition = [this](const CircuitTransition&) { callback.enter(); };
  Configuration config;
  config.on_internal_error([](std::string_view) {});
  expect_that_another_is_seen_to_hang(config, options);
}

TEST_F(N2HungCallback, on_internal_error_of_a_sink_that_hangs_hides_no_other) {
  Configuration config;
  config.on_internal_error([this](std::string_view) { callback.enter(); });
  expect_that_another_is_seen_to_hang(config, breaker);
}

class N2HungFallback : public N2HungCallback {};

TEST_F(N2HungFallback, that_is_synchronous_is_shown_as_the_time_of_the_sink_before_it) {
  const auto sink = std::make_shared<ScriptedSink>();
  sink->break_down();
  Configuration config;
  config.use_clock(clock).on_internal_error([](std::string_view) {});
  config.write_to(sink, "sink")
      .with_queue({.on_slow = [this](const SlowSink&) { callback.enter(); }, .slow_after = 5s})
      .with_fallback(SinkSpec::sink(caught_in(trap), "fallback"));
  log = config.create_logger();
  log.information("{Number}", 1);
  trap.wait_caught();
  EXPECT_FALSE(log.metrics().sink("sink")->stalled);
  clock.turn(5s);
  EXPECT_TRUE(log.metrics().sink("sink")->stalled);
  log.information("{Number}", 2);
  callback.wait_caught();
  trap.open();
  ASSERT_EQ(log.flush(1min).status, FlushStatus::ok);
  EXPECT_FALSE(log.metrics().sink("sink")->stalled);
}

}  // namespace
