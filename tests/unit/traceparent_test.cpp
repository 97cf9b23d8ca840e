#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "../support/kept_events.hpp"

namespace {

using cairn::ContextScope;
using cairn::LogContext;
using cairn::testing_support::KeptEvents;

const std::string trace_a = "0af7651916cd43dd8448eb211c80319c";
const std::string span_a = "b7ad6b7169203331";
const std::string trace_b = "4bf92f3577b34da6a3ce929d0e0e4736";
const std::string span_b = "00f067aa0ba902b7";
const std::string header_a = "00-" + trace_a + "-" + span_a + "-01";
const std::string header_b = "00-" + trace_b + "-" + span_b + "-00";

bool accepts(std::string_view header) {
  bool valid = false;
  const auto cut = LogContext::cut_count();
  const auto scope = LogContext::push_traceparent(header, &valid);
  EXPECT_EQ(valid, !LogContext::traceparent().empty()) << header;
  EXPECT_EQ(LogContext::cut_count() - cut, valid ? 0U : 1U) << header;
  return valid;
}

std::unique_ptr<ContextScope> held(std::string_view header) {
  return std::unique_ptr<ContextScope>(new ContextScope(LogContext::push_traceparent(header)));
}

TEST(Traceparent, reaches_the_events_and_goes_out_again) {
  KeptEvents kept;
  {
    const auto scope = LogContext::push_traceparent(header_a);
    kept.log.information("x");
    EXPECT_EQ(kept.last()->trace_id(), trace_a);
    EXPECT_EQ(kept.last()->span_id(), span_a);
    EXPECT_EQ(LogContext::traceparent(), header_a);
    EXPECT_EQ(LogContext::size(), 0U) << "a trace is no property";
  }
  kept.log.information("x");
  EXPECT_EQ(kept.last()->trace_id(), "");
  EXPECT_EQ(kept.last()->span_id(), "");
  EXPECT_EQ(LogContext::traceparent(), "");
}

TEST(Traceparent, takes_what_the_standard_takes) {
  EXPECT_TRUE(accepts(header_a));
  EXPECT_TRUE(accepts("00-" + trace_a + "-" + span_a + "-ff"));
  EXPECT_TRUE(accepts("00-00000000000000000000000000000001-0000000000000001-00"));
  EXPECT_TRUE(accepts("cc-" + trace_a + "-" + span_a + "-01"));
  EXPECT_TRUE(accepts("cc-" + trace_a + "-" + span_a + "-01-what-the-future-will-be-like"));
  EXPECT_TRUE(accepts("cc-" + trace_a + "-" + span_a + "-01-"));
  EXPECT_TRUE(accepts("fe-" + trace_a + "-" + span_a + "-01"));
}

TEST(Traceparent, refuses_and_counts_what_is_none) {
  const std::string zero_trace(32, '0');
  const std::string zero_span(16, '0');
  for (const std::string& header : std::vector<std::string>{
           "",
           "00",
           "00-" + trace_a + "-" + span_a,
           "00-" + trace_a + "-" + span_a + "-",
           "00-" + trace_a + "-" + span_a + "-1",
           header_a + "-",
           header_a + "-extra",
           header_a + "0",
           header_a + " ",
           " " + header_a,
           header_a + std::string(1, '\0'),
           "ff-" + trace_a + "-" + span_a + "-01",
           "cc-" + trace_a + "-" + span_a + "-01.what",
           "cc-" + trace_a + "-" + span_a + "-010",
           "0-" + trace_a + "-" + span_a + "-010",
           "CC-" + trace_a + "-" + span_a + "-01",
           "0x-" + trace_a + "-" + span_a + "-01",
           "00-" + zero_trace + "-" + span_a + "-01",
           "00-" + trace_a + "-" + zero_span + "-01",
           "00-0AF7651916CD43DD8448EB211C80319C-" + span_a + "-01",
           "00-" + trace_a + "-B7AD6B7169203331-01",
           "00-" + trace_a + "-" + span_a + "-0A",
           "00-" + trace_a + "-" + span_a + "-0g",
           "00_" + trace_a + "_" + span_a + "_01",
           "00-" + trace_a.substr(1) + "-" + span_a + "0-01",
       }) {
    EXPECT_FALSE(accepts(header)) << header;
  }
}

// One byte changed to any other is refused, unless it is another hex digit of an id, of the flags or of a version.
TEST(Traceparent, refuses_any_one_byte_that_does_not_belong) {
  for (std::size_t at = 0; at < header_a.size(); ++at) {
    for (int byte = 0; byte < 256; ++byte) {
      std::string header = header_a;
      header[at] = static_cast<char>(byte);
      const bool dash = at == 2 || at == 35 || at == 52;
      const bool hex = (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'f');
      ASSERT_EQ(accepts(header), dash ? byte == '-' : hex) << at << ' ' << byte;
    }
  }
}

TEST(Traceparent, never_fails_on_random_bytes) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const std::string_view alphabet = "00123456789abcdef-- fF\xFF";
  for (int i = 0; i < 100'000; ++i) {
    std::string header(random() % 70, ' ');
    for (char& c : header) c = alphabet[random() % alphabet.size()];
    (void)accepts(header);
    ASSERT_EQ(LogContext::traceparent(), "");
  }
}

