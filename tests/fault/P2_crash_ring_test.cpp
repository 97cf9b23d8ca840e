// P2, with a crash ring: a process that is killed, or fails, while it recovers what another left loses nothing of it.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cairn/all.hpp>
#include <cairn/memory_sink.hpp>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <vector>

#include "ring/ring_file.hpp"
#include "ring/ring_recovery.hpp"
#include "support/crash_ring_tests.hpp"
#include "support/every_output.hpp"
#include "support/gate_sink.hpp"
#include "support/in_child.hpp"
#include "support/log_folder.hpp"
#include "support/sanitizers.hpp"

namespace {

using namespace std::chrono_literals;
using cairn::testing::HungSink;
using cairn::testing::in_child;
using cairn::testing::leave_events;
using cairn::testing::LogFolder;
using cairn::testing::recover;
using cairn::testing::ring_folder;
using cairn::testing::rings_in;
using cairn::testing::with_ring;

/// Dies in the middle of what a sink does.
class DyingSink final : public cairn::Sink {
 public:
  enum class Where { before_emit, after_emit, before_flush, after_flush };
  DyingSink(int fd, Where where, int turn) : fd_(fd), where_(where), turn_(turn) {}
  cairn::EmitResult emit(std::span<const cairn::Event> events) override {
    die(Where::before_emit);
    std::string lines;
    for (const cairn::Event& event : events) lines += to_clef(event) + '\n';
    (void)!::write(fd_, lines.data(), lines.size());
    die(Where::after_emit);
    return cairn::EmitResult::all(events);
  }
  std::error_code flush(std::chrono::steady_clock::time_point) override {
    die(Where::before_flush);
    if (where_ == Where::after_flush && turn_ == 0) ::kill(::getpid(), SIGKILL);
    if (where_ == Where::after_flush) --turn_;
    return {};
  }

