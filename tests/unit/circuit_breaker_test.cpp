// The breaker alone, on a clock that the tests turn.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <barrier>
#include <cairn/circuit_breaker.hpp>
#include <cmath>
#include <future>
#include <random>
#include <stdexcept>
#include <thread>

#include "support/breaker_model.hpp"
#include "support/in_child.hpp"
#include "support/sanitizers.hpp"

namespace {

using namespace std::chrono_literals;
using cairn::CircuitBreaker;
using cairn::CircuitBreakerOptions;
using cairn::CircuitCause;
using cairn::CircuitState;
using cairn::CircuitTransition;
using testing::ElementsAre;
using testing::HasSubstr;

struct CircuitBreakerTest : testing::Test {
  cairn::testing::ModelClock clock;

  static bool fails(CircuitBreaker& breaker) {
    auto attempt = breaker.attempt();
    const bool made = static_cast<bool>(attempt);
    attempt.failed();
    return made;
  }
  static bool succeeds(CircuitBreaker& breaker) {
    auto attempt = breaker.attempt();
    const bool made = static_cast<bool>(attempt);
    attempt.succeeded();
    return made;
  }
};

TEST_F(CircuitBreakerTest, opens_after_so_many_failures_in_a_row) {
  CircuitBreaker breaker({.failures = 3}, clock);
  EXPECT_TRUE(fails(breaker));
  EXPECT_TRUE(fails(breaker));
  EXPECT_TRUE(succeeds(breaker)) << "the row begins anew";
  EXPECT_TRUE(fails(breaker));
  EXPECT_TRUE(fails(breaker));
  EXPECT_EQ(breaker.state(), CircuitState::closed);
  EXPECT_TRUE(fails(breaker));
  EXPECT_EQ(breaker.state(), CircuitState::open);
  EXPECT_FALSE(succeeds(breaker));
  const auto stats = breaker.stats();
  EXPECT_EQ(stats.failures, 5U);
  EXPECT_EQ(stats.successes, 1U);
  EXPECT_EQ(stats.refused, 1U);
  EXPECT_EQ(stats.opened, 1U);
  EXPECT_EQ(stats.last_failure, clock.now());
}

TEST_F(CircuitBreakerTest, by_default_opens_after_five_and_waits_thirty_to_thirty_six_seconds) {
  CircuitBreaker breaker({}, clock);
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(breaker.state(), CircuitState::closed);
    EXPECT_TRUE(fails(breaker));
  }
  EXPECT_EQ(breaker.state(), CircuitState::open);
  EXPECT_GE(breaker.stats().retry_in, 30s);
  EXPECT_LE(breaker.stats().retry_in, 36s);
}

TEST_F(CircuitBreakerTest, lets_one_probe_through_when_the_wait_is_over_and_closes_after_a_good_one) {
  CircuitBreaker breaker({.failures = 1, .timeout = 1s, .jitter = 0}, clock);
  fails(breaker);
  clock.time += 1s - 1ns;
  auto refused = breaker.attempt();
  EXPECT_FALSE(refused);
  EXPECT_EQ(refused.retry_in(), 1ns);
  clock.time += 1ns;
  auto probe = breaker.attempt();
  ASSERT_TRUE(probe);
  EXPECT_TRUE(probe.is_probe());
  EXPECT_EQ(breaker.state(), CircuitState::half_open);
  EXPECT_FALSE(breaker.attempt()) << "one at a time";
  probe.succeeded();
  EXPECT_EQ(breaker.state(), CircuitState::closed);
  EXPECT_TRUE(breaker.attempt());
}

TEST_F(CircuitBreakerTest, wants_as_many_good_probes_as_it_is_told) {
  CircuitBreaker breaker({.failures = 1, .timeout = 1s, .jitter = 0, .successes_to_close = 3}, clock);
  fails(breaker);
  clock.time += 1s;
  EXPECT_TRUE(succeeds(breaker));
  EXPECT_TRUE(succeeds(breaker));
  EXPECT_EQ(breaker.state(), CircuitState::half_open);
  EXPECT_TRUE(fails(breaker));
  EXPECT_EQ(breaker.state(), CircuitState::open);
  clock.time += 2s;
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(breaker.state(), i == 0 ? CircuitState::open : CircuitState::half_open);
    EXPECT_TRUE(succeeds(breaker));
  }
  EXPECT_EQ(breaker.state(), CircuitState::closed);
}

