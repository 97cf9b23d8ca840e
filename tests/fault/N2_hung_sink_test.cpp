// N2, while the program runs: a sink does not come back from a call. Its events go to the fallback, once, and every one
// is in a count at every moment; when it comes back it is tried again.
#include <dirent.h>
#include <gtest/gtest.h>
#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <cairn/all.hpp>
#include <chrono>
#include <fstream>
#include <functional>
#include <memory>
#include <numeric>
#include <semaphore>
#include <string>
#include <thread>
#include <vector>

#include "support/sanitizers.hpp"
#include "support/scripted_sink.hpp"

namespace {

using namespace std::chrono_literals;
using cairn::CircuitState;
using cairn::ShutdownStrategy;
using cairn::testing::ScriptedSink;
using cairn::testing::TurnedClock;

/// What a sink may be stuck behind. Shut, it is open again for one.
class Door {
 public:
  void pass() {
    ++inside;
    inside.notify_all();
    open_.acquire();
    --inside;
  }
  void open_for(std::ptrdiff_t calls = 1) { open_.release(calls); }
  void wait_inside() {
    for (int now = inside; now == 0; now = inside) inside.wait(now);
  }
  std::atomic<int> inside{0};

 private:
  std::counting_semaphore<> open_{0};
};

template <class F>
void wait_until(F&& f) {
  while (!f()) std::this_thread::yield();  // the test program has a time limit
}

int threads_named(const std::string& name) {
  int found = 0;
  DIR* tasks = ::opendir("/proc/self/task");
  while (const dirent* task = ::readdir(tasks)) {
    std::ifstream comm(std::string("/proc/self/task/") + task->d_name + "/comm");
    std::string line;
    if (std::getline(comm, line) && line == name) ++found;
  }
  ::closedir(tasks);
  return found;
}

std::vector<std::int64_t> from_to(std::int64_t first, std::int64_t end) {
  std::vector<std::int64_t> numbers(static_cast<std::size_t>(end - first));
  std::iota(numbers.begin(), numbers.end(), first);
  return numbers;
}

class N2HungSinkWhileRunning : public testing::Test {
 protected:
  static constexpr auto attempt_timeout = 5s;

  void SetUp() override {
    clock.turn(1h);
    sink->in_emit = [this](const std::vector<std::int64_t>& numbers) {
      EXPECT_LE(++in_sink, 1) << "one call at a time";
      if (hangs || numbers.front() == hangs_at) door.pass();
      --in_sink;
      if (after) after();
    };
  }
  void TearDown() override {  // the clock must outlive whoever asks it
    hangs = false;
    hangs_at = -2;
    door.open_for(100);
    static_cast<void>(kept_.shutdown(ShutdownStrategy::graceful(1min)));
    wait_until([] { return threads_named("cairn:hung") + threads_named("cairn:spare") == 0; });
  }

  cairn::Configuration quiet() {
    cairn::Configuration config;
    config.use_clock(clock).on_internal_error([](std::string_view) {});
    return config;
  }
  cairn::SinkSpec hung() const { return cairn::SinkSpec::sink(sink, "hung").with_queue({.flush_interval = 1h}); }
  static cairn::CircuitBreakerOptions breaker() {
    return {.failures = 3, .timeout = 10s, .max_timeout = 10s, .jitter = 0, .attempt_timeout = attempt_timeout};
  }
  cairn::SinkSpec spare() const { return cairn::SinkSpec::sink(fallback, "spare").with_queue(); }
  cairn::Logger log_with_breaker() {
    return kept(quiet().write_to(hung().with_circuit_breaker(breaker()).with_fallback(spare())));
  }
  cairn::Logger kept(const cairn::Configuration& config) { return kept_ = config.create_logger(); }

