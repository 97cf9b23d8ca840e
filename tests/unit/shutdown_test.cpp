// cairn::Shutdown alone: the order of its handlers, their time, and who else may call meanwhile.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pthread.h>

#include <atomic>
#include <cairn/shutdown.hpp>
#include <future>
#include <memory>
#include <mutex>
#include <semaphore>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

using cairn::Shutdown;
using cairn::ShutdownHandlerStatus;
using cairn::ShutdownReport;
using cairn::ShutdownStatus;
using cairn::ShutdownStrategy;
using testing::ElementsAre;
using testing::UnorderedElementsAre;
using namespace std::chrono_literals;

constexpr auto graceful = ShutdownStrategy::graceful(1min);
constexpr auto for_ever = std::chrono::hours(1);

/// Names, in the order in which they came; shared with threads that may be left behind.
class Names {
 public:
  void add(const std::string& name) {
    const std::lock_guard lock(mutex_);
    names_.push_back(name);
    changed_.notify_all();
  }
  void wait_for(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return names_.size() >= count; });
  }
  [[nodiscard]] std::vector<std::string> all() const {
    const std::lock_guard lock(mutex_);
    return names_;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> names_;
};

/// What a handler waits for that hangs until the test lets it go.
struct Gate {
  void open() { promise.set_value(); }
  std::promise<void> promise;
  std::shared_future<void> opened = promise.get_future().share();
};

std::vector<std::string> told(const ShutdownReport& report) {
  constexpr const char* words[] = {"completed", "threw", "timed_out", "not_run"};
  std::vector<std::string> lines;
  for (const auto& handler : report.handlers) {
    std::string line = handler.name + ' ' + words[static_cast<int>(handler.status)];
    if (!handler.error.empty()) line += ' ' + handler.error;
    lines.push_back(std::move(line));
  }
  return lines;
}

TEST(Shutdown, runs_handlers_of_a_higher_priority_first_and_tells_of_each) {
  Shutdown shutdown;
  Names ran;
  for (const int priority : {0, 20, -5, 10})
    shutdown.on_shutdown([&ran, priority] { ran.add(std::to_string(priority)); },
                         {.priority = priority, .timeout = for_ever, .name = "at " + std::to_string(priority)});
  EXPECT_FALSE(shutdown.is_shutdown());
  const ShutdownReport report = shutdown.execute(graceful);
  EXPECT_TRUE(shutdown.is_shutdown());
  EXPECT_EQ(report.status, ShutdownStatus::completed);
  EXPECT_THAT(ran.all(), ElementsAre("20", "10", "0", "-5"));
  EXPECT_THAT(told(report), ElementsAre("at 20 completed", "at 10 completed", "at 0 completed", "at -5 completed"));
}

TEST(Shutdown, waits_for_a_priority_before_it_starts_the_next) {
  Shutdown shutdown;
  std::atomic<bool> done{false};
  bool was_done = false;
  shutdown.on_shutdown([&] { was_done = done; }, {.timeout = for_ever});
  shutdown.on_shutdown(
      [&] {
        for (int i = 0; i < 1000; ++i) std::this_thread::yield();
        done = true;
      },
      {.priority = 1, .timeout = for_ever});
  static_cast<void>(shutdown.execute(graceful));
  EXPECT_TRUE(was_done);
}

TEST(Shutdown, starts_the_last_registered_first_and_four_at_once) {
  Shutdown shutdown;
  Names inside;
  Gate gate;
  for (const char* name : {"a", "b", "c", "d", "e", "f"})
    shutdown.on_shutdown(
        [&inside, name, opened = gate.opened] {
          inside.add(name);
          opened.wait();
        },
        {.timeout = for_ever, .name = name});
  auto report = std::async(std::launch::async, [&] { return shutdown.execute(graceful); });
  inside.wait_for(4);
  EXPECT_THAT(inside.all(), UnorderedElementsAre("f", "e", "d", "c")) << "the first two wait for a place";
  gate.open();
  EXPECT_THAT(told(report.get()),
              ElementsAre("f completed", "e completed", "d completed", "c completed", "b completed", "a completed"));
}

