// What write_to_logger owes its target: exact counts, and no event twice by mistake.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cairn/all.hpp>
#include <memory>
#include <thread>

#include "support/in_child.hpp"

namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<std::string> problems_of(const cairn::Configuration& configuration) {
  auto made = configuration.try_create_logger();
  if (const auto* error = std::get_if<cairn::ConfigurationError>(&made)) return error->problems();
  return {};
}

TEST(TargetLogger, counts_a_property_of_its_own_that_the_event_has_already) {
  const auto sink = std::make_shared<cairn::MemorySink>();
  const auto target =
      cairn::Configuration{}.write_to(sink).create_logger().for_context("Shard", 1).for_context("Own", 2);
  const auto log = cairn::Configuration{}.enrich_with_property("Shard", 7).write_to_logger(target).create_logger();
  log.information("x");
  ASSERT_EQ(sink->size(), 1U);
  EXPECT_EQ(sink->events()[0]->property("Shard")->as_int64(), 7) << "the event's own is the more specific";
  EXPECT_EQ(sink->events()[0]->property("Own")->as_int64(), 2);
  EXPECT_EQ(target.metrics().logger.duplicate_properties, 1U);
}

TEST(TargetLogger, is_given_once_where_it_would_get_every_event_twice) {
  const auto target = cairn::Configuration{}.write_to_null().create_logger();
  EXPECT_THAT(
      problems_of(cairn::Configuration{}.write_to_logger(target).with_name("a").write_to_logger(target).with_name("b")),
      ElementsAre(testing::AllOf(HasSubstr("same target is given twice"), HasSubstr("as a and b"))));
}

TEST(TargetLogger, may_stand_twice_where_filters_choose_and_behind_several_sinks) {
  const auto target = cairn::Configuration{}.write_to_null().create_logger();
  EXPECT_THAT(problems_of(cairn::Configuration{}
                              .write_to_logger(target)
                              .with_filter(cairn::filters::level(cairn::Level::error))
                              .write_to_logger(target)
                              .with_filter(cairn::filters::level(cairn::Level::warning))),
              IsEmpty());
  EXPECT_THAT(problems_of(cairn::Configuration{}
                              .write_to_null()
                              .with_fallback(cairn::SinkSpec::logger(target))
                              .write_to_null()
                              .with_fallback(cairn::SinkSpec::logger(target))),
              IsEmpty());
}

TEST(TargetLogger, at_the_end_of_a_long_chain_refuses_what_its_own_sink_logs) {
  cairn::Logger last;
  last = cairn::Configuration{}
             .write_to_callback([&last](const cairn::Event&) { last.information("again"); })
             .create_logger();
  std::vector<cairn::Logger> chain{last};
  for (int i = 0; i < 20; ++i) chain.push_back(cairn::Configuration{}.write_to_logger(chain.back()).create_logger());

  chain.back().information("once");

  EXPECT_EQ(last.metrics().logger.captured, 1U);
  EXPECT_EQ(last.metrics().logger.rejected["reentrant"], 1U);
}

/// One thread is in a sink of the target's, which logs to the logger before it; another comes that way to that sink.
bool log_to_each_other_and_end() {
  std::atomic<int> inside{0};  // 1: a thread is in the sink; 2: another has come to it from the logger before
  const auto wait_for = [&](int state) {
    for (int now = inside; now < state; now = inside) inside.wait(now);
  };
  const auto now = [&](int state) {
    inside = state;
    inside.notify_all();
  };
  cairn::Logger before;
  const auto target = cairn::Configuration{}
                          .filter_by([&](const cairn::Event& event) {
                            if (event.message_template() == "from before") now(2);
                            return true;
                          })
                          .write_to_callback([&](const cairn::Event& event) {
                            if (event.message_template() != "direct") return;
                            now(1);
                            wait_for(2);
                            before.information("the sink has trouble");
                          })
                          .create_logger();
  before = cairn::Configuration{}.write_to_logger(target).create_logger();
  std::thread direct([&] { target.information("direct"); });
  wait_for(1);
  before.information("from before");
  direct.join();
  return target.metrics().logger.captured == 2 && target.metrics().logger.rejected["reentrant"] == 1 &&
         before.metrics().logger.captured == 2 && before.metrics().sinks[0].emitted == 1 &&
         before.metrics().sinks[0].pending == 0;
}

TEST(TargetLogger, with_a_sink_that_logs_to_the_logger_before_it_holds_nobody_up) {
  EXPECT_TRUE(cairn::testing::ends_in_a_child(log_to_each_other_and_end));
}

}  // namespace