TEST_F(CircuitBreakerTest, waits_twice_as_long_each_time_up_to_the_longest) {
  std::vector<std::chrono::nanoseconds> waits;
  CircuitBreaker breaker({.failures = 1,
                          .timeout = 1s,
                          .max_timeout = 5s,
                          .jitter = 0,
                          .on_transition =
                              [&](const CircuitTransition& change) {
                                if (change.to == CircuitState::open) waits.push_back(change.wait);
                              }},
                         clock);
  for (int i = 0; i < 5; ++i) {
    EXPECT_TRUE(fails(breaker));
    clock.time += waits.back();
  }
  EXPECT_THAT(waits, ElementsAre(1s, 2s, 4s, 5s, 5s));
}

TEST_F(CircuitBreakerTest, waits_as_at_first_again_once_it_was_closed_for_a_minute) {
  CircuitBreaker breaker({.failures = 1, .timeout = 1s, .jitter = 0}, clock);
  fails(breaker);
  clock.time += 1s;
  succeeds(breaker);
  clock.time += 60s - 1ns;
  fails(breaker);
  EXPECT_EQ(breaker.stats().retry_in, 2s) << "not yet";
  clock.time += 2s;
  succeeds(breaker);
  clock.time += 60s;
  fails(breaker);
  EXPECT_EQ(breaker.stats().retry_in, 1s);
}

TEST_F(CircuitBreakerTest, stretches_waits_at_random_by_the_jitter_at_most_and_the_same_for_the_same_seed) {
  const auto waits_of = [&](std::uint64_t seed) {
    std::vector<std::chrono::nanoseconds> waits;
    CircuitBreaker breaker({.failures = 1, .timeout = 1s, .max_timeout = 1s, .jitter = 0.5, .seed = seed}, clock);
    for (int i = 0; i < 1000; ++i) {
      fails(breaker);
      waits.push_back(breaker.stats().retry_in);
      clock.time += waits.back();
    }
    return waits;
  };
  const auto waits = waits_of(7);
  EXPECT_EQ(waits, waits_of(7));
  EXPECT_NE(waits, waits_of(8));
  const auto [least, most] = std::minmax_element(waits.begin(), waits.end());
  EXPECT_GE(*least, 1s);
  EXPECT_LE(*most, 1500ms);
  EXPECT_LT(*least, 1050ms) << "all of the range";
  EXPECT_GT(*most, 1450ms);
}

TEST_F(CircuitBreakerTest, with_short_waits_tries_within_half_a_second_however_long_it_failed) {
  CircuitBreaker breaker({.timeout = 100ms, .max_timeout = 400ms}, clock);
  for (int i = 0; i < 100; ++i) {
    while (fails(breaker)) {
    }
    EXPECT_LE(breaker.stats().retry_in, 500ms);
    clock.time += breaker.stats().retry_in;
  }
}

TEST_F(CircuitBreakerTest, opens_when_the_share_of_failures_is_reached_of_ten_at_least) {
  CircuitBreaker breaker({.failures = 100, .failure_rate = 0.5}, clock);
  for (int i = 0; i < 9; ++i) i % 2 == 0 ? fails(breaker) : succeeds(breaker);
  EXPECT_EQ(breaker.state(), CircuitState::closed) << "five of nine: too few to judge by";
  fails(breaker);
  EXPECT_EQ(breaker.state(), CircuitState::open);
}

TEST_F(CircuitBreakerTest, judges_by_the_last_twenty_attempts) {
  std::optional<CircuitCause> cause;
  CircuitBreaker breaker({.failures = 100,
                          .failure_rate = 0.5,
                          .on_transition = [&](const CircuitTransition& change) { cause = change.cause; }},
                         clock);
  for (int i = 0; i < 1000; ++i) succeeds(breaker);
  for (int i = 0; i < 9; ++i) fails(breaker);
  EXPECT_EQ(breaker.state(), CircuitState::closed);
  fails(breaker);
  EXPECT_EQ(breaker.state(), CircuitState::open);
  EXPECT_EQ(cause, CircuitCause::failure_rate);
}

