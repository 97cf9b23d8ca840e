// P1 and P2, with a crash ring: a process killed at any moment loses nothing that it had logged, nor does one that is
// killed while it recovers; and what a ring must not do.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cairn/all.hpp>
#include <cairn/memory_sink.hpp>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "platform/crc32c.hpp"
#include "ring/ring_file.hpp"
#include "ring/ring_recovery.hpp"
#include "support/gate_sink.hpp"
#include "support/in_child.hpp"
#include "support/kill_harness.hpp"
#include "support/log_folder.hpp"
#include "support/sanitizers.hpp"

namespace {

using namespace std::chrono_literals;
using cairn::testing::in_child;
using cairn::testing::LogFolder;

/// Takes events and never says so.
class HungSink final : public cairn::Sink {
 public:
  cairn::EmitResult emit(std::span<const cairn::Event>) override {
    for (;;) ::pause();
  }
};

cairn::Configuration with_ring(const LogFolder& folder, std::shared_ptr<cairn::Sink> sink) {
  cairn::Configuration config;
  config.write_to(std::move(sink), "sink").with_queue();
  config.with_crash_ring({.application = "app", .folder = folder.path()});
  return config;
}

std::string ring_folder(const LogFolder& folder) { return folder.path("app-" + std::to_string(::geteuid())); }

std::vector<std::string> rings_in(const LogFolder& folder) {
  std::vector<std::string> names;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(ring_folder(folder), none))
    names.push_back(entry.path().filename());
  std::ranges::sort(names);
  return names;
}

/// A process that logs `events` to a sink that takes none, and is killed.
void leave_events(const LogFolder& folder, int events) {
  ASSERT_EQ(in_child([&] {
              const auto log = with_ring(folder, std::make_shared<HungSink>()).create_logger();
              for (int i = 0; i < events; ++i) log.information("{N} of the dead", i);
              ::kill(::getpid(), SIGKILL);
              return 0;
            }),
            128 + SIGKILL);
}

/// What the next start delivers.
std::vector<std::string> recover(const LogFolder& folder, const std::function<void(cairn::Configuration&)>& more = {}) {
  const auto sink = std::make_shared<cairn::MemorySink>();
  cairn::Configuration config = with_ring(folder, sink);
  if (more) more(config);
  {
    const auto log = config.create_logger();
    log.close();
  }
  std::vector<std::string> lines;
  for (const auto& event : sink->events()) lines.push_back(to_clef(event.view()));
  return lines;
}

TEST(P1CrashRing, of_a_killed_writer_loses_nothing_and_doubles_a_batch_at_most) {
  if (cairn::testing::under_thread_sanitizer) GTEST_SKIP() << "it lets no child of several threads start one";
  const std::uint32_t seed = std::random_device{}();
  std::cout << "seed " << seed << '\n';
  const cairn::testing::KillFigures figures = cairn::testing::kill_writers({.ring = true, .rounds = 12, .seed = seed});
  std::cout << figures.logged << " logged, " << figures.recovered << " recovered, " << figures.doubled << " doubled\n";
  EXPECT_GT(figures.logged, 5000U);
  EXPECT_GT(figures.recovered, 0U);
  EXPECT_EQ(figures.lost, 0U);
  EXPECT_EQ(figures.corrupt, 0U);
  EXPECT_EQ(figures.made_up, 0U);
  EXPECT_LE(figures.most_doubled, 1000U);
  EXPECT_EQ(figures.rings_left, 0U);
}

TEST(P1CrashRing, gives_what_was_logged_to_the_next_start_marked_and_in_order_once) {
  const LogFolder folder;
  leave_events(folder, 1000);
  EXPECT_EQ(rings_in(folder).size(), 1U);
  const std::vector<std::string> lines = recover(folder);
  ASSERT_EQ(lines.size(), 1000U);
  for (int i = 0; i < 1000; ++i) {
    const auto event = nlohmann::json::parse(lines[static_cast<std::size_t>(i)]);
    ASSERT_EQ(event["N"], i);
    ASSERT_EQ(event["@mt"], "{N} of the dead");
    ASSERT_EQ(event["Recovered"], true);
  }
  EXPECT_TRUE(rings_in(folder).empty());
  EXPECT_TRUE(recover(folder).empty());
}

