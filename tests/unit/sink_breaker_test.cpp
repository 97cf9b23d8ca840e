// What a sink's circuit breaker means for its deliveries.
#include "pipeline/sink_breaker.hpp"

#include <gtest/gtest.h>

#include <chrono>

#include "pipeline/fail_reason.hpp"
#include "support/scripted_sink.hpp"

namespace {

using namespace std::chrono_literals;
using cairn::detail::FailReason;
using cairn::detail::SinkBreaker;
using Elsewhere = cairn::detail::SinkBreaker::Elsewhere;

class SinkBreakerPause : public testing::Test {
 protected:
  /// An attempt that fails; the pause until the next.
  std::chrono::nanoseconds pause_after_failure(Elsewhere elsewhere) {
    auto attempt = breaker_.attempt(true);
    EXPECT_TRUE(attempt);
    SinkBreaker::judge(attempt, FailReason::sink_threw, false, 1ms);
    EXPECT_FALSE(breaker_.note_failure(false, elsewhere));
    return breaker_.pause();
  }
  cairn::testing::TurnedClock clock_;
  SinkBreaker breaker_{{.failures = 3, .timeout = 1s, .max_timeout = 1s}, clock_, [] {}, [](const auto&) {}};
};

TEST_F(SinkBreakerPause, is_none_once_it_is_open_where_events_go_elsewhere_at_once) {
  EXPECT_GT(pause_after_failure(Elsewhere::at_once), 0ns) << "the same events are tried again";
  EXPECT_GT(pause_after_failure(Elsewhere::at_once), 0ns);
  EXPECT_EQ(pause_after_failure(Elsewhere::at_once), 0ns) << "what it refuses is not kept waiting";
  clock_.turn(2s);
  EXPECT_EQ(pause_after_failure(Elsewhere::at_once), 0ns) << "nor after a probe";
}

TEST_F(SinkBreakerPause, is_kept_where_events_wait_for_the_sink) {
  for (int i = 0; i < 3; ++i) EXPECT_GT(pause_after_failure(Elsewhere::nowhere), 0ns);
}

TEST_F(SinkBreakerPause, is_kept_where_what_is_refused_waits_for_the_probe) {
  for (int i = 0; i < 3; ++i) EXPECT_GT(pause_after_failure(Elsewhere::at_last), 0ns);
}

}  // namespace