  /// Logs the numbers up to `end`.
  void log_to(const cairn::Logger& log, int end) {
    for (; next < end; ++next) log.information("{Number}", next);
  }
  /// Logs one event, and waits until it is at its end, or inside.
  void log_one(const cairn::Logger& log) {
    log_to(log, next + 1);
    wait_until([&] {
      const auto now = counts(log);
      return door.inside != 0 || now.emitted + now.diverted == static_cast<std::uint64_t>(next);
    });
  }
  /// Logs one event, and waits until it is inside.
  void hang(const cairn::Logger& log) {
    hangs = true;
    log_to(log, next + 1);
    door.wait_inside();
  }
  /// Every event that was logged is in a count, now.
  void check(const cairn::Logger& log) const {
    const auto metrics = log.metrics();
    for (const auto& each : metrics.sinks) {
      EXPECT_EQ(each.accepted, each.emitted + each.diverted + each.dropped_total() + each.failed_total() + each.pending)
          << each.name;
    }
    const auto& logger = metrics.logger;
    EXPECT_EQ(logger.captured, logger.dispatched + logger.filtered + logger.dropped_total() + logger.in_lane);
  }
  cairn::SinkCounts counts(const cairn::Logger& log) const {
    check(log);
    return log.metrics().sinks[0];
  }
  /// Until it has the events, and they are counted as diverted: it may be quicker with them than whoever hands them on.
  void wait_for_fallback(std::size_t events) const {
    wait_until([&] { return fallback->numbers().size() >= events && counts(kept_).diverted >= events; });
  }