TEST(Shutdown, leaves_a_handler_that_hangs_behind_after_its_timeout_and_goes_on) {
  Gate gate;
  Names ran;
  {
    Shutdown shutdown;
    shutdown.on_shutdown([&] { ran.add("after it"); }, {.timeout = for_ever, .name = "after it"});
    shutdown.on_shutdown([&] { ran.add("beside it"); }, {.priority = 1, .timeout = for_ever, .name = "beside it"});
    shutdown.on_shutdown([opened = gate.opened] { opened.wait(); }, {.priority = 1, .timeout = 30ms, .name = "hangs"});
    const ShutdownReport report = shutdown.execute(graceful);
    EXPECT_EQ(report.status, ShutdownStatus::timed_out);
    EXPECT_THAT(told(report), ElementsAre("hangs timed_out", "beside it completed", "after it completed"));
    EXPECT_GE(report.elapsed, 30ms);
    EXPECT_LT(report.elapsed, 30s) << "its own timeout, and not the shutdown's";
  }
  EXPECT_THAT(ran.all(), ElementsAre("beside it", "after it"));
  gate.open();  // it may end when it likes, with the Shutdown long gone
}

TEST(Shutdown, is_over_when_its_time_is_whatever_the_handlers_timeouts_say) {
  Shutdown shutdown;
  Gate gate;
  std::atomic<int> ran{0};
  shutdown.on_shutdown([&] { ++ran; }, {.name = "late"});
  shutdown.on_shutdown([opened = gate.opened] { opened.wait(); },
                       {.priority = 1, .timeout = for_ever, .name = "hangs"});
  const ShutdownReport report = shutdown.execute(ShutdownStrategy::graceful(30ms));
  EXPECT_EQ(report.status, ShutdownStatus::timed_out);
  EXPECT_EQ(told(report).at(1), "late not_run");
  EXPECT_LT(report.elapsed, 30s);
  EXPECT_EQ(ran, 0);
  gate.open();
}

TEST(Shutdown, reports_what_handlers_throw) {
  Shutdown shutdown;
  shutdown.on_shutdown([] { throw 7; }, {.timeout = for_ever, .name = "an int"});
  shutdown.on_shutdown([] { throw std::runtime_error("no socket"); },
                       {.priority = 1, .timeout = for_ever, .name = "an exception"});
  shutdown.on_shutdown([] { ::pthread_exit(nullptr); },
                       {.priority = 2, .timeout = for_ever, .name = "the thread's end"});
  const auto lines = told(shutdown.execute(graceful));
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[0], "the thread's end completed");
  EXPECT_THAT(lines[1], testing::HasSubstr("an exception threw"));
  EXPECT_THAT(lines[1], testing::HasSubstr("no socket"));
  EXPECT_THAT(lines[2], testing::StartsWith("an int threw"));
}

TEST(Shutdown, runs_no_handler_that_was_removed) {
  Shutdown shutdown;
  Names ran;
  const auto before = shutdown.on_shutdown([&] { ran.add("removed before"); });
  const auto during = shutdown.on_shutdown([&] { ran.add("removed by a handler"); });
  cairn::ShutdownHandlerId self{};
  bool removed = false;
  bool removed_itself = true;
  self = shutdown.on_shutdown(
      [&] {
        ran.add("kept");
        removed = shutdown.remove(during);
        removed_itself = shutdown.remove(self);
      },
      {.priority = 1, .timeout = for_ever, .name = "kept"});
  EXPECT_TRUE(shutdown.remove(before));
  EXPECT_FALSE(shutdown.remove(before)) << "it is gone";
  EXPECT_THAT(told(shutdown.execute(graceful)), ElementsAre("kept completed"));
  EXPECT_TRUE(removed);
  EXPECT_FALSE(removed_itself) << "it runs";
  EXPECT_THAT(ran.all(), ElementsAre("kept"));
}

TEST(Shutdown, happens_once_and_a_second_call_gets_the_first_report) {
  Shutdown shutdown;
  int runs = 0;
  shutdown.on_shutdown([&] { ++runs; });
  const ShutdownReport first = shutdown.execute(graceful);
  const ShutdownReport second = shutdown.execute(ShutdownStrategy::immediate());
  EXPECT_EQ(runs, 1);
  EXPECT_EQ(second.elapsed, first.elapsed);
  EXPECT_EQ(told(second), told(first));
}

TEST(Shutdown, makes_calls_from_other_threads_wait_for_the_one_report) {
  Shutdown shutdown;
  Names inside;
  Gate gate;
  std::atomic<int> runs{0};
  shutdown.on_shutdown(
      [&] {
        ++runs;
        inside.add("in");
        gate.opened.wait();
      },
      {.timeout = for_ever});
  std::vector<std::future<ShutdownReport>> calls;
  calls.push_back(std::async(std::launch::async, [&] { return shutdown.execute(graceful); }));
  inside.wait_for(1);
  for (int i = 0; i < 3; ++i)
    calls.push_back(std::async(std::launch::async, [&] { return shutdown.execute(graceful); }));
  gate.open();
  const ShutdownReport first = calls[0].get();
  EXPECT_EQ(first.status, ShutdownStatus::completed);
  for (std::size_t i = 1; i < calls.size(); ++i) EXPECT_EQ(calls[i].get().elapsed, first.elapsed);
  EXPECT_EQ(runs, 1);
}

