// Names and functions that can only be mistakes are refused when the logger is made, each in words; and a source is the
// same source however its parts are joined.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cairn/all.hpp>
#include <functional>
#include <memory>
#include <stdexcept>

namespace {

using cairn::Level;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

std::vector<std::string> problems(const cairn::Configuration& config) {
  const auto made = config.try_create_logger();
  const auto* error = std::get_if<cairn::ConfigurationError>(&made);
  return error != nullptr ? error->problems() : std::vector<std::string>{};
}

cairn::Configuration with_filter(cairn::Filter filter) {
  return cairn::Configuration{}.filter_by(std::move(filter)).write_to_null();
}

const std::function<bool(const cairn::Event&)> no_filter;
const std::function<void(cairn::EventBuilder&)> no_enricher;
using FilterPointer = bool (*)(const cairn::Event&);

TEST(SourceFilter, passes_a_source_however_its_parts_are_joined) {
  for (const char* prefix : {"shop::orders", "shop.orders"}) {
    const auto sink = std::make_shared<cairn::MemorySink>();
    const auto log = cairn::Configuration{}.filter_by(cairn::filters::source(prefix)).write_to(sink).create_logger();
    for (const char* source :
         {"shop::orders", "shop.orders", "shop::orders::late", "shop.orders.late", "shop::orders.x"}) {
      sink->clear();
      log.for_source(source).information("x");
      EXPECT_EQ(sink->events().size(), 1U) << prefix << " and " << source;
    }
    sink->clear();
    for (const char* source : {"shop", "shop::ordersX", "shop.ordersX", "shop:orders", "shop:.orders", "orders", ""})
      log.for_source(source).information("x");
    log.information("x");
    EXPECT_EQ(sink->events().size(), 0U) << prefix;
  }
}

TEST(SourceNames, that_are_none_are_refused_with_what_was_found_and_what_is_taken) {
  const std::pair<const char*, const char*> odd[] = {
      {"", "the source is empty"},
      {" ", "the source \" \" has a part that begins or ends with a blank"},
      {".", "the source \".\" has an empty part"},
      {"::", "the source \"::\" has an empty part"},
      {":::", "the source \":::\" has an empty part"},
      {":", "the source \":\" has a part that begins or ends with a colon"},
      {"a:::b", "the source \"a:::b\" has a part that begins or ends with a colon"},
      {"shop.", "the source \"shop.\" has an empty part"},
      {"::shop", "the source \"::shop\" has an empty part"},
      {"shop..orders", "the source \"shop..orders\" has an empty part"},
      {"shop. orders", "the source \"shop. orders\" has a part that begins or ends with a blank"},
      {"shop\n", "the source \"shop\\n\" holds a control character or invalid UTF-8"},
      {"\xFF", "the source \"\\xff\" holds a control character or invalid UTF-8"},
  };
  for (const auto& [source, says] : odd) {
    EXPECT_THAT(problems(cairn::Configuration{}.minimum_level_override(source, Level::debug).write_to_null()),
                ElementsAre(AllOf(HasSubstr("minimum_level_override: "), HasSubstr(says),
                                  HasSubstr("it takes parts with . or :: between them, like shop.orders"))));
    EXPECT_THAT(problems(with_filter(cairn::filters::source(source))),
                ElementsAre(AllOf(HasSubstr("filter_by: "), HasSubstr(says), HasSubstr("like shop.orders"))));
  }
  for (const char* fine : {"shop", "shop.orders", "shop::orders", "Größe", "My Service", "a-b_c", "host:80"}) {
    EXPECT_THAT(problems(cairn::Configuration{}.minimum_level_override(fine, Level::debug).write_to_null()), IsEmpty());
    EXPECT_THAT(problems(with_filter(cairn::filters::source(fine))), IsEmpty());
  }
}

TEST(EmptyFunctions, as_filters_are_refused_wherever_they_stand) {
  const auto refused = ElementsAre(HasSubstr("filter_by: the filter is empty; it takes a function"));
  EXPECT_THAT(problems(with_filter(no_filter)), refused);
  EXPECT_THAT(problems(with_filter(FilterPointer{nullptr})), refused);
  EXPECT_THAT(problems(with_filter(cairn::filters::matching(no_filter))), refused);
  EXPECT_THAT(problems(with_filter(!cairn::Filter(no_filter))), refused);
  EXPECT_THAT(problems(with_filter(cairn::filters::level(Level::debug) && cairn::Filter(no_filter))), refused);
  EXPECT_THAT(problems(with_filter(cairn::Filter(no_filter) || cairn::filters::always())), refused);
  for (auto* const many : {&cairn::filters::all, &cairn::filters::any, &cairn::filters::none})
    EXPECT_THAT(problems(with_filter(many({cairn::filters::always(), no_filter}))), refused);
  EXPECT_THAT(problems(with_filter(cairn::filters::not_(no_filter))), refused);
  const std::function<bool(const cairn::Value&)> no_predicate;
  EXPECT_THAT(problems(with_filter(cairn::filters::property_matches("N", no_predicate))),
              ElementsAre(HasSubstr("the predicate of the property N is empty; it takes a function")));
  EXPECT_THAT(problems(cairn::Configuration{}.write_to_null().with_name("out").with_filter(no_filter)),
              ElementsAre(HasSubstr("sink out: with_filter: the filter is empty; it takes a function")));
  EXPECT_THAT(problems(with_filter([](const cairn::Event&) { return true; })), IsEmpty());
}

TEST(EmptyFunctions, as_enrichers_are_refused) {
  EXPECT_THAT(problems(cairn::Configuration{}.enrich_with(no_enricher).enrich_at_capture(no_enricher).write_to_null()),
              ElementsAre(HasSubstr("enrich_with: the enricher is empty; it takes a function"),
                          HasSubstr("enrich_with: the enricher is empty; it takes a function")));
}

TEST(EmptyFunctions, given_to_a_logger_are_thrown_back) {
  const auto log = cairn::Configuration{}.write_to_null().create_logger();
  EXPECT_THROW((void)log.add_filter(no_filter), std::invalid_argument);
  EXPECT_THROW((void)log.add_filter(cairn::filters::source(":::")), std::invalid_argument);
  EXPECT_THROW((void)log.with_enricher(no_enricher), std::invalid_argument);
}

TEST(SinkNames, with_control_characters_are_refused_and_shown_escaped) {
  for (const auto& [name, shown] :
       {std::pair("a\nb", "a\\nb"), {"\x1b[31m", "\\x1b[31m"}, {"a\xFF", "a\\xff"}, {"\u202e", "\\u202e"}}) {
    const auto found = problems(cairn::Configuration{}.write_to_null().with_name(name));
    EXPECT_THAT(found, ElementsAre("with_name: \"" + std::string(shown) +
                                   "\" holds a control character or invalid UTF-8; a name takes printable characters"));
  }
  EXPECT_THAT(problems(cairn::Configuration{}.write_to_null().with_name("Größe 1\\2")), IsEmpty());
}

TEST(PropertyNames, that_are_empty_or_have_control_characters_are_refused_and_shown_escaped) {
  EXPECT_THAT(problems(cairn::Configuration{}
                           .enrich_with_property("", 1)
                           .enrich_with_property("a\nb", 2)
                           .enrich_with_property("a\xFF", 3)
                           .enrich_with_property("Größe 1", 4)
                           .write_to_null()),
              ElementsAre("enrich_with_property: the name is empty; a property takes a name",
                          "enrich_with_property: \"a\\nb\" holds a control character or invalid UTF-8; a name takes "
                          "printable characters",
                          HasSubstr("enrich_with_property: \"a\\xff\"")));
}

TEST(FilePaths, with_a_nul_are_refused_and_shown_whole) {
  try {
    (void)cairn::Configuration{}.write_to_file(std::string("/tmp/a\0b", 8)).create_logger();
    FAIL();
  } catch (const cairn::ConfigurationError& error) {
    EXPECT_THAT(error.what(), HasSubstr("sink file:/tmp/a\\x00b: the path /tmp/a\\x00b holds a NUL character"));
  }
}

TEST(FilePaths, below_the_root_are_named_with_one_slash) {
  EXPECT_THAT(problems(cairn::Configuration{}.write_to_file("/tmp")),
              ElementsAre(AllOf(HasSubstr(" /tmp:"), Not(HasSubstr("//tmp")))));
}

TEST(OutputTemplates, have_all_their_mistakes_told_at_once) {
  EXPECT_THAT(problems(cairn::Configuration{}
                           .write_to_console({.output_template = "{Level:x3} {Timestamp:HH} {Message:z}{NewLine,3}"})
                           .with_name("out")),
              ElementsAre(HasSubstr("sink out: output_template: '{Level:x3}'"), HasSubstr("'{Timestamp:HH}'"),
                          HasSubstr("'{Message:z}'"), HasSubstr("'{NewLine,3}'")));
}

TEST(Filters, of_a_level_or_a_way_to_sample_that_is_none_are_refused) {
  EXPECT_THAT(problems(cairn::Configuration{}.filter_by_min_level(static_cast<Level>(9)).write_to_null()),
              ElementsAre("filter_by: the level is 9; it takes verbose (0) to fatal (5)"));
  const auto by = static_cast<cairn::filters::SampleBy>(9);
  for (const cairn::Filter& filter : {cairn::filters::sample_every(2, by), cairn::filters::sample_first(2, by),
                                      cairn::filters::sample_per_second(2, by)})
    EXPECT_THAT(problems(with_filter(filter)),
                ElementsAre(HasSubstr("the way to sample is 9; it takes SampleBy::all (0) or")));
}

}  // namespace
