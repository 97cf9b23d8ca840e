// P3: what delivers the events of a program that dies crashes at it, too.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <cairn/all.hpp>
#include <chrono>
#include <memory>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

#include "support/fatal_crash.hpp"
#include "support/in_child.hpp"
#include "support/log_folder.hpp"

namespace {

using cairn::testing::crash_by;
using cairn::testing::in_child;
using cairn::testing::LogFolder;
using namespace std::chrono_literals;

constexpr int count = 100;

std::atomic<bool> dies{false};  // everything is being delivered

/// Is flushed when the program dies.
struct SeesTheEnd : cairn::Sink {
  cairn::EmitResult emit(std::span<const cairn::Event> events) override { return cairn::EmitResult::all(events); }
  std::error_code flush(std::chrono::steady_clock::time_point) override {
    dies = true;
    return {};
  }
};

void crash_at_the_end() {
  while (!dies) std::this_thread::yield();
  crash_by(SIGSEGV);
}

std::string numbers(int from, int to) {
  std::string text;
  for (int i = from; i < to; ++i) text += std::to_string(i) + '\n';
  return text;
}

cairn::SinkSpec lines_to(const std::string& path) {
  return cairn::SinkSpec::file(path, {.output_template = "{Message}{NewLine}"})
      .with_queue({.overflow = cairn::Overflow::block, .block_timeout = 1min});
}

/// That is never closed.
const cairn::Logger& rescued(cairn::Configuration& config, cairn::FatalSignalOptions options = {}) {
  config.on_internal_error([](std::string_view) {}).handle_fatal_signals(std::move(options));
  return *new cairn::Logger(config.create_logger());
}

/// In a child that dies of a crash of its first thread, while another thread of the logger that `config` makes waits
/// for that to crash itself. In how much time.
template <class Config>
std::chrono::nanoseconds dies_twice(const LogFolder& folder, Config&& configure) {
  const auto begun = std::chrono::steady_clock::now();
  EXPECT_EQ(in_child([&]() -> int {
              ::alarm(60);
              const rlimit none{0, 0};
              ::setrlimit(RLIMIT_CORE, &none);
              cairn::Configuration config;
              configure(config);
              const cairn::Logger& log = rescued(config, {.crash_file = folder.path("crash.clef")});
              cairn::Configuration other;
              other.write_to(std::make_shared<SeesTheEnd>(), "other");
              rescued(other).information("it is made last, and flushed first");
              for (int i = 0; i < count; ++i) log.information("{N}", i);
              crash_by(SIGSEGV);
              return 99;
            }),
            128 + SIGSEGV);
  return std::chrono::steady_clock::now() - begun;
}

TEST(P3SecondCrash, of_a_sink_costs_the_others_nothing_and_its_own_events_are_kept) {
  const LogFolder folder;
  const auto took = dies_twice(folder, [&](cairn::Configuration& config) {
    config
        .write_to_callback([](const cairn::Event& event) {
          if (event.property("N")->as_int64() == 3) crash_at_the_end();
        })
        .with_queue({.overflow = cairn::Overflow::block, .block_timeout = 1min});
    config.write_to(lines_to(folder.path("a.log")));
  });
  EXPECT_EQ(folder.read("a.log"), numbers(0, count));
  std::istringstream crash(folder.read("crash.clef"));
  int last = -1;
  for (std::string line; std::getline(crash, line);) {
    const int number = std::stoi(line.substr(line.find("\"N\":") + 4));
    EXPECT_TRUE(last < 0 ? number <= 3 : number == last + 1) << number;
    last = number;
  }
  EXPECT_EQ(last, count - 1);
  EXPECT_LT(took, 2s);
}

TEST(P3SecondCrash, of_a_sink_with_a_fallback_hands_its_events_on) {
  const LogFolder folder;
  const auto took = dies_twice(folder, [&](cairn::Configuration& config) {
    config.write_to_callback([](const cairn::Event&) { crash_at_the_end(); })
        .with_queue({.overflow = cairn::Overflow::block, .block_timeout = 1min})
        .with_fallback(lines_to(folder.path("fallback.log")));
  });
  EXPECT_EQ(folder.read("fallback.log"), numbers(0, count));
  EXPECT_LT(took, 2s);
}

TEST(P3SecondCrash, of_a_filter_delivers_the_events_behind_it_too) {
  const LogFolder folder;
  const auto took = dies_twice(folder, [&](cairn::Configuration& config) {
    config.filter_by([](const cairn::Event& event) {
      if (event.property("N")->as_int64() == 3) crash_at_the_end();
      return true;
    });
    config.write_to(lines_to(folder.path("a.log")));
  });
  EXPECT_EQ(folder.read("a.log"), numbers(0, count));
  EXPECT_LT(took, 2s);
}

}  // namespace
