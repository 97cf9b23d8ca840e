// A level that is none of the six, as a number read from somewhere gives one: such an event is a fatal one.
#include <gtest/gtest.h>

#include <cairn/all.hpp>
#include <memory>

namespace {

constexpr cairn::Level level_of(int number) { return static_cast<cairn::Level>(number); }

class LevelBeyond : public ::testing::TestWithParam<bool> {};

TEST_P(LevelBeyond, of_any_value_is_logged_as_fatal_and_harms_no_record) {
  const auto sink = std::make_shared<cairn::MemorySink>();
  cairn::Configuration configuration;
  auto memory = configuration.write_to(sink);
  if (GetParam()) memory.with_queue();
  const auto log = configuration.create_logger();
  for (int number = 6; number < 256; ++number) {
    log.write(level_of(number), "flat {Number} {Text}", number, "x");
    log.write(level_of(number), "any {Numbers}", std::vector{number, 2});
    log.write(level_of(number), cairn::dynamic_template("dynamic {Number}"), number);
    log.write(level_of(number), std::runtime_error("why"), "thrown {Number}", number);
  }
  (void)log.close();

  const auto events = sink->events();
  ASSERT_EQ(events.size(), 1000U);
  for (std::size_t i = 0; i < events.size(); ++i) EXPECT_EQ(events[i]->level(), cairn::Level::fatal) << i;
  EXPECT_EQ(events[996]->message(), "flat 255 x");
  EXPECT_EQ(events[997]->message(), "any [255,2]");
  EXPECT_EQ(events[998]->message(), "dynamic 255");
  EXPECT_EQ(events[999]->exception().message(), "why");
}

INSTANTIATE_TEST_SUITE_P(Deliveries, LevelBeyond, ::testing::Bool(),
                         [](const auto& test) { return test.param ? "queued" : "synchronous"; });

TEST(LevelBeyondOwned, of_an_event_that_no_logger_made_is_fatal_too) {
  const cairn::OwnedValue seven(7);
  for (int number = 6; number < 256; ++number) {
    const cairn::OwnedEvent event({}, level_of(number), "n {N}", std::array{seven.view()});
    EXPECT_EQ(event->level(), cairn::Level::fatal);
    EXPECT_EQ(event->message(), "n 7");
  }
}

}  // namespace
