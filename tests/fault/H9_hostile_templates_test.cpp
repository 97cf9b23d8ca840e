// H9, H10: templates from untrusted data, and arguments that do not fit. The parser is total, values are never parsed,
// memory is bounded, what does not fit is kept or shown and counted. More in tests/hostile_template_vectors.tsv.
#include <gtest/gtest.h>
#include <malloc.h>

#include <cairn/all.hpp>
#include <chrono>
#include <random>
#include <string>

#include "capture/site_table.hpp"
#include "support/every_output.hpp"

namespace {

using cairn::dynamic_template;
using cairn::testing::EveryOutput;
using nlohmann::json;

TEST(H9HostileTemplates, of_a_million_holes_are_logged_bounded) {
  EveryOutput out;
  std::string holes;
  while (holes.size() < 1'000'000) holes += "{A}{0}{B:x,5}{";
  out.log.information(dynamic_template(holes), 1, 2);
  out.expect_sound(1);
  EXPECT_EQ(out.last()["A"], 1);
  EXPECT_EQ(out.last()["0"], 2);
  EXPECT_LT(out.clef_file().size(), 256U * 1024) << "a template is cut as every string is";
  EXPECT_EQ(out.log.metrics().logger.truncated, 1U);
}

TEST(H9HostileTemplates, of_a_million_holes_are_rendered_without_a_logger) {
  std::string holes;
  for (int i = 0; i < 1'000'000; ++i) holes += "{A}";
  const auto started = std::chrono::steady_clock::now();
  const auto rendered = cairn::render(dynamic_template(holes), 7);
  EXPECT_EQ(rendered.text, std::string(1'000'000, '7'));
  EXPECT_LT(std::chrono::steady_clock::now() - started, std::chrono::seconds(20)) << "linear, not quadratic";
}

TEST(H9HostileTemplates, of_a_hundred_thousand_names_and_values_are_bound_in_linear_time) {
  std::string holes;
  for (int i = 0; i < 100'000; ++i) holes += "{N" + std::to_string(i) + "}";
  const cairn::OwnedValue one(1);
  const std::vector<cairn::Value> values(200'000, one.view());
  const auto started = std::chrono::steady_clock::now();
  const auto rendered = cairn::MessageTemplate::parse(holes).bind(values);
  EXPECT_LT(std::chrono::steady_clock::now() - started, std::chrono::seconds(20));
  EXPECT_EQ(rendered.text, std::string(100'000, '1'));
  EXPECT_EQ(rendered.properties.size(), 200'000U);
  EXPECT_EQ(rendered.properties.back().name, "__199999");
}

TEST(H9HostileTemplates, formats_never_reach_printf) {
  EveryOutput out;
  for (const char* text : {"%n%s%n%s {A}", "{A:%n%s%p%x}", "{A:%999999999d}", "{A,0:%*d}", "{A:{}}", "{A:.%n}"}) {
    out.log.information(dynamic_template(text), "%n%s");
    EXPECT_EQ(out.last()["A"], "%n%s");
  }
  out.expect_sound(6);
  EXPECT_EQ(out.log.metrics().logger.ignored_formats, 5U);
}

TEST(H9HostileTemplates, values_are_never_templates) {
  const std::uint32_t seed = std::random_device{}();
  std::cout << "seed " << seed << '\n';
  std::mt19937 random(seed);
  const std::vector<std::string> pieces{"{A}",   "{B}",  "{{",     "}}",      "{",    "}",         "${jndi:ldap://x}",
                                        "{0}",   "%n",   "{@A}",   "{A,9:x}", "text", "{Message}", "{Timestamp}",
                                        "$(id)", "`id`", "\\{A\\}"};
  for (int i = 0; i < 10'000; ++i) {
    std::string a;
    std::string b;
    for (std::size_t n = random() % 6; n > 0; --n) a += pieces[random() % pieces.size()];
    for (std::size_t n = random() % 6; n > 0; --n) b += pieces[random() % pieces.size()];
    const auto rendered = cairn::render("<{A}|{B}>", a, b);
    ASSERT_EQ(rendered.text, "<" + a + "|" + b + ">") << "seed " << seed;
    const json clef = json::parse(rendered.clef());
    ASSERT_EQ(clef["@mt"], "<{A}|{B}>");
    ASSERT_EQ(clef["A"], a);
    ASSERT_EQ(clef["B"], b);
    ASSERT_EQ(clef.size(), 3U);
  }
}

TEST(H9HostileTemplates, are_kept_in_a_bounded_cache) {
  cairn::Logger log = cairn::Configuration{}.write_to_null().create_logger();
  const auto log_many = [&](int from, int count) {
    for (int i = from; i < from + count; ++i)
      log.information(dynamic_template("{A} is number " + std::to_string(i)), i);
  };
  log_many(0, 3 * static_cast<int>(cairn::detail::max_cached_templates));  // full, and emptied more than once
  const std::size_t before = ::mallinfo2().uordblks;
  log_many(1'000'000, 30 * static_cast<int>(cairn::detail::max_cached_templates));
  EXPECT_LT(::mallinfo2().uordblks, before + 4 * 1024 * 1024) << "thirty times as many take no more room";
  const std::size_t then = ::mallinfo2().uordblks;
  for (int i = 0; i < 1000; ++i) log.information(dynamic_template(std::string(10'000, 'x') + std::to_string(i)));
  EXPECT_LT(::mallinfo2().uordblks, then + 1024 * 1024) << "long ones are not kept at all";
}

TEST(H10Arguments, that_have_no_hole_are_kept_and_holes_without_one_are_shown_both_counted) {
  EveryOutput out;
  const auto mismatches = [&] { return out.log.metrics().logger.mismatched_arguments; };
  out.log.information(dynamic_template("{A}"), 1, 2, 3);
  EXPECT_EQ(out.last()["__1"], 2);
  EXPECT_EQ(out.last()["__2"], 3);
  EXPECT_EQ(mismatches(), 2U) << "two arguments without a hole";
  out.log.information(dynamic_template("{A} {B,5:x} {C}"), 1);
  EXPECT_NE(out.text().find("1 {B,5:x} {C}"), std::string::npos);
  EXPECT_EQ(mismatches(), 4U) << "two holes without an argument";
  out.log.information(dynamic_template("{0} {5} {0}"), 1);
  EXPECT_EQ(mismatches(), 5U);
  out.log.information(dynamic_template("{A} {A}"), 1, 2);
  EXPECT_EQ(mismatches(), 5U) << "each has its hole: that is a duplicate";
  out.log.information(dynamic_template("{A} {bad name}"), 1);
  EXPECT_EQ(mismatches(), 5U) << "what is malformed is text";
  out.log.information(dynamic_template("{A} {A}"), 1);
  EXPECT_EQ(mismatches(), 5U) << "a repeat shows the property of its name";
  out.expect_sound(6);
}

TEST(H10Arguments, of_a_kind_that_the_format_does_not_take_are_shown_without_it_and_counted) {
  EveryOutput out;
  out.log.information(dynamic_template("{A:.2f} {B:x} {C:d}"), 1, 2.5, "text");
  EXPECT_NE(out.text().find(" 1 2.5 text "), std::string::npos) << out.text();
  EXPECT_EQ(out.log.metrics().logger.ignored_formats, 3U);
  out.expect_sound(1);
}

}  // namespace