TEST(P1CrashRing, passes_what_it_recovers_through_filters_and_enrichers_and_counts_it) {
  const LogFolder folder;
  leave_events(folder, 10);
  const auto sink = std::make_shared<cairn::MemorySink>();
  cairn::Configuration config = with_ring(folder, sink);
  config.enrich_with_property("App", "new").filter_by([](const cairn::Event& event) {
    return event.property("N")->as_int64() != 3;
  });
  const auto log = config.create_logger();
  const auto counts = log.metrics().logger;
  EXPECT_EQ(counts.crash_ring, "on");
  EXPECT_EQ(counts.recovered, 10U);
  EXPECT_EQ(counts.captured, 10U);
  EXPECT_EQ(counts.dispatched, 9U);
  EXPECT_EQ(counts.filtered, 1U);
  ASSERT_EQ(sink->events().size(), 9U);
  EXPECT_EQ(sink->events().front()->property("App")->as_string(), "new");
}

TEST(P1CrashRing, keeps_context_source_exception_structures_and_what_was_added_at_the_capture) {
  struct Order {
    int id;
    std::vector<std::string> items;
  };
  const LogFolder folder;
  ASSERT_EQ(
      in_child([&] {
        cairn::Configuration config = with_ring(folder, std::make_shared<HungSink>());
        config.enrich_at_capture([](cairn::EventBuilder& e) { e.add("Pid", "the dead"); });
        const auto log = config.create_logger();
        const auto mine = log.for_source("shop").for_context("Shard", 7);
        const auto scope = cairn::LogContext::push("RequestId", "r-1");
        mine.error(std::runtime_error("it broke"), "Order {@Order} {$Text}", Order{1, {"a", "b"}}, std::vector<int>{1});
        CAIRN_WARNING(mine, "Took {Elapsed:.1f}", 1.25);
        ::kill(::getpid(), SIGKILL);
        return 0;
      }),
      128 + SIGKILL);
  const std::vector<std::string> lines = recover(folder, [](cairn::Configuration& c) {
    c.enrich_at_capture([](cairn::EventBuilder& e) { e.add("Pid", "new"); });
  });
  ASSERT_EQ(lines.size(), 2U);
  const auto first = nlohmann::json::parse(lines[0]);
  EXPECT_EQ(first["@l"], "Error");
  EXPECT_EQ(first["@x"], "std::runtime_error: it broke");
  EXPECT_EQ(first["Order"]["items"], (nlohmann::json{"a", "b"}));
  EXPECT_EQ(first["Text"], "[1]");
  EXPECT_EQ(first["SourceContext"], "shop");
  EXPECT_EQ(first["Shard"], 7);
  EXPECT_EQ(first["RequestId"], "r-1");
  EXPECT_EQ(first["Pid"], "the dead");
  const auto second = nlohmann::json::parse(lines[1]);
  EXPECT_EQ(second["@l"], "Warning");
  EXPECT_EQ(second["@r"], nlohmann::json{"1.2"});
}

TEST(P1CrashRing, merges_what_threads_logged_by_time) {
  const LogFolder folder;
  ASSERT_EQ(in_child([&] {
              const auto log = with_ring(folder, std::make_shared<HungSink>()).create_logger();
              for (int i = 0; i < 20; ++i) std::thread([&] { log.information("{N}", i); }).join();
              ::kill(::getpid(), SIGKILL);
              return 0;
            }),
            128 + SIGKILL);
  const std::vector<std::string> lines = recover(folder);
  ASSERT_EQ(lines.size(), 20U);
  for (std::size_t i = 0; i < 20; ++i) EXPECT_EQ(nlohmann::json::parse(lines[i])["N"], i);
}

