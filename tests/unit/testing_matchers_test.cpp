// The matchers a user's tests get: what fits, what does not, and what a failure shows.
#include "cairn/testing.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cairn/all.hpp>

namespace {

using cairn::Level;
using cairn::testing::logged;
using testing::HasSubstr;
using testing::Not;

TEST(Matchers, find_an_event_by_level_template_properties_message_and_exception) {
  auto sink = std::make_shared<cairn::MemorySink>();
  auto log = cairn::Configuration{}.write_to(sink).create_logger();
  log.error(std::runtime_error("boo"), "Payment of {OrderId} failed", 7);
  log.information("done {Ok}", true);
  EXPECT_THAT(*sink, logged(Level::error, "Payment of {OrderId} failed").with("OrderId", 7));
  EXPECT_THAT(sink, logged(Level::error).with_exception("std::runtime_error").with_message("Payment of 7 failed"));
  EXPECT_THAT(*sink, logged("done {Ok}").with("Ok", true));
  EXPECT_THAT(*sink, Not(logged("done {Ok}").with("Ok", 1)));
  EXPECT_THAT(*sink, Not(logged(Level::fatal)));
  EXPECT_THAT(*sink, Not(logged(Level::information).with_exception()));
  EXPECT_THAT(*sink, Not(logged(Level::error).with("Missing", 1)));
}

TEST(Matchers, show_what_was_logged_when_nothing_fits) {
  auto sink = std::make_shared<cairn::MemorySink>();
  auto log = cairn::Configuration{}.write_to(sink).create_logger();
  log.warning("found {Name}", "x\n\x1b[31m");
  testing::StringMatchResultListener listener;
  EXPECT_FALSE(logged(Level::error).MatchAndExplain(*sink, listener.stream()));
  EXPECT_THAT(listener.str(), HasSubstr(R"("@mt":"found {Name}","@l":"Warning")"));
  EXPECT_THAT(listener.str(), HasSubstr(R"("Name":"x\n\u001b[31m")"))
      << "on one line, and no terminal is told anything";
}

TEST(Matchers, a_bounded_memory_sink_keeps_the_newest) {
  auto sink = std::make_shared<cairn::MemorySink>(2);
  auto log = cairn::Configuration{}.write_to(sink).create_logger();
  for (int i = 0; i < 5; ++i) log.information("{I}", i);
  EXPECT_THAT(sink->messages(), testing::ElementsAre("3", "4"));
  EXPECT_EQ(sink->forgotten(), 3U);
  sink->clear();
  EXPECT_EQ(sink->size(), 0U);
}

}  // namespace
