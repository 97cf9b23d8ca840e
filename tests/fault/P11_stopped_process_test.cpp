// P11: a process is stopped and goes on. What was timed meanwhile trips no breaker.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cairn/all.hpp>
#include <chrono>
#include <thread>

#include "support/scripted_sink.hpp"

namespace {

using namespace std::chrono_literals;
using cairn::CircuitState;

struct Pipe {
  Pipe() { EXPECT_EQ(::pipe(ends), 0); }
  ~Pipe() {
    for (int& end : ends) close(end);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  void say() const { EXPECT_EQ(::write(ends[1], "x", 1), 1); }
  void hear() const {
    char x = 0;
    EXPECT_EQ(::read(ends[0], &x, 1), 1);
  }
  /// The other process alone has that end: if it dies, this one hears nothing and goes on.
  static void close(int& end) {
    if (end >= 0) ::close(end);
    end = -1;
  }
  int ends[2];
};

/// In a child: logs one event to a sink that takes as long as its parent likes. Ends with 0 if the breaker learnt
/// nothing from it.
int child(const Pipe& inside, const Pipe& go_on, bool fails) {
  ::alarm(60);
  auto sink = std::make_shared<cairn::testing::ScriptedSink>();
  sink->in_emit = [&](const std::vector<std::int64_t>&) {
    inside.say();
    go_on.hear();
    if (fails) throw std::runtime_error("timed out");
  };
  const auto log = cairn::Configuration{}
                       .on_internal_error([](std::string_view) {})
                       .write_to(sink, "sink")
                       .with_circuit_breaker({.failures = 1, .slow_after = 500ms})
                       .create_logger();
  log.information("{Number}", 1);
  const cairn::CircuitBreakerStats stats = log.circuit_breaker("sink")->stats();
  if (stats.state != CircuitState::closed) return 1;
  return stats.cancelled == 1 && stats.failures == 0 ? 0 : 2;
}

/// In a child: the same with a breaker alone.
int child_with_a_breaker(const Pipe& inside, const Pipe& go_on, bool fails) {
  ::alarm(60);
  cairn::CircuitBreaker breaker({.failures = 1, .attempt_timeout = 1500ms});
  const auto answer = breaker.call([&] {
    inside.say();
    go_on.hear();
    if (fails) throw std::runtime_error("timed out");
    return 1;
  });
  if (fails != (answer.exception() != nullptr)) return 1;
  const cairn::CircuitBreakerStats stats = breaker.stats();
  if (stats.state != CircuitState::closed) return 2;
  return stats.cancelled == 1 && stats.failures == 0 ? 0 : 3;
}

/// In a child: its probe is out while it stands still, and somebody else asks first afterwards.
int child_with_a_probe(const Pipe& inside, const Pipe& go_on) {
  ::alarm(60);
  cairn::CircuitBreaker breaker({.failures = 1, .timeout = 1ms, .jitter = 0, .attempt_timeout = 1500ms});
  breaker.attempt().failed();
  while (breaker.stats().retry_in > 0ns) std::this_thread::yield();
  auto probe = breaker.attempt();
  if (!probe.is_probe()) return 1;
  inside.say();
  go_on.hear();
  if (breaker.attempt()) return 2;
  if (breaker.state() != CircuitState::half_open) return 3;
  probe.succeeded();
  if (breaker.state() != CircuitState::half_open || breaker.stats().cancelled != 1) return 4;
  breaker.attempt().succeeded();
  return breaker.state() == CircuitState::closed ? 0 : 5;
}

/// What `child` comes to if it stands still between what it says and what it hears.
template <class Child>
int status_of_one_that_stands_still(Child&& child) {
  Pipe inside;
  Pipe go_on;
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(child(inside, go_on));
  Pipe::close(inside.ends[1]);
  inside.hear();
  EXPECT_EQ(::kill(pid, SIGSTOP), 0);
  int status = 0;
  EXPECT_EQ(::waitpid(pid, &status, WUNTRACED), pid);
  EXPECT_TRUE(WIFSTOPPED(status));
  std::this_thread::sleep_for(2s);  // what the child sleeps through
  EXPECT_EQ(::kill(pid, SIGCONT), 0);
  go_on.say();
  EXPECT_EQ(::waitpid(pid, &status, 0), pid);
  EXPECT_TRUE(WIFEXITED(status));
  return WEXITSTATUS(status);
}

TEST(P11StoppedProcess, trips_no_breaker_by_the_time_it_stood_still) {
  for (const bool fails : {false, true}) {
    EXPECT_EQ(status_of_one_that_stands_still(
                  [&](const Pipe& inside, const Pipe& go_on) { return child(inside, go_on, fails); }),
              0)
        << (fails ? "failing" : "slow");
  }
}

TEST(P11StoppedProcess, trips_no_breaker_without_a_logger_either) {
  for (const bool fails : {false, true}) {
    EXPECT_EQ(status_of_one_that_stands_still(
                  [&](const Pipe& inside, const Pipe& go_on) { return child_with_a_breaker(inside, go_on, fails); }),
              0)
        << (fails ? "failing" : "slow");
  }
}

TEST(P11StoppedProcess, makes_no_probe_too_old) { EXPECT_EQ(status_of_one_that_stands_still(child_with_a_probe), 0); }

TEST(P11StoppedProcess, is_told_from_a_sink_that_is_slow) {
  cairn::testing::TurnedClock clock;
  auto sink = std::make_shared<cairn::testing::ScriptedSink>();
  sink->in_emit = [&](const std::vector<std::int64_t>&) { clock.turn(2s); };
  const auto log = cairn::Configuration{}
                       .use_clock(clock)
                       .on_internal_error([](std::string_view) {})
                       .write_to(sink, "sink")
                       .with_circuit_breaker({.failures = 1, .slow_after = 500ms})
                       .create_logger();
  log.information("{Number}", 1);
  EXPECT_EQ(log.circuit_breaker("sink")->state(), CircuitState::open);
}

}  // namespace
