// Logger::shutdown: what each strategy delivers, who is left behind, who may call it, and that every event is in the
// report.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cairn/all.hpp>
#include <cerrno>
#include <functional>
#include <future>
#include <numeric>
#include <system_error>
#include <thread>
#include <vector>

#include "support/gate_sink.hpp"
#include "support/log_folder.hpp"

namespace {

using cairn::ShutdownReport;
using cairn::ShutdownSink;
using cairn::ShutdownStatus;
using cairn::ShutdownStrategy;
using cairn::testing::GateSink;
using cairn::testing::LogFolder;
using testing::ElementsAre;
using namespace std::chrono_literals;

constexpr auto graceful = ShutdownStrategy::graceful(1min);
constexpr auto for_ever = std::chrono::hours(1);

cairn::Configuration quiet() {
  cairn::Configuration config;
  config.verbose().on_internal_error([](std::string_view) {});
  return config;
}

std::uint64_t total(const std::map<std::string, std::uint64_t>& reasons) {
  return std::accumulate(reasons.begin(), reasons.end(), std::uint64_t{0},
                         [](std::uint64_t sum, const auto& reason) { return sum + reason.second; });
}

/// Every event that was captured came to one end, and the report says to which.
void expect_sums_hold(const ShutdownReport& report) {
  EXPECT_EQ(report.logger.captured,
            report.logger.dispatched + report.logger.filtered + report.logger.dropped_total() + report.logger.in_lane);
  for (const ShutdownSink& sink : report.sinks) {
    EXPECT_EQ(sink.accepted, sink.emitted + sink.diverted + total(sink.dropped) + total(sink.failed) + sink.pending)
        << sink.name;
  }
}

/// A sink made of a function.
class FunctionSink final : public cairn::Sink {
 public:
  using Emit = std::function<cairn::EmitResult(std::span<const cairn::Event>)>;
  explicit FunctionSink(Emit emit, std::function<void()> flush = {}, std::function<void()> close = {})
      : emit_(std::move(emit)), flush_(std::move(flush)), close_(std::move(close)) {}
  ~FunctionSink() override {
    if (close_) close_();
  }
  cairn::EmitResult emit(std::span<const cairn::Event> events) override { return emit_(events); }
  std::error_code flush(std::chrono::steady_clock::time_point) override {
    if (flush_) flush_();
    return {};
  }

