// P8: a process forks while another of its threads is in the middle of something. What that thread holds, and what it
// has half changed, is the parent's: the child does the same thing and comes to an end.
//
// The thread stands still in an allocation, so that the moment is certain; every allocation has its turn.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cairn/all.hpp>
#include <chrono>
#include <functional>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "cairn/detail/fork_mutex.hpp"
#include "cairn/signals.hpp"
#include "pipeline/logger_table.hpp"
#include "pipeline/notifier.hpp"
#include "platform/made_once.hpp"
#include "support/allocation_probe.hpp"
#include "support/fork_test.hpp"
#include "support/in_child.hpp"

namespace {

using namespace std::chrono_literals;
using cairn::testing::ends_in_a_child;
using cairn::testing_support::AllocationGate;

enum class Step { hung, ended, no_allocation };

/// Has a thread do it, forks at one of its allocations, and has the child do it too.
Step fork_at_allocation(std::size_t before, std::size_t least_bytes, const std::function<void()>& work,
                        const std::function<bool()>& in_child) {
  AllocationGate gate(before, least_bytes);
  std::thread thread([&] { gate.run(work); });
  Step step = Step::no_allocation;
  if (gate.wait()) step = ends_in_a_child(in_child) ? Step::ended : Step::hung;
  gate.let_go();
  thread.join();
  return step;
}

/// At each in turn, in a process that has done it once. Gives how many there were.
std::size_t fork_at_each_allocation(const std::function<void()>& work, const std::function<bool()>& in_child,
                                    std::size_t least_bytes = 0) {
  work();
  for (std::size_t before = 0;; ++before) {
    const Step step = fork_at_allocation(before, least_bytes, work, in_child);
    EXPECT_NE(step, Step::hung) << "at allocation " << before;
    if (step == Step::no_allocation) return before;
  }
}
std::size_t fork_at_each_allocation(const std::function<void()>& work) {
  return fork_at_each_allocation(work, [&] {
    work();
    return true;
  });
}
/// The same, each time in a process that has not done it before.
std::size_t fork_at_each_first_allocation(const std::function<void()>& work) {
  for (std::size_t before = 0;; ++before) {
    const pid_t fresh = ::fork();
    if (fresh == 0) {
      ::alarm(40);
      const auto in_child = [&] {
        work();
        return true;
      };
      ::_exit(static_cast<int>(fork_at_allocation(before, 0, work, in_child)));
    }
    int status = -1;
    EXPECT_EQ(::waitpid(fresh, &status, 0), fresh);
    const bool over = WIFEXITED(status) && WEXITSTATUS(status) == static_cast<int>(Step::no_allocation);
    if (over) return before;
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == static_cast<int>(Step::ended))
        << "at allocation " << before;
  }
}

class ForkLocks : public cairn::testing::ForkTest {};

TEST_F(ForkLocks, of_the_first_logger_are_free_in_the_child) {
  const std::size_t forks = fork_at_each_first_allocation([] {
    const auto log = quiet().write_to_null().with_queue().create_logger();
    cairn::set_logger(log);
    cairn::information("{Number}", 1);
    cairn::close_and_flush();
  });
  EXPECT_GT(forks, 50U);
}

TEST_F(ForkLocks, of_a_logger_made_and_ended_are_free_in_the_child) {
  const cairn::LevelSwitch level(cairn::Level::debug);
  int number = 0;
  const std::size_t forks = fork_at_each_allocation([&] {
    auto config = quiet();
    auto sink = std::make_shared<cairn::MemorySink>();
    config.minimum_level(level).write_to(sink, "queued").with_queue().with_circuit_breaker();
    const auto log = config.create_logger();
    log.information("{Number}", 1);
    const std::string text = "{A} number " + std::to_string(++number);  // one that must be bound
    log.information(cairn::dynamic_template(text), 2);
    static_cast<void>(log.shutdown(cairn::ShutdownStrategy::graceful(10s)));
  });
  EXPECT_GT(forks, 50U);
}

TEST_F(ForkLocks, of_a_file_made_and_ended_are_free_in_the_child) {
  const std::string folder = testing::TempDir() + "fork_locks" + std::to_string(::getpid());
  int number = 0;
  const std::size_t forks = fork_at_each_allocation([&] {
    const std::string path = folder + "/" + std::to_string(::getpid()) + "_" + std::to_string(++number);
    const auto log = quiet().write_to_file(path).create_logger();
    log.information("{Number}", 1);
  });
  EXPECT_GT(forks, 50U);
  static_cast<void>(std::system(("rm -r " + folder).c_str()));
}

TEST_F(ForkLocks, of_the_global_logger_are_free_in_the_child) {
  const auto log = quiet().write_to_null().create_logger();
  EXPECT_GT(fork_at_each_allocation([&] {
              cairn::set_logger(log);
              cairn::information("{Number}", 1);
            }),
            0U);
  cairn::set_logger(cairn::Logger());
}

