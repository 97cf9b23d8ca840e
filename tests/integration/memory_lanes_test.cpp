// Lanes under a memory budget: a thread that gets none, and loggers whose lanes may never be emptied.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <atomic>
#include <barrier>
#include <cairn/all.hpp>
#include <chrono>
#include <thread>
#include <vector>

#include "../support/budget_tests.hpp"
#include "../support/gate_sink.hpp"
#include "../support/metrics_support.hpp"
#include "dispatch/thread_lane.hpp"

namespace {

using cairn::detail::LaneMemory;
using cairn::testing::Alone;
using cairn::testing::dropped;
using cairn::testing::expect_sums_hold;
using cairn::testing::GateSink;
using cairn::testing::MiB;
using cairn::testing::quiet;
using namespace std::chrono_literals;

class LanesShort : public Alone {};

/// How often the calling thread has waited for something.
long waits() {
  rusage usage{};
  getrusage(RUSAGE_THREAD, &usage);
  return usage.ru_nvcsw;
}

/// Threads that have all the lanes there are, as long as this lives.
class Holders {
 public:
  explicit Holders(const cairn::Logger& log) : all_(count + 1) {
    for (int i = 0; i < count; ++i) {
      threads_.emplace_back([this, &log] {
        log.information("{Number}", 0);
        all_.arrive_and_wait();
        all_.arrive_and_wait();
      });
    }
    all_.arrive_and_wait();
  }
  Holders(const Holders&) = delete;
  Holders& operator=(const Holders&) = delete;
  ~Holders() { end(); }
  void end() {
    if (threads_.empty()) return;
    all_.arrive_and_wait();
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }
  static constexpr int count = 8;  // more than there are lanes of 96 KiB in half of a MiB

