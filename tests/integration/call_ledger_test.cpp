// The accounts of events that their callers deliver, from more threads than there are accounts for one thread each.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "cairn/all.hpp"
#include "capture/thread_state.hpp"

namespace {

using cairn::detail::ThreadNumber;

void expect_sum(const cairn::LoggerCounts& counts) {
  EXPECT_EQ(counts.captured, counts.dispatched + counts.filtered + counts.in_lane);
}

TEST(CallLedger, adds_up_in_every_snapshot_while_more_threads_log_than_have_an_account_of_their_own) {
  constexpr int threads = 2 * ThreadNumber::most;
  constexpr int each = 1'000;
  const auto log = cairn::Configuration{}
                       .write_to_null()
                       .filter_by([](const cairn::Event& event) { return event.property("N")->as_int64() != 7; })
                       .create_logger();
  std::atomic<int> at_work{0};
  std::atomic<bool> go{false};
  std::vector<std::thread> all;
  for (int i = 0; i < threads; ++i) {
    all.emplace_back([&] {
      ++at_work;
      go.wait(false);
      for (int n = 0; n < each; ++n) log.information("{N}", n);
      --at_work;
    });
  }
  while (at_work != threads) std::this_thread::yield();
  go = true;
  go.notify_all();
  std::uint64_t snapshots = 0;
  do {
    expect_sum(log.metrics().logger);
    ++snapshots;
  } while (at_work != 0);
  for (auto& thread : all) thread.join();
  const auto counts = log.metrics().logger;
  EXPECT_EQ(counts.captured, std::uint64_t{threads} * each);
  EXPECT_EQ(counts.filtered, std::uint64_t{threads});
  EXPECT_EQ(counts.dispatched, std::uint64_t{threads} * (each - 1));
  EXPECT_EQ(counts.in_lane, 0U);
  EXPECT_GE(snapshots, 1U);
}

TEST(CallLedger, keeps_what_threads_counted_that_have_ended) {
  constexpr std::uint64_t threads = 200;
  const auto log = cairn::Configuration{}.write_to_null().create_logger();
  for (std::uint64_t i = 0; i < threads; ++i) std::thread([&] { log.information("{N}", i); }).join();
  EXPECT_EQ(log.metrics().logger.captured, threads);
  EXPECT_EQ(log.metrics().logger.dispatched, threads);
}

}  // namespace
