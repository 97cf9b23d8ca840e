// A flush, a reopening and the acknowledgement of a crash ring reach what stands behind write_to_logger.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cairn/all.hpp>
#include <cairn/crash_ring.hpp>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <memory>
#include <set>
#include <sstream>
#include <thread>

#include "support/gate_sink.hpp"
#include "support/in_child.hpp"
#include "support/log_folder.hpp"
#include "support/sanitizers.hpp"

namespace {
using namespace std::chrono_literals;
using namespace cairn;
using cairn::testing::GateSink;
using cairn::testing::in_child;
using cairn::testing::LogFolder;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

template <class F>
bool eventually(F&& f) {
  const auto end = std::chrono::steady_clock::now() + 20s;
  while (!f()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::yield();
  }
  return true;
}

std::string content(const std::string& path) {
  std::ostringstream all;
  all << std::ifstream(path).rdbuf();
  return all.str();
}

/// Without flushes of its own, as far as a test can tell.
QueueOptions quiet() {
  QueueOptions options;
  options.flush_interval = std::chrono::hours(1);
  return options;
}

/// A sink whose flush and reopening do what the test says.
class Told final : public Sink {
 public:
  EmitResult emit(std::span<const Event> events) override { return EmitResult::all(events); }
  std::error_code flush(std::chrono::steady_clock::time_point) override {
    const std::error_code error = on_flush ? on_flush() : std::error_code();
    ++flushes;
    return error;
  }
  std::error_code reopen() override { return on_reopen ? on_reopen() : std::error_code(); }

