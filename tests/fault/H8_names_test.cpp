// H8: names that are empty, reserved, hostile or given twice. No two keys of an output are ever equal, nothing is lost
// without a count.
#include <gtest/gtest.h>

#include <cairn/all.hpp>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "support/every_output.hpp"

/// A structure and a dictionary whose names come twice.
struct Doubled {};
template <>
struct cairn::Capture<Doubled> {
  static void capture(const Doubled&, cairn::ValueWriter& out) {
    out.structure("Doubled", [](auto& s) {
      s.member("A", 1);
      s.member("A", 2);
      s.member("A#2", 3);
      s.member("$type", "mine");
      s.member("A", 4);
    });
  }
};
struct DoubledKeys {};
template <>
struct cairn::Capture<DoubledKeys> {
  static void capture(const DoubledKeys&, cairn::ValueWriter& out) {
    out.dictionary([](auto& d) {
      d.entry("1", "text");
      d.entry(1, "number");
      d.entry(1.0, "real");
      d.entry(true, "truth");
      d.entry("true", "word");
    });
  }
};
struct Crowded {};
template <>
struct cairn::Capture<Crowded> {
  static void capture(const Crowded&, cairn::ValueWriter& out) {
    out.dictionary([](auto& d) {
      d.entry("…", "mine");
      for (int i = 0; i < 1001; ++i) d.entry(i, i);
    });
  }
};