TEST_F(CircuitBreakerTest, judges_by_no_attempt_older_than_a_minute) {
  CircuitBreaker breaker({.failures = 100, .failure_rate = 0.5}, clock);
  for (int i = 0; i < 9; ++i) fails(breaker);
  clock.time += 60s + 1ns;
  for (int i = 0; i < 9; ++i) fails(breaker);
  EXPECT_EQ(breaker.state(), CircuitState::closed);
  fails(breaker);
  EXPECT_EQ(breaker.state(), CircuitState::open);
}

TEST_F(CircuitBreakerTest, takes_a_slow_success_for_a_failure_where_it_is_told_what_slow_is) {
  CircuitBreaker breaker({.failures = 2, .slow_after = 100ms}, clock);
  auto first = breaker.attempt();
  clock.time += 100ms;
  first.succeeded();
  breaker.attempt().succeeded(100ms - 1ns);
  EXPECT_EQ(breaker.stats().slow, 1U);
  breaker.attempt().succeeded(100ms);
  EXPECT_EQ(breaker.state(), CircuitState::closed);
  breaker.attempt().succeeded(1h);
  EXPECT_EQ(breaker.state(), CircuitState::open);
  EXPECT_EQ(breaker.stats().slow, 3U);
  EXPECT_EQ(breaker.stats().failures, 3U);

  CircuitBreaker patient({.failures = 1}, clock);
  patient.attempt().succeeded(30s - 1ns);
  EXPECT_EQ(patient.state(), CircuitState::closed);
}

TEST_F(CircuitBreakerTest, takes_a_probe_that_is_out_for_thirty_seconds_for_failed) {
  CircuitBreaker breaker({.failures = 1, .timeout = 1s, .jitter = 0}, clock);
  fails(breaker);
  clock.time += 1s;
  auto probe = breaker.attempt();
  ASSERT_TRUE(probe);
  clock.time += 30s - 1ns;
  EXPECT_EQ(breaker.attempt().retry_in(), 1ns);
  EXPECT_EQ(breaker.state(), CircuitState::half_open);
  clock.time += 1ns;
  EXPECT_EQ(breaker.attempt().retry_in(), 2s) << "open for the second time";
  EXPECT_EQ(breaker.state(), CircuitState::open);
  probe.succeeded();
  EXPECT_EQ(breaker.state(), CircuitState::open) << "too late";
  EXPECT_EQ(breaker.stats().late, 1U);
}

TEST_F(CircuitBreakerTest, is_not_closed_by_a_good_probe_that_took_as_long_as_an_attempt_may) {
  std::vector<CircuitCause> causes;
  CircuitBreaker breaker({.failures = 1,
                          .timeout = 1s,
                          .jitter = 0,
                          .on_transition = [&](const CircuitTransition& change) { causes.push_back(change.cause); },
                          .attempt_timeout = 5s},
                         clock);
  fails(breaker);
  clock.time += 1s;
  auto old = breaker.attempt();
  ASSERT_TRUE(old.is_probe());
  clock.time += 5s;  // and nobody asked meanwhile
  old.succeeded();
  EXPECT_EQ(breaker.state(), CircuitState::open);
  EXPECT_EQ(breaker.stats().failures, 2U);
  EXPECT_EQ(breaker.stats().successes, 0U);
  clock.time += 2s;
  auto in_time = breaker.attempt();
  clock.time += 5s - 1ns;
  in_time.succeeded();
  EXPECT_EQ(breaker.state(), CircuitState::closed);
  EXPECT_THAT(causes, ElementsAre(CircuitCause::failures, CircuitCause::timeout_over, CircuitCause::probe_too_old,
                                  CircuitCause::timeout_over, CircuitCause::probe_succeeded));
}

TEST_F(CircuitBreakerTest, says_of_a_probe_that_took_as_long_as_an_attempt_may_that_it_is_too_old_whatever_came_of_it) {
  for (const bool succeeds : {true, false}) {
    std::vector<CircuitCause> causes;
    CircuitBreaker breaker({.failures = 1,
                            .timeout = 1s,
                            .jitter = 0,
                            .on_transition = [&](const CircuitTransition& change) { causes.push_back(change.cause); },
                            .attempt_timeout = 5s},
                           clock);
    fails(breaker);
    clock.time += 1s;
    auto probe = breaker.attempt();
    clock.time += 5s;
    succeeds ? probe.succeeded() : probe.failed();
    EXPECT_THAT(causes, ElementsAre(CircuitCause::failures, CircuitCause::timeout_over, CircuitCause::probe_too_old));
  }
}