TEST(Shutdown, is_cut_short_by_a_call_in_more_of_a_hurry) {
  Shutdown shutdown;
  Names inside;
  Gate gate;
  shutdown.on_shutdown([] {}, {.name = "not reached"});
  shutdown.on_shutdown(
      [&inside, opened = gate.opened] {
        inside.add("in");
        opened.wait();
      },
      {.priority = 1, .timeout = for_ever, .name = "hangs"});
  auto first = std::async(std::launch::async, [&] { return shutdown.execute(ShutdownStrategy::graceful(for_ever)); });
  inside.wait_for(1);
  static_cast<void>(shutdown.execute(ShutdownStrategy::immediate()));
  EXPECT_THAT(told(first.get()), ElementsAre("hangs timed_out", "not reached not_run"));
  gate.open();
}

TEST(Shutdown, is_not_drawn_out_by_a_milder_call) {
  Shutdown shutdown;
  Gate gate;
  shutdown.on_shutdown([opened = gate.opened] { opened.wait(); }, {.timeout = for_ever, .name = "hangs"});
  auto first = std::async(std::launch::async, [&] { return shutdown.execute(ShutdownStrategy::graceful(100ms)); });
  while (!shutdown.is_shutdown()) std::this_thread::yield();
  static_cast<void>(shutdown.execute(ShutdownStrategy::graceful(for_ever)));
  EXPECT_LT(first.get().elapsed, 30s);
  gate.open();
}

TEST(Shutdown, called_by_one_of_its_handlers_goes_on_without_being_waited_for) {
  Shutdown shutdown;
  ShutdownReport inner;
  shutdown.on_shutdown([&] { inner = shutdown.execute(graceful); }, {.timeout = for_ever, .name = "calls"});
  const ShutdownReport report = shutdown.execute(graceful);
  EXPECT_EQ(inner.status, ShutdownStatus::in_progress);
  EXPECT_THAT(told(report), ElementsAre("calls completed"));
}

TEST(Shutdown, that_is_immediate_runs_no_handlers) {
  Shutdown shutdown;
  int runs = 0;
  shutdown.on_shutdown([&] { ++runs; }, {.name = "cleans up"});
  const ShutdownReport report = shutdown.execute(ShutdownStrategy::immediate());
  EXPECT_THAT(told(report), ElementsAre("cleans up not_run"));
  EXPECT_EQ(report.status, ShutdownStatus::completed);
  EXPECT_EQ(runs, 0);
}

TEST(Shutdown, can_be_done_again_after_a_reset) {
  Shutdown shutdown;
  int runs = 0;
  shutdown.on_shutdown([&] { ++runs; });
  static_cast<void>(shutdown.execute(graceful));
  shutdown.reset();
  EXPECT_FALSE(shutdown.is_shutdown());
  static_cast<void>(shutdown.execute(graceful));
  EXPECT_EQ(runs, 2);
}

/// Says that its thread ends.
struct Leaves {
  std::binary_semaphore& gone;
  ~Leaves() { gone.release(); }
};

TEST(Shutdown, done_again_runs_a_handler_that_hangs_still_and_what_that_one_does_later_is_its_own) {
  Shutdown shutdown;
  std::promise<void> gate;
  std::binary_semaphore gone{0};
  std::atomic<int> runs{0};
  shutdown.on_shutdown(
      [&, opened = gate.get_future().share()] {
        if (runs++ == 0) {
          opened.wait();
          thread_local const Leaves leaves{gone};
          throw std::runtime_error("late");
        }
      },
      {.timeout = 500ms, .name = "hangs"});
  EXPECT_THAT(told(shutdown.execute(graceful)), ElementsAre("hangs timed_out"));
  shutdown.reset();
  EXPECT_THAT(told(shutdown.execute(graceful)), ElementsAre("hangs completed"));
  gate.set_value();
  gone.acquire();
  EXPECT_THAT(told(shutdown.execute(graceful)), ElementsAre("hangs completed"));
}

TEST(Shutdown, gives_handlers_without_a_name_a_number) {
  Shutdown shutdown;
  shutdown.on_shutdown([] {}, {.priority = 2, .timeout = for_ever});
  shutdown.on_shutdown(std::function<void()>([] {}), {.priority = 1, .timeout = for_ever});
  EXPECT_THAT(told(shutdown.execute(graceful)), ElementsAre("handler 1 completed", "handler 2 completed"));
}

}  // namespace