  std::function<std::error_code()> on_flush;
  std::function<std::error_code()> on_reopen;
  std::atomic<int> flushes{0};
};

/// Whether the outer logger, and the target, have queues.
class FlushOfTarget : public ::testing::TestWithParam<std::tuple<bool, bool>> {
 protected:
  Logger outer(const Logger& target) {
    Configuration config;
    auto handle = config.write_to_logger(target).with_name("to_target");
    if (std::get<0>(GetParam())) handle.with_queue(quiet());
    return config.create_logger();
  }
  template <class Handle>
  void queue_in_target(Handle handle) {
    if (std::get<1>(GetParam())) handle.with_queue(quiet());
  }
  Logger target_of(const std::shared_ptr<Sink>& sink) {
    Configuration config;
    queue_in_target(config.write_to(sink, "sink"));
    return config.create_logger();
  }
  LogFolder folder;
};

INSTANTIATE_TEST_SUITE_P(Deliveries, FlushOfTarget, ::testing::Combine(::testing::Bool(), ::testing::Bool()),
                         [](const auto& tested) {
                           return std::string(std::get<0>(tested.param) ? "queued" : "synchronous") + "_to_" +
                                  (std::get<1>(tested.param) ? "queued" : "synchronous");
                         });

TEST_P(FlushOfTarget, hands_over_what_its_sink_holds_back) {
  const std::string path = folder.path("a.clef");
  Configuration config;
  queue_in_target(config.write_to_file(path, {.buffered = true}));
  const Logger target = config.create_logger();
  const Logger log = outer(target);
  log.information("held back");
  EXPECT_EQ(log.flush().status, FlushStatus::ok);
  EXPECT_THAT(content(path), HasSubstr("held back"));
}

TEST_P(FlushOfTarget, fails_with_it_and_says_why) {
  const auto sink = std::make_shared<Told>();
  sink->on_flush = [] { return std::make_error_code(std::errc::no_space_on_device); };
  const Logger target = target_of(sink);
  const Logger log = outer(target);
  log.information("x");
  const FlushResult result = log.flush();
  EXPECT_EQ(result.status, FlushStatus::failed);
  ASSERT_EQ(result.sinks.size(), 1U);
  EXPECT_EQ(result.sinks[0].name, "to_target");
  EXPECT_EQ(result.sinks[0].error, "the target logger: sink sink: No space left on device");
}

TEST_P(FlushOfTarget, succeeds_where_the_target_is_closed_which_holds_nothing_back) {
  const std::string path = folder.path("a.clef");
  Configuration config;
  queue_in_target(config.write_to_file(path, {.buffered = true}));
  Logger target = config.create_logger();
  const Logger log = outer(target);
  log.information("held back");
  EXPECT_EQ(log.flush().status, FlushStatus::ok);
  EXPECT_EQ(target.close().status, FlushStatus::ok);
  EXPECT_EQ(log.flush().status, FlushStatus::ok);
  EXPECT_EQ(log.reopen().status, FlushStatus::ok);
  target = Logger();
  EXPECT_EQ(log.flush().status, FlushStatus::ok);
  EXPECT_THAT(content(path), HasSubstr("held back"));
}

TEST_P(FlushOfTarget, comes_to_its_end_where_a_sink_of_the_target_flushes_the_logger_before_it) {
  const auto sink = std::make_shared<Told>();
  std::atomic<int> calls{0};
  std::atomic<FlushStatus> inner{FlushStatus::ok};
  const Logger target = target_of(sink);
  const Logger log = outer(target);
  sink->on_flush = [&] {
    if (calls++ == 0) inner = log.flush(100ms).status;
    return std::error_code();
  };
  log.information("x");
  EXPECT_EQ(log.flush(20s).status, FlushStatus::ok);
  const bool on_its_thread = !std::get<1>(GetParam());
  const bool is_queued = std::get<0>(GetParam());  // and waits for that one flush, where others go on
  const FlushStatus behind = is_queued ? FlushStatus::timed_out : FlushStatus::failed;
  EXPECT_EQ(inner, on_its_thread ? FlushStatus::would_deadlock : behind);
  log.close();
  target.close();  // not in the background, where the sink would still call what stands here
}

TEST_P(FlushOfTarget, would_deadlock_from_inside_the_target_and_says_so) {
  Logger log;
  std::vector<SinkFlush> inner;
  Configuration config;
  queue_in_target(config.write_to_callback([&](const Event&) { inner = log.flush().sinks; }));
  const Logger target = config.create_logger();
  log = Configuration{}.write_to_logger(target).create_logger();
  target.information("calls");
  EXPECT_EQ(target.flush().status, FlushStatus::ok);
  ASSERT_EQ(inner.size(), 1U);
  EXPECT_EQ(inner[0].status, FlushStatus::failed);
  EXPECT_THAT(inner[0].error, HasSubstr("it would be a deadlock"));
}

TEST_P(FlushOfTarget, reopens_its_files_when_it_is_reopened) {
  const std::string path = folder.path("a.clef");
  Configuration config;
  queue_in_target(config.write_to_file(path));
  const Logger target = config.create_logger();
  const Logger log = outer(target);
  std::filesystem::rename(path, folder.path("a.moved"));
  const FlushResult result = log.reopen();
  EXPECT_EQ(result.status, FlushStatus::ok);
  EXPECT_TRUE(std::filesystem::exists(path));
}

TEST_P(FlushOfTarget, says_what_could_not_be_reopened) {
  const auto sink = std::make_shared<Told>();
  sink->on_reopen = [] { return std::make_error_code(std::errc::permission_denied); };
  Configuration config;
  config.on_internal_error([](std::string_view) {});
  queue_in_target(config.write_to(sink, "sink"));
  const Logger target = config.create_logger();
  Configuration before;
  before.on_internal_error([](std::string_view) {});
  before.write_to_logger(target);
  const FlushResult result = before.create_logger().reopen();
  EXPECT_EQ(result.status, FlushStatus::failed);
  ASSERT_EQ(result.sinks.size(), 1U);
  EXPECT_EQ(result.sinks[0].error, "the target logger: sink sink: Permission denied");
}

TEST(QueuedTarget, that_hangs_has_the_flush_before_it_time_out) {
  const auto gate = std::make_shared<GateSink>();
  Configuration config;
  config.write_to(gate, "gate").with_queue(quiet());
  const Logger target = config.create_logger();
  const Logger log = Configuration{}.write_to_logger(target).create_logger();
  log.information("x");
  gate->wait_inside();
  const FlushResult result = log.flush(20ms);
  EXPECT_EQ(result.status, FlushStatus::timed_out);
  ASSERT_EQ(result.sinks.size(), 1U);
  EXPECT_EQ(result.sinks[0].status, FlushStatus::timed_out);
  EXPECT_EQ(result.sinks[0].error, "the target logger: sink gate: 1 events are still pending");
  gate->open();
  EXPECT_EQ(log.flush().status, FlushStatus::ok);
}

TEST(QueuedTarget, that_hangs_beside_a_sink_that_fails_has_the_flush_before_it_fail) {
  const auto gate = std::make_shared<GateSink>();
  const auto told = std::make_shared<Told>();
  told->on_flush = [] { return std::make_error_code(std::errc::no_space_on_device); };
  Configuration config;
  config.write_to(told, "told");
  config.write_to(gate, "gate").with_queue(quiet());
  const Logger target = config.create_logger();
  const Logger log = Configuration{}.write_to_logger(target).create_logger();
  log.information("x");
  gate->wait_inside();
  EXPECT_EQ(log.flush(20ms).status, FlushStatus::failed);
  gate->open();
}

TEST(QueuedTarget, that_is_waited_for_by_a_flush_holds_up_no_call) {
  const auto gate = std::make_shared<GateSink>();
  const auto told = std::make_shared<Told>();
  Configuration config;
  config.write_to(told, "told");
  config.write_to(gate, "gate").with_queue(quiet());
  const Logger target = config.create_logger();
  const Logger log = Configuration{}.write_to_logger(target).create_logger();
  log.information("x");
  gate->wait_inside();
  auto flush = std::async(std::launch::async, [&] { return log.flush(1min).status; });
  ASSERT_TRUE(eventually([&] { return told->flushes == 1; }));  // before the one that hangs is waited for
  auto call = std::async(std::launch::async, [&] { log.information("y"); });
  EXPECT_EQ(call.wait_for(20s), std::future_status::ready);
  EXPECT_EQ(flush.wait_for(0s), std::future_status::timeout);
  gate->open();
  EXPECT_EQ(flush.get(), FlushStatus::ok);
  EXPECT_GE(gate->flushes(), 1U);
  call.get();
  EXPECT_EQ(log.flush().status, FlushStatus::ok);
  EXPECT_EQ(gate->kept().size(), 2U);
}

TEST(QueuedTarget, that_a_flush_waits_for_is_let_go_with_the_logger_before_it) {
  const auto gate = std::make_shared<GateSink>();
  const auto told = std::make_shared<Told>();
  Configuration config;
  config.write_to(told, "told");
  config.write_to(gate, "gate").with_queue(quiet());
  const Logger target = config.create_logger();
  const Logger log = Configuration{}.write_to_logger(target).create_logger();
  log.information("x");
  gate->wait_inside();
  auto flush = std::async(std::launch::async, [&] { return log.flush(1min).status; });
  ASSERT_TRUE(eventually([&] { return told->flushes == 1; }));
  EXPECT_EQ(log.shutdown(ShutdownStrategy::immediate()).status, ShutdownStatus::completed);
  EXPECT_EQ(flush.wait_for(0s), std::future_status::timeout);
  gate->open();
  EXPECT_EQ(flush.get(), FlushStatus::ok);
}

TEST(QueuedTarget, that_hangs_costs_its_neighbours_nothing_while_nobody_asks_for_a_flush) {
  const auto gate = std::make_shared<GateSink>();
  const auto memory = std::make_shared<MemorySink>();
  const auto told = std::make_shared<Told>();
  Configuration config;
  config.write_to(gate, "gate").with_queue();
  config.write_to(memory, "memory").with_queue();
  config.write_to(told, "told");
  const Logger target = config.create_logger();
  Configuration before;
  before.write_to_logger(target).with_queue({.flush_interval = 1ms});
  const Logger log = before.create_logger();
  for (int i = 0; i < 3; ++i) {
    const int flushes = told->flushes;
    log.information("{I}", i);
    // A queued sink's own flush reaches those without a queue.
    ASSERT_TRUE(eventually([&] { return told->flushes != flushes; }));
  }
  gate->wait_inside();
  log.information("last");
  EXPECT_TRUE(eventually([&] { return memory->size() == 4; }));
  gate->open();
}

TEST(QueuedTarget, that_hangs_fails_no_immediate_shutdown_of_the_logger_before_it) {
  const auto gate = std::make_shared<GateSink>();
  Configuration config;
  config.write_to(gate, "gate").with_queue(quiet());
  const Logger target = config.create_logger();
  const Logger log = Configuration{}.write_to_logger(target).create_logger();
  log.information("x");
  gate->wait_inside();
  EXPECT_EQ(log.shutdown(ShutdownStrategy::immediate()).status, ShutdownStatus::completed);
  gate->open();
}

// ---- the crash ring

std::set<std::int64_t> recovered(const LogFolder& folder) {
  const auto sink = std::make_shared<MemorySink>();
  Configuration config;
  config.write_to(sink, "sink").with_queue();
  config.with_crash_ring({.application = "app", .folder = folder.path()});
  config.create_logger().close();
  std::set<std::int64_t> numbers;
  for (const OwnedEvent& event : sink->events()) numbers.insert(event->property("N")->as_int64().value());
  return numbers;
}

Logger with_ring(const LogFolder& folder, const Logger& target) {
  Configuration config;
  config.write_to_logger(target).with_queue();
  config.with_crash_ring({.application = "app", .folder = folder.path()});
  return config.create_logger();
}

TEST(RingBeforeTarget, lets_go_of_what_a_buffered_file_of_the_target_has_written) {
  if (cairn::testing::under_thread_sanitizer) GTEST_SKIP() << "it lets no child of several threads start one";
  const LogFolder folder;
  const std::string path = folder.path("a.clef");
  const int status = in_child([&] {
    Configuration config;
    config.write_to_file(path, {.buffered = true});
    const Logger target = config.create_logger();
    const Logger log = with_ring(folder, target);
    for (int i = 0; i < 2; ++i) {  // the first is acknowledged before the second flush
      log.information("{N} of the dead", i);
      if (log.flush().status != FlushStatus::ok) return 1;
    }
    ::kill(::getpid(), SIGKILL);
    return 0;
  });
  ASSERT_EQ(status, 128 + SIGKILL);
  EXPECT_THAT(content(path), AllOf(HasSubstr(R"("N":0)"), HasSubstr(R"("N":1)")));
}

TEST(RingBeforeTarget, keeps_what_waits_in_a_queue_of_the_target) {
  if (cairn::testing::under_thread_sanitizer) GTEST_SKIP() << "it lets no child of several threads start one";
  const LogFolder folder;
  const int status = in_child([&] {
    Configuration config;
    config.write_to(std::make_shared<GateSink>(), "gate").with_queue();
    const Logger target = config.create_logger();
    const Logger log = with_ring(folder, target);
    for (std::uint64_t i = 0; i < 3; ++i) {
      log.information("{N} of the dead", i);
      // The batch before has been settled, or not.
      if (!eventually([&] { return target.metrics().sinks[0].accepted == i + 1; })) return 1;
    }
    ::kill(::getpid(), SIGKILL);
    return 0;
  });
  ASSERT_EQ(status, 128 + SIGKILL);
  EXPECT_THAT(recovered(folder), ElementsAre(0, 1, 2));
}

}  // namespace
