// P13: each allocation of a log call fails in turn. Nothing is thrown at the caller, the call is delivered or counted,
// and the next one is whole. And each of create_logger(), which leaves nothing behind.
#include <gtest/gtest.h>
#include <malloc.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <cairn/all.hpp>
#include <map>
#include <memory>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "support/allocation_probe.hpp"
#include "support/every_output.hpp"
#include "support/fatal_crash.hpp"
#include "support/in_child.hpp"
#include "support/log_folder.hpp"

namespace {

using cairn::testing::EveryOutput;
using cairn::testing_support::FailingAllocations;

struct Part {
  std::string name;
  std::vector<int> numbers;
};

TEST(P13OutOfMemory, at_any_allocation_of_a_call_costs_that_event_at_most) {
  std::size_t refused = 0;
  std::size_t delivered = 0;
  bool all_passed = false;
  for (std::size_t left = 0; left < 400 && !all_passed; ++left) {
    cairn::Configuration configuration;
    configuration.on_internal_error([](std::string_view) {}).enrich_with_property("Enriched", std::string(40, 'e'));
    EveryOutput out(configuration);
    const cairn::Logger log = out.log.for_context("Handle", std::string(40, 'h'));
    // A thread of its own, so that its buffers are new; a template of its own, so that it must be bound.
    std::thread([&] {
      const std::string text = "{A} {$B} {C:>30} {@D} number " + std::to_string(left);
      const std::runtime_error why("why");
      const Part part{std::string(60, 'p'), {1, 2, 3}};
      std::optional<FailingAllocations> failing(left);
      const auto scope = cairn::LogContext::push("Context", 1);
      log.information(cairn::dynamic_template(text), std::string_view("a"), part, 3, part);
      log.error(why, "{A} {B}", std::string_view("second"), 2);
      failing.reset();
    }).join();
    const auto metrics = log.metrics();
    const auto oom = metrics.logger.rejected.find("oom");
    const std::uint64_t rejected = oom == metrics.logger.rejected.end() ? 0 : oom->second;
    EXPECT_EQ(metrics.logger.captured + rejected, 2U) << left;
    EXPECT_EQ(metrics.logger.captured, metrics.logger.dispatched) << left;
    bool failed = rejected != 0 || metrics.logger.enricher_errors != 0;
    for (const auto& sink : metrics.sinks) {
      EXPECT_EQ(sink.accepted, metrics.logger.dispatched) << left << ' ' << sink.name;
      EXPECT_EQ(sink.accepted, sink.emitted + sink.failed_total()) << left << ' ' << sink.name;
      failed = failed || sink.failed_total() != 0;
    }
    refused += failed ? 1U : 0U;
    delivered += metrics.logger.captured;
    all_passed = !failed && metrics.logger.captured == 2;
    log.information("after {N}", left);
    EXPECT_EQ(out.last()["N"], left);
    EXPECT_EQ(out.last()["Enriched"], std::string(40, 'e'));
    std::istringstream lines(out.clef_file());
    for (std::string line; std::getline(lines, line);) EXPECT_EQ(cairn::testing::fault_of_clef(line), "") << left;
  }
  EXPECT_TRUE(all_passed) << "with enough memory nothing is lost";
  EXPECT_GT(refused, 10U);
  EXPECT_GT(delivered, 10U);
}

/// How many lines the file has after a program that could not make its logger at first, for want of memory in each
/// place in turn, has made it, logged 100 events and died.
void dies_after_failures(std::size_t failures, const std::string& path) {
  const int status = cairn::testing::in_child([&]() -> int {
    ::alarm(120);
    const rlimit none{0, 0};
    ::setrlimit(RLIMIT_CORE, &none);
    ::signal(SIGHUP, SIG_IGN);   // until a logger handles it
    ::mallopt(M_PERTURB, 0xA5);  // what is freed is of no use to anybody
    std::atomic<int> ended{0};
    cairn::Configuration config;
    config.handle_fatal_signals()
        .reopen_on_sighup()
        .on_internal_error([](std::string_view) {})
        .on_shutdown([&] { ++ended; })
        .periodic_metrics(std::chrono::hours(1));
    config.write_to_file(path).with_queue({.overflow = cairn::Overflow::block});
    std::optional<cairn::Logger> log;
    std::size_t failed = 0;
    for (std::size_t left = 0; !log; ++left) {
      try {
        const FailingAllocations failing(left, failures);
        log = config.create_logger();
      } catch (const std::exception&) {
        ++failed;
      }
      ::raise(SIGHUP);
    }
    if (ended != 0) return 98;
    if (failed < 50) return 97;
    for (int i = 0; i < 100; ++i) log->information("{N}", i);
    cairn::testing::crash_by(SIGSEGV);
    return 99;
  });
  EXPECT_EQ(status, 128 + SIGSEGV);
}

TEST(P13OutOfMemory, in_create_logger_leaves_nothing_behind) {
  for (const std::size_t failures : {std::size_t{1}, SIZE_MAX}) {
    const cairn::testing::LogFolder folder;
    dies_after_failures(failures, folder.path("a.clef"));
    EXPECT_EQ(folder.lines().size(), 100U) << failures;
  }
}

}  // namespace
