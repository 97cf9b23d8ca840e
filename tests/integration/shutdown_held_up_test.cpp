// A shutdown beside what holds others up: a queue of a sink that hangs and has a limit of bytes, a callback of the
// program, a filter. It says what it was.
#include <gtest/gtest.h>

#include <atomic>
#include <cairn/all.hpp>
#include <chrono>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>

namespace {

using cairn::Overflow;
using cairn::ShutdownHandlerStatus;
using cairn::ShutdownReport;
using cairn::ShutdownStatus;
using cairn::ShutdownStrategy;
using namespace std::chrono_literals;

/// Holds who comes to it until the test is over. Shared with them: some come later.
class Gate {
 public:
  ~Gate() { open(); }
  void open() {
    if (!opened_.exchange(true)) promise_.set_value();
  }
  void pass() {
    inside_ = true;
    future_.wait();
  }
  void await_somebody() const {
    while (!inside_) std::this_thread::yield();
  }

 private:
  std::promise<void> promise_;
  std::shared_future<void> future_ = promise_.get_future().share();
  std::atomic<bool> opened_{false};
  std::atomic<bool> inside_{false};
};

/// What a shutdown gives that might never come back. It is waited for a minute; then the gate is opened, and the test
/// fails.
ShutdownReport come_back(const cairn::Logger& log, const ShutdownStrategy& strategy, Gate& gate) {
  auto result = std::async(std::launch::async, [&] { return log.shutdown(strategy); });
  EXPECT_EQ(result.wait_for(1min), std::future_status::ready);
  gate.open();
  return result.get();
}

class HeldUpByBytes : public testing::TestWithParam<ShutdownStrategy> {};
INSTANTIATE_TEST_SUITE_P(Strategies, HeldUpByBytes,
                         testing::Values(ShutdownStrategy::immediate(), ShutdownStrategy::graceful(3s)),
                         [](const auto& strategy) {
                           return strategy.param.kind() == ShutdownStrategy::Kind::graceful ? "graceful" : "immediate";
                         });

TEST_P(HeldUpByBytes, in_the_queue_of_a_sink_that_hangs_is_no_neighbour) {
  const auto gate = std::make_shared<Gate>();
  const auto well = std::make_shared<cairn::MemorySink>();
  cairn::Configuration config;
  config.on_internal_error([](std::string_view) {});
  // Events outgrow what their callers took of the sink's bytes, so that they wait in the lanes.
  config.enrich_with([](cairn::EventBuilder& event) { event.add("Added", std::string(5000, 'a')); });
  config.write_to_callback([gate](const cairn::Event&) { gate->pass(); })
      .with_name("hung")
      .with_queue({.overflow = Overflow::block, .block_timeout = 1ms})
      .with_memory_limit(8192);
  config.write_to(well, "well").with_queue();
  const auto log = config.create_logger();
  for (int i = 0; i < 100; ++i) log.information("{N} {Text}", i, std::string(500, 'x'));
  gate->await_somebody();
  const auto report = log.shutdown(GetParam());
  EXPECT_FALSE(report.filters_timed_out) << "there is none";
  if (GetParam().kind() == ShutdownStrategy::Kind::graceful) {
    EXPECT_GT(report.logger.rejected.at("block_timeout"), 0U);
    EXPECT_EQ(report.sink("well")->emitted, report.logger.captured);
    EXPECT_EQ(report.logger.in_lane, 0U);
    EXPECT_EQ(report.status, ShutdownStatus::timed_out) << "for the one that hangs";
  }
  gate->open();
}

TEST(HeldUpByACallback, that_hangs_as_it_is_told_of_a_handler_does_not_hold_up_a_shutdown) {
  const auto gate = std::make_shared<Gate>();
  const auto log = cairn::Configuration{}
                       .on_internal_error([gate](std::string_view) { gate->pass(); })
                       .on_shutdown([] { throw std::runtime_error("no"); })
                       .write_to_null()
                       .with_queue()
                       .create_logger();
  const auto report = come_back(log, ShutdownStrategy::graceful(2s), *gate);
  EXPECT_EQ(report.handlers.at(0).status, ShutdownHandlerStatus::threw);
  EXPECT_EQ(report.status, ShutdownStatus::completed);
}

TEST(HeldUpByACallback, that_is_told_of_a_handler_is_done_when_the_shutdown_is) {
  std::atomic<bool> told{false};
  const auto log = cairn::Configuration{}
                       .on_internal_error([&](std::string_view what) {
                         EXPECT_EQ(what, "the shutdown handler handler 1 threw: no");
                         std::this_thread::sleep_for(20ms);
                         told = true;
                       })
                       .on_shutdown([] { throw std::runtime_error("no"); })
                       .write_to_null()
                       .create_logger();
  (void)log.shutdown(ShutdownStrategy::graceful(1min));
  EXPECT_TRUE(told);
}

struct Filtered {
  std::shared_ptr<Gate> gate = std::make_shared<Gate>();
  cairn::Logger log = cairn::Configuration{}
                          .filter_by(cairn::Filter([gate = gate](const cairn::Event&) {
                            gate->pass();
                            return true;
                          }))
                          .write_to_null()
                          .with_queue()
                          .create_logger();
  Filtered() {
    for (int i = 0; i < 10; ++i) log.information("{N}", i);
    gate->await_somebody();
  }
  ~Filtered() { gate->open(); }
};

TEST(HeldUpByAFilter, that_hangs_says_so_though_nothing_was_to_be_delivered) {
  Filtered filtered;
  const auto report = filtered.log.shutdown(ShutdownStrategy::immediate());
  EXPECT_TRUE(report.filters_timed_out);
  EXPECT_EQ(report.status, ShutdownStatus::timed_out);
}

TEST(HeldUpByAFilter, that_hangs_says_so_where_it_was_shortened) {
  Filtered filtered;
  auto first = std::async(std::launch::async, [&] { return filtered.log.shutdown(ShutdownStrategy::graceful(1h)); });
  while (filtered.log.is_enabled(cairn::Level::fatal)) std::this_thread::yield();
  (void)filtered.log.shutdown(ShutdownStrategy::immediate());
  const auto report = first.get();
  EXPECT_TRUE(report.filters_timed_out);
  EXPECT_EQ(report.status, ShutdownStatus::timed_out);
}

TEST(HeldUpByAFilter, of_one_sink_that_hangs_says_so) {
  const auto gate = std::make_shared<Gate>();
  cairn::Configuration config;
  config.write_to_null().with_queue().with_filter(cairn::Filter([gate](const cairn::Event&) {
    gate->pass();
    return true;
  }));
  const auto log = config.create_logger();
  log.information("x");
  gate->await_somebody();
  const auto report = log.shutdown(ShutdownStrategy::graceful(100ms));
  EXPECT_TRUE(report.filters_timed_out);
  gate->open();
}

/// Asked on the thread that shuts down, which is as it counts what a sink that is busy has left, it lets that sink go,
/// and waits until it is closed.
class ClockOfTheCounts final : public cairn::Clock {
 public:
  cairn::Timestamp now() noexcept override { return cairn::system_clock().now(); }
  std::chrono::nanoseconds steady() noexcept override {
    if (std::this_thread::get_id() == shuts_down) {
      gate->open();
      const auto end = std::chrono::steady_clock::now() + 1s;
      while (!sink.expired() && std::chrono::steady_clock::now() < end) std::this_thread::yield();
      const auto noted = std::chrono::steady_clock::now() + 1ms;  // without that the test could only pass
      while (std::chrono::steady_clock::now() < noted) std::this_thread::yield();
    }
    return cairn::system_clock().steady();
  }
  std::shared_ptr<Gate> gate = std::make_shared<Gate>();
  std::weak_ptr<Gate> sink;
  std::atomic<std::thread::id> shuts_down{};
};

TEST(HeldUpBySink, that_comes_back_as_it_is_counted_is_late_if_something_was_pending) {
  ClockOfTheCounts clock;
  const auto made = [&clock] {
    auto of_sink = std::shared_ptr<Gate>(clock.gate.get(), [gate = clock.gate](Gate*) {});  // its end is the sink's
    clock.sink = of_sink;
    cairn::Configuration config;
    config.use_clock(clock);
    config.write_to_callback([of_sink](const cairn::Event&) { of_sink->pass(); }).with_queue();
    return config.create_logger();
  };
  const cairn::Logger log = made();
  log.information("x");
  clock.gate->await_somebody();
  clock.shuts_down = std::this_thread::get_id();
  const auto report = log.shutdown(ShutdownStrategy::immediate());
  clock.shuts_down = std::thread::id();
  EXPECT_TRUE(clock.sink.expired());
  EXPECT_EQ(report.sinks.at(0).pending, 1U);
  EXPECT_TRUE(report.sinks.at(0).timed_out);
  EXPECT_EQ(report.status, ShutdownStatus::timed_out);
}

}  // namespace
