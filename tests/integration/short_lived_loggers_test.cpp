// Loggers made by for_context for one event each, a million of them beside threads that log: each event has the
// property of its logger, and memory does not grow. (What making one costs its caller: queued_caller_test.cpp.)
#include <gtest/gtest.h>

#include <atomic>
#include <cairn/all.hpp>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <thread>
#include <vector>

#include "support/budget_tests.hpp"
#include "support/sanitizers.hpp"

namespace {

using cairn::testing::MiB;
using cairn::testing::resident_bytes;
using namespace std::chrono_literals;

/// Counts events: those with a Request as long as they are the next one each, and others.
class RequestsSink final : public cairn::Sink {
 public:
  cairn::EmitResult emit(std::span<const cairn::Event> events) override {
    for (const cairn::Event& event : events) {
      const auto request = event.property("Request");
      if (!request)
        ++others;
      else if (request->as_int64() == requests)
        ++requests;
      else
        ++wrong;
    }
    return cairn::EmitResult::all(events);
  }
  std::int64_t requests = 0;  // all are read after a flush
  std::uint64_t others = 0;
  std::uint64_t wrong = 0;
};

TEST(ShortLivedLoggers, a_million_under_load_take_no_more_memory_than_a_tenth_of_them) {
  constexpr std::int64_t loggers = cairn::testing::under_sanitizer ? 50'000 : 1'000'000;
  auto sink = std::make_shared<RequestsSink>();
  const auto log = cairn::testing::quiet()
                       .write_to(sink, "requests")
                       .with_queue({.overflow = cairn::Overflow::block, .block_timeout = 1min})
                       .create_logger();
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> logged_beside{0};
  std::vector<std::thread> beside;
  for (int i = 0; i < 2; ++i) {
    beside.emplace_back([&log, &stop, &logged_beside] {
      std::uint64_t calls = 0;
      for (; !stop; ++calls) log.information("{Number}", calls);
      logged_beside += calls;
    });
  }
  std::uint64_t early = 0;
  for (std::int64_t i = 0; i < loggers; ++i) {
    if (i == loggers / 10) early = resident_bytes();
    log.for_context("Request", i).information("Served");
  }
  const std::uint64_t late = resident_bytes();
  stop = true;
  for (std::thread& thread : beside) thread.join();
  ASSERT_EQ(log.flush(1min).status, cairn::FlushStatus::ok);

  EXPECT_EQ(sink->requests, loggers);
  EXPECT_EQ(sink->wrong, 0U);
  EXPECT_EQ(sink->others, logged_beside);
  EXPECT_GT(logged_beside, 0U);
  const auto now = log.metrics();
  EXPECT_EQ(now.logger.dropped_total() + now.sinks.at(0).dropped_total(), 0U);
  EXPECT_TRUE(now.logger.rejected.empty());
  const auto grown = static_cast<std::int64_t>(late) - static_cast<std::int64_t>(early);
  std::printf("%lld loggers beside %llu other events: resident %+lld KiB\n", static_cast<long long>(loggers),
              static_cast<unsigned long long>(logged_beside), static_cast<long long>(grown / 1024));
  // One logger that were kept takes some 200 bytes. A sanitizer keeps what is freed for a while.
  if (!cairn::testing::under_sanitizer) {
    EXPECT_LT(grown, static_cast<std::int64_t>(4 * MiB));
  }
}

}  // namespace