  TurnedClock clock;
  Door door;
  std::atomic<bool> hangs{false};
  std::atomic<std::int64_t> hangs_at{-2};  // the first number of a batch
  std::atomic<int> in_sink{0};
  std::function<void()> after;
  std::shared_ptr<ScriptedSink> sink = std::make_shared<ScriptedSink>();
  std::shared_ptr<ScriptedSink> fallback = std::make_shared<ScriptedSink>();
  int next = 0;
  cairn::Logger kept_;
};

TEST_F(N2HungSinkWhileRunning, opens_its_breaker_and_its_events_go_to_the_fallback) {
  const auto log = log_with_breaker();
  hang(log);
  log_to(log, 6);
  clock.turn(attempt_timeout - 1ns);
  EXPECT_EQ(counts(log).breaker->state, CircuitState::closed) << "it may still come back";
  clock.turn(1ns);
  wait_for_fallback(5);
  EXPECT_EQ(fallback->numbers(), from_to(1, 6));
  const auto hung = counts(log);
  EXPECT_EQ(hung.emitted, 0U);
  EXPECT_EQ(hung.diverted, 5U);
  EXPECT_EQ(hung.pending, 1U) << "the one that is inside";
  EXPECT_TRUE(hung.stalled);
  EXPECT_TRUE(hung.worker_alive);
  EXPECT_EQ(hung.breaker->state, CircuitState::open);
  EXPECT_EQ(hung.breaker->failures, 1U);
  EXPECT_EQ(hung.breaker->opened, 1U);
  EXPECT_EQ(hung.last_error, "the sink has not come back from a call");
}

TEST_F(N2HungSinkWhileRunning, is_not_called_before_it_is_back_and_then_probed) {
  const auto log = log_with_breaker();
  hang(log);
  clock.turn(attempt_timeout);
  log_to(log, 2);
  wait_for_fallback(1);
  clock.turn(1h);  // the breaker would try again
  log_to(log, 4);
  wait_for_fallback(3);
  EXPECT_EQ(counts(log).pending, 1U);

  hangs = false;
  door.open_for(1);
  wait_until([&] { return counts(log).breaker->late == 1; });  // what came of it changed nothing
  EXPECT_EQ(counts(log).pending, 0U);
  EXPECT_EQ(sink->numbers(), from_to(0, 1));
  wait_until([&] {  // the thread that was inside ends
    log_one(log);
    return counts(log).breaker->state == CircuitState::closed;
  });
  ASSERT_EQ(log.flush(10s).status, cairn::FlushStatus::ok);
  const auto end = counts(log);
  EXPECT_EQ(end.emitted, sink->numbers().size());
  EXPECT_EQ(end.diverted, fallback->numbers().size());
  auto all = sink->numbers();
  for (const auto number : fallback->numbers()) all.push_back(number);
  std::sort(all.begin(), all.end());
  EXPECT_EQ(all, from_to(0, next)) << "each once, none missing";
  EXPECT_EQ(end.breaker->opened, 1U);
}

TEST_F(N2HungSinkWhileRunning, needs_no_breaker_for_its_fallback) {
  const auto log = kept(quiet().write_to(hung().with_fallback(spare())));
  hang(log);
  log_to(log, 6);
  clock.turn(30s);
  wait_for_fallback(5);
  EXPECT_EQ(fallback->numbers(), from_to(1, 6));
  EXPECT_EQ(counts(log).pending, 1U);
  hangs = false;
  door.open_for(1);
  wait_until([&] { return counts(log).pending == 0; });
  wait_until([&] {
    log_one(log);
    return sink->numbers().size() >= 3;
  });
  ASSERT_EQ(log.flush(10s).status, cairn::FlushStatus::ok);
  EXPECT_EQ(counts(log).emitted + counts(log).diverted, static_cast<std::uint64_t>(next));
}

TEST_F(N2HungSinkWhileRunning, without_a_fallback_keeps_its_events_and_their_order) {
  const auto log = kept(quiet().write_to(hung().with_circuit_breaker(breaker())));
  hang(log);
  log_to(log, 6);
  clock.turn(attempt_timeout);
  wait_until([&] { return counts(log).breaker->state == CircuitState::open; });
  wait_until([&] { return counts(log).pending == 6; });
  hangs = false;
  door.open_for(1);
  wait_until([&] { return counts(log).emitted == 1; });
  clock.turn(10s);
  wait_until([&] { return counts(log).emitted == 6; });
  EXPECT_EQ(sink->numbers(), from_to(0, 6));
  EXPECT_EQ(counts(log).breaker->state, CircuitState::closed);
}

TEST_F(N2HungSinkWhileRunning, at_the_end_of_a_chain_keeps_what_its_queue_has_room_for) {
  const auto first = std::make_shared<ScriptedSink>();
  first->break_down();
  // Beside it one that has a fallback, and is called later: the watchdog looks at it second.
  const auto other = std::make_shared<Door>();
  const auto beside = std::make_shared<ScriptedSink>();
  beside->in_emit = [other](const std::vector<std::int64_t>&) { other->pass(); };
  cairn::Configuration config = quiet();
  config.write_to(first, "first").with_fallback(hung());
  config.write_to(cairn::SinkSpec::sink(beside, "beside")
                      .with_min_level(cairn::Level::warning)
                      .with_queue()
                      .with_fallback(spare()));
  const auto log = kept(config);
  hang(log);
  log.warning("beside");
  other->wait_inside();
  log.warning("beside");
  log_to(log, 6);
  clock.turn(30s);
  wait_until([&] { return !fallback->others().empty(); });
  log_to(log, 11);
  hangs = false;
  door.open_for(1);
  other->open_for(100);
  wait_until([&] { return log.metrics().sink("hung")->pending + log.metrics().sink("beside")->pending == 0; });
  wait_until([] { return threads_named("cairn:beside") == 1; });  // the one left behind asks the clock
  EXPECT_EQ(sink->numbers(), from_to(0, 11));
  EXPECT_EQ(log.metrics().sink("hung")->diverted, 0U);
  EXPECT_EQ(log.metrics().sink("emergency"), nullptr) << "it is for what nothing can keep";
}

TEST_F(N2HungSinkWhileRunning, that_comes_back_with_a_failure_leaves_its_events_to_the_fallback) {
  const auto log = log_with_breaker();
  sink->break_down(2);
  hangs = true;
  log_to(log, 1);
  door.wait_inside();  // a batch of one; those behind it are the next
  log_to(log, 6);
  wait_until([&] { return counts(log).pending == 6; });
  hangs_at = 2;
  hangs = false;
  door.open_for(1);
  wait_until([&] { return counts(log).breaker->failures == 1; });  // it took half of the second, which is tried again
  door.wait_inside();
  clock.turn(attempt_timeout);
  log_to(log, 8);
  wait_for_fallback(2);
  EXPECT_EQ(fallback->numbers(), from_to(6, 8));
  EXPECT_EQ(counts(log).pending, 4U);
  door.open_for(1);
  wait_until([&] { return counts(log).diverted == 6; });
  wait_for_fallback(6);
  const auto end = counts(log);
  EXPECT_EQ(end.emitted, 2U);
  EXPECT_EQ(end.diverted, 6U);
  EXPECT_EQ(end.pending, 0U);
  EXPECT_EQ(sink->numbers(), from_to(0, 2));
  auto diverted = fallback->numbers();
  std::sort(diverted.begin(), diverted.end());
  EXPECT_EQ(diverted, from_to(2, 8)) << "nothing twice";
}

TEST_F(N2HungSinkWhileRunning, as_a_probe_leaves_the_rest_of_its_batch_to_the_fallback_before_what_comes_later) {
  auto options = breaker();
  options.failures = 1;
  options.on_transition = [&](const cairn::CircuitTransition& change) {
    if (change.to != CircuitState::open) return;
    sink->heal();
    clock.turn(options.timeout);  // what comes next is a probe
  };
  const auto log = kept(quiet().write_to(hung().with_circuit_breaker(options).with_fallback(spare())));
  hang(log);
  sink->break_down(1);
  log_to(log, 100);
  wait_until([&] { return counts(log).pending == 100; });
  door.open_for(2);  // the first event; and the others, at which it fails
  wait_until([&] { return counts(log).breaker->opened == 1; });
  wait_until([&] { return sink->calls() == 3 && door.inside != 0; });  // with the first ten of them
  log_to(log, 120);
  clock.turn(attempt_timeout);
  wait_for_fallback(109);
  EXPECT_EQ(fallback->numbers(), from_to(11, 120));
  EXPECT_EQ(counts(log).pending, 10U);
  hangs = false;
  door.open_for(1);
  wait_until([&] { return counts(log).pending == 0; });
  EXPECT_EQ(sink->numbers(), from_to(0, 11));
  EXPECT_EQ(counts(log).diverted, 109U);
}

TEST_F(N2HungSinkWhileRunning, when_it_is_told_of_a_gap_has_its_next_batch_go_to_the_fallback) {
  const auto log =
      kept(quiet().write_to(cairn::SinkSpec::sink(sink, "hung").with_queue({.max_size = 4}).with_fallback(spare())));
  hang(log);
  log_to(log, 10);
  wait_until([&] { return counts(log).dropped_total() == 5; });
  hangs_at = -1;  // what tells of the gap has no number
  hangs = false;
  door.open_for(1);
  wait_until([&] { return counts(log).emitted == 1; });
  door.wait_inside();
  clock.turn(30s);
  wait_for_fallback(4);
  EXPECT_EQ(fallback->numbers(), from_to(6, 10));
  EXPECT_EQ(counts(log).pending, 0U);
  hangs_at = -2;
  door.open_for(1);
  wait_until([] { return threads_named("cairn:hung") == 1; });  // the one left behind has ended
  EXPECT_EQ(sink->numbers(), from_to(0, 1));
  EXPECT_EQ(counts(log).diverted, 4U) << "once each";
}

TEST_F(N2HungSinkWhileRunning, whose_thread_ends_in_it_has_lost_what_was_inside_and_counts_it) {
  if (cairn::testing::under_thread_sanitizer) GTEST_SKIP() << "it does not see a thread unwound out of a destructor";
  const auto log = log_with_breaker();
  after = [] { ::pthread_exit(nullptr); };
  hang(log);
  clock.turn(attempt_timeout);
  log_to(log, 3);
  wait_for_fallback(2);
  door.open_for(1);
  wait_until([&] { return counts(log).failed_total() == 1; });
  const auto end = counts(log);
  EXPECT_EQ(end.failed.at("worker_died"), 1U);
  EXPECT_EQ(end.pending, 0U);
  EXPECT_EQ(end.worker_restarts, 0U) << "another was at work already";
}

TEST_F(N2HungSinkWhileRunning, leaves_one_thread_behind_and_no_more) {
  const auto log = log_with_breaker();
  hang(log);
  for (int i = 0; i < 5; ++i) {
    clock.turn(1h);
    log_to(log, next + 1);
    wait_for_fallback(static_cast<std::size_t>(next) - 1);
  }
  EXPECT_EQ(threads_named("cairn:hung"), 2);
  // It hangs once more when it is back: again one.
  door.open_for(1);
  wait_until([&] { return threads_named("cairn:hung") == 1; });
  clock.turn(1h);
  log_to(log, next + 1);
  door.wait_inside();
  clock.turn(1h);
  log_to(log, next + 1);
  wait_until([&] { return threads_named("cairn:hung") == 2; });
  check(log);
}

TEST_F(N2HungSinkWhileRunning, is_not_waited_for_by_a_flush_which_says_so) {
  const auto log = log_with_breaker();
  hang(log);
  clock.turn(attempt_timeout);
  log_to(log, 3);
  wait_for_fallback(2);
  const auto result = log.flush(50ms);
  EXPECT_EQ(result.status, cairn::FlushStatus::timed_out) << "one event is inside";
  EXPECT_EQ(result.sinks[0].error, "1 events are still pending");
  log.reopen();  // and nothing is waited for here
  check(log);
}

TEST_F(N2HungSinkWhileRunning, in_its_flush_is_the_same) {
  class HangsInFlush final : public cairn::Sink {
   public:
    explicit HangsInFlush(Door& door) : door_(door) {}
    cairn::EmitResult emit(std::span<const cairn::Event> events) override { return cairn::EmitResult::all(events); }
    std::error_code flush(std::chrono::steady_clock::time_point) override {
      door_.pass();
      return {};
    }

   private:
    Door& door_;
  };
  const auto log = kept(quiet().write_to(cairn::SinkSpec::sink(std::make_shared<HangsInFlush>(door), "hung")
                                             .with_queue({.flush_interval = 1ms})
                                             .with_circuit_breaker(breaker())
                                             .with_fallback(spare())));
  log_to(log, 1);
  door.wait_inside();
  log_to(log, 3);
  clock.turn(attempt_timeout);
  wait_for_fallback(2);
  EXPECT_EQ(fallback->numbers(), from_to(1, 3));
  EXPECT_EQ(counts(log).emitted, 1U);
  EXPECT_EQ(counts(log).pending, 0U);
}

TEST_F(N2HungSinkWhileRunning, is_named_by_a_shutdown_and_closed_when_it_is_back) {
  std::weak_ptr<ScriptedSink> alive = sink;
  const auto log = log_with_breaker();
  hang(log);
  clock.turn(attempt_timeout);
  log_to(log, 4);
  wait_for_fallback(3);
  const auto report = log.shutdown(ShutdownStrategy::graceful(100ms));
  EXPECT_TRUE(report.sink("hung")->timed_out);
  EXPECT_EQ(report.sink("hung")->diverted, 3U);
  EXPECT_EQ(report.sink("hung")->pending, 1U);
  EXPECT_EQ(report.sink("spare")->emitted, 3U);
  sink = nullptr;
  door.open_for(1);
  wait_until([&] { return alive.expired() && counts(log).emitted == 1; });
}

TEST_F(N2HungSinkWhileRunning, keeps_its_counts_exact_under_load) {
  const auto log = log_with_breaker();
  std::atomic<bool> stop{false};
  std::thread reader([&] {
    while (!stop) check(log);
  });
  for (int round = 0; round < 5; ++round) {
    hangs = true;
    while (door.inside == 0) {  // the clock may have turned while a call was under way, which then seemed to hang
      log_one(log);
      clock.turn(10s);
    }
    log_to(log, next + 50);
    clock.turn(attempt_timeout);
    wait_until([&] {
      const auto now = counts(log);
      return now.emitted + now.diverted + 1 == static_cast<std::uint64_t>(next);
    });
    hangs = false;
    door.open_for(1);
    wait_until([&] { return counts(log).pending == 0; });
  }
  wait_until([&] { return sink->numbers().size() + fallback->numbers().size() == static_cast<std::size_t>(next); });
  EXPECT_GE(counts(log).diverted, 250U);
  stop = true;
  reader.join();
  auto all = sink->numbers();
  for (const auto number : fallback->numbers()) all.push_back(number);
  std::sort(all.begin(), all.end());
  EXPECT_EQ(all, from_to(0, next));
}

}  // namespace