TEST(P1CrashRing, that_threads_have_one_after_the_other_keeps_each_ones_context) {
  const LogFolder folder;
  ASSERT_EQ(in_child([&] {
              const auto log = with_ring(folder, std::make_shared<HungSink>()).create_logger();
              for (int i = 0; i < 20; ++i) {
                std::thread([&] {
                  if (i % 4 == 3) return log.information("{N}", i);
                  const auto scope = cairn::LogContext::push("RequestId", i);
                  log.information("{N}", i);
                }).join();
                // The next thread gets its ring once the dispatcher has let go of its lane.
                while (log.metrics().sink("sink")->accepted != static_cast<std::uint64_t>(i) + 1)
                  std::this_thread::yield();
              }
              ::kill(::getpid(), SIGKILL);
              return 0;
            }),
            128 + SIGKILL);
  EXPECT_LT(rings_in(folder).size(), 20U) << "some had the same";
  const std::vector<std::string> lines = recover(folder);
  ASSERT_EQ(lines.size(), 20U);
  for (int i = 0; i < 20; ++i) {
    const auto event = nlohmann::json::parse(lines[static_cast<std::size_t>(i)]);
    EXPECT_EQ(event["N"], i);
    if (i % 4 != 3) {
      EXPECT_EQ(event["RequestId"], i);
    } else {
      EXPECT_FALSE(event.contains("RequestId")) << lines[static_cast<std::size_t>(i)];
    }
  }
}

TEST(P1CrashRing, is_kept_where_a_shutdown_drops_what_came_to_no_queue_before_it) {
  for (int round = 0; round < 10; ++round) {
    const LogFolder folder;
    const auto sink = std::make_shared<cairn::MemorySink>();
    {
      const auto log = with_ring(folder, sink).create_logger();
      for (int i = 0; i < 2000; ++i) log.information("{N}", i);  // most wait in the lane for the dispatcher
      (void)log.shutdown(cairn::ShutdownStrategy::immediate());
    }
    std::set<std::int64_t> seen;
    for (const auto& event : sink->events()) seen.insert(*event.view().property("N")->as_int64());
    for (const std::string& line : recover(folder)) seen.insert(nlohmann::json::parse(line)["N"].get<std::int64_t>());
    EXPECT_EQ(seen.size(), 2000U);
    EXPECT_FALSE(std::filesystem::exists(ring_folder(folder)));
  }
}

TEST(P1CrashRing, is_gone_with_its_folder_after_a_graceful_end_and_kept_where_events_were_dropped_at_it) {
  const LogFolder folder;
  {
    const auto log = with_ring(folder, std::make_shared<cairn::MemorySink>()).create_logger();
    for (int i = 0; i < 5000; ++i) log.information("{N}", i);
    EXPECT_FALSE(rings_in(folder).empty());
    log.close();
    EXPECT_FALSE(std::filesystem::exists(ring_folder(folder)));
  }
  const auto gate = std::make_shared<cairn::testing::GateSink>();
  {
    const auto log = with_ring(folder, gate).create_logger();
    for (int i = 0; i < 100; ++i) log.information("{N}", i);
    (void)gate->wait_inside();
    (void)log.shutdown(cairn::ShutdownStrategy::immediate());
  }
  gate->open();
  EXPECT_EQ(recover(folder).size(), 100U);
  EXPECT_FALSE(std::filesystem::exists(ring_folder(folder)));
}

TEST(P1CrashRing, of_threads_that_come_and_go_while_others_look_is_emptied_and_gone) {
  const LogFolder folder;
  const auto sink = std::make_shared<cairn::MemorySink>();
  cairn::Configuration config;
  config.write_to(sink, "sink").with_queue({.overflow = cairn::Overflow::block, .block_timeout = 1min});
  config.with_crash_ring({.application = "app", .folder = folder.path(), .thread_bytes = 192U << 10U});
  const auto log = config.create_logger();
  constexpr int threads = 4;
  std::atomic<int> done{0};
  std::vector<std::thread> running;
  for (int thread = 0; thread < threads; ++thread) {
    running.emplace_back([&] {
      for (int round = 0; round < 10; ++round) {
        std::thread([&, round] {
          const auto scope = cairn::LogContext::push("Round", round);
          for (int n = 0; n < 100; ++n) log.information("{N} of {Round}", n, round);
        }).join();
      }
      ++done;
    });
  }
  while (done != threads) EXPECT_EQ(log.metrics().logger.ring_left_out, 0U);
  for (std::thread& thread : running) thread.join();
  log.close();
  EXPECT_EQ(sink->events().size(), 4000U);
  EXPECT_FALSE(std::filesystem::exists(ring_folder(folder)));
}