 private:
  Emit emit_;
  std::function<void()> flush_;
  std::function<void()> close_;
};

cairn::EmitResult take(std::span<const cairn::Event> events) { return cairn::EmitResult::all(events); }
cairn::EmitResult refuse(std::errc error) { return {0, 0, std::make_error_code(error)}; }

/// Hangs until the test lets it go, in threads that may outlive the test's other parts.
struct Gate {
  ~Gate() { open(); }
  void open() {
    if (!std::exchange(is_open, true)) promise.set_value();
  }
  bool is_open = false;
  std::promise<void> promise;
  std::shared_future<void> opened = promise.get_future().share();
};

TEST(LoggerShutdown, delivers_everything_and_reports_it) {
  auto queued = std::make_shared<GateSink>(true);
  auto synchronous = std::make_shared<cairn::MemorySink>();
  const auto log = quiet()
                       .write_to(queued, "queued")
                       .with_queue()
                       .write_to(synchronous, "synchronous")
                       .with_min_level(cairn::Level::error)
                       .create_logger();
  for (int i = 0; i < 1000; ++i) log.information("{Number}", i);
  log.error("last");
  const ShutdownReport report = log.shutdown(graceful);
  EXPECT_EQ(report.status, ShutdownStatus::completed);
  expect_sums_hold(report);
  EXPECT_EQ(queued->kept().size(), 1001U);
  ASSERT_NE(report.sink("queued"), nullptr);
  EXPECT_EQ(report.sink("queued")->emitted, 1001U);
  EXPECT_FALSE(report.sink("queued")->timed_out);
  EXPECT_EQ(report.sink("synchronous")->emitted, 1U);
  EXPECT_EQ(report.logger.captured, 1001U);
  EXPECT_EQ(report.sink("nobody"), nullptr);
}

TEST(LoggerShutdown, refuses_what_comes_after_it_and_counts_that) {
  for (const bool queued : {false, true}) {
    auto memory = std::make_shared<cairn::MemorySink>();
    auto config = quiet();
    auto sink = config.write_to(memory, "memory");
    if (queued) sink.with_queue();
    const auto log = config.create_logger();
    const auto source = log.for_source("a.b");
    log.information("before");
    static_cast<void>(log.shutdown(graceful));
    EXPECT_FALSE(log.is_enabled(cairn::Level::fatal));
    EXPECT_FALSE(source.is_enabled(cairn::Level::fatal));
    log.information("after");
    CAIRN_FATAL(source, "after");
    log.error(std::runtime_error("after"), "after");
    EXPECT_THAT(memory->messages(), ElementsAre("before"));
    EXPECT_EQ(log.metrics().logger.rejected.at("after_shutdown"), 3U);
  }
}

TEST(LoggerShutdown, that_is_immediate_writes_nothing_that_was_queued_and_counts_it) {
  auto gate = std::make_shared<GateSink>();
  const std::weak_ptr<GateSink> still_there = gate;
  auto* const sink = gate.get();
  std::size_t written = 0;
  {
    const auto log = quiet().write_to(std::move(gate), "gate").with_queue().create_logger();
    log.information("inside");
    ASSERT_EQ(sink->wait_inside(), 1U);
    for (int i = 0; i < 100; ++i) log.information("queued");
    const ShutdownReport report = log.shutdown(ShutdownStrategy::immediate());
    EXPECT_EQ(report.status, ShutdownStatus::timed_out);
    expect_sums_hold(report);
    ASSERT_EQ(report.sinks.size(), 1U);
    EXPECT_TRUE(report.sinks[0].timed_out);
    EXPECT_EQ(report.sinks[0].pending, 1U);
    EXPECT_EQ(report.sinks[0].emitted, 0U);
    // Those the dispatcher had no time to hand over in those milliseconds are in the lane still.
    const auto& dropped = report.sinks[0].dropped;
    const auto at_shutdown = dropped.find("shutdown");
    EXPECT_EQ((at_shutdown == dropped.end() ? 0U : at_shutdown->second) + report.logger.in_lane, 100U);
    const auto keep = still_there.lock();
    keep->open();
    const auto is_done = [&] {
      const cairn::MetricsSnapshot now = log.metrics();
      return now.sinks[0].pending == 0 && now.logger.in_lane == 0;
    };
    while (!is_done()) std::this_thread::yield();
    written = keep->kept().size() + keep->gaps().size();
    EXPECT_EQ(log.metrics().sinks[0].dropped.at("shutdown"), 100U);
  }
  while (!still_there.expired()) std::this_thread::yield();  // its thread is gone: nothing more can come
  EXPECT_EQ(written, 1U);
}

TEST(LoggerShutdown, that_is_immediate_closes_idle_sinks) {
  const LogFolder folder;
  const auto log = quiet()
                       .write_to_file(folder.path("a.log"), {.output_template = "{Message}{NewLine}", .buffered = true})
                       .create_logger();
  log.information("emitted already");
  const ShutdownReport report = log.shutdown(ShutdownStrategy::immediate());
  expect_sums_hold(report);
  while (folder.read("a.log").empty()) std::this_thread::yield();  // 10 ms may be too short for it on a busy machine
  EXPECT_EQ(folder.read("a.log"), "emitted already\n");
}

TEST(LoggerShutdown, drains_the_others_beside_a_sink_that_never_returns_and_names_it) {
  const Gate gate;
  auto healthy = std::make_shared<cairn::MemorySink>();
  std::atomic<bool> inside{false};
  auto hung = std::make_shared<FunctionSink>([&inside, opened = gate.opened](std::span<const cairn::Event> events) {
    inside = true;
    opened.wait();
    return take(events);
  });
  const auto log =
      quiet().write_to(hung, "hung").with_queue().write_to(healthy, "healthy").with_queue().create_logger();
  log.information("first");
  while (!inside) std::this_thread::yield();
  for (int i = 0; i < 5000; ++i) log.information("{Number}", i);
  const ShutdownReport report = log.shutdown(ShutdownStrategy::graceful(2s));
  EXPECT_EQ(report.status, ShutdownStatus::timed_out);
  expect_sums_hold(report);
  EXPECT_FALSE(report.sink("healthy")->timed_out);
  EXPECT_EQ(report.sink("healthy")->emitted, 5001U);
  EXPECT_EQ(healthy->events().size(), 5001U);
  EXPECT_TRUE(report.sink("hung")->timed_out);
  EXPECT_EQ(report.sink("hung")->dropped.at("shutdown"), 5000U);
  EXPECT_EQ(report.sink("hung")->pending, 1U);
  EXPECT_GE(report.elapsed, 2s);
  EXPECT_LT(report.elapsed, 30s);
}

struct Hanging {
  const char* name;
  bool queued;
  bool in_emit;
  bool in_flush;
  bool in_close;
};
void PrintTo(const Hanging& hanging, std::ostream* out) { *out << hanging.name; }
class HungSink : public testing::TestWithParam<Hanging> {};

TEST_P(HungSink, is_left_behind_when_the_time_is_over) {
  const Hanging& where = GetParam();
  Gate gate;
  std::atomic<bool> inside{false};
  auto healthy = std::make_shared<cairn::MemorySink>();
  const auto make = [&] {
    const auto hang = [opened = gate.opened] { opened.wait(); };
    const std::function<void()> nothing = [] {};
    auto config = quiet();
    auto sink = config.write_to(std::make_shared<FunctionSink>(
                                    [&inside, hang, hangs = where.in_emit](std::span<const cairn::Event> events) {
                                      inside = true;
                                      if (hangs) hang();
                                      return take(events);
                                    },
                                    where.in_flush ? hang : nothing, where.in_close ? hang : nothing),
                                "hung");
    if (where.queued) sink.with_queue();
    config.write_to(healthy, "healthy").with_queue();
    return config.create_logger();
  };
  const cairn::Logger log = make();
  std::thread caller([&log] { log.information("x"); });
  while (!inside) std::this_thread::yield();
  const bool caller_hangs = where.in_emit && !where.queued;
  if (!caller_hangs) caller.join();
  const ShutdownReport report = log.shutdown(ShutdownStrategy::graceful(1s));
  EXPECT_EQ(report.status, ShutdownStatus::timed_out);
  if (!caller_hangs) expect_sums_hold(report);
  EXPECT_TRUE(report.sink("hung")->timed_out);
  EXPECT_FALSE(report.sink("healthy")->timed_out);
  EXPECT_LT(report.elapsed, 30s);
  EXPECT_FALSE(log.is_enabled(cairn::Level::fatal));
  gate.open();
  if (caller_hangs) caller.join();
}
INSTANTIATE_TEST_SUITE_P(Places, HungSink,
                         testing::Values(Hanging{"queued_emit", true, true, false, false},
                                         Hanging{"queued_flush", true, false, true, false},
                                         Hanging{"queued_destructor", true, false, false, true},
                                         Hanging{"synchronous_emit", false, true, false, false},
                                         Hanging{"synchronous_flush", false, false, true, false},
                                         Hanging{"synchronous_destructor", false, false, false, true}));

TEST(LoggerShutdown, comes_back_though_a_filter_hangs_and_says_so) {
  Gate gate;
  std::atomic<int> seen{0};
  auto memory = std::make_shared<cairn::MemorySink>();
  const auto log = quiet()
                       .filter_by([&seen, opened = gate.opened](const cairn::Event&) {
                         if (++seen == 2) opened.wait();
                         return true;
                       })
                       .write_to(memory, "memory")
                       .with_queue()
                       .create_logger();
  log.information("passes");
  ASSERT_EQ(log.flush(1min).status, cairn::FlushStatus::ok);
  log.information("hangs");
  while (seen != 2) std::this_thread::yield();
  const ShutdownReport report = log.shutdown(ShutdownStrategy::graceful(2s));
  EXPECT_EQ(report.status, ShutdownStatus::timed_out);
  EXPECT_TRUE(report.filters_timed_out);
  EXPECT_FALSE(report.sinks[0].timed_out);
  EXPECT_THAT(memory->messages(), ElementsAre("passes"));
  EXPECT_LT(report.elapsed, 30s);
  gate.open();
  while (log.metrics().logger.in_lane != 0 || log.metrics().logger.dispatched != 2) std::this_thread::yield();
  EXPECT_EQ(log.metrics().sinks[0].dropped.at("shutdown"), 1U) << "it came too late, and is counted";
}

TEST(LoggerShutdown, tries_storage_again_as_long_as_it_is_graceful) {
  std::atomic<int> attempts{0};
  auto sink = std::make_shared<FunctionSink>([&](std::span<const cairn::Event> events) {
    return ++attempts < 3 ? refuse(std::errc::no_space_on_device) : take(events);
  });
  const auto log = quiet().write_to(sink, "disk").with_queue().create_logger();
  log.information("x");
  const ShutdownReport report = log.shutdown(graceful);
  EXPECT_EQ(report.status, ShutdownStatus::completed);
  EXPECT_EQ(report.sinks[0].emitted, 1U);
  EXPECT_EQ(attempts, 3);
}

TEST(LoggerShutdown, that_flushes_what_is_pending_does_not_wait_for_storage_to_heal) {
  auto fallback = std::make_shared<cairn::MemorySink>();
  auto full = std::make_shared<FunctionSink>(
      [](std::span<const cairn::Event>) { return refuse(std::errc::no_space_on_device); });
  auto also_full = std::make_shared<FunctionSink>(
      [](std::span<const cairn::Event>) { return refuse(std::errc::no_space_on_device); });
  const auto log = quiet()
                       .write_to(full, "full")
                       .with_queue()
                       .write_to(also_full, "covered")
                       .with_queue()
                       .with_fallback(cairn::SinkSpec::sink(fallback, "fallback").with_queue())
                       .create_logger();
  for (int i = 0; i < 100; ++i) log.information("{Number}", i);
  const ShutdownReport report = log.shutdown(ShutdownStrategy::flush_pending());
  EXPECT_EQ(report.status, ShutdownStatus::completed);
  expect_sums_hold(report);
  EXPECT_EQ(report.sink("full")->failed.at("no_space"), 100U);
  EXPECT_EQ(report.sink("covered")->diverted, 100U);
  EXPECT_EQ(report.sink("fallback")->emitted, 100U);
  EXPECT_EQ(fallback->events().size(), 100U);
}

TEST(LoggerShutdown, gives_up_on_storage_when_its_time_is_over_and_closes_the_sink) {
  auto sink = std::make_shared<FunctionSink>(
      [](std::span<const cairn::Event>) { return refuse(std::errc::no_space_on_device); });
  const auto log = quiet().write_to(sink, "disk").with_queue().create_logger();
  log.information("x");
  const ShutdownReport report = log.shutdown(ShutdownStrategy::graceful(300ms));
  EXPECT_EQ(report.status, ShutdownStatus::timed_out);
  EXPECT_TRUE(report.sinks[0].timed_out);
  EXPECT_EQ(total(report.sinks[0].dropped) + report.sinks[0].pending, 1U);
  while (log.metrics().sinks[0].pending != 0) std::this_thread::yield();
  EXPECT_EQ(log.metrics().sinks[0].dropped.at("shutdown"), 1U);
}

TEST(LoggerShutdown, closes_a_fallback_after_the_sink_before_it) {
  auto fallback = std::make_shared<GateSink>(true);
  std::atomic<int> batches{0};
  auto failing = std::make_shared<FunctionSink>([&](std::span<const cairn::Event>) {
    ++batches;
    return refuse(std::errc::connection_refused);
  });
  const auto log = quiet()
                       .write_to(failing, "primary")
                       .with_queue({.batch_size = 1})
                       .with_fallback(cairn::SinkSpec::sink(fallback, "fallback").with_queue())
                       .create_logger();
  for (int i = 0; i < 2000; ++i) log.information("{Number}", i);
  const ShutdownReport report = log.shutdown(graceful);
  EXPECT_EQ(report.status, ShutdownStatus::completed);
  expect_sums_hold(report);
  EXPECT_EQ(report.sink("primary")->diverted, 2000U);
  EXPECT_EQ(fallback->kept().size(), 2000U);
}

TEST(LoggerShutdown, keeps_time_for_a_fallback_behind_a_sink_that_hangs) {
  Gate gate;
  auto fallback = std::make_shared<GateSink>();
  std::atomic<int> calls{0};
  auto primary = std::make_shared<FunctionSink>([&, opened = gate.opened](std::span<const cairn::Event>) {
    if (++calls == 2) opened.wait();
    return refuse(std::errc::connection_refused);
  });
  const auto log = quiet()
                       .write_to(primary, "primary")
                       .with_queue({.batch_size = 1})
                       .with_fallback(cairn::SinkSpec::sink(fallback, "fallback").with_queue())
                       .create_logger();
  log.information("diverted");
  log.information("hangs");
  fallback->wait_inside();
  while (calls != 2) std::this_thread::yield();
  fallback->open();
  const ShutdownReport report = log.shutdown(ShutdownStrategy::graceful(2s));
  EXPECT_TRUE(report.sink("primary")->timed_out);
  EXPECT_FALSE(report.sink("fallback")->timed_out);
  EXPECT_EQ(report.sink("fallback")->emitted, 1U);
}

// ---- who calls it

TEST(LoggerShutdown, from_a_sink_goes_on_in_the_background) {
  for (const bool queued : {true, false}) {
    cairn::Logger log;
    std::promise<ShutdownReport> inner;
    auto config = quiet();
    auto sink = config.write_to_callback([&](const cairn::Event&) { inner.set_value(log.shutdown(graceful)); });
    if (queued) sink.with_queue();
    log = config.create_logger();
    log.information("x");
    EXPECT_EQ(inner.get_future().get().status, ShutdownStatus::in_progress);
    const ShutdownReport report = log.shutdown(graceful);
    EXPECT_EQ(report.status, ShutdownStatus::completed);
    EXPECT_EQ(report.sinks[0].emitted, 1U);
  }
}

TEST(LoggerShutdown, from_a_filter_or_an_enricher_goes_on_in_the_background) {
  cairn::Logger log;
  std::vector<std::promise<ShutdownReport>> inner(2);
  log = quiet()
            .filter_by([&](const cairn::Event&) {
              inner[0].set_value(log.shutdown(graceful));
              return true;
            })
            .enrich_with([&](cairn::EventBuilder&) { inner[1].set_value(log.shutdown(graceful)); })
            .write_to_null()
            .with_queue()
            .create_logger();
  log.information("x");
  for (auto& report : inner) EXPECT_EQ(report.get_future().get().status, ShutdownStatus::in_progress);
  EXPECT_EQ(log.shutdown(graceful).status, ShutdownStatus::completed);
}

TEST(LoggerShutdown, from_a_callback_of_a_queue_is_a_shutdown_like_any_other) {
  cairn::Logger log;
  std::promise<ShutdownReport> inner;
  log = quiet()
            .write_to_callback([](const cairn::Event&) { throw std::runtime_error("x"); })
            .with_queue(
                {.on_error = [&](std::string_view, std::string_view) { inner.set_value(log.shutdown(graceful)); }})
            .create_logger();
  log.information("x");
  EXPECT_EQ(inner.get_future().get().status, ShutdownStatus::completed);
}

TEST(LoggerShutdown, from_a_sinks_destructor_and_a_second_close_there_do_nothing) {
  cairn::Logger log;
  std::atomic<int> answered{0};
  log = quiet()
            .write_to(std::make_shared<FunctionSink>(take, std::function<void()>(),
                                                     [&] {
                                                       if (log.shutdown(graceful).status == ShutdownStatus::in_progress)
                                                         ++answered;
                                                       if (log.close().status == cairn::FlushStatus::would_deadlock)
                                                         ++answered;
                                                     }))
            .create_logger();
  EXPECT_EQ(log.shutdown(graceful).status, ShutdownStatus::completed);
  EXPECT_EQ(answered, 2);
}

TEST(LoggerShutdown, from_many_threads_at_once_beside_threads_that_log_happens_once) {
  constexpr int loggers = 4;
  auto gate = std::make_shared<GateSink>(true);
  std::atomic<int> ran{0};
  auto config = quiet();
  config.on_shutdown([&] { ++ran; }, {.timeout = for_ever}).write_to(gate, "gate").with_queue();
  const auto log = config.create_logger();
  std::atomic<std::uint64_t> calls{0};
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int thread = 0; thread < loggers; ++thread) {
    threads.emplace_back([&, thread] {
      for (int number = 0; !stop; ++number) {
        log.information("{Thread} {Number}", thread, number);
        ++calls;
      }
    });
  }
  while (calls < 1000) std::this_thread::yield();
  std::vector<std::future<ShutdownReport>> reports;
  for (int i = 0; i < 8; ++i) reports.push_back(std::async(std::launch::async, [&] { return log.shutdown(graceful); }));
  std::vector<std::chrono::nanoseconds> elapsed;
  for (auto& report : reports) {
    const ShutdownReport got = report.get();
    EXPECT_EQ(got.status, ShutdownStatus::completed);
    elapsed.push_back(got.elapsed);
  }
  EXPECT_THAT(elapsed, testing::Each(elapsed[0])) << "one report for all";
  EXPECT_EQ(ran, 1);
  stop = true;
  for (std::thread& thread : threads) thread.join();
  // Every call was captured, or refused and counted; every event captured came to its end.
  cairn::MetricsSnapshot now = log.metrics();
  while (now.logger.in_lane != 0) now = log.metrics();
  EXPECT_EQ(now.logger.captured + total(now.logger.rejected), calls);
  EXPECT_EQ(now.logger.captured, now.logger.dispatched + now.logger.dropped_total());
  EXPECT_EQ(now.sinks[0].emitted, gate->kept().size());
  EXPECT_EQ(now.sinks[0].accepted, now.sinks[0].emitted + now.sinks[0].dropped_total());
}

