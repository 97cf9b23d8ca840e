// P13: each allocation of a log call fails in turn. Nothing is thrown at the caller, the call is delivered or counted,
// and the next one is whole.
#include <gtest/gtest.h>

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

}  // namespace