TEST_F(CircuitBreakerTest, takes_a_success_that_took_as_long_as_an_attempt_may_for_a_failure) {
  CircuitBreaker breaker({.failures = 2, .attempt_timeout = 5s}, clock);
  auto first = breaker.attempt();
  clock.time += 5s;
  first.succeeded();
  EXPECT_EQ(breaker.stats().consecutive_failures, 1U);
  breaker.attempt().succeeded(5s);
  EXPECT_EQ(breaker.state(), CircuitState::open);
  const auto stats = breaker.stats();
  EXPECT_EQ(stats.failures, 2U);
  EXPECT_EQ(stats.successes + stats.slow, 0U) << "it is told of no slow_after";
}

TEST_F(CircuitBreakerTest, learns_nothing_from_before_what_was_done_by_hand_also_where_the_state_stays) {
  CircuitBreaker breaker({.failures = 1}, clock);
  auto before_reset = breaker.attempt();
  breaker.reset();
  before_reset.failed();
  EXPECT_EQ(breaker.state(), CircuitState::closed) << "it is as newly made";
  EXPECT_EQ(breaker.stats().failures, 0U);
  auto before_close = breaker.attempt();
  breaker.close();
  before_close.failed();
  EXPECT_EQ(breaker.state(), CircuitState::closed);
  EXPECT_EQ(breaker.stats().late, 2U);
  auto after = breaker.attempt();
  after.failed();
  EXPECT_EQ(breaker.state(), CircuitState::open);
}

TEST_F(CircuitBreakerTest, counts_its_changes_by_what_caused_them) {
  CircuitBreaker breaker({.failures = 1, .timeout = 1s, .jitter = 0}, clock);
  const auto by = [&](CircuitCause cause) { return breaker.stats().by_cause[static_cast<std::size_t>(cause)]; };
  for (int i = 0; i < 2; ++i) {
    fails(breaker);
    clock.time += 1s;
    succeeds(breaker);
  }
  breaker.open();
  EXPECT_EQ(by(CircuitCause::failures), 2U);
  EXPECT_EQ(by(CircuitCause::timeout_over), 1U) << "the second wait is twice as long";
  EXPECT_EQ(by(CircuitCause::probe_succeeded), 1U);
  EXPECT_EQ(by(CircuitCause::manual), 1U);
  EXPECT_EQ(breaker.stats().transitions, 5U);
  breaker.reset();
  EXPECT_EQ(by(CircuitCause::failures) + by(CircuitCause::manual), 0U);
}

TEST_F(CircuitBreakerTest, is_not_changed_by_results_from_before_its_last_change) {
  CircuitBreaker breaker({.failures = 1, .timeout = 1s, .jitter = 0}, clock);
  auto old_success = breaker.attempt();
  auto old_failure = breaker.attempt();
  fails(breaker);
  clock.time += 1s;
  auto probe = breaker.attempt();
  old_success.succeeded();
  EXPECT_EQ(breaker.state(), CircuitState::half_open);
  EXPECT_FALSE(breaker.attempt()) << "the probe is still out";
  probe.succeeded();
  old_failure.failed();
  EXPECT_EQ(breaker.state(), CircuitState::closed);
  EXPECT_EQ(breaker.stats().late, 2U);
  EXPECT_EQ(breaker.stats().successes, 1U);
  EXPECT_EQ(breaker.stats().failures, 1U);
}

TEST_F(CircuitBreakerTest, learns_nothing_from_an_attempt_that_was_cancelled_or_forgotten) {
  CircuitBreaker breaker({.failures = 2, .timeout = 1s, .jitter = 0}, clock);
  fails(breaker);
  breaker.attempt().cancelled();
  { const auto forgotten = breaker.attempt(); }
  EXPECT_EQ(breaker.stats().consecutive_failures, 1U);
  EXPECT_EQ(breaker.stats().cancelled, 2U);
  fails(breaker);
  clock.time += 1s;
  { const auto probe = breaker.attempt(); }
  EXPECT_EQ(breaker.state(), CircuitState::half_open);
  EXPECT_TRUE(succeeds(breaker)) << "another probe takes its place";
  EXPECT_EQ(breaker.state(), CircuitState::closed);
}