TEST(P1CrashRing, makes_its_folder_again_where_another_process_was_done_with_it) {
  if (cairn::testing::under_thread_sanitizer) GTEST_SKIP() << "it lets no child of several threads start one";
  const LogFolder folder;
  const auto log = with_ring(folder, std::make_shared<HungSink>()).create_logger();
  EXPECT_EQ(in_child([&] {  // the first ring of a process, when the last of the others is gone
              std::filesystem::remove_all(ring_folder(folder));
              log.information("{N} of the child", 1);
              ::kill(::getpid(), SIGKILL);
              return 0;
            }),
            128 + SIGKILL);
  EXPECT_EQ(recover(folder).size(), 1U);
  (void)log.shutdown(cairn::ShutdownStrategy::immediate());
}

/// In a process of its own: loggers of other tests have rings, too.
int use_rings_in_a_budget(const LogFolder& folder) {
  ::alarm(20);  // what waits in vain ends badly
  std::vector<std::string> told;
  constexpr std::uint64_t ring = 1U << 20U;
  const auto use = [&](std::uint64_t budget) {
    cairn::Configuration config;
    config.write_to(std::make_shared<cairn::MemorySink>(), "sink").with_queue();
    config.with_crash_ring({.application = "app", .folder = folder.path(), .thread_bytes = ring})
        .memory_budget({.max_bytes = budget})
        .on_internal_error([&](std::string_view what) { told.emplace_back(what); });
    return config.create_logger();
  };
  {
    const auto log = use(8 * ring);
    EXPECT_GE(log.metrics().memory.used_bytes, ring);
    std::thread([&] {
      log.information("{N}", 1);
      EXPECT_EQ(rings_in(folder).size(), 1U);  // the first, which was nobody's yet
    }).join();
    log.information("{N}", 2);
    EXPECT_EQ(log.metrics().logger.crash_ring, "on");
    log.close();
  }
  {
    const auto log = use(4 * ring - 1);
    EXPECT_EQ(log.metrics().logger.crash_ring,
              "disabled: the memory budget has no room for a ring of " + std::to_string(ring) + " bytes");
    EXPECT_FALSE(std::filesystem::exists(ring_folder(folder)));
    log.information("{N}", 3);
    EXPECT_EQ(log.flush().status, cairn::FlushStatus::ok);
    EXPECT_EQ(log.metrics().sinks.front().emitted, 1U);
    EXPECT_EQ(told.size(), 1U);
    while (log.metrics().memory.used_bytes >= ring) std::this_thread::yield();  // the first logger's is given back
    log.close();
  }
  return ::testing::Test::HasFailure() ? 1 : 0;
}

TEST(P1CrashRing, is_part_of_the_memory_budget) {
  const LogFolder folder;
  EXPECT_EQ(in_child([&] { return use_rings_in_a_budget(folder); }), 0);
}

