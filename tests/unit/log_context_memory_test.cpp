#include <gtest/gtest.h>

#include <memory>
#include <new>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "../support/allocation_probe.hpp"
#include "../support/kept_events.hpp"

namespace {

using namespace std::chrono_literals;
using cairn::LogContext;
using cairn::testing_support::allocations;
using cairn::testing_support::FailingAllocations;

template <class F>
std::size_t allocations_of(F run) {
  const std::size_t before = allocations();
  run();
  return allocations() - before;
}

TEST(AllocationProbe, is_in_force_and_fails_what_it_is_told_to) {
  std::unique_ptr<std::string> kept;
  EXPECT_EQ(allocations_of([&] { kept = std::make_unique<std::string>(100, 'x'); }), 2U);
  const FailingAllocations failing(1);
  EXPECT_THROW(kept = std::make_unique<std::string>(100, 'y'), std::bad_alloc);
}

TEST(LogContextMemory, allocates_nothing_for_a_warm_push) {
  const std::vector<std::string> sixteen(16, "a string that has to be allocated");
  const std::string long_text(500, 'x');
  const auto round = [&] {
    const auto number = LogContext::push("Number", 7);
    const auto text = LogContext::push("Text", long_text, 1h);
    const auto vector = LogContext::push("Vector", sixteen);
    const auto id = LogContext::push_correlation_id();
    const auto trace = LogContext::push_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    const auto suspended = LogContext::suspend();
    const auto inner = LogContext::push("Inner", long_text);
  };
  round();
  EXPECT_EQ(allocations_of(round), 0U);
}

TEST(LogContextMemory, allocates_nothing_to_put_on_a_snapshot_again) {
  const auto snapshot = LogContext::with("A", std::string(500, 'x'), [] { return LogContext::snapshot(); });
  const auto round = [&] {
    const LogContext::Scope carried(snapshot);
    EXPECT_EQ(LogContext::size(), 1U);
  };
  round();
  EXPECT_EQ(allocations_of(round), 0U);
}

// Each allocation of a fresh thread fails in turn: whatever could not be pushed is counted, whatever was is whole, and
// all is gone in the end.
TEST(LogContextMemory, counts_what_it_cannot_allocate_and_stays_whole) {
  const std::string trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const std::string text(700, 'x');
  std::size_t failed = 0;
  for (std::size_t left = 0; left < 30; ++left) {
    std::thread([&] {
      const auto cut = LogContext::cut_count();
      std::size_t in_force = 0;
      {
        std::optional<FailingAllocations> failing(left);
        const auto a = LogContext::push("A", text);
        const auto b = LogContext::push("B", 2);
        const auto c = LogContext::push_traceparent(trace);
        const auto snapshot = LogContext::snapshot();
        const LogContext::Scope carried(snapshot);
        const auto d = LogContext::push_correlation_id();
        failing.reset();
        in_force = LogContext::size();
        const auto value = LogContext::current("A");
        if (value) {
          EXPECT_EQ(value->view().as_string(), text);
        }
        const auto after = LogContext::push("After", text);
        EXPECT_TRUE(LogContext::current("After").has_value());
      }
      EXPECT_EQ(LogContext::size_bytes(), 0U) << left;
      const auto cuts = LogContext::cut_count() - cut;
      if (cuts != 0) ++failed;
      EXPECT_TRUE(cuts != 0 || in_force == 3) << left;
    }).join();
  }
  EXPECT_GT(failed, 4U);
  EXPECT_LT(failed, 30U) << "with enough memory everything is pushed";
}

TEST(LogContextMemory, lets_an_event_go_on_without_what_an_enricher_cannot_allocate) {
  for (std::size_t left = 0; left < 6; ++left) {
    cairn::Configuration configuration;
    configuration.on_internal_error([](std::string_view) {});
    configuration.enrich_with([&](cairn::EventBuilder& e) {
      const FailingAllocations failing(left);
      e.add("Big", std::string_view("x"));
      e.add("Bigger", std::vector<int>(10'000, 1));
    });
    configuration.enrich_with_property("After", 1);
    std::thread([&] {
      const cairn::testing_support::KeptEvents kept(configuration);
      kept.log.information("x");
      ASSERT_EQ(kept.sink->size(), 1U);
      EXPECT_EQ(kept.last("After"), "1");
    }).join();
  }
}

TEST(SamplingMemory, counts_a_template_with_the_others_where_it_cannot_be_kept) {
  cairn::Configuration configuration;
  configuration.filter_by(
      [filter = cairn::filters::sample_first(1, cairn::filters::SampleBy::event_template)](const cairn::Event& e) {
        const FailingAllocations failing(0);
        return filter(e);
      });
  const cairn::testing_support::KeptEvents kept(configuration);
  kept.log.information("a");
  kept.log.information("b");
  EXPECT_EQ(kept.sink->size(), 1U);
}

}  // namespace