TEST_F(CircuitBreakerTest, opens_closes_and_is_disabled_by_hand) {
  CircuitBreaker breaker({.failures = 1, .timeout = 1s, .jitter = 0}, clock);
  breaker.open();
  EXPECT_EQ(breaker.state(), CircuitState::forced_open);
  clock.time += 1000h;
  EXPECT_FALSE(breaker.attempt()) << "until somebody closes it";
  EXPECT_EQ(breaker.stats().retry_in, std::chrono::nanoseconds::max());
  breaker.close();
  EXPECT_TRUE(fails(breaker));
  EXPECT_EQ(breaker.state(), CircuitState::open);
  breaker.disable();
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(fails(breaker));
  EXPECT_EQ(breaker.state(), CircuitState::disabled);
  breaker.close();
  fails(breaker);
  EXPECT_EQ(breaker.stats().retry_in, 1s) << "what was done by hand starts the waits anew";
  EXPECT_EQ(breaker.stats().failures, 12U);
}

TEST_F(CircuitBreakerTest, reset_is_as_new) {
  CircuitBreaker breaker({.failures = 1, .timeout = 1s, .jitter = 0}, clock);
  fails(breaker);
  (void)breaker.attempt();
  breaker.reset();
  const auto stats = breaker.stats();
  EXPECT_EQ(stats.state, CircuitState::closed);
  EXPECT_EQ(stats.failures + stats.refused + stats.transitions + stats.opened, 0U);
  EXPECT_FALSE(stats.last_failure);
  fails(breaker);
  EXPECT_EQ(breaker.stats().retry_in, 1s);
}

TEST_F(CircuitBreakerTest, call_gives_the_result_or_why_not) {
  CircuitBreaker breaker({.failures = 1, .timeout = 1s, .jitter = 0}, clock);
  auto result = breaker.call([] { return std::string("text"); });
  ASSERT_TRUE(result);
  EXPECT_EQ(*result, "text");
  EXPECT_EQ(result->size(), 4U);
  const auto nothing = breaker.call([] {});
  EXPECT_TRUE(nothing);
  auto bad = breaker.call([]() -> int { throw std::runtime_error("no"); });
  EXPECT_FALSE(bad);
  EXPECT_FALSE(bad.refused());
  EXPECT_THROW((void)bad.value(), std::runtime_error);
  bool called = false;
  auto refused = breaker.call([&] { called = true; });
  EXPECT_FALSE(called);
  EXPECT_TRUE(refused.refused());
  EXPECT_EQ(refused.retry_in(), 1s);
  EXPECT_THROW((void)refused.value(), cairn::CircuitOpenError);
  auto unique = CircuitBreaker({}, clock).call([] { return std::make_unique<int>(7); });
  EXPECT_EQ(**unique, 7) << "what can only be moved";
}

TEST_F(CircuitBreakerTest, tells_every_listener_of_every_change_in_order) {
  std::vector<std::string> said;
  const auto say = [&](const std::string& who) {
    return [&, who](const CircuitTransition& change) {
      said.push_back(who + std::to_string(change.number) + " " + std::string(to_string(change.from)) + ">" +
                     std::string(to_string(change.to)) + " " + std::string(to_string(change.cause)));
    };
  };
  CircuitBreaker breaker({.failures = 1, .timeout = 1s, .on_transition = say("a")}, clock);
  breaker.add_listener(say("b"));
  fails(breaker);
  clock.time += 2s;
  fails(breaker);
  breaker.close();
  breaker.close();
  EXPECT_THAT(said, ElementsAre("a1 closed>open failures", "b1 closed>open failures", "a2 open>half_open timeout_over",
                                "b2 open>half_open timeout_over", "a3 half_open>open probe_failed",
                                "b3 half_open>open probe_failed", "a4 open>closed manual", "b4 open>closed manual"));
}

TEST_F(CircuitBreakerTest, holds_no_lock_while_it_tells_and_survives_what_listeners_throw) {
  CircuitBreaker* made = nullptr;
  std::vector<CircuitState> seen;
  CircuitBreaker breaker({.failures = 1,
                          .on_transition =
                              [&](const CircuitTransition& change) {
                                seen.push_back(change.to);
                                // Another thread gets in while this one waits for it.
                                EXPECT_EQ(std::async(std::launch::async, [&] { return made->state(); }).get(),
                                          change.to == CircuitState::open ? CircuitState::open : CircuitState::closed);
                                if (change.to == CircuitState::open) made->close();  // told of afterwards
                                throw std::runtime_error("a listener's own affair");
                              }},
                         clock);
  made = &breaker;
  fails(breaker);
  EXPECT_EQ(breaker.state(), CircuitState::closed);
  EXPECT_THAT(seen, ElementsAre(CircuitState::open, CircuitState::closed));
  EXPECT_EQ(breaker.stats().listener_errors, 2U);
}

