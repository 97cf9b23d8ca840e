// P3, N2: of several loggers of a program that dies, one that hangs costs the others nothing.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <cairn/all.hpp>
#include <cairn/signals.hpp>
#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "support/fatal_crash.hpp"
#include "support/gate_sink.hpp"
#include "support/in_child.hpp"
#include "support/log_folder.hpp"
#include "support/number_file_sink.hpp"

namespace {

using cairn::testing::crash_by;
using cairn::testing::GateSink;
using cairn::testing::in_child;
using cairn::testing::LogFolder;
using cairn::testing::NumberFileSink;
using namespace std::chrono_literals;

constexpr int count = 500;
constexpr auto longest = 3s;  // that a thread that crashed waits
constexpr auto to_die = 1s;   // what a process is given to begin and to be gone

std::string numbers() {
  std::string text;
  for (int i = 0; i < count; ++i) text += std::to_string(i) + '\n';
  return text;
}

/// Expects that `body`, in a child, dies of SIGSEGV in the time that there is.
template <class Body>
void expect_to_die_in_time(Body&& body) {
  const auto begun = std::chrono::steady_clock::now();
  EXPECT_EQ(in_child([&]() -> int {
              ::alarm(60);
              const rlimit none{0, 0};
              ::setrlimit(RLIMIT_CORE, &none);
              body();
              return 99;
            }),
            128 + SIGSEGV);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, longest + to_die);
}

/// That is never closed.
cairn::Logger& rescued(cairn::Configuration& config) {
  config.on_internal_error([](std::string_view) {}).handle_fatal_signals({});
  return *new cairn::Logger(config.create_logger());
}

void log_numbers(const cairn::Logger& log) {
  for (int i = 0; i < count; ++i) log.information("{N}", i);
}

/// Nothing of it is in the file unless somebody sees to it.
cairn::SinkSpec held_back_for(const std::string& path) {
  return cairn::SinkSpec::file(path, {.output_template = "{Message}{NewLine}", .buffered = true});
}
cairn::QueueOptions quiet() {
  return {.flush_interval = 1h, .overflow = cairn::Overflow::block, .block_timeout = 1min};
}

struct HangsInFlush : cairn::Sink {
  cairn::EmitResult emit(std::span<const cairn::Event> events) override { return cairn::EmitResult::all(events); }
  std::error_code flush(std::chrono::steady_clock::time_point) override {
    std::promise<void>().get_future().wait();
    return {};
  }
};

enum class Hangs { in_its_queue, in_a_call_of_another_thread, in_its_flush };

/// A logger that hangs by now, or as soon as it is flushed.
void make_one_that(Hangs hangs) {
  cairn::Configuration config;
  if (hangs == Hangs::in_its_flush) {
    config.write_to(std::make_shared<HangsInFlush>(), "hung");
    rescued(config).information("0");
    return;
  }
  const auto gate = std::make_shared<GateSink>();
  auto sink = config.write_to(gate, "hung");
  if (hangs == Hangs::in_its_queue) sink.with_queue();
  const cairn::Logger& log = rescued(config);
  std::thread([&log] { log.information("0"); }).detach();
  (void)gate->wait_inside();
}

struct Case {
  Hangs hangs;
  bool is_made_first;
};

class BesideAHungLogger : public testing::TestWithParam<Case> {};

TEST_P(BesideAHungLogger, the_others_deliver_everything_when_the_program_dies) {
  const LogFolder folder;
  expect_to_die_in_time([&] {
    if (GetParam().is_made_first) make_one_that(GetParam().hangs);
    cairn::Configuration config;
    config.write_to(held_back_for(folder.path("queued.log")).with_queue(quiet()));
    const cairn::Logger& queued = rescued(config);
    config = {};
    config.write_to(held_back_for(folder.path("synchronous.log")));
    const cairn::Logger& synchronous = rescued(config);
    config = {};
    const auto failing = std::make_shared<NumberFileSink>(folder.path("spared.log"));
    config.write_to(failing, "failing")
        .with_queue()
        .with_circuit_breaker({.failures = 1, .timeout = 1h, .max_timeout = 1h});
    const cairn::Logger& spared = rescued(config);
    if (!GetParam().is_made_first) make_one_that(GetParam().hangs);

    log_numbers(spared);
    while (spared.circuit_breaker("failing")->state() != cairn::CircuitState::open) std::this_thread::yield();
    // Until then it is at the attempt that failed.
    while (spared.metrics().sink("failing")->last_error.empty()) std::this_thread::yield();
    failing->fails = false;
    log_numbers(synchronous);
    log_numbers(queued);
    crash_by(SIGSEGV);
  });
  EXPECT_EQ(folder.read("queued.log"), numbers());
  EXPECT_EQ(folder.read("synchronous.log"), numbers());
  EXPECT_EQ(folder.read("spared.log"), numbers());
}