namespace {

using cairn::testing::EveryOutput;
using nlohmann::json;

std::string clef_of(const auto& value) { return cairn::render("{@V}", value).clef(); }

TEST(H8Names, every_reserved_name_is_written_with_one_more_at_sign) {
  EveryOutput out;
  cairn::Logger log = out.log;
  const std::vector<std::string> names{"@t",  "@m",  "@mt", "@l",  "@x",  "@i",  "@r",
                                       "@tr", "@sp", "@st", "@ps", "@ra", "@@x", "@"};
  for (const std::string& name : names) log = log.for_context(name, "of " + name);
  log.warning("real");
  out.expect_sound(1);
  const json event = out.last();
  for (const std::string& name : names) EXPECT_EQ(event["@" + name], "of " + name);
  EXPECT_EQ(event["@mt"], "real");
  EXPECT_EQ(event["@l"], "Warning");
}

TEST(H8Names, a_context_and_an_enricher_may_carry_reserved_names_too) {
  cairn::Configuration configuration;
  configuration.enrich_with_property("@l", "enricher");
  EveryOutput out(configuration);
  const auto scope = cairn::LogContext::push("@mt", "context");
  out.log.information("real");
  EXPECT_EQ(out.last()["@@mt"], "context");
  EXPECT_EQ(out.last()["@@l"], "enricher");
  EXPECT_EQ(out.last()["@mt"], "real");
  EXPECT_FALSE(out.last().contains("@l"));
  out.expect_sound(1);
}

TEST(H8Names, an_empty_name_is_an_underscore) {
  EveryOutput out;
  out.log.for_context("", 1).information("x");
  EXPECT_EQ(out.last()["_"], 1);
  out.log.for_context("_", 2).for_context("", 3).information("x");
  EXPECT_EQ(out.last()["_"], 3) << "one name, the last";
  out.expect_sound(2);
}

TEST(H8Names, hostile_names_stay_names) {
  EveryOutput out;
  const std::vector<std::string> names{"\"",
                                       "\\",
                                       "a\"b\\",
                                       "\n",
                                       std::string("\0", 1),
                                       "\x1b[2J",
                                       "\u202e",
                                       "\u2028",
                                       "{A}",
                                       "A\":1,\"B",
                                       "a b",
                                       "\xff",
                                       "…",
                                       "$type",
                                       "\r\nfake: line",
                                       std::string(10240, 'n')};
  cairn::Logger log = out.log;
  for (std::size_t i = 0; i < names.size(); ++i) log = log.for_context(names[i], i);
  log.information("x");
  out.expect_sound(1);
  const json event = out.last();
  for (std::size_t i = 0; i < names.size(); ++i)
    EXPECT_EQ(event[names[i] == "\xff" ? "\uFFFD" : names[i]], i) << names[i];
}

TEST(H8Names, of_equal_names_the_most_specific_is_written_and_the_others_are_counted) {
  cairn::Configuration configuration;
  configuration.enrich_with_property("N", "enricher");
  EveryOutput out(configuration);
  const auto duplicates = [&] { return out.log.metrics().logger.duplicate_properties; };
  const cairn::Logger log = out.log.for_context("N", "logger");

  out.log.information("x");
  EXPECT_EQ(out.last()["N"], "enricher");
  EXPECT_EQ(duplicates(), 0U);
  log.information("x");
  EXPECT_EQ(out.last()["N"], "logger");
  EXPECT_EQ(duplicates(), 1U) << "the enricher's";
  {
    const auto scope = cairn::LogContext::push("N", "context");
    log.information("x");
    EXPECT_EQ(out.last()["N"], "context");
    EXPECT_EQ(duplicates(), 3U) << "the enricher's and the logger's";
    log.information("{N}", "template");
    EXPECT_EQ(out.last()["N"], "template");
    EXPECT_EQ(duplicates(), 6U);
    const auto inner = cairn::LogContext::push("N", "inner");
    out.log.information("{Other}", 1);
    EXPECT_EQ(out.last()["N"], "inner");
    EXPECT_EQ(duplicates(), 7U) << "a scope in a scope is what scopes are for";
  }
  out.expect_sound(5);
}

TEST(H8Names, a_name_twice_in_a_template_is_counted_and_the_first_argument_kept) {
  EveryOutput out;
  out.log.information(cairn::dynamic_template("{A} {A} {A}"), 1, 2, 3);
  EXPECT_EQ(out.last()["A"], 3);
  EXPECT_EQ(out.last()["__0"], 1);
  EXPECT_EQ(out.last()["__1"], 2);
  EXPECT_EQ(out.log.metrics().logger.duplicate_properties, 2U);
  out.log.information(cairn::dynamic_template("{0} {0}"), 1);
  EXPECT_EQ(out.log.metrics().logger.duplicate_properties, 2U) << "an index twice is one argument";
  out.log.information(cairn::dynamic_template("{A} {A}"), 1);
  EXPECT_EQ(out.log.metrics().logger.duplicate_properties, 2U) << "the second hole has no argument";
}

TEST(H8Names, the_properties_of_an_exception_give_way_and_are_counted) {
  EveryOutput out;
  out.log.error(std::runtime_error("why"), "{ExceptionMessage}", "mine");
  EXPECT_EQ(out.last()["ExceptionMessage"], "mine");
  EXPECT_EQ(out.last()["@x"], "std::runtime_error: why");
  EXPECT_EQ(out.log.metrics().logger.duplicate_properties, 1U);
  out.expect_sound(1, 1);
}

TEST(H8Names, an_expired_property_is_no_duplicate) {
  EveryOutput out;
  const auto gone = cairn::LogContext::push("N", "context", std::chrono::nanoseconds(0));
  out.log.for_context("N", "logger").information("x");
  EXPECT_EQ(out.last()["N"], "logger");
  EXPECT_EQ(out.log.metrics().logger.duplicate_properties, 0U);
}

TEST(H8Names, a_filtered_event_counts_what_it_would_not_have_shown) {
  cairn::Configuration configuration;
  configuration.filter_by(cairn::filters::never());
  EveryOutput out(configuration);
  out.log.for_context("N", 1).information("{N}", 2);
  EXPECT_EQ(out.log.metrics().logger.duplicate_properties, 1U);
  EXPECT_EQ(out.memory->size(), 0U);
}

TEST(H8Names, members_and_keys_that_come_twice_are_all_kept_under_names_of_their_own) {
  EXPECT_EQ(clef_of(Doubled{}),
            R"({"@mt":"{@V}","V":{"A":1,"A#2":2,"A#2#2":3,"$type":"mine","A#3":4,"$type#2":"Doubled"}})");
  EXPECT_EQ(clef_of(DoubledKeys{}),
            R"({"@mt":"{@V}","V":{"1":"text","1#2":"number","1#3":"real","true":"truth","true#2":"word"}})");
  EveryOutput out;
  out.log.information("{@A} {B}", Doubled{}, DoubledKeys{});
  out.expect_sound(1);
}

TEST(H8Names, the_mark_of_a_cut_takes_no_name_away) {
  const json read = json::parse(clef_of(Crowded{}))["V"];
  EXPECT_EQ(read["…"], "mine");
  EXPECT_EQ(read["…#2"], "…(+2 elements)");
  EXPECT_EQ(read.size(), 1001U);
}

TEST(H8Names, keys_that_differ_only_in_invalid_bytes_are_kept_apart) {
  const std::map<std::string, int> map{{"\xfe", 1}, {"\xff", 2}, {"\uFFFD", 3}};
  EXPECT_EQ(json::parse(clef_of(map))["V"], json::parse(R"({"\uFFFD": 3, "\uFFFD#2": 1, "\uFFFD#3": 2})"));
}

TEST(H8Names, a_thousand_equal_keys_are_written_in_no_time_to_speak_of) {
  std::map<std::string, int> map;
  for (int i = 0; i < 1000; ++i)
    map[std::string(1, static_cast<char>(0x80 + i % 64)) + std::string(static_cast<std::size_t>(i / 64), '\x80')] = i;
  ASSERT_EQ(map.size(), 1000U);
  const json read = json::parse(clef_of(map))["V"];
  EXPECT_EQ(read.size(), 1000U) << "all of them, and no mark of a cut";
}

TEST(H8Names, a_multimap_keeps_every_pair) {
  const std::unordered_multimap<std::string, int> twice{{"a", 1}, {"a", 1}};
  EXPECT_EQ(clef_of(twice), R"({"@mt":"{@V}","V":[["a",1],["a",1]]})");
}

}  // namespace
