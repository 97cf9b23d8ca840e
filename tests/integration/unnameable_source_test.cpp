// A logger may have any text for its source; one that no override and no filter can name is told.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cairn/all.hpp>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// Each look at it is a second later, so that no message is held back.
struct SecondsClock final : cairn::Clock {
  cairn::Timestamp now() noexcept override { return {}; }
  std::chrono::nanoseconds steady() noexcept override { return std::chrono::seconds(++looks); }
  int looks = 0;
};

struct Told {
  SecondsClock clock;
  std::vector<std::string> messages;
  std::shared_ptr<cairn::MemorySink> sink = std::make_shared<cairn::MemorySink>();
  cairn::Logger log = cairn::Configuration{}
                          .use_clock(clock)
                          .on_internal_error([this](std::string_view message) { messages.emplace_back(message); })
                          .write_to(sink)
                          .create_logger();
};

TEST(UnnameableSource, is_told_and_kept) {
  Told told;
  for (const std::string_view source : {"", ":::", " a", "a..b", "a.", "a\nb", "\xFF"}) {
    told.messages.clear();
    told.sink->clear();
    const auto log = told.log.for_source(source);
    EXPECT_THAT(told.messages, ElementsAre(AllOf(HasSubstr("for_source: the source "),
                                                 HasSubstr("no override and no filter can name it"))))
        << source;
    log.information("x");
    EXPECT_EQ(told.sink->events().at(0)->source(), source);
    EXPECT_THAT(told.messages, testing::SizeIs(1)) << "not at each call";
  }
  Told another;
  (void)another.log.for_source("a\nb");
  EXPECT_THAT(another.messages, ElementsAre(HasSubstr(R"("a\nb" holds a control character)")));
}

TEST(UnnameableSource, is_told_once_a_name_and_of_sixteen_names_at_most) {
  Told told;
  for (int i = 0; i < 100; ++i) (void)told.log.for_source("");
  EXPECT_THAT(told.messages, testing::SizeIs(1));
  for (int i = 0; i < 100; ++i) (void)told.log.for_source("." + std::to_string(i));
  EXPECT_THAT(told.messages, testing::SizeIs(16));
}

/// At the same moment of a clock that stands still.
TEST(UnnameableSource, holds_back_no_other_message) {
  struct Throws final : cairn::Sink {
    cairn::EmitResult emit(std::span<const cairn::Event>) override { throw std::runtime_error("no"); }
  };
  struct Still final : cairn::Clock {
    cairn::Timestamp now() noexcept override { return {}; }
    std::chrono::nanoseconds steady() noexcept override { return std::chrono::seconds(1); }
  } clock;
  std::vector<std::string> messages;
  cairn::Configuration configuration;
  configuration.use_clock(clock).on_internal_error([&](std::string_view text) { messages.emplace_back(text); });
  configuration.write_to(std::make_shared<Throws>());
  const auto log = configuration.create_logger();
  (void)log.for_source("");
  log.information("x");
  EXPECT_THAT(messages, ElementsAre(HasSubstr("for_source: "), HasSubstr("failed")));
}

TEST(UnnameableSource, is_quoted_in_part_where_it_is_long) {
  Told told;
  (void)told.log.for_source(std::string(63, 'a') + "\u00e4" + std::string(5'000'000, '.'));
  ASSERT_THAT(told.messages, testing::SizeIs(1));
  EXPECT_LT(told.messages.front().size(), 400U);
  EXPECT_THAT(told.messages.front(), HasSubstr("aaa\"... (5000065 bytes) has an empty part"));
}

TEST(UnnameableSource, is_not_what_a_filter_takes) {
  Told told;
  for (const std::string_view source : {"shop", "shop.orders", "shop::orders", "Größe", "My Service", "host:80"})
    (void)told.log.for_source(source);
  EXPECT_THAT(told.messages, IsEmpty());
}

TEST(UnnameableSource, is_nothing_to_a_silent_logger) { EXPECT_NO_THROW((void)cairn::Logger().for_source(":::")); }

}  // namespace