 private:
  void die(Where here) {
    if (here == where_ && turn_-- == 0) ::kill(::getpid(), SIGKILL);
  }
  int fd_;
  Where where_;
  int turn_;
};

TEST(P2CrashRing, recovered_by_processes_that_are_killed_at_it_loses_nothing) {
  using Where = DyingSink::Where;
  constexpr int events = 6000;
  const LogFolder folder;
  leave_events(folder, events);
  const int fd = ::open(folder.path("out.clef").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  int killed = 0;
  for (const Where where : {Where::before_emit, Where::after_emit, Where::before_flush, Where::after_flush}) {
    for (int turn = 0; turn < 5; ++turn) {
      const int status = in_child([&] {
        const auto log = with_ring(folder, std::make_shared<DyingSink>(fd, where, turn)).create_logger();
        log.close();
        return 0;
      });
      killed += status == 128 + SIGKILL ? 1 : 0;
      if (rings_in(folder).empty()) break;
    }
  }
  EXPECT_GT(killed, 5);
  ASSERT_EQ(in_child([&] {
              const auto log =
                  with_ring(folder, std::make_shared<DyingSink>(fd, Where::before_emit, -1)).create_logger();
              log.close();
              return 0;
            }),
            0);
  ::close(fd);
  std::vector<int> seen(events);
  int count = 0;
  std::istringstream lines(folder.read("out.clef"));
  for (std::string line; std::getline(lines, line); ++count) {
    ASSERT_EQ(cairn::testing::fault_of_clef(line), "");
    ++seen.at(nlohmann::json::parse(line)["N"].get<std::size_t>());
  }
  EXPECT_EQ(std::ranges::count(seen, 0), 0) << "nothing lost";
  EXPECT_LE(count, events + (killed + 1) * 1024) << "what was settled does not come again";
  EXPECT_TRUE(rings_in(folder).empty());
}

TEST(P2CrashRing, recovered_leaves_a_queue_that_blocks_as_long_as_it_was) {
  const LogFolder folder;
  leave_events(folder, 1000);
  const auto gate = std::make_shared<cairn::testing::GateSink>(true);
  cairn::Configuration config;
  config.write_to(gate, "gate").with_queue({.max_size = 64, .overflow = cairn::Overflow::block, .block_timeout = 1ms});
  config.with_crash_ring({.application = "app", .folder = folder.path()});
  const auto log = config.create_logger();
  EXPECT_EQ(log.metrics().logger.recovered, 1000U);
  EXPECT_EQ(log.metrics().sinks.front().emitted, 1000U);
  gate->shut();
  for (int i = 0; i < 200; ++i) log.information("{N}", i);
  EXPECT_EQ(log.metrics().logger.captured, 1064U);
  EXPECT_EQ(log.metrics().logger.rejected.at("block_timeout"), 136U);
  gate->open();
}

TEST(P2CrashRing, recovered_leaves_a_queue_that_blocks_as_many_bytes_as_it_had) {
  if (cairn::testing::children_of_threads_hang) GTEST_SKIP() << "a child may hang in the sanitizer itself";
  const LogFolder folder;
  const auto gate = std::make_shared<cairn::testing::GateSink>(true);
  const auto fills = [&](std::uint64_t recovered) {
    cairn::Configuration config;
    config.write_to(gate, "gate")
        .with_queue({.batch_size = 1, .overflow = cairn::Overflow::block, .block_timeout = 1ms})
        .with_memory_limit(8192);
    config.with_crash_ring({.application = "app", .folder = folder.path()});
    const auto log = config.create_logger();
    EXPECT_EQ(log.metrics().logger.recovered, recovered);
    EXPECT_EQ(log.metrics().sinks.front().emitted, recovered);
    gate->shut();
    log.information("{N}", 0);
    (void)gate->wait_inside();
    for (int i = 0; i < 200; ++i) log.information("{N}", i);
    const cairn::MetricsSnapshot now = log.metrics();
    EXPECT_GT(now.logger.rejected.at("block_timeout"), 0U);
    gate->open();
    log.close();
    return now.logger.captured - recovered;
  };
  const std::uint64_t usual = fills(0);
  leave_events(folder, 1000);
  EXPECT_EQ(fills(1000), usual);
}

TEST(P2CrashRing, recovered_into_little_memory_loses_nothing) {
  const LogFolder folder;
  leave_events(folder, 5000);
  EXPECT_EQ(in_child([&] {  // what loggers of other tests have is not its
              const auto lines = recover(folder, [](cairn::Configuration& config) {
                config.memory_budget({.max_bytes = 1U << 20U}).on_internal_error([](auto) {});
              });
              EXPECT_EQ(lines.size(), 5000U);
              return ::testing::Test::HasFailure() ? 1 : 0;
            }),
            0);
  leave_events(folder, 5000);
  const auto sink = std::make_shared<cairn::MemorySink>();
  cairn::Configuration config;
  config.write_to(sink, "sink").with_queue().with_memory_limit(16384);
  config.with_crash_ring({.application = "app", .folder = folder.path()});
  config.create_logger().close();
  EXPECT_EQ(sink->events().size(), 5000U);
}

TEST(P2CrashRing, stays_for_the_next_start_where_a_sink_cannot_deliver_it) {
  class Unflushed final : public cairn::Sink {
    cairn::EmitResult emit(std::span<const cairn::Event> events) override { return cairn::EmitResult::all(events); }
    std::error_code flush(std::chrono::steady_clock::time_point) override {
      return std::make_error_code(std::errc::no_space_on_device);
    }
  };
  const LogFolder folder;
  leave_events(folder, 100);
  std::vector<std::string> told;
  with_ring(folder, std::make_shared<Unflushed>())
      .on_internal_error([&](std::string_view what) { told.emplace_back(what); })
      .create_logger()
      .close();
  EXPECT_THAT(told, testing::Contains(testing::HasSubstr("it stays for the next start (sink sink: No space left")));
  EXPECT_EQ(recover(folder).size(), 100U);
}

TEST(P2CrashRing, of_a_name_that_is_taken_by_one_that_was_being_recovered_comes_too) {
  const LogFolder folder;
  const LogFolder aside;
  leave_events(folder, 10);
  const std::string path = ring_folder(folder) + '/';
  std::filesystem::rename(path + rings_in(folder).front(), aside.path("ring"));
  leave_events(folder, 20);
  std::filesystem::rename(path + rings_in(folder).front(), path + "7-0.ring");
  std::filesystem::rename(aside.path("ring"), path + "7-0.ring.recovering");
  EXPECT_EQ(recover(folder).size(), 30U);
  EXPECT_FALSE(std::filesystem::exists(ring_folder(folder)));
}

/// Ends the process with an event whose N is 5.
class PoisonedSink final : public cairn::Sink {
 public:
  cairn::EmitResult emit(std::span<const cairn::Event> events) override {
    for (const cairn::Event& event : events) {
      if (event.property("N")->as_int64() == 5) ::kill(::getpid(), SIGKILL);
    }
    return cairn::EmitResult::all(events);
  }
};

TEST(P2CrashRing, with_an_event_that_ends_every_start_is_set_aside_in_the_end) {
  using Use = cairn::detail::RingRecovery::Use;
  const LogFolder folder;
  leave_events(folder, 10);
  const std::string name = rings_in(folder).front();
  std::vector<std::string> told;
  const auto start = [&] {
    return in_child([&] {
      const auto log = with_ring(folder, std::make_shared<PoisonedSink>())
                           .on_internal_error([&](std::string_view what) { told.emplace_back(what); })
                           .create_logger();
      EXPECT_EQ(log.metrics().logger.crash_ring, "on");
      log.close();
      if (!told.empty()) folder.write("told", told.front());
      return 0;
    });
  };
  for (std::uint64_t i = 0; i < cairn::detail::RingRecovery::most_attempts; ++i) {
    EXPECT_EQ(start(), 128 + SIGKILL);
    EXPECT_EQ(rings_in(folder).size(), 1U) << "no start leaves one of its own";
    EXPECT_FALSE(std::filesystem::exists(folder.path("told")));
  }
  EXPECT_EQ(start(), 0);
  EXPECT_EQ(rings_in(folder), std::vector<std::string>{name + ".set-aside"});
  EXPECT_NE(folder.read("told").find(name + ".set-aside (cairn-recover"), std::string::npos) << folder.read("told");
  std::filesystem::remove(folder.path("told"));
  EXPECT_EQ(start(), 0);
  EXPECT_FALSE(std::filesystem::exists(folder.path("told"))) << "it is told once";

  std::string problem;
  const auto rings = std::make_shared<cairn::detail::RingFolder>(ring_folder(folder), false, problem);
  cairn::detail::RingRecovery tool(cairn::detail::current_boot_id(), Use::tool);
  tool.add_folder(rings);
  EXPECT_EQ(tool.run([](auto&) {}, [](bool) { return true; }, 100).events, 10U);
  EXPECT_TRUE(rings_in(folder).empty());
}

TEST(P2CrashRing, with_events_that_a_sink_refuses_stays_and_is_set_aside_after_three_starts) {
  if (cairn::testing::under_thread_sanitizer) GTEST_SKIP() << "it lets no child of several threads start one";
  class Refusing final : public cairn::Sink {
    cairn::EmitResult emit(std::span<const cairn::Event>) override {
      return {0, 0, std::make_error_code(std::errc::connection_refused)};
    }
  };
  const LogFolder folder;
  for (int starts = 1; starts <= 3; ++starts) {
    leave_events(folder, 1000);
    const auto good = std::make_shared<cairn::MemorySink>();
    std::vector<std::string> told;
    for (int i = 0; i < starts; ++i) {
      cairn::Configuration config = with_ring(folder, std::make_shared<Refusing>());
      config.write_to(good, "good").with_queue();
      config.on_internal_error([&](std::string_view what) { told.emplace_back(what); }).create_logger().close();
    }
    EXPECT_EQ(good->events().size(), 1000U * static_cast<unsigned>(starts));
    EXPECT_EQ(std::ranges::count_if(told,
                                    [](const std::string& what) {
                                      return what.find("stays for the next start (1000 events were refused") !=
                                             std::string::npos;
                                    }),
              starts);
    const auto lines = recover(folder, [](cairn::Configuration& config) { config.on_internal_error([](auto) {}); });
    EXPECT_EQ(lines.size(), starts < 3 ? 1000U : 0U);
    EXPECT_EQ(rings_in(folder).size(), starts < 3 ? 0U : 1U);
  }
}

TEST(P2CrashRing, that_are_many_take_little_memory_of_who_recovers_them) {
  if (cairn::testing::children_of_threads_hang) GTEST_SKIP() << "a sanitizer has memory of its own";
  const LogFolder folder;
  constexpr int threads = 24;
  ASSERT_EQ(in_child([&] {
              const auto log = with_ring(folder, std::make_shared<HungSink>()).create_logger();
              std::atomic<int> done{0};
              std::vector<std::thread> running;
              for (int i = 0; i < threads; ++i) {
                running.emplace_back([&] {
                  for (int n = 0; n < 100; ++n) log.information("{N}", n);
                  ++done;
                  while (done >= 0) ::pause();
                });
              }
              while (done != threads) std::this_thread::yield();
              ::kill(::getpid(), SIGKILL);
              return 0;
            }),
            128 + SIGKILL);
  EXPECT_EQ(rings_in(folder).size(), static_cast<std::size_t>(threads));  // 96 MiB
  EXPECT_EQ(in_child([&] {
              // What the process has by now, and half of what the rings take.
              std::ifstream status("/proc/self/status");
              std::string word;
              while (word != "VmData:") status >> word;
              std::uint64_t kilobytes = 0;
              status >> kilobytes;
              const std::uint64_t most = (kilobytes << 10U) + (48U << 20U);
              const struct rlimit limit { most, most };
              EXPECT_EQ(::setrlimit(RLIMIT_DATA, &limit), 0);
              EXPECT_EQ(recover(folder).size(), threads * 100U);
              return ::testing::Test::HasFailure() ? 1 : 0;
            }),
            0);
}

TEST(P2CrashRing, is_recovered_by_one_of_two_loggers_of_a_process) {
  const LogFolder folder;
  leave_events(folder, 100);
  std::size_t others = 1;
  const auto lines = recover(folder, [&](cairn::Configuration& config) {
    config.filter_by([&](const cairn::Event& event) {
      if (event.property("N")->as_int64() == 50) std::thread([&] { others = recover(folder).size(); }).join();
      return true;
    });
  });
  EXPECT_EQ(lines.size(), 100U);
  EXPECT_EQ(others, 0U);
}

TEST(P2CrashRing, of_a_process_that_forks_while_it_recovers_stays_the_parents_P8) {
  if (cairn::testing::under_thread_sanitizer) GTEST_SKIP() << "it lets no child of several threads start one";
  const LogFolder folder;
  leave_events(folder, 100);
  EXPECT_EQ(in_child([&] {
              (void)recover(folder, [&](cairn::Configuration& config) {
                config.filter_by([&](const cairn::Event& event) {
                  if (event.property("N")->as_int64() != 50) return true;
                  const pid_t child = ::fork();
                  if (child == 0) return true;  // it goes on to recover, for itself
                  int status = 0;
                  if (::waitpid(child, &status, 0) != child || status != 0) ::_exit(1);
                  ::kill(::getpid(), SIGKILL);
                  return true;
                });
              });
              ::_exit(0);  // the child's child
              return 0;
            }),
            128 + SIGKILL);
  EXPECT_EQ(recover(folder).size(), 100U);
}

TEST(P2CrashRing, of_a_living_process_is_not_touched) {
  if (cairn::testing::under_thread_sanitizer) GTEST_SKIP() << "it lets no child of several threads start one";
  const LogFolder folder;
  const auto gate = std::make_shared<cairn::testing::GateSink>();
  const auto log = with_ring(folder, gate).create_logger();
  for (int i = 0; i < 10; ++i) log.information("{N}", i);
  (void)gate->wait_inside();
  EXPECT_TRUE(recover(folder).empty()) << "of this process";
  EXPECT_EQ(in_child([&] { return static_cast<int>(recover(folder).size()); }), 0) << "of another";
  EXPECT_EQ(rings_in(folder).size(), 1U);
  gate->open();
  EXPECT_EQ(log.flush().status, cairn::FlushStatus::ok);
}

#ifdef CAIRN_RECOVER
using cairn::testing::run_recover;

TEST(P2CrashRing, stays_where_the_tool_cannot_write_what_is_in_it) {
  const LogFolder folder;
  leave_events(folder, 500);
  const std::string rings = folder.path("app-" + std::to_string(::geteuid()));
  EXPECT_EQ(run_recover(rings + " >/dev/full 2>/dev/null"), 2);
  EXPECT_EQ(rings_in(folder).size(), 1U);
  EXPECT_EQ(run_recover("/no/such/folder 2>/dev/null"), 2);
  EXPECT_EQ(recover(folder).size(), 500U);
}
#endif

}  // namespace
