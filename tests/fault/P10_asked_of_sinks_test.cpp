// P10: a signal handler that logs, at every instruction of what a program asks of its sinks, and of a fork: its call
// may be refused, but must not wait for what its own thread holds.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cairn/all.hpp>
#include <cairn/detail/fork_mutex.hpp>
#include <cstdio>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <thread>

#include "support/in_child.hpp"
#include "support/sanitizers.hpp"
#include "support/single_step.hpp"

namespace {

using cairn::testing::in_child;
using cairn::testing::SingleSteps;
using namespace std::chrono_literals;

const cairn::Logger* logger = nullptr;
std::uint64_t in_handlers = 0;
bool takes_memory = false;  // what is interrupted, all the time

void log_in_handler() {
  if (takes_memory && SingleSteps::in_c_library()) return;  // the call, which may take some, would come into malloc
  ++in_handlers;
  logger->information("from a handler");
}

/// A child of the test's own group of processes: what hangs there ends with it, and what it has forked.
template <class Body>
int in_mortal_child(Body&& body) {
  return in_child([&] {
    ::setpgid(0, 0);
    ::signal(SIGALRM, [](int) { ::kill(0, SIGKILL); });
    ::alarm(60);
    return body();
  });
}

/// Every kind of sink that a synchronous call may come to: itself, with a breaker, behind a queue, a fallback.
cairn::Logger logger_of_all_kinds() {
  auto configuration = cairn::Configuration{};
  configuration.on_internal_error([](std::string_view) {});
  configuration.write_to_null().with_name("plain");
  configuration.write_to_null().with_name("guarded").with_circuit_breaker().with_fallback(
      cairn::SinkSpec::null().with_name("fallback"));
  configuration.write_to_null().with_name("queued").with_queue({.max_size = 1U << 20U}).with_circuit_breaker();
  return configuration.create_logger();
}

struct Asked {
  const char* name;
  long distance;  // of the instructions at which the handler logs; where there are few, each is one
  void (*ask)(const cairn::Logger& log);
};

// They are kept for a time at which a handler does not come: a queued sink's event takes memory, as they give back.
std::optional<cairn::FlushResult> flushed;
std::optional<cairn::MetricsSnapshot> counted;

class P10AskedOfSinks : public ::testing::TestWithParam<Asked> {};

TEST_P(P10AskedOfSinks, may_be_interrupted_by_a_handler_that_logs) {
  if (cairn::testing::under_sanitizer) GTEST_SKIP() << "what it adds are instructions, too";
  EXPECT_EQ(
      in_mortal_child([] {
        const cairn::Logger log = logger_of_all_kinds();
        logger = &log;
        log.information("what a call needs of memory is there");
        GetParam().ask(log);
        SingleSteps steps(&log_in_handler);
        const long distance = GetParam().distance;
        const bool few = distance < 10;
        takes_memory = !few;
        if (few) (void)steps.run(0, 1, [&] { GetParam().ask(log); });
        std::uint64_t refused = 0;
        std::uint64_t captured = 0;
        for (long first = 0; first < (few ? distance : 1); ++first) {
          const auto before = log.metrics().logger;
          const std::uint64_t called = in_handlers;
          (void)steps.run(first, distance, [&] { GetParam().ask(log); });
          const auto now = log.metrics().logger;
          refused += now.rejected_total() - std::min(now.rejected_total(), before.rejected_total());
          captured += now.captured - std::min(now.captured, before.captured);
          if (GetParam().name == std::string_view("reset_metrics")) continue;  // those before are in no count
          if (now.captured - before.captured + now.rejected_total() - before.rejected_total() != in_handlers - called)
            return 1;
        }
        std::fprintf(stderr, "%lu in handlers, %lu refused\n", in_handlers, refused);
        return refused + captured > 30 ? 0 : 2;
      }),
      0);
}

constexpr Asked asked[] = {
    {"flush", 7, [](const cairn::Logger& log) { flushed.emplace(log.flush(1min)); }},
    {"reopen", 7, [](const cairn::Logger& log) { flushed.emplace(log.reopen(1min)); }},
    {"metrics", 211, [](const cairn::Logger& log) { counted.emplace(log.metrics()); }},
    {"reset_metrics", 499, [](const cairn::Logger& log) { log.reset_metrics(); }},
    {"queue_depth", 7, [](const cairn::Logger& log) { (void)log.queue_depth("queued"); }},
    {"breaker_by_hand", 7,
     [](const cairn::Logger& log) {
       for (const char* sink : {"guarded", "queued"}) {
         cairn::CircuitBreaker* const breaker = log.circuit_breaker(sink);
         breaker->open();
         (void)breaker->state();
         breaker->close();
       }
     }},
};
INSTANTIATE_TEST_SUITE_P(All, P10AskedOfSinks, ::testing::ValuesIn(asked),
                         [](const auto& test) { return test.param.name; });

class P10Fork : public ::testing::TestWithParam<bool> {};

TEST_P(P10Fork, may_be_interrupted_by_a_handler_that_logs_on_both_sides) {
  if (cairn::testing::under_sanitizer) GTEST_SKIP() << "what it adds are instructions, too";
  EXPECT_EQ(in_mortal_child([] {
              auto configuration = cairn::Configuration{};
              auto to = configuration.write_to_null();
              if (GetParam()) to.with_queue({.max_size = 1U << 20U});
              const cairn::Logger log = configuration.create_logger();
              logger = &log;
              log.information("what a call needs of memory is there");
              SingleSteps steps(&log_in_handler);
              constexpr long distance = 61;
              for (long first = 0; first < distance; first += 7) {
                pid_t child = 0;
                (void)steps.run(first, distance, [&] { child = ::fork(); });
                if (child == 0) {
                  log.information("in the child");
                  ::_exit(log.flush(1min).status == cairn::FlushStatus::ok ? 0 : 1);
                }
                int status = 0;
                if (::waitpid(child, &status, 0) != child || status != 0) return 1;
              }
              if (log.flush(1min).status != cairn::FlushStatus::ok) return 2;
              const auto now = log.metrics();
              std::fprintf(stderr, "%lu in handlers, %lu refused\n", in_handlers, now.logger.rejected_total());
              if (now.logger.captured + now.logger.rejected_total() != in_handlers + 1) return 3;
              // Into a lane that is there a call needs nothing of what a fork holds.
              return (GetParam() ? now.logger.captured : now.logger.rejected_total()) > 100 ? 0 : 4;
            }),
            0);
}
INSTANTIATE_TEST_SUITE_P(Deliveries, P10Fork, ::testing::Bool(),
                         [](const auto& test) { return test.param ? "queued" : "synchronous"; });

TEST(P10LockOfCairn, that_a_thread_holds_has_its_calls_refused_and_no_other_ones) {
  const auto sink = std::make_shared<cairn::MemorySink>();
  const auto log = cairn::Configuration{}.write_to(sink, "memory").create_logger();
  cairn::detail::ForkMutex mutex;
  {
    const std::lock_guard lock(mutex);
    log.information("refused, as a handler's would be");
    std::thread([&] {
      EXPECT_FALSE(mutex.try_lock());
      log.information("of another thread");
    }).join();
  }
  log.information("afterwards");
  EXPECT_EQ(sink->messages(), (std::vector<std::string>{"of another thread", "afterwards"}));
  EXPECT_EQ(log.metrics().logger.rejected.at("reentrant"), 1U);
}

}  // namespace