TEST(P1CrashRing, makes_its_ring_of_the_room_that_recovery_gives_back) {
  if (cairn::testing::under_thread_sanitizer) GTEST_SKIP() << "it lets no child of several threads start one";
  const LogFolder folder;
  constexpr int no_mount = 77;
  const int status = in_child([&] {
    if (::unshare(CLONE_NEWNS) != 0 || ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("tmpfs", folder.path().c_str(), "tmpfs", 0, "size=6m") != 0)
      return no_mount;
    leave_events(folder, 10);  // 4 of the 6 MiB
    std::vector<std::string> told;
    const auto sink = std::make_shared<cairn::MemorySink>();
    const auto log = with_ring(folder, sink)
                         .on_internal_error([&](std::string_view what) { told.emplace_back(what); })
                         .create_logger();
    EXPECT_EQ(sink->events().size(), 10U);
    EXPECT_EQ(log.metrics().logger.crash_ring, "on");
    EXPECT_TRUE(told.empty()) << told.front();
    EXPECT_EQ(rings_in(folder).size(), 1U);
    std::thread([&] {
      log.information("{N} has the first", 1);
      std::thread([&] { log.information("{N} has none", 2); }).join();
    }).join();
    EXPECT_TRUE(log.metrics().logger.crash_ring.starts_with("disabled: there is no room for a ring"));
    EXPECT_EQ(told.size(), 1U);
    log.close();
    return ::testing::Test::HasFailure() ? 1 : 0;
  });
  if (status == no_mount) GTEST_SKIP() << "NOT TESTED: mounting a tmpfs needs root";
  EXPECT_EQ(status, 0);
}

TEST(P1CrashRing, is_had_by_a_later_thread_once_there_is_room) {
  EXPECT_EQ(in_child([&] {  // loggers of other tests have rings, too
              ::alarm(60);
              const LogFolder folder;
              constexpr std::uint64_t ring = 1U << 20U;
              std::vector<std::string> told;
              const auto use = [&](const char* application) {
                cairn::Configuration config;
                config.write_to(std::make_shared<cairn::MemorySink>(), "sink").with_queue();
                config.with_crash_ring({.application = application, .folder = folder.path(), .thread_bytes = ring})
                    .memory_budget({.max_bytes = 4 * ring})  // for one ring
                    .on_internal_error([&](std::string_view what) { told.emplace_back(what); });
                return config.create_logger();
              };
              std::optional<cairn::Logger> first(use("first"));
              const auto log = use("second");
              EXPECT_TRUE(log.metrics().logger.crash_ring.starts_with("disabled: "));
              EXPECT_EQ(told.size(), 1U);
              first->close();
              first.reset();
              while (log.metrics().logger.crash_ring != "on") std::thread([&] { log.information("{N}", 1); }).join();
              EXPECT_EQ(told.size(), 1U);
              log.close();
              return ::testing::Test::HasFailure() ? 1 : 0;
            }),
            0);
}