// ---- handlers

TEST(LoggerShutdown, runs_its_handlers_while_it_still_takes_events) {
  auto memory = std::make_shared<cairn::MemorySink>();
  cairn::Logger log;
  auto config = quiet();
  config.on_shutdown([&] { log.information("from the configuration"); }, {.priority = -1, .timeout = for_ever});
  config.write_to(memory, "memory").with_queue();
  log = config.create_logger();
  log.on_shutdown(cairn::ShutdownHandler([&] {
                    log.information("from the logger");
                    static_cast<void>(log.flush(1min));
                  }),
                  {.timeout = for_ever, .name = "says good-bye"});
  const auto removed = log.on_shutdown([&] { log.information("removed"); });
  EXPECT_TRUE(log.remove_shutdown_handler(removed));
  const ShutdownReport report = log.shutdown(graceful);
  EXPECT_THAT(memory->messages(), ElementsAre("from the logger", "from the configuration"));
  ASSERT_EQ(report.handlers.size(), 2U);
  EXPECT_EQ(report.handlers[0].name, "says good-bye");
  EXPECT_EQ(report.handlers[1].status, cairn::ShutdownHandlerStatus::completed);
  log = cairn::Logger();
}

TEST(LoggerShutdown, tells_what_handlers_threw_and_leaves_time_to_the_sinks_beside_one_that_hangs) {
  Gate gate;
  std::mutex mutex;
  std::vector<std::string> told;
  auto memory = std::make_shared<cairn::MemorySink>();
  cairn::Configuration config;
  config
      .on_internal_error([&](std::string_view what) {
        const std::lock_guard lock(mutex);
        told.emplace_back(what);
      })
      .on_shutdown([] { throw std::runtime_error("no socket"); },
                   {.priority = 1, .timeout = for_ever, .name = "mailer"})
      .on_shutdown([opened = gate.opened] { opened.wait(); }, {.timeout = for_ever, .name = "hangs"})
      .write_to(memory, "memory")
      .with_queue();
  const auto log = config.create_logger();
  log.information("x");
  const ShutdownReport report = log.shutdown(ShutdownStrategy::graceful(2s));
  EXPECT_EQ(report.status, ShutdownStatus::timed_out);
  EXPECT_FALSE(report.sinks[0].timed_out);
  EXPECT_EQ(report.sinks[0].emitted, 1U);
  const std::lock_guard lock(mutex);
  ASSERT_FALSE(told.empty());
  EXPECT_EQ(told[0], "the shutdown handler mailer threw: no socket");
}