TEST_F(CircuitBreakerTest, of_a_forked_child_waits_for_no_probe_of_its_parents) {
  if (cairn::testing::under_thread_sanitizer) GTEST_SKIP() << "it lets a child start no thread";
  CircuitBreaker breaker({.failures = 1, .timeout = 1s, .jitter = 0}, clock);
  fails(breaker);
  clock.time += 1s;
  auto probe = breaker.attempt();
  ASSERT_TRUE(probe);
  const int closes = cairn::testing::in_child([&] {
    probe.failed();
    if (breaker.state() != CircuitState::half_open) return 1;  // its result is the parent's
    return succeeds(breaker) && breaker.state() == CircuitState::closed ? 0 : 2;
  });
  EXPECT_EQ(closes, 0);
  EXPECT_FALSE(breaker.attempt()) << "in the parent it is still out";
}

TEST_F(CircuitBreakerTest, opens_at_once_when_an_attempt_does_not_come_back) {
  std::vector<CircuitCause> causes;
  CircuitBreaker breaker({.timeout = 1s,
                          .jitter = 0,
                          .on_transition = [&](const CircuitTransition& change) { causes.push_back(change.cause); },
                          .attempt_timeout = 2s},
                         clock);
  auto lost = breaker.attempt();
  breaker.timed_out();
  EXPECT_EQ(breaker.state(), CircuitState::open);
  EXPECT_EQ(breaker.stats().failures, 1U);
  breaker.timed_out();
  EXPECT_EQ(breaker.stats().failures, 1U) << "nothing is under way";
  lost.succeeded();
  EXPECT_EQ(breaker.state(), CircuitState::open);
  EXPECT_EQ(breaker.stats().late, 1U);

  clock.time += 1s;
  const auto probe = breaker.attempt();
  ASSERT_TRUE(probe.is_probe());
  clock.time += 2s - 1ns;
  EXPECT_FALSE(breaker.attempt());
  EXPECT_EQ(breaker.state(), CircuitState::half_open);
  breaker.timed_out();
  EXPECT_EQ(breaker.state(), CircuitState::open);
  clock.time += 2s;
  const auto next = breaker.attempt();
  clock.time += 2s;
  EXPECT_FALSE(breaker.attempt()) << "nobody had to say so of the probe";
  EXPECT_EQ(breaker.state(), CircuitState::open);

  breaker.disable();
  breaker.timed_out();
  EXPECT_EQ(breaker.state(), CircuitState::disabled);
  EXPECT_THAT(causes, ElementsAre(CircuitCause::timed_out, CircuitCause::timeout_over, CircuitCause::probe_too_old,
                                  CircuitCause::timeout_over, CircuitCause::probe_too_old, CircuitCause::manual));
}

TEST_F(CircuitBreakerTest, refuses_options_that_mean_nothing_each_by_name) {
  const auto problems = cairn::detail::problems_of({.failures = 0,
                                                    .timeout = 0s,
                                                    .max_timeout = 25h,
                                                    .jitter = 1.5,
                                                    .successes_to_close = 0,
                                                    .failure_rate = 0.0,
                                                    .slow_after = -1ns,
                                                    .attempt_timeout = 0s});
  EXPECT_THAT(problems,
              ElementsAre("failures: 0; it takes 1 to 1000000", "timeout: 0 ns; it takes a time above 0, to 24 h",
                          "max_timeout: 90000000000000 ns; it takes a time above 0, to 24 h",
                          "jitter: 1.500000; it takes 0 to 1", "successes_to_close: 0; it takes 1 to 1000000",
                          "failure_rate: 0.000000; it takes above 0, to 1",
                          "slow_after: -1 ns; it takes a time above 0, to 24 h",
                          "attempt_timeout: 0 ns; it takes a time above 0, to 24 h"));
  EXPECT_THAT(cairn::detail::problems_of({.timeout = 2s, .max_timeout = 1s}),
              ElementsAre("max_timeout: 1000000000 ns is below timeout, 2000000000 ns; it takes timeout or more"));
  EXPECT_THAT(cairn::detail::problems_of({.jitter = std::nan(""), .failure_rate = std::nan("")}),
              ElementsAre(HasSubstr("jitter"), HasSubstr("failure_rate")));
  EXPECT_THAT(cairn::detail::problems_of({}), testing::IsEmpty());
  EXPECT_THROW(CircuitBreaker({.failures = 0, .jitter = 2}), std::invalid_argument);
}