TEST(Traceparent, sends_on_version_00_and_of_a_later_versions_flags_only_sampled) {
  const auto scope = LogContext::push_traceparent("cc-" + trace_a + "-" + span_a + "-ff-more");
  EXPECT_EQ(LogContext::traceparent(), header_a);
  const auto other = LogContext::push_traceparent("cc-" + trace_b + "-" + span_b + "-fe");
  EXPECT_EQ(LogContext::traceparent(), header_b);
}

TEST(Traceparent, leaves_the_trace_in_force_when_a_header_is_none) {
  const auto scope = LogContext::push_traceparent(header_a);
  {
    bool valid = true;
    const auto bad = LogContext::push_traceparent("nonsense", &valid);
    EXPECT_FALSE(valid);
    EXPECT_EQ(LogContext::traceparent(), header_a);
  }
  EXPECT_EQ(LogContext::traceparent(), header_a);
}

TEST(Traceparent, nests_and_ends_in_any_order) {
  auto a = held(header_a);
  auto b = held(header_b);
  EXPECT_EQ(LogContext::traceparent(), header_b);
  b.reset();
  EXPECT_EQ(LogContext::traceparent(), header_a);
  b = held(header_b);
  a.reset();
  EXPECT_EQ(LogContext::traceparent(), header_b);
  b.reset();
  EXPECT_EQ(LogContext::traceparent(), "");
}

TEST(Traceparent, is_put_aside_restored_and_cleared_with_the_context) {
  const auto scope = LogContext::push_traceparent(header_a);
  const auto snapshot = LogContext::snapshot();
  {
    const auto suspended = LogContext::suspend();
    EXPECT_EQ(LogContext::traceparent(), "");
    const auto inner = LogContext::push_traceparent(header_b);
    const LogContext::Scope carried(snapshot);
    EXPECT_EQ(LogContext::traceparent(), header_a);
  }
  EXPECT_EQ(LogContext::traceparent(), header_a);
  LogContext::clear();
  EXPECT_EQ(LogContext::traceparent(), "");
}

TEST(Traceparent, takes_its_share_of_the_contexts_4_KiB) {
  std::vector<std::unique_ptr<ContextScope>> scopes;
  const auto cut = LogContext::cut_count();
  while (LogContext::cut_count() == cut) scopes.push_back(held(header_a));
  EXPECT_EQ(scopes.size(), 4096 / 64 + 1U);
  EXPECT_EQ(LogContext::size_bytes(), 4096U);
  scopes.clear();
  EXPECT_EQ(LogContext::size_bytes(), 0U);
}

}  // namespace