TEST(LoggerShutdown, runs_its_handlers_when_the_last_handle_goes) {
  std::promise<void> ran;
  {
    auto config = quiet();
    config.on_shutdown([&] { ran.set_value(); }).write_to_null().with_queue();
    config.create_logger().information("x");
  }
  ran.get_future().get();
}

// ---- around it

TEST(LoggerShutdown, is_what_close_does_within_the_configured_time) {
  Gate gate;
  std::atomic<bool> inside{false};
  auto sink = std::make_shared<FunctionSink>([&inside, opened = gate.opened](std::span<const cairn::Event> events) {
    inside = true;
    opened.wait();
    return take(events);
  });
  const auto log = quiet().with_shutdown_timeout(50ms).write_to(sink, "hung").with_queue().create_logger();
  log.information("x");
  while (!inside) std::this_thread::yield();
  const auto begun = std::chrono::steady_clock::now();
  const cairn::FlushResult result = log.close();
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 4s) << "and not the default's 5 s";
  EXPECT_EQ(result.status, cairn::FlushStatus::timed_out);
  EXPECT_EQ(result.sinks.at(0).name, "hung");
}

TEST(LoggerShutdown, lets_a_new_logger_take_the_same_file) {
  const LogFolder folder;
  const auto make = [&] {
    return quiet()
        .write_to_file(folder.path("a.log"), {.output_template = "{Message}{NewLine}"})
        .with_queue()
        .create_logger();
  };
  for (int i = 0; i < 3; ++i) {
    const auto log = make();
    log.information("{N}", i);
    EXPECT_EQ(log.shutdown(graceful).status, ShutdownStatus::completed);
  }
  EXPECT_EQ(folder.read("a.log"), "0\n1\n2\n");
}

