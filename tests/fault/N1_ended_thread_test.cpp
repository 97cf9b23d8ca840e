// N1: code of the program ends the thread that it is called on (pthread_exit, or somebody cancels it). The thread is
// replaced, what it had in flight is counted, and nothing else ends.
#include <gtest/gtest.h>
#include <pthread.h>

#include <atomic>
#include <cairn/all.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "support/in_child.hpp"
#include "support/sanitizers.hpp"
#include "support/scripted_sink.hpp"

namespace {
using namespace cairn;
using namespace cairn::testing;
using namespace std::chrono_literals;

/// Ends the thread on which it is asked to, once.
class EndsThread {
 public:
  void end_one() { ++left_; }
  void here() {
    if (left_.load() > 0 && left_.fetch_sub(1) > 0) ::pthread_exit(nullptr);
  }
  [[nodiscard]] bool ended() const { return left_ <= 0; }

 private:
  std::atomic<int> left_{0};
};

class EndingSink final : public Sink {
 public:
  EmitResult emit(std::span<const Event> events) override {
    for (const Event& event : events) {
      if (event.source() == "Cairn") gap.here();
    }
    emit_.here();
    emitted += events.size();
    return EmitResult::all(events);
  }
  std::error_code flush(std::chrono::steady_clock::time_point) override {
    flush_.here();
    return {};
  }
  EndsThread gap;
  EndsThread emit_;
  EndsThread flush_;
  std::atomic<std::size_t> emitted{0};
};

bool sums_hold(const MetricsSnapshot& metrics) {
  for (const SinkCounts& each : metrics.sinks) {
    if (each.accepted != each.emitted + each.diverted + each.dropped_total() + each.failed_total() + each.pending)
      return false;
  }
  return true;
}

class N1EndedThread : public ::testing::Test {
 protected:
  void SetUp() override {
    if (under_thread_sanitizer) GTEST_SKIP() << "it does not see a thread unwound out of a destructor";
  }
  /// In a child, which ends where the defence is missing.
  template <class Body>
  static int result_of(Body&& body) {
    return in_child([&] {
      ::alarm(60);
      return body();
    });
  }
};

Configuration quiet() {
  Configuration config;
  config.on_internal_error([](std::string_view) {});
  return config;
}

TEST_F(N1EndedThread, in_the_announcement_of_a_gap_is_replaced_and_the_gap_is_told) {
  EXPECT_EQ(result_of([] {
              const auto sink = std::make_shared<EndingSink>();
              Configuration config = quiet();
              config.write_to(sink, "sink").with_queue({.max_size = 4, .batch_size = 2});
              const auto log = config.create_logger();
              sink->gap.end_one();
              while (log.metrics().sink("sink")->dropped_total() == 0) log.information("{Number}", 1);
              if (!comes_true([&] { return sink->gap.ended(); })) return 1;
              if (!comes_true([&] { return log.metrics().sink("sink")->self_events >= 1; })) return 2;
              if (log.flush().status != FlushStatus::ok) return 3;
              const MetricsSnapshot now = log.metrics();
              return now.sink("sink")->worker_restarts == 1 && sums_hold(now) ? 0 : 4;
            }),
            0);
}

TEST_F(N1EndedThread, in_a_flush_is_replaced_and_the_flush_fails) {
  EXPECT_EQ(result_of([] {
              const auto sink = std::make_shared<EndingSink>();
              Configuration config = quiet();
              config.write_to(sink, "sink").with_queue({.flush_interval = 1h});
              const auto log = config.create_logger();
              log.information("{Number}", 1);
              sink->flush_.end_one();
              const FlushResult flush = log.flush();
              if (flush.status != FlushStatus::failed) return 1;
              if (flush.sinks.at(0).error != "the sink ended the thread that flushed it") return 2;
              log.information("{Number}", 2);
              if (log.flush().status != FlushStatus::ok || sink->emitted != 2) return 3;
              const MetricsSnapshot now = log.metrics();
              return now.sink("sink")->worker_restarts == 1 && sums_hold(now) ? 0 : 4;
            }),
            0);
}

TEST_F(N1EndedThread, in_a_synchronous_fallback_is_replaced_and_the_event_is_counted_there) {
  for (const bool guarded : {false, true}) {
    EXPECT_EQ(result_of([&] {
                const auto sink = std::make_shared<ScriptedSink>();
                sink->break_down();
                const auto fallback = std::make_shared<EndingSink>();
                auto spec = SinkSpec::sink(fallback, "fallback");
                if (guarded) spec = std::move(spec).with_circuit_breaker();
                Configuration config = quiet();
                config.write_to(sink, "sink").with_queue().with_fallback(std::move(spec));
                const auto log = config.create_logger();
                fallback->emit_.end_one();
                log.information("{Number}", 1);
                if (log.flush().status != FlushStatus::ok) return 1;
                for (int i = 2; i < 5; ++i) log.information("{Number}", i);
                if (log.flush().status != FlushStatus::ok) return 2;
                const MetricsSnapshot now = log.metrics();
                if (!sums_hold(now)) return 3;
                if (now.sink("sink")->worker_restarts != 1 || now.sink("sink")->diverted != 4) return 4;
                if (now.sink("fallback")->accepted != 4 || now.sink("fallback")->emitted != 3) return 5;
                return now.sink("fallback")->failed.at("worker_died") == 1 ? 0 : 6;
              }),
              0)
        << guarded;
  }
}

TEST_F(N1EndedThread, in_on_fallback_is_replaced) {
  EXPECT_EQ(result_of([] {
              const auto sink = std::make_shared<ScriptedSink>();
              sink->break_down();
              const auto fallback = std::make_shared<ScriptedSink>();
              EndsThread ends;
              Configuration config = quiet();
              config.write_to(sink, "sink")
                  .with_queue()
                  .with_fallback(SinkSpec::sink(fallback, "fallback"),
                                 [&](std::size_t, std::string_view) { ends.here(); });
              const auto log = config.create_logger();
              ends.end_one();
              log.information("{Number}", 1);
              if (!comes_true([&] { return log.metrics().sink("sink")->worker_restarts == 1; })) return 1;
              log.information("{Number}", 2);
              if (log.flush().status != FlushStatus::ok) return 2;
              if (fallback->numbers() != std::vector<std::int64_t>{1, 2}) return 3;
              return sums_hold(log.metrics()) ? 0 : 4;
            }),
            0);
}

TEST_F(N1EndedThread, by_a_callback_of_a_queue_is_replaced_and_others_are_called) {
  EXPECT_EQ(result_of([] {
              EndsThread ends;
              std::atomic<int> calls{0};
              const auto sink = std::make_shared<ScriptedSink>();
              sink->break_down();
              Configuration config = quiet();
              config.write_to(sink, "sink").with_queue({.on_error = [&](auto, auto) {
                ++calls;
                ends.here();
              }});
              ends.end_one();
              for (int loggers = 1; loggers <= 3; ++loggers) {  // a sink is told of once a second
                const auto log = config.create_logger();
                log.information("{Number}", 1);
                if (!comes_true([&] { return calls == loggers; })) return loggers;
              }
              return 0;
            }),
            0);
}

}  // namespace