std::string name_of(const testing::TestParamInfo<Case>& each) {
  constexpr const char* where[] = {"in_its_queue", "in_a_call_of_another_thread", "in_its_flush"};
  return std::string("hangs_") + where[static_cast<int>(each.param.hangs)] + "_and_is_made_" +
         (each.param.is_made_first ? "first" : "last");
}
INSTANTIATE_TEST_SUITE_P(That, BesideAHungLogger,
                         testing::Values(Case{Hangs::in_its_queue, true}, Case{Hangs::in_its_queue, false},
                                         Case{Hangs::in_a_call_of_another_thread, true},
                                         Case{Hangs::in_a_call_of_another_thread, false},
                                         Case{Hangs::in_its_flush, true}, Case{Hangs::in_its_flush, false}),
                         name_of);

TEST(BesideHungLoggers, of_which_there_are_many_everything_is_delivered) {
  const LogFolder folder;
  constexpr int loggers = 9;
  expect_to_die_in_time([&] {
    std::vector<const cairn::Logger*> well;
    for (int i = 0; i < loggers; ++i) {
      if (i % 4 == 1) make_one_that(i == 1 ? Hangs::in_its_flush : Hangs::in_its_queue);
      cairn::Configuration config;
      config.write_to(held_back_for(folder.path(std::to_string(i))).with_queue(quiet()));
      well.push_back(&rescued(config));
    }
    for (const cairn::Logger* log : well) log_numbers(*log);
    crash_by(SIGSEGV);
  });
  for (int i = 0; i < loggers; ++i) EXPECT_EQ(folder.read(std::to_string(i)), numbers()) << i;
}

TEST(BesideHungLoggers, a_target_has_what_the_logger_before_it_still_brings) {
  const LogFolder folder;
  expect_to_die_in_time([&] {
    cairn::Configuration config;
    config.write_to(held_back_for(folder.path("target.log")));
    const cairn::Logger& target = rescued(config);
    config = {};
    config.write_to_logger(target).with_queue(quiet());
    const cairn::Logger& writer = rescued(config);
    make_one_that(Hangs::in_its_queue);
    log_numbers(writer);
    crash_by(SIGSEGV);
  });
  EXPECT_EQ(folder.read("target.log"), numbers());
}

TEST(BesideHungLoggers, nobody_waits_for_what_signal_handlers_left_to_them) {
  const LogFolder folder;
  expect_to_die_in_time([&] {
    const auto gate = std::make_shared<GateSink>();
    cairn::Configuration config;
    config.write_to(gate, "hung");
    cairn::set_logger(rescued(config));
    std::thread([] { cairn::information("0"); }).detach();
    (void)gate->wait_inside();
    (void)cairn::log_signal_safe(cairn::Level::error, "it waits for the sink that hangs");
    config = {};
    config.write_to(held_back_for(folder.path("a.log")));
    log_numbers(rescued(config));
    crash_by(SIGSEGV);
  });
  EXPECT_EQ(folder.read("a.log"), numbers());
}

TEST(BesideHungLoggers, one_that_crashes_as_it_is_flushed_ends_only_its_own_part) {
  struct Crashes : cairn::Sink {
    cairn::EmitResult emit(std::span<const cairn::Event> events) override { return cairn::EmitResult::all(events); }
    std::error_code flush(std::chrono::steady_clock::time_point) override {
      crash_by(SIGFPE);
      return {};
    }
  };
  const LogFolder folder;
  expect_to_die_in_time([&] {
    cairn::Configuration config;
    config.write_to(held_back_for(folder.path("a.log")));
    const cairn::Logger& log = rescued(config);
    config = {};
    config.write_to(std::make_shared<Crashes>(), "crashes");
    rescued(config).information("0");
    log_numbers(log);
    crash_by(SIGSEGV);
  });
  EXPECT_EQ(folder.read("a.log"), numbers());
}

TEST(BesideHungLoggers, where_a_sinks_filter_crashed_the_others_deliver_everything) {
  static std::atomic<bool> asked{false};
  static std::atomic<bool> crashes{false};
  const LogFolder folder;
  expect_to_die_in_time([&] {
    cairn::Configuration config;
    config.write_to(held_back_for(folder.path("a.log")).with_queue(quiet()));
    const cairn::Logger& log = rescued(config);
    config = {};
    config.write_to_null()
        .with_filter([](const cairn::Event&) -> bool {
          asked = true;
          asked.notify_all();
          crashes.wait(false);
          crash_by(SIGSEGV);
          return true;
        })
        .with_queue(quiet());
    const cairn::Logger& filtered = rescued(config);
    log_numbers(log);
    filtered.information("in the batch that it crashes at");
    asked.wait(false);
    log_numbers(filtered);  // in the lane meanwhile, and not asked about again
    log_numbers(log);
    crashes = true;
    crashes.notify_all();
    ::pause();
  });
  EXPECT_EQ(folder.read("a.log"), numbers() + numbers());
}

}  // namespace