TEST(P1CrashRing, recovered_leaves_a_queue_that_blocks_as_long_as_it_was) {
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

TEST(P1CrashRing, recovered_leaves_a_queue_that_blocks_as_many_bytes_as_it_had) {
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

TEST(P1CrashRing, recovered_into_little_memory_loses_nothing) {
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

TEST(P1CrashRing, holds_no_secret) {
  const LogFolder folder;
  ASSERT_EQ(in_child([&] {
              const auto log = with_ring(folder, std::make_shared<HungSink>()).create_logger();
              const std::string key = "S3CR3T-1234567890";
              log.for_context("Key", cairn::secret(key))
                  .information("{Key} {Pair}", cairn::secret(key), std::pair(1, cairn::secret(key)));
              const auto scope = cairn::LogContext::push("Token", cairn::secret(key));
              log.information("{Plain}", "PL41N");
              ::kill(::getpid(), SIGKILL);
              return 0;
            }),
            128 + SIGKILL);
  ASSERT_EQ(rings_in(folder).size(), 1U);
  const std::string bytes = folder.read("app-" + std::to_string(::geteuid()) + '/' + rings_in(folder).front());
  EXPECT_EQ(bytes.find("S3CR3T"), std::string::npos);
  EXPECT_NE(bytes.find("PL41N"), std::string::npos) << "it does look";
}

TEST(P1CrashRing, is_readable_by_its_user_alone) {
  const LogFolder folder;
  const mode_t before = ::umask(0);
  const auto log = with_ring(folder, std::make_shared<cairn::MemorySink>()).create_logger();
  ::umask(before);
  const std::string path = folder.path("app-" + std::to_string(::geteuid()));
  struct stat info {};
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777U, 0700U);
  ASSERT_EQ(::stat((path + '/' + rings_in(folder).front()).c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777U, 0600U);
}

TEST(P1CrashRing, that_cannot_be_made_leaves_the_logger_at_work_and_says_why) {
  const LogFolder folder;
  folder.write("file", "");
  std::vector<std::string> told;
  const auto sink = std::make_shared<cairn::MemorySink>();
  cairn::Configuration config;
  config.write_to(sink, "sink").with_queue();
  config.with_crash_ring({.application = "app", .folder = folder.path("file")})
      .on_internal_error([&](std::string_view what) { told.emplace_back(what); });
  const auto log = config.create_logger();
  log.information("{N}", 1);
  EXPECT_EQ(log.flush().status, cairn::FlushStatus::ok);
  EXPECT_EQ(sink->events().size(), 1U);
  EXPECT_TRUE(log.metrics().logger.crash_ring.starts_with("disabled: cannot make "));
  ASSERT_EQ(told.size(), 1U);
  EXPECT_TRUE(told[0].starts_with("crash_ring: disabled(cannot make ")) << told[0];
}

TEST(P1CrashRing, of_a_folder_that_others_may_enter_is_not_used) {
  const LogFolder folder;
  const std::string path = folder.path("app-" + std::to_string(::geteuid()));
  ASSERT_EQ(::mkdir(path.c_str(), 0755), 0);
  const auto log =
      with_ring(folder, std::make_shared<cairn::MemorySink>()).on_internal_error([](auto) {}).create_logger();
  EXPECT_EQ(log.metrics().logger.crash_ring, "disabled: " + path + " is open to other users: its mode must be 0700");
}

TEST(P1CrashRing, needs_a_queue_for_every_sink_and_says_so) {
  cairn::Configuration config;
  config.write_to_null().with_queue();
  config.write_to_null().with_name("second");
  config.with_crash_ring({.application = "a/b", .folder = "here", .thread_bytes = 1});
  try {
    (void)config.create_logger();
    FAIL() << "it was created";
  } catch (const cairn::ConfigurationError& error) {
    ASSERT_EQ(error.problems().size(), 4U);
    EXPECT_TRUE(error.problems()[0].starts_with("with_crash_ring: sink second is synchronous")) << error.problems()[0];
  }
}

TEST(P1CrashRing, leaves_alone_what_is_no_ring_of_ours) {
  const LogFolder folder;
  leave_events(folder, 3);
  const std::string path = folder.path("app-" + std::to_string(::geteuid())) + '/';
  const std::string name = rings_in(folder).front();
  std::filesystem::copy(path + name, path + "1-0.ring");
  {  // of another start of the computer
    std::fstream ring(path + "1-0.ring", std::ios::in | std::ios::out | std::ios::binary);
    std::string header(cairn::detail::RingHeader::written_once, '\0');
    ring.read(header.data(), static_cast<std::streamsize>(header.size()));
    header[offsetof(cairn::detail::RingHeader, boot_id)] ^= 1;
    std::uint32_t crc = 0;
    std::memcpy(header.data() + offsetof(cairn::detail::RingHeader, crc), &crc, sizeof(crc));
    crc = cairn::detail::crc32c(header.data(), header.size());
    std::memcpy(header.data() + offsetof(cairn::detail::RingHeader, crc), &crc, sizeof(crc));
    ring.seekp(0);
    ring.write(header.data(), static_cast<std::streamsize>(header.size()));
  }
  std::ofstream(path + "2-0.ring") << "garbage";
  ASSERT_EQ(::mkfifo((path + "3-0.ring").c_str(), 0600), 0);
  std::filesystem::create_symlink(path + name, path + "4-0.ring");
  std::ofstream(path + "6-0.ring");
  std::filesystem::resize_file(path + "6-0.ring", 7ULL << 30U);
  std::ofstream(path + "5-0.ring");  // whoever made it was killed before anything was in it
  std::vector<std::string> told;
  const auto lines = recover(folder, [&](cairn::Configuration& config) {
    config.on_internal_error([&](std::string_view what) { told.emplace_back(what); });
  });
  EXPECT_EQ(lines.size(), 3U);
  EXPECT_EQ(rings_in(folder), (std::vector<std::string>{"1-0.ring", "2-0.ring", "3-0.ring", "4-0.ring", "6-0.ring"}));
  ASSERT_FALSE(told.empty());
  EXPECT_NE(told[0].find("1-0.ring: it is of another start of the computer"), std::string::npos) << told[0];
}

TEST(P1CrashRing, of_a_living_process_is_not_touched) {
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

TEST(P1CrashRing, of_a_forked_child_is_its_own_P8) {
  if (cairn::testing::under_thread_sanitizer) GTEST_SKIP() << "it lets no child of several threads start one";
  const LogFolder folder;
  const auto log = with_ring(folder, std::make_shared<HungSink>()).create_logger();
  for (int i = 0; i < 10; ++i) log.information("{N} of the parent", i);
  EXPECT_EQ(in_child([&] {
              for (int i = 0; i < 5; ++i) log.information("{N} of the child", i);
              ::kill(::getpid(), SIGKILL);
              return 0;
            }),
            128 + SIGKILL);
  EXPECT_EQ(rings_in(folder).size(), 2U);
  const std::vector<std::string> lines = recover(folder);
  ASSERT_EQ(lines.size(), 5U);
  for (const std::string& line : lines) EXPECT_NE(line.find("of the child"), std::string::npos);
  EXPECT_EQ(rings_in(folder).size(), 1U);
  (void)log.shutdown(cairn::ShutdownStrategy::immediate());
}

TEST(P1CrashRing, leaves_no_descriptor_to_a_program_that_is_started_P9) {
  const LogFolder folder;
  const auto log = with_ring(folder, std::make_shared<cairn::MemorySink>()).create_logger();
  log.information("{N}", 1);
  int found = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    const std::string target = std::filesystem::read_symlink(entry.path(), gone);
    if (gone || !target.starts_with(folder.path())) continue;
    ++found;
    EXPECT_NE(::fcntl(std::stoi(entry.path().filename()), F_GETFD) & FD_CLOEXEC, 0) << target;
  }
  EXPECT_EQ(found, 2) << "the folder and the ring";
  log.close();
}

TEST(P1CrashRing, waits_for_what_was_diverted_to_reach_the_fallback) {
  class Broken final : public cairn::Sink {
    cairn::EmitResult emit(std::span<const cairn::Event>) override { throw std::runtime_error("broken"); }
  };
  const LogFolder folder;
  const auto gate = std::make_shared<cairn::testing::GateSink>();
  cairn::Configuration config;
  config.write_to(cairn::SinkSpec::sink(std::make_shared<Broken>(), "broken")
                      .with_queue()
                      .with_fallback(cairn::SinkSpec::sink(gate, "gate").with_queue()));
  config.with_crash_ring({.application = "app", .folder = folder.path()});
  const auto log = config.create_logger();
  for (int i = 0; i < 10; ++i) log.information("{N}", i);
  (void)gate->wait_inside();
  while (log.metrics().sink("broken")->pending != 0) std::this_thread::yield();
  (void)log.shutdown(cairn::ShutdownStrategy::immediate());
  gate->open();
  EXPECT_EQ(recover(folder).size(), 10U);
}

TEST(P1CrashRing, that_is_too_small_keeps_the_newest_and_counts_the_others) {
  const LogFolder folder;
  std::uint64_t overwritten = 0;
  ASSERT_EQ(in_child([&] {
              cairn::Configuration config;
              config.write_to(std::make_shared<HungSink>(), "hung").with_queue();
              config.with_crash_ring({.application = "app", .folder = folder.path(), .thread_bytes = 192 << 10});
              const auto log = config.create_logger();
              for (int i = 0; i < 5000; ++i) log.information("{N} {Padding}", i, std::string(100, 'p'));
              overwritten = log.metrics().logger.ring_overwritten;
              folder.write("overwritten", std::to_string(overwritten));
              ::kill(::getpid(), SIGKILL);
              return 0;
            }),
            128 + SIGKILL);
  const std::uint64_t lost = std::stoull(folder.read("overwritten"));
  EXPECT_GT(lost, 1000U);
  const std::vector<std::string> lines =
      recover(folder, [](cairn::Configuration& c) { c.on_internal_error([](auto) {}); });
  EXPECT_EQ(lines.size() + lost, 5000U);
  EXPECT_EQ(nlohmann::json::parse(lines.back())["N"], 4999);
}

#ifdef CAIRN_RECOVER
/// What cairn-recover says, and how it ends.
int run_recover(const std::string& arguments) {
  const int status = std::system((CAIRN_RECOVER " " + arguments).c_str());
  return WEXITSTATUS(status);
}

TEST(P1CrashRing, is_made_clef_of_by_the_tool_which_keeps_it_if_asked_to) {
  const LogFolder folder;
  leave_events(folder, 500);
  const std::string rings = folder.path("app-" + std::to_string(::geteuid()));
  const std::string said = " 2>>" + folder.path("said");
  const auto lines_of = [&](const std::string& name) {
    std::vector<std::string> lines;
    std::istringstream in(folder.read(name));
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    return lines;
  };
  EXPECT_EQ(run_recover("--keep " + rings + " >" + folder.path("kept.clef") + said), 0);
  EXPECT_EQ(run_recover("--keep --output " + folder.path("one.clef") + ' ' + rings + '/' + rings_in(folder)[0] + said),
            0);
  EXPECT_EQ(rings_in(folder).size(), 1U);
  EXPECT_EQ(run_recover("--output " + folder.path("out.clef") + ' ' + rings + said), 0);
  EXPECT_TRUE(rings_in(folder).empty());
  const std::vector<std::string> lines = lines_of("out.clef");
  ASSERT_EQ(lines.size(), 500U);
  EXPECT_EQ(nlohmann::json::parse(lines[499])["N"], 499);
  EXPECT_EQ(nlohmann::json::parse(lines[499])["Recovered"], true);
  EXPECT_EQ(lines_of("kept.clef").size(), 500U);
  EXPECT_EQ(lines_of("one.clef").size(), 500U);
  EXPECT_NE(folder.read("said").find("500 events of 1 rings"), std::string::npos) << folder.read("said");
}

TEST(P1CrashRing, stays_where_the_tool_cannot_write_what_is_in_it) {
  const LogFolder folder;
  leave_events(folder, 500);
  const std::string rings = folder.path("app-" + std::to_string(::geteuid()));
  EXPECT_EQ(run_recover(rings + " >/dev/full 2>/dev/null"), 2);
  EXPECT_EQ(rings_in(folder).size(), 1U);
  EXPECT_EQ(run_recover("/no/such/folder 2>/dev/null"), 2);
  EXPECT_EQ(recover(folder).size(), 500U);
}

TEST(P1CrashRing, is_made_whole_lines_by_the_tool_whatever_its_output_ends_with_and_however_full_its_disk) {
  const LogFolder folder;
  leave_events(folder, 500);
  const std::string rings = folder.path("app-" + std::to_string(::geteuid()));
  const std::string command = "--output " + folder.path("out.clef") + ' ' + rings + " 2>>" + folder.path("said");
  folder.write("out.clef", "a torn li");
  // Of the file 9 bytes are there: a part of what comes has room.
  EXPECT_EQ(std::system(("bash -c 'trap \"\" XFSZ; ulimit -f 1; exec " CAIRN_RECOVER " " + command + "'").c_str()),
            2 << 8);
  EXPECT_EQ(folder.read("out.clef"), "a torn li");
  EXPECT_NE(folder.read("said").find(": 0 events of 0 rings; the others stay"), std::string::npos)
      << folder.read("said");
  EXPECT_EQ(rings_in(folder).size(), 1U);
  EXPECT_EQ(run_recover(command), 0);
  std::vector<std::string> lines;
  std::istringstream in(folder.read("out.clef"));
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  ASSERT_EQ(lines.size(), 501U);
  EXPECT_EQ(lines[0], "a torn li");
  EXPECT_EQ(nlohmann::json::parse(lines[1])["N"], 0);
  EXPECT_EQ(nlohmann::json::parse(lines[500])["N"], 499);
}
#endif

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

}  // namespace
