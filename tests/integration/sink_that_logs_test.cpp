// A sink that uses the logger it serves, in whatever call: what it logs is refused and counted, what it asks of its
// sinks would be waited for by itself.
#include <gtest/gtest.h>

#include <cairn/all.hpp>
#include <functional>
#include <memory>
#include <optional>

namespace {

using namespace std::chrono_literals;
using cairn::FlushStatus;

class BusySink final : public cairn::Sink {
 public:
  cairn::EmitResult emit(std::span<const cairn::Event> events) override {
    emitted += events.size();
    return cairn::EmitResult::all(events);
  }
  std::error_code flush(std::chrono::steady_clock::time_point) override {
    if (in_flush) in_flush();
    return {};
  }
  std::error_code reopen() override {
    if (in_reopen) in_reopen();
    return {};
  }
  std::uint64_t emitted = 0;
  std::function<void()> in_flush;
  std::function<void()> in_reopen;
};

class SinkThatLogs : public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    cairn::Configuration configuration;
    auto to = configuration.write_to(sink, "busy");
    if (GetParam()) (void)to.with_queue({.flush_interval = 1h});
    log = configuration.create_logger();
    log->information("one");
  }
  void TearDown() override {
    sink->in_flush = sink->in_reopen = nullptr;
    EXPECT_EQ(log->close().status, FlushStatus::ok);
    EXPECT_EQ(sink->emitted, 1U);
  }
  std::uint64_t refused() const {
    const auto rejected = log->metrics().logger.rejected;
    const auto found = rejected.find("reentrant");
    return found != rejected.end() ? found->second : 0;
  }
  const std::shared_ptr<BusySink> sink = std::make_shared<BusySink>();
  std::optional<cairn::Logger> log;
};

TEST_P(SinkThatLogs, in_its_flush_is_refused) {
  sink->in_flush = [&] { log->warning("flushing"); };
  EXPECT_EQ(log->flush(1min).status, FlushStatus::ok);
  EXPECT_EQ(refused(), 1U);
}

TEST_P(SinkThatLogs, in_its_reopen_is_refused) {
  sink->in_reopen = [&] { log->warning("opening"); };
  EXPECT_EQ(log->reopen(1min).status, FlushStatus::ok);
  EXPECT_EQ(refused(), 1U);
}

TEST_P(SinkThatLogs, in_its_flush_at_the_end_is_refused) {
  sink->in_flush = [&] { log->warning("flushing"); };
  const auto report = log->shutdown(cairn::ShutdownStrategy::graceful(1min));
  EXPECT_EQ(report.status, cairn::ShutdownStatus::completed);
  EXPECT_EQ(log->metrics().logger.rejected_total(), 1U);
}

TEST_P(SinkThatLogs, and_asks_for_a_flush_or_reopens_is_told_that_it_would_wait_for_itself) {
  std::vector<FlushStatus> told;
  sink->in_flush = [&] {
    told.push_back(log->reopen(1min).status);
    told.push_back(log->flush(1min).status);
    log->reset_metrics();
    (void)log->queue_depth();
  };
  sink->in_reopen = sink->in_flush;
  EXPECT_EQ(log->flush(1min).status, FlushStatus::ok);
  EXPECT_EQ(log->reopen(1min).status, FlushStatus::ok);
  const auto report = log->shutdown(cairn::ShutdownStrategy::graceful(1min));
  EXPECT_EQ(report.status, cairn::ShutdownStatus::completed);
  EXPECT_GE(told.size(), 6U);
  for (const FlushStatus status : told) EXPECT_EQ(status, FlushStatus::would_deadlock);
}

INSTANTIATE_TEST_SUITE_P(Deliveries, SinkThatLogs, ::testing::Bool(),
                         [](const auto& test) { return test.param ? "queued" : "synchronous"; });

}  // namespace