TEST(LoggerShutdown, of_a_silent_logger_is_done_at_once) {
  const cairn::Logger log;
  EXPECT_EQ(log.shutdown(graceful).status, ShutdownStatus::completed);
  EXPECT_FALSE(log.remove_shutdown_handler(log.on_shutdown([] {})));
}

TEST(LoggerShutdown, has_its_settings_checked) {
  auto config = quiet();
  config.with_shutdown_timeout(-1s)
      .on_shutdown(std::function<void()>())
      .on_shutdown([] {}, {.timeout = 0s, .name = "z"});
  config.write_to_null();
  const auto made = config.try_create_logger();
  ASSERT_TRUE(std::holds_alternative<cairn::ConfigurationError>(made));
  EXPECT_THAT(
      std::get<cairn::ConfigurationError>(made).problems(),
      ElementsAre(testing::HasSubstr("with_shutdown_timeout: -1000000000 ns"),
                  testing::HasSubstr("the handler is empty"), testing::HasSubstr("on_shutdown: z: timeout: 0 ns")));
}

class GracefulExit : public testing::TestWithParam<int> {};

TEST_P(GracefulExit, loses_nothing_doubles_nothing_and_keeps_each_threads_order) {
  const int threads = GetParam();
  const int each = 20'000 / threads;
  for (int run = 0; run < 3; ++run) {
    const LogFolder folder;
    cairn::Configuration config = quiet();
    for (const char* name : {"a.log", "b.log", "c.log"})
      config.write_to_file(folder.path(name), {.output_template = "{Message}{NewLine}"})
          .with_queue({.overflow = cairn::Overflow::block, .block_timeout = 1min});
    const auto log = config.create_logger();
    std::vector<std::thread> producers;
    for (int thread = 0; thread < threads; ++thread)
      producers.emplace_back([&, thread] {
        for (int number = 0; number < each; ++number) log.information("{Thread} {Number}", thread, number);
      });
    for (std::thread& producer : producers) producer.join();
    const ShutdownReport report = log.shutdown(graceful);
    ASSERT_EQ(report.status, ShutdownStatus::completed);
    expect_sums_hold(report);
    for (const char* name : {"a.log", "b.log", "c.log"}) {
      std::istringstream lines(folder.read(name));
      std::vector<int> next(static_cast<std::size_t>(threads));
      std::size_t thread = 0;
      int number = 0;
      while (lines >> thread >> number) ASSERT_EQ(number, next.at(thread)++) << name << " of thread " << thread;
      EXPECT_THAT(next, testing::Each(each)) << name;
    }
  }
}
INSTANTIATE_TEST_SUITE_P(Threads, GracefulExit, testing::Values(1, 2, 4, 16));

}  // namespace
