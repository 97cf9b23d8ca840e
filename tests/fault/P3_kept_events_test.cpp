// P3: a program that dies while a sink keeps its events: behind a breaker that is open, or a queue that others wait
// for.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <cairn/all.hpp>
#include <chrono>
#include <fstream>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

#include "support/fatal_crash.hpp"
#include "support/in_child.hpp"
#include "support/log_folder.hpp"
#include "support/number_file_sink.hpp"

namespace {

using cairn::testing::crash_by;
using cairn::testing::in_child;
using cairn::testing::LogFolder;
using cairn::testing::NumberFileSink;
using namespace std::chrono_literals;

constexpr int count = 200;

template <class Body>
int dying(Body&& body) {
  return in_child([&]() -> int {
    ::alarm(60);
    const rlimit none{0, 0};
    ::setrlimit(RLIMIT_CORE, &none);
    body();
    return 99;
  });
}

std::string numbers() {
  std::string text;
  for (int i = 0; i < count; ++i) text += std::to_string(i) + '\n';
  return text;
}

/// Of events in CLEF, the number that each is about.
std::string numbers_in(const std::string& clef) {
  std::string numbers;
  for (std::size_t at = 0; (at = clef.find("\"N\":", at)) != std::string::npos;) {
    at += 4;
    numbers += clef.substr(at, clef.find_first_of(",}", at) - at) + '\n';
  }
  return numbers;
}

/// Dies with `count` events behind an open breaker.
void die_beside_an_open_breaker(const LogFolder& folder, bool well_again) {
  const auto sink = std::make_shared<NumberFileSink>(folder.path("own.log"));
  const auto& log = *new cairn::Logger(cairn::Configuration{}
                                           .on_internal_error([](std::string_view) {})
                                           .handle_fatal_signals({.crash_file = folder.path("crash.clef")})
                                           .write_to(sink, "failing")
                                           .with_queue()
                                           .with_circuit_breaker({.failures = 1, .timeout = 1h, .max_timeout = 1h})
                                           .create_logger());
  for (int i = 0; i < count; ++i) log.information("{N}", i);
  while (log.circuit_breaker("failing")->state() != cairn::CircuitState::open) std::this_thread::yield();
  // Until then it is at the attempt that failed.
  while (log.metrics().sink("failing")->last_error.empty()) std::this_thread::yield();
  sink->fails = !well_again;
  crash_by(SIGSEGV);
}

TEST(P3KeptEvents, behind_an_open_breaker_go_to_the_crash_file) {
  const LogFolder folder;
  EXPECT_EQ(dying([&] { die_beside_an_open_breaker(folder, false); }), 128 + SIGSEGV);
  EXPECT_EQ(numbers_in(folder.read("crash.clef")), numbers());
}

TEST(P3KeptEvents, behind_an_open_breaker_go_to_the_sink_where_it_is_well_again) {
  const LogFolder folder;
  EXPECT_EQ(dying([&] { die_beside_an_open_breaker(folder, true); }), 128 + SIGSEGV);
  EXPECT_EQ(folder.read("own.log"), numbers());
  EXPECT_EQ(folder.read("crash.clef"), "");
}

TEST(P3KeptEvents, of_a_chain_whose_synchronous_end_fails_too_go_to_the_crash_file) {
  for (const bool guarded : {false, true}) {
    const LogFolder folder;
    EXPECT_EQ(dying([&] {
                static std::atomic<bool> dies{false};
                struct SeesTheEnd : cairn::Sink {
                  cairn::EmitResult emit(std::span<const cairn::Event> events) override {
                    return cairn::EmitResult::all(events);
                  }
                  std::error_code flush(std::chrono::steady_clock::time_point) override {
                    dies = true;
                    return {};
                  }
                };
                struct Broken : cairn::Sink {
                  cairn::EmitResult emit(std::span<const cairn::Event>) override {
                    while (!dies) std::this_thread::yield();
                    return {0, 0, std::make_error_code(std::errc::broken_pipe)};
                  }
                };
                auto end = cairn::SinkSpec::sink(std::make_shared<Broken>()).with_name("end");
                if (guarded) end = std::move(end).with_circuit_breaker({.failures = 3});
                cairn::Configuration config;
                config.on_internal_error([](std::string_view) {})
                    .handle_fatal_signals({.crash_file = folder.path("crash.clef")})
                    .write_to(std::make_shared<Broken>(), "broken")
                    .with_queue()
                    .with_fallback(std::move(end));
                config.write_to(std::make_shared<SeesTheEnd>(), "other").with_queue({.flush_interval = 1h});
                const auto& log = *new cairn::Logger(config.create_logger());
                for (int i = 0; i < count; ++i) log.information("{N}", i);
                crash_by(SIGSEGV);
              }),
              128 + SIGSEGV);
    EXPECT_EQ(numbers_in(folder.read("crash.clef")), numbers()) << guarded;
  }
}

TEST(P3KeptEvents, of_a_sink_that_others_wait_for_and_that_hangs_cost_its_neighbour_nothing) {
  const LogFolder folder;
  EXPECT_EQ(dying([&] {
              static std::atomic<bool> inside{false};
              const auto sink = std::make_shared<NumberFileSink>(folder.path("own.log"));
              sink->fails = false;
              cairn::Configuration config;
              config.on_internal_error([](std::string_view) {}).handle_fatal_signals();
              // Events outgrow what their callers took of the sink's bytes, so that they wait in the lanes.
              config.enrich_with([](cairn::EventBuilder& event) { event.add("Added", std::string(5000, 'a')); });
              config
                  .write_to_callback([](const cairn::Event&) {
                    inside = true;
                    std::this_thread::sleep_for(1h);
                  })
                  .with_queue({.overflow = cairn::Overflow::block, .block_timeout = 1ms})
                  .with_memory_limit(8192);
              config.write_to(sink, "well").with_queue();
              const auto& log = *new cairn::Logger(config.create_logger());
              std::ofstream captured(folder.path("captured.log"));
              for (int i = 0; i < count; ++i) {
                const std::uint64_t before = log.metrics().logger.captured;
                log.information("{N} {Text}", i, std::string(500, 'x'));
                if (log.metrics().logger.captured != before) captured << i << std::endl;
              }
              while (!inside) std::this_thread::yield();
              crash_by(SIGSEGV);
            }),
            128 + SIGSEGV);
  EXPECT_EQ(folder.read("own.log"), folder.read("captured.log"));
  EXPECT_NE(folder.read("captured.log"), "");
  EXPECT_NE(folder.read("captured.log"), numbers()) << "some found no room";
}

}  // namespace
