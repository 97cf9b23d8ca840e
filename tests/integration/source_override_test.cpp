// Level overrides by source: `.` and `::` are one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cairn/all.hpp>
#include <memory>

namespace {

using cairn::Level;
using testing::ElementsAre;
using testing::HasSubstr;

TEST(SourceOverride, holds_for_a_source_however_its_parts_are_joined) {
  const auto log = cairn::Configuration{}
                       .minimum_level_override("shop::orders", Level::verbose)
                       .minimum_level_override("net.http", Level::error)
                       .write_to_null()
                       .create_logger();
  for (const char* source : {"shop::orders", "shop.orders", "shop::orders::late", "shop.orders.late",
                             "shop::orders.late", "shop.orders::late"}) {
    EXPECT_TRUE(log.for_source(source).is_enabled(Level::verbose)) << source;
  }
  for (const char* source : {"shop", "shop::ordersX", "shop.ordersX", "shop:orders", "shop::", "orders"}) {
    EXPECT_FALSE(log.for_source(source).is_enabled(Level::verbose)) << source;
    EXPECT_TRUE(log.for_source(source).is_enabled(Level::information)) << source;
  }
  EXPECT_FALSE(log.for_source("net::http::client").is_enabled(Level::warning));
  EXPECT_TRUE(log.for_source("net::httpd").is_enabled(Level::warning));
}

TEST(SourceOverride, of_the_longest_prefix_wins_by_its_parts_not_by_how_they_are_joined) {
  const auto log = cairn::Configuration{}
                       .minimum_level_override("a::b::c", Level::error)
                       .minimum_level_override("a.b.c.d", Level::verbose)
                       .write_to_null()
                       .create_logger();
  EXPECT_TRUE(log.for_source("a::b::c::d").is_enabled(Level::verbose));
  EXPECT_FALSE(log.for_source("a.b.c").is_enabled(Level::warning));
}

TEST(SourceOverride, given_twice_in_two_spellings_is_refused) {
  const auto made = cairn::Configuration{}
                        .minimum_level_override("a::b", Level::error)
                        .minimum_level_override("a.b", Level::verbose)
                        .write_to_null()
                        .try_create_logger();
  const auto* error = std::get_if<cairn::ConfigurationError>(&made);
  ASSERT_NE(error, nullptr);
  EXPECT_THAT(error->problems(), ElementsAre(HasSubstr("a.b is given twice")));
}

TEST(SourceOverride, leaves_the_source_as_it_was_written) {
  const auto sink = std::make_shared<cairn::MemorySink>();
  cairn::Configuration{}.write_to(sink).create_logger().for_source("a::b").information("x");
  EXPECT_EQ(sink->events().at(0)->source(), "a::b");
}

}  // namespace
