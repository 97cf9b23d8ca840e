// P1, with a crash ring: a process killed at any moment loses nothing that it had logged.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cairn/all.hpp>
#include <cairn/memory_sink.hpp>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <random>
#include <set>
#include <span>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "support/crash_ring_tests.hpp"
#include "support/gate_sink.hpp"
#include "support/in_child.hpp"
#include "support/kill_harness.hpp"
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

TEST(P1CrashRing, of_a_forked_child_is_its_own_P8) {
  if (cairn::testing::under_thread_sanitizer) GTEST_SKIP() << "it lets no child of several threads start one";
  const LogFolder folder;
  const auto log = with_ring(folder, std::make_shared<HungSink>()).create_logger();
  for (int i = 0; i < 10; ++i) log.information("{N} of the parent", i);
  EXPECT_EQ(in_child([&] {
              std::ifstream maps("/proc/self/maps");
              const std::string mapped(std::istreambuf_iterator<char>(maps), {});
              EXPECT_EQ(mapped.find(".ring"), std::string::npos) << "it could write into its parent's";
              if (::testing::Test::HasFailure()) return 1;
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

TEST(P1CrashRing, costs_a_forked_child_no_address_space_P8) {
  if (cairn::testing::children_of_threads_hang) GTEST_SKIP() << "a sanitizer has memory of its own";
  const auto bytes = [] {
    std::ifstream pages("/proc/self/statm");
    std::uint64_t count = 0;
    pages >> count;
    return count * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  };
  const LogFolder folder;
  cairn::Configuration config;
  config.write_to(std::make_shared<HungSink>(), "sink").with_queue();
  config.with_crash_ring({.application = "app", .folder = folder.path(), .thread_bytes = 64U << 20U});
  const auto log = config.create_logger();
  log.information("{N} of the parent", 1);
  const std::uint64_t with_it = bytes();
  EXPECT_EQ(in_child([&] { return bytes() + (48U << 20U) < with_it ? 0 : 1; }), 0);
  (void)log.shutdown(cairn::ShutdownStrategy::immediate());
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
using cairn::testing::run_recover;

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

}  // namespace