 private:
  std::barrier<> all_;
  std::vector<std::thread> threads_;
};

TEST_F(LanesShort, a_thread_that_gets_none_is_refused_at_once_and_counted) {
  auto sink = std::make_shared<GateSink>(true);
  const auto log = quiet().memory_budget({.max_bytes = MiB}).write_to(sink, "sink").with_queue().create_logger();
  const Holders holders(log);
  const std::uint64_t before = dropped(log.metrics().logger.dropped, "memory_limit");
  ASSERT_GT(before, 0U) << "there was one for each";
  constexpr int threads = 40;
  constexpr int calls = 100;
  std::atomic<long> waited{0};
  for (int i = 0; i < threads; ++i) {
    std::thread([&] {
      const long begun = waits();
      for (int n = 0; n < calls; ++n) log.information("{Number}", 1);
      CAIRN_INFORMATION(log, "{Number}", 1);
      waited += waits() - begun;
    }).join();
  }
  EXPECT_LT(waited, threads) << "a call that waits for memory sleeps many times; a lock may be waited for now and then";
  const cairn::MetricsSnapshot now = log.metrics();
  expect_sums_hold(now);
  EXPECT_EQ(dropped(now.logger.dropped, "memory_limit"), before + threads * (calls + 1));
  EXPECT_EQ(now.logger.captured, Holders::count + static_cast<std::uint64_t>(threads) * (calls + 1));
}

TEST_F(LanesShort, a_thread_that_got_none_has_one_when_there_is_one_again) {
  auto sink = std::make_shared<GateSink>(true);
  const auto log = quiet().memory_budget({.max_bytes = MiB}).write_to(sink, "sink").with_queue().create_logger();
  Holders holders(log);
  std::atomic<bool> refused{false};
  std::thread late([&] {
    log.information("{Number}", 1);
    refused = true;
    refused.notify_all();
    const auto until = std::chrono::steady_clock::now() + 60s;
    while (log.metrics().logger.dispatched < Holders::count * 2U && std::chrono::steady_clock::now() < until)
      log.information("{Number}", 2);
  });
  refused.wait(false);
  EXPECT_GE(dropped(log.metrics().logger.dropped, "memory_limit"), 1U);
  holders.end();
  late.join();
  ASSERT_EQ(log.flush(60s).status, cairn::FlushStatus::ok);
  EXPECT_EQ(sink->kept().back().number, 2);
  expect_sums_hold(log.metrics());
}

TEST_F(LanesShort, a_call_that_blocks_waits_for_one_also_where_another_logger_has_just_refused_its_thread_one) {
  const auto sink = std::make_shared<GateSink>(true);
  const auto log = quiet().memory_budget({.max_bytes = MiB}).write_to_null().with_queue().create_logger();
  const auto blocks = quiet()
                          .write_to(sink, "sink")
                          .with_queue({.overflow = cairn::Overflow::block, .block_timeout = 60s})
                          .create_logger();
  Holders holders(log);
  const std::uint64_t before = dropped(log.metrics().logger.dropped, "memory_limit");
  constexpr std::uint64_t calls = 10;
  std::vector<std::thread> callers;
  for (std::uint64_t i = 0; i < calls; ++i) {
    callers.emplace_back([&] {
      log.information("{Number}", 1);
      blocks.information("{Number}", 2);
    });
  }
  while (dropped(log.metrics().logger.dropped, "memory_limit") < before + calls) std::this_thread::yield();
  holders.end();
  for (std::thread& caller : callers) caller.join();
  ASSERT_EQ(blocks.flush(60s).status, cairn::FlushStatus::ok);
  EXPECT_EQ(blocks.metrics().logger.rejected_total(), 0U);
  EXPECT_EQ(sink->kept().size(), calls);
}

TEST_F(LanesShort, of_a_logger_that_blocks_are_smaller_so_that_more_threads_have_one) {
  constexpr int threads = 32;
  const auto sink = std::make_shared<GateSink>(true);
  const auto log = quiet()
                       .memory_budget({.max_bytes = 16 * MiB})
                       .write_to(sink, "sink")
                       .with_queue({.max_size = 65536, .overflow = cairn::Overflow::block, .block_timeout = 2s})
                       .create_logger();
  std::barrier all(threads);
  std::vector<std::thread> callers;
  for (int i = 0; i < threads; ++i) {
    callers.emplace_back([&, i] {
      log.information("{Number}", i);
      all.arrive_and_wait();  // as long as all live
    });
  }
  for (std::thread& caller : callers) caller.join();
  ASSERT_EQ(log.flush(60s).status, cairn::FlushStatus::ok);
  EXPECT_EQ(log.metrics().logger.rejected_total(), 0U);
  EXPECT_EQ(sink->kept().size(), static_cast<std::size_t>(threads));
}

TEST_F(LanesShort, of_loggers_that_block_are_smaller_by_what_threads_claim_that_begin_at_once) {
  const auto log = quiet().memory_budget({.max_bytes = 16 * MiB}).write_to_null().with_queue().create_logger();
  const cairn::detail::LaneShape wanted = cairn::detail::lane_shape_for(65536);
  std::vector<LaneMemory::ShareToBlock> shares;
  std::uint64_t bytes = 0;
  for (shares.emplace_back(wanted); shares.back().shape(); shares.emplace_back(wanted))
    bytes += shares.back().shape()->region_bytes();
  EXPECT_GT(shares.size(), 32U);
  EXPECT_GE(bytes, 4 * MiB);
  EXPECT_LT(bytes, 4 * MiB + cairn::detail::LaneShape().region_bytes());
  const auto first = shares.front().shape();
  shares.clear();
  EXPECT_EQ(LaneMemory::ShareToBlock(wanted).shape(), first) << "given back";
  // One that is used has as much of it as it is large, until it is used no more.
  const auto memory = LaneMemory::make({.block_bytes = 16 << 10, .slots = 4});
  const auto left = [&] {
    std::uint64_t sum = 0;
    std::vector<LaneMemory::ShareToBlock> all;
    for (all.emplace_back(wanted); all.back().shape(); all.emplace_back(wanted))
      sum += all.back().shape()->region_bytes();
    return sum;
  };
  const std::uint64_t before = left();
  memory->use(LaneMemory::ShareToBlock(wanted));
  EXPECT_NEAR(static_cast<double>(before - left()), static_cast<double>(memory->shape().region_bytes()),
              static_cast<double>(cairn::detail::LaneShape().region_bytes()));
  memory->use();
  EXPECT_EQ(left(), before);
}

TEST_F(LanesShort, those_of_a_logger_that_is_stuck_and_blocks_leave_the_others_theirs) {
  auto gate = std::make_shared<GateSink>();
  auto healthy = std::make_shared<GateSink>(true);
  const auto stuck = quiet()
                         .memory_budget({.max_bytes = MiB})
                         .write_to(gate, "gate")
                         .with_queue({.max_size = 100'000, .overflow = cairn::Overflow::block, .block_timeout = 1ms})
                         .create_logger();
  const auto log = quiet().write_to(healthy, "healthy").with_queue().create_logger();
  // When its queue has all that it may have, what they write stays in their lanes, and so the lanes do.
  const std::string text(3000, 'x');
  constexpr int threads = 60;
  for (int i = 0; i < threads; ++i) {
    std::thread([&] {
      for (int n = 0; n < 3; ++n) stuck.information("{Number} {Text}", i, text);
    }).join();
  }
  ASSERT_GT(stuck.metrics().logger.in_lane, 0U);
  for (int i = 0; i < 20; ++i) {
    std::thread([&] { log.information("{Number}", i); }).join();
    ASSERT_EQ(log.flush(60s).status, cairn::FlushStatus::ok);
  }
  EXPECT_EQ(healthy->kept().size(), 20U);
  const cairn::MetricsSnapshot now = stuck.metrics();
  expect_sums_hold(now);
  EXPECT_EQ(now.logger.captured + now.logger.rejected.at("block_timeout"), threads * 3U);
  gate->open();
}

}  // namespace
