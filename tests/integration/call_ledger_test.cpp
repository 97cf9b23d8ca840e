// The accounts of events that their callers deliver, from more threads than there are accounts for one thread each.
#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <functional>
#include <thread>
#include <vector>

#include "cairn/all.hpp"
#include "capture/thread_state.hpp"

namespace {

using cairn::detail::ThreadNumber;

void expect_sum(const cairn::LoggerCounts& counts) {
  EXPECT_EQ(counts.captured, counts.dispatched + counts.filtered + counts.in_lane);
}

/// As long as it lives, threads that log for the first time share accounts.
struct AllNumbersTaken {
  std::deque<ThreadNumber> numbers;
  AllNumbersTaken() {
    do numbers.emplace_back();
    while (numbers.back().value() < ThreadNumber::most);
  }
};

/// Threads of which `logging(i)` make `each` calls, of which one is filtered, beside snapshots.
void expect_exact(int threads, const std::function<bool(int)>& logging, int each) {
  const auto log = cairn::Configuration{}
                       .write_to_null()
                       .filter_by([](const cairn::Event& event) { return event.property("N")->as_int64() != 7; })
                       .create_logger();
  std::atomic<int> ready{0};
  std::atomic<int> at_work{0};
  std::atomic<bool> go{false};
  std::vector<std::thread> all;
  int logged = 0;
  for (int i = 0; i < threads; ++i) {
    const bool logs = logging(i);
    if (logs) ++at_work, ++logged;
    all.emplace_back([&, logs] {
      log.information("{N}", 7);  // the thread's first: it gets its number and its account
      ++ready;
      go.wait(false);
      if (!logs) return;
      for (int n = 1; n < each; ++n) log.information("{N}", 0);
      --at_work;
    });
    while (ready <= i) std::this_thread::yield();  // so that accounts are dealt out in turn
  }
  go = true;
  go.notify_all();
  do expect_sum(log.metrics().logger);
  while (at_work != 0);
  for (auto& thread : all) thread.join();
  const auto counts = log.metrics().logger;
  const std::uint64_t passed = static_cast<std::uint64_t>(logged) * static_cast<std::uint64_t>(each - 1);
  EXPECT_EQ(counts.captured, passed + static_cast<std::uint64_t>(threads));
  EXPECT_EQ(counts.filtered, static_cast<std::uint64_t>(threads));
  EXPECT_EQ(counts.dispatched, passed);
  EXPECT_EQ(counts.in_lane, 0U);
}

TEST(CallLedger, adds_up_in_every_snapshot_while_threads_log) {
  expect_exact(
      4, [](int) { return true; }, 50'000);
}

TEST(CallLedger, adds_up_where_two_threads_have_one_account) {
  const AllNumbersTaken taken;
  expect_exact(
      17, [](int i) { return i == 0 || i == 16; }, 200'000);
}

TEST(CallLedger, keeps_what_threads_counted_that_have_ended) {
  constexpr std::uint64_t threads = 200;
  const auto log = cairn::Configuration{}.write_to_null().create_logger();
  for (std::uint64_t i = 0; i < threads; ++i) std::thread([&] { log.information("{N}", i); }).join();
  EXPECT_EQ(log.metrics().logger.captured, threads);
  EXPECT_EQ(log.metrics().logger.dispatched, threads);
}

}  // namespace