TEST_F(CircuitBreakerTest, does_what_a_small_model_does_over_a_hundred_thousand_random_steps) {
  const std::uint64_t seed = std::random_device{}();
  std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
  RecordProperty("seed", std::to_string(seed));
  std::mt19937_64 random(seed);
  const auto below = [&](std::uint64_t end) { return random() % end; };
  std::size_t steps = 0;
  while (steps < 100'000) {
    CircuitBreakerOptions options;
    options.failures = static_cast<std::uint32_t>(1 + below(12));
    options.timeout = std::chrono::milliseconds(1 + below(20'000));
    options.max_timeout = options.timeout * (1 + static_cast<int>(below(10)));
    options.jitter = static_cast<double>(below(5)) / 4;
    options.successes_to_close = static_cast<std::uint32_t>(1 + below(3));
    if (below(2) == 0) options.failure_rate = static_cast<double>(1 + below(20)) / 20;
    options.attempt_timeout = std::chrono::milliseconds(1 + below(60'000));
    options.seed = random();
    cairn::testing::BreakerHistory history(options);
    const std::size_t length = 1 + below(2000);
    const bool by_hand = below(2) == 0;
    for (std::size_t i = 0; i < length && steps < 100'000; ++i, ++steps) {
      history.step(static_cast<std::uint8_t>(below(by_hand ? 16 : 15)), static_cast<std::uint16_t>(random()));
      ASSERT_EQ(history.difference(), "") << "seed " << seed << ", step " << i << " of its history";
    }
  }
}

TEST_F(CircuitBreakerTest, lets_one_probe_through_whoever_asks_at_once) {
  for (int round = 0; round < 200; ++round) {
    CircuitBreaker breaker({.failures = 1, .timeout = 1s}, clock);
    fails(breaker);
    clock.time += 2s;
    std::atomic<int> granted{0};
    std::barrier together(4);
    {
      std::vector<std::jthread> threads;
      for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&] {
          together.arrive_and_wait();
          auto attempt = breaker.attempt();
          if (attempt) ++granted;
          together.arrive_and_wait();  // nobody is done before all have asked
          attempt.succeeded();
        });
      }
    }
    ASSERT_EQ(granted, 1);
    ASSERT_EQ(breaker.state(), CircuitState::closed);
  }
}

TEST_F(CircuitBreakerTest, loses_no_count_and_tells_in_order_whatever_threads_do_to_it) {
  std::uint64_t last = 0;
  std::uint64_t told = 0;
  bool in_order = true;
  CircuitBreaker breaker({.failures = 3,
                          .timeout = 1us,
                          .max_timeout = 8us,
                          .on_transition = [&](const CircuitTransition& change) {  // one at a time: these need no lock
                            in_order = in_order && change.number == last + 1;
                            last = change.number;
                            ++told;
                          }});
  constexpr std::uint64_t each = 20'000;
  {
    std::vector<std::jthread> threads;
    for (std::uint64_t t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        for (std::uint64_t i = 0; i < each; ++i) {
          auto attempt = breaker.attempt();
          switch ((i * 2654435761U + t) % 7) {
            case 0: attempt.succeeded(); break;
            case 1: attempt.cancelled(); break;
            case 2: (void)breaker.stats(); [[fallthrough]];
            default: attempt.failed(); break;
          }
          if (i % 1000 == 0) t % 2 == 0 ? breaker.close() : breaker.open();
        }
      });
    }
  }
  const auto stats = breaker.stats();
  EXPECT_EQ(stats.successes + stats.failures + stats.refused + stats.cancelled + stats.late, 4 * each);
  EXPECT_EQ(told, stats.transitions);
  EXPECT_TRUE(in_order);
  EXPECT_GT(stats.transitions, 10U);
}

}  // namespace
