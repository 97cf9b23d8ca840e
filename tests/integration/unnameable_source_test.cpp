// A logger may have any text for its source; one that no override and no filter can name is told.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cairn/all.hpp>
#include <chrono>
#include <memory>
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
  told.messages.clear();
  (void)told.log.for_source("a\nb");
  EXPECT_THAT(told.messages, ElementsAre(HasSubstr(R"("a\nb" holds a control character)")));
}

TEST(UnnameableSource, is_not_what_a_filter_takes) {
  Told told;
  for (const std::string_view source : {"shop", "shop.orders", "shop::orders", "Größe", "My Service", "host:80"})
    (void)told.log.for_source(source);
  EXPECT_THAT(told.messages, IsEmpty());
}

TEST(UnnameableSource, is_nothing_to_a_silent_logger) { EXPECT_NO_THROW((void)cairn::Logger().for_source(":::")); }

}  // namespace