TEST_F(ForkLocks, of_a_loggers_handlers_breakers_and_sinks_are_free_in_the_child) {
  auto sink = std::make_shared<cairn::MemorySink>();
  const auto log = quiet().write_to(sink, "memory").with_circuit_breaker().create_logger();
  EXPECT_GT(fork_at_each_allocation([&] {
              static_cast<void>(log.remove_shutdown_handler(log.on_shutdown([] {})));
              log.circuit_breaker("memory")->add_listener([](const cairn::CircuitTransition&) {});
              log.information("{Number}", 1);
              static_cast<void>(log.metrics());
              static_cast<void>(sink->events());
            }),
            10U);
}

TEST_F(ForkLocks, of_metrics_and_breakers_on_their_own_are_free_in_the_child) {
  cairn::Metrics metrics;
  cairn::CircuitBreaker breaker;
  int number = 0;
  EXPECT_GT(fork_at_each_allocation([&] {
              auto& sink = metrics.sink("sink " + std::to_string(++number % 4));
              sink.accept();
              sink.fail("a reason of some length", 1, "an error of some length");
              metrics.talk("{A} number " + std::to_string(number));
              static_cast<void>(metrics.snapshot());
              breaker.add_listener([](const cairn::CircuitTransition&) {});
              breaker.open();
              breaker.close();
            }),
            10U);
}

TEST_F(ForkLocks, of_the_table_of_loggers_are_free_in_the_child) {
  const auto parts = std::make_shared<const cairn::detail::LoggerParts>();
  constexpr std::size_t chunk = 16'384;  // bytes; what the table grows by has more
  const std::size_t forks = fork_at_each_allocation(
      [&] {
        for (int i = 0; i < 1100; ++i) static_cast<void>(cairn::detail::LoggerTable::instance().take(parts));
      },
      [&] { return cairn::detail::LoggerTable::instance().take(parts) != 0; }, chunk);
  EXPECT_GT(forks, 0U);
}

/// So many that their list needs memory now and then.
void have_callbacks_run() {
  const auto done = std::make_shared<std::promise<void>>();
  for (int i = 0; i < 40; ++i) EXPECT_TRUE(cairn::detail::notify([] {}));
  EXPECT_TRUE(cairn::detail::notify([done] { done->set_value(); }));
  EXPECT_EQ(done->get_future().wait_for(10s), std::future_status::ready);
}
TEST_F(ForkLocks, of_the_callbacks_thread_are_free_in_the_child) {
  EXPECT_GT(fork_at_each_first_allocation(have_callbacks_run), 0U);
  EXPECT_GT(fork_at_each_allocation(have_callbacks_run), 0U);
}

TEST_F(ForkLocks, of_the_signal_thread_are_free_in_the_child) {
  EXPECT_GT(fork_at_each_first_allocation([] { cairn::start_signal_thread(); }), 0U);
}

TEST_F(ForkLocks, of_a_sampling_filter_are_free_in_the_child) {
  const auto log = quiet().write_to_null().filter_by(cairn::filters::sample_every(2)).create_logger();
  int number = 0;
  EXPECT_GT(fork_at_each_allocation([&] {
              const std::string text = "{A} number " + std::to_string(++number);
              log.information(cairn::dynamic_template(text), 1);
            }),
            0U);
}

// ---- the means

TEST_F(ForkLocks, that_another_thread_holds_are_made_anew_in_the_child) {
  cairn::detail::ForkMutex mutex;
  std::promise<void> held;
  std::promise<void> go;
  std::thread thread([&] {
    const std::lock_guard lock(mutex);
    held.set_value();
    go.get_future().wait();
  });
  held.get_future().wait();
  EXPECT_TRUE(ends_in_a_child([&] {
    const std::lock_guard lock(mutex);
    return true;
  }));
  EXPECT_FALSE(mutex.try_lock()) << "the parent's is held as before";
  go.set_value();
  thread.join();
}

struct SlowlyMade {
  static inline std::promise<void>* inside = nullptr;
  static inline std::promise<void>* go = nullptr;
  SlowlyMade() {
    if (inside == nullptr) return;
    std::exchange(inside, nullptr)->set_value();
    go->get_future().wait();
  }
  int value = 7;
};
SlowlyMade& slowly_made() {
  static constinit cairn::detail::MadeOnce<SlowlyMade> made;
  return made.get();
}

TEST_F(ForkLocks, are_not_needed_for_what_is_made_once) {
  std::promise<void> inside;
  std::promise<void> go;
  SlowlyMade::inside = &inside;
  SlowlyMade::go = &go;
  const SlowlyMade* of_thread = nullptr;
  std::thread thread([&] { of_thread = &slowly_made(); });
  inside.get_future().wait();
  EXPECT_TRUE(ends_in_a_child([] { return slowly_made().value == 7; }));
  const SlowlyMade* const of_main = &slowly_made();
  go.set_value();
  thread.join();
  EXPECT_EQ(of_thread, of_main) << "there is one";
}

}  // namespace
