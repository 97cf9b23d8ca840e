// An event at the last moment that a clock can tell has what has no end, and nothing that ends.
#include <gtest/gtest.h>

#include <cairn/all.hpp>
#include <chrono>
#include <string>

#include "../support/kept_events.hpp"
#include "capture/property_block.hpp"

namespace {

using namespace std::chrono_literals;
using cairn::LogContext;
using cairn::Timestamp;
using cairn::testing_support::KeptEvents;
using cairn::testing_support::SetClock;

class EndOfTime : public testing::TestWithParam<std::chrono::nanoseconds> {};

TEST_P(EndOfTime, takes_no_property_without_a_timeout_from_an_event) {
  SetClock clock;
  clock.time = Timestamp::max() - GetParam();
  cairn::Configuration configuration;
  configuration.use_clock(clock).enrich_with_property("App", "shop").enrich_with([](cairn::EventBuilder& event) {
    event.add("Enriched", true);
  });
  const KeptEvents kept(configuration);
  const auto shard = LogContext::push("Shard", 7);
  const auto lease = LogContext::push("Lease", 1, 1h);
  kept.log.for_context("Request", "r-1").information("the last {Word}", "word");
  EXPECT_EQ(kept.last("Shard"), "7");
  EXPECT_EQ(kept.last("Request"), "r-1");
  EXPECT_EQ(kept.last("App"), "shop");
  EXPECT_EQ(kept.last("Enriched"), "true");
  EXPECT_EQ(kept.last("Lease"), "-");
  const std::string clef = cairn::to_clef(kept.last().view());
  for (const char* property : {R"("Shard":7)", R"("Request":"r-1")", R"("App":"shop")", R"("Enriched":true)"})
    EXPECT_NE(clef.find(property), std::string::npos) << property << " in " << clef;
  EXPECT_EQ(clef.find("Lease"), std::string::npos) << clef;
}

INSTANTIATE_TEST_SUITE_P(, EndOfTime, testing::Values(0ns, 1ns));

TEST(PropertyBlockAtTheEndOfTime, keeps_and_counts_what_never_expires) {
  constexpr std::int64_t last = cairn::detail::PropertyEntry::never;
  cairn::detail::PropertyBlock block;
  block.add("Lasting", cairn::OwnedValue(1).view());
  block.add("Passing", cairn::OwnedValue(2).view(), last - 1);
  EXPECT_EQ(block.count_at(last), 1U);
  block.remove_expired(last);
  cairn::Value found;
  EXPECT_TRUE(block.find("Lasting", last, found));
  EXPECT_FALSE(block.find("Passing", 0, found));
}

}  // namespace
