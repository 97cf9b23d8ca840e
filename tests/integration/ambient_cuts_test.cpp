// What is cut of values that no call logged (a logger's, an enricher's, a context's) is told as what is cut of a
// call's.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cairn/all.hpp>
#include <cstddef>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using cairn::LogContext;

const std::string too_long(300'000, 'x');

struct AmbientCuts : testing::TestWithParam<bool> {
  std::shared_ptr<cairn::MemorySink> sink = std::make_shared<cairn::MemorySink>();

  cairn::Logger make(cairn::Configuration config) {
    auto output = config.write_to(sink);
    if (GetParam()) output.with_queue();
    return config.create_logger();
  }
  /// How many the first event has.
  [[nodiscard]] std::size_t properties() const {
    const auto events = sink->events();
    std::size_t count = 0;
    for ([[maybe_unused]] const cairn::Property& property : events[0]->properties()) ++count;
    return count;
  }
  /// Whether the one event that `log` logs now is flagged, and counted so.
  bool flagged(const cairn::Logger& log) {
    log.information("one");
    EXPECT_EQ(log.flush().status, cairn::FlushStatus::ok);
    const auto events = sink->events();
    EXPECT_EQ(events.size(), 1U);
    EXPECT_EQ(log.metrics().logger.truncated, events.back()->truncated() ? 1U : 0U);
    return events.back()->truncated();
  }
};

TEST_P(AmbientCuts, of_a_loggers_property_are_flagged_and_counted) {
  EXPECT_TRUE(flagged(make({}).for_context("Long", too_long)));
}
TEST_P(AmbientCuts, are_not_flagged_where_there_is_none) {
  EXPECT_FALSE(flagged(make(std::move(cairn::Configuration{}.enrich_with_property("A", 1))).for_context("B", "b")));
}
TEST_P(AmbientCuts, of_a_property_of_the_configuration_are_flagged_and_counted) {
  EXPECT_TRUE(flagged(make(std::move(cairn::Configuration{}.enrich_with_property("Long", too_long)))));
}
TEST_P(AmbientCuts, of_what_an_enricher_adds_are_flagged_and_counted) {
  EXPECT_TRUE(flagged(
      make(std::move(cairn::Configuration{}.enrich_with([](cairn::EventBuilder& e) { e.add("Long", too_long); })))));
}
TEST_P(AmbientCuts, of_what_an_enricher_adds_at_capture_are_flagged_and_counted) {
  EXPECT_TRUE(flagged(make(
      std::move(cairn::Configuration{}.enrich_at_capture([](cairn::EventBuilder& e) { e.add("Long", too_long); })))));
}

TEST_P(AmbientCuts, keep_what_a_logger_carries_within_the_bytes_of_an_event) {
  cairn::Logger log = make(std::move(cairn::Configuration{}.capture_limits({.event_bytes = 64 * 1024})));
  for (int i = 0; i < 100; ++i) log = log.for_context("P" + std::to_string(i), std::string(10'000, 'x'));
  EXPECT_TRUE(flagged(log));
  EXPECT_EQ(properties(), 6U);
}
TEST_P(AmbientCuts, keep_what_enrichers_add_within_the_bytes_of_an_event) {
  EXPECT_TRUE(flagged(make(std::move(cairn::Configuration{}.enrich_with([](cairn::EventBuilder& e) {
    for (int i = 0; i < 100; ++i) e.add("P" + std::to_string(i), std::string(10'000, 'x'));
    e.add("Small", 1);
  })))));
  EXPECT_EQ(properties(), 27U) << "26 of 10 000 bytes, and the small one";
}

TEST_P(AmbientCuts, are_not_made_in_a_context_what_would_be_cut_is_not_there_and_counted) {
  const auto before = LogContext::cut_count();
  const auto elements = LogContext::push("Elements", std::vector<bool>(1100));
  const auto bytes = LogContext::push("Bytes", std::vector<std::byte>(2000));
  const auto both = LogContext::push_properties({{"Elements", std::vector<bool>(1100)}, {"Fine", 1}});
  EXPECT_EQ(LogContext::cut_count(), before + 3);
  EXPECT_EQ(LogContext::size(), 1U);
  EXPECT_FALSE(flagged(make({})));
}

INSTANTIATE_TEST_SUITE_P(, AmbientCuts, testing::Bool(),
                         [](const auto& each) { return each.param ? "queued" : "synchronous"; });

struct Odd {};

TEST(NestedExceptions, are_told_below_one_that_is_no_std_exception) {
  const auto sink = std::make_shared<cairn::MemorySink>();
  const auto log = cairn::Configuration{}.write_to(sink).create_logger();
  try {
    try {
      throw std::runtime_error("inner");
    } catch (...) {
      std::throw_with_nested(Odd{});
    }
  } catch (...) {
    log.error(std::current_exception(), "x");
  }
  const auto events = sink->events();
  const auto thrown = events[0]->exception();
  ASSERT_EQ(thrown.depth(), 2U);
  EXPECT_THAT(std::string(thrown.type(0)), testing::HasSubstr("Odd"));
  EXPECT_EQ(thrown.type(1), "std::runtime_error");
  EXPECT_EQ(thrown.message(1), "inner");
}

}  // namespace
