// Rendering::literal, vector by vector: rule 16 of docs/templates.md.
#include <chrono>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "cairn/render.hpp"

namespace {

struct Chair {
  std::string Back;
  std::vector<int> Legs;
};
struct Tag {};

TEST(DefaultRendering, strings_and_characters_stand_bare) {
  EXPECT_EQ(cairn::render("Hello {Name}", "Ann \"A\" O'Neil").text, "Hello Ann \"A\" O'Neil");
  EXPECT_EQ(cairn::render("{C}", 'c').text, "c");
  EXPECT_EQ(cairn::render("{S}", "").text, "");
}

TEST(DefaultRendering, booleans_and_null_are_lower_case) {
  EXPECT_EQ(cairn::render("{A} {B} {C} {D}", true, false, nullptr, std::optional<int>()).text, "true false null null");
}

TEST(DefaultRendering, numbers_are_the_shortest_that_read_back) {
  EXPECT_EQ(cairn::render("{A} {B} {C} {D}", 0.1, 1.0F, -7, 1e300).text, "0.1 1 -7 1e+300");
}

TEST(DefaultRendering, containers_are_json) {
  const auto expect_json = [](const cairn::Rendered& r, std::string_view expected) {
    EXPECT_EQ(r.text, expected);
    EXPECT_TRUE(nlohmann::json::accept(r.text)) << r.text;
  };
  expect_json(cairn::render("{L}", std::vector<std::string>{"a", "b"}), R"(["a","b"])");
  expect_json(cairn::render("{@C}", Chair{"straight", {1, 2}}), R"({"Back":"straight","Legs":[1,2],"$type":"Chair"})");
  expect_json(cairn::render("{@T}", Tag{}), R"({"$type":"Tag"})");
  expect_json(cairn::render("{M}", std::map<std::string, bool>{{"k", true}}), R"({"k":true})");
  expect_json(cairn::render("{L}", std::vector<char>{'a', '"'}), R"(["a","\""])");
  expect_json(cairn::render("{L}", std::vector<double>{1.5, std::stod("nan")}), R"([1.5,"NaN"])");
  expect_json(cairn::render("{L}", std::vector<std::optional<int>>{1, {}}), "[1,null]");
  expect_json(cairn::render("{L}", std::vector<std::string>{"a\nb", "\xff"}), "[\"a\\nb\",\"\xEF\xBF\xBD\"]");
  expect_json(cairn::render("{@L}", std::vector<Chair>{{"b", {}}}), R"([{"Back":"b","Legs":[],"$type":"Chair"}])");
  expect_json(cairn::render("{T}", std::tuple(1, "a", std::pair(true, 2))), R"([1,"a",[true,2]])");
  expect_json(cairn::render("{L:03d}", std::vector<int>{1, 22}), R"(["001","022"])");
  expect_json(cairn::render("{L:.1f}", std::vector<double>{1.25, 3}), "[1.2,3.0]");
  expect_json(cairn::render("{L:u}", std::vector<std::string>{"a"}), R"(["A"])");
  expect_json(cairn::render("{L:j}", std::vector<std::string>{"a"}), R"(["a"])");
  expect_json(cairn::render("{M:x}", std::map<std::string, int>{{"k", 255}}), R"({"k":"ff"})");
}

TEST(DefaultRendering, alignment_counts_columns_and_wraps_whole_containers) {
  EXPECT_EQ(cairn::render("|{L,8}|{S,-4}|{W,5}|", std::vector<int>{1, 2}, "ab", "日本").text, "|   [1,2]|ab  | 日本|");
}

TEST(DefaultRendering, the_text_is_not_escaped_by_render) {
  EXPECT_EQ(cairn::render("{S}", "a\nb\x1b[2J").text, "a\nb\x1b[2J");
}

TEST(DefaultRendering, enumerators_and_durations_take_formats) {
  using namespace std::chrono_literals;
  EXPECT_EQ(cairn::render("{D}", 1500ms).text, "1500ms");
  EXPECT_EQ(cairn::render("{D:%M:%S}", 61s).text, "01:01");
  EXPECT_EQ(cairn::render("{T:%Y-%m-%d}", std::chrono::sys_days(2024y / 2 / 29)).text, "2024-02-29");
}

}  // namespace
