// CLEF lines: rules 19 to 23 of docs/templates.md, one by one, and on generated events read back by another JSON
// library.
#include "format/clef_formatter.hpp"

#include <cmath>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "cairn/render.hpp"
#include "capture/exception_record.hpp"
#include "capture/property_block.hpp"
#include "capture/stringify.hpp"
#include "support/unique_keys.hpp"
#include "template/bound_template.hpp"
#include "text/text_escape.hpp"

namespace {

using cairn::Level;
using cairn::OwnedValue;
using nlohmann::json;

static_assert(cairn::event_id("Hello, {User}") == 0x0482b02fU);
static_assert(cairn::event_id("") == 0U);
static_assert(cairn::event_id("Grüße {Name}") == 0xe84a998bU);

/// An event made by hand: a record, what it is bound to, and the blocks around it.
struct Made {
  std::string text;
  std::vector<OwnedValue> values = {};
  Level level = Level::information;
  cairn::ClefOptions options = {};
  std::vector<std::pair<std::string, OwnedValue>> context = {};
  std::vector<std::pair<std::string, OwnedValue>> logger = {};
  std::vector<std::pair<std::string, OwnedValue>> extras = {};
  const std::exception* exception = nullptr;

  [[nodiscard]] std::string line() const {
    std::vector<const cairn::detail::ValueType*> types;
    for (const OwnedValue& value : values) types.push_back(&value.view().type());
    types.push_back(nullptr);
    cairn::detail::BoundTemplate bound;
    bound.bind(text, {}, types.data(), cairn::detail::SourcePlace::of(std::source_location::current()));
    cairn::detail::CaptureBuffer buffer;
    constexpr cairn::CaptureLimits limits;
    cairn::detail::CaptureWriter writer(buffer, limits);
    cairn::detail::RecordHeader header;
    header.size_and_flags = static_cast<std::uint32_t>(level);
    if (exception != nullptr) header.size_and_flags |= cairn::detail::RecordHeader::has_exception;
    header.time = 1700000000123456789;
    writer.put(header);
    if (exception != nullptr) cairn::detail::write_exception(writer, {.reference = exception});
    for (const OwnedValue& value : values) {
      const cairn::Value view = value.view();
      if (view.data() == nullptr) continue;
      writer.put_bytes(view.data(),
                       static_cast<std::size_t>(cairn::detail::skip_value(view.type(), view.data()) - view.data()));
    }
    cairn::detail::finish_record(writer);
    const auto* record = reinterpret_cast<const cairn::detail::RecordHeader*>(writer.data());
    cairn::detail::CaptureBuffer rewritten;
    if (bound.stringifies()) record = cairn::detail::stringify(*record, bound, rewritten, limits);
    const auto block = [](const auto& properties) {
      cairn::detail::PropertyBlock made;
      for (const auto& [name, value] : properties) made.add(name, value.view(), INT64_MAX, 0);
      return made;
    };
    const auto context_block = block(context);
    const auto logger_block = block(logger);
    const auto extras_block = block(extras);
    cairn::OutputBuffer out;
    cairn::detail::ClefFormatter(options).format({*record, bound, &context_block, &logger_block, &extras_block}, out);
    EXPECT_TRUE(out.view().ends_with("}\n"));
    return std::string(out.view().substr(0, out.size() - 1));
  }
};

TEST(Clef, keys_come_in_the_order_of_the_rule) {
  const std::runtime_error why("why");
  const std::string line = Made{.text = "{N:x} {S}",
                                .values = {OwnedValue(255), OwnedValue("s")},
                                .level = Level::error,
                                .context = {{"C", OwnedValue(1)}},
                                .logger = {{"L", OwnedValue(2)}},
                                .extras = {{"E", OwnedValue(3)}},
                                .exception = &why}
                               .line();
  EXPECT_EQ(
      line,
      R"({"@t":"2023-11-14T22:13:20.1234567Z","@mt":"{N:x} {S}","@r":["ff"],"@l":"Error","@x":"std::runtime_error: why",)"
      R"("N":255,"S":"s","C":1,"L":2,"E":3,"ExceptionType":"std::runtime_error","ExceptionMessage":"why"})");
}

TEST(Clef, information_has_no_level_and_the_others_their_names) {
  EXPECT_EQ(Made{.text = "x"}.line(), R"({"@t":"2023-11-14T22:13:20.1234567Z","@mt":"x"})");
  const std::map<Level, std::string> names{{Level::verbose, "Verbose"},
                                           {Level::debug, "Debug"},
                                           {Level::warning, "Warning"},
                                           {Level::error, "Error"},
                                           {Level::fatal, "Fatal"}};
  for (const auto& [level, name] : names) EXPECT_EQ(json::parse(Made{.text = "x", .level = level}.line())["@l"], name);
}

TEST(Clef, options_add_message_identity_and_nanoseconds) {
  const std::vector<OwnedValue> values{OwnedValue("Ann")};
  EXPECT_EQ((Made{.text = "Hi {N}", .values = values, .options = {.rendered = true}}.line()),
            R"({"@t":"2023-11-14T22:13:20.1234567Z","@m":"Hi Ann","@i":")" +
                [] {
                  char digits[9];
                  std::snprintf(digits, sizeof(digits), "%08x", cairn::event_id("Hi {N}"));
                  return std::string(digits);
                }() +
                R"(","N":"Ann"})");
  const auto both = json::parse(Made{.text = "Hello, {User}",
                                     .values = values,
                                     .options = {.with_message = true, .with_event_id = true, .nanoseconds = true}}
                                    .line());
  EXPECT_EQ(both["@m"], "Hello, Ann");
  EXPECT_EQ(both["@i"], "0482b02f");
  EXPECT_EQ(both["@mt"], "Hello, {User}");
  EXPECT_EQ(both["@t"], "2023-11-14T22:13:20.123456789Z");
}

TEST(Clef, renderings_are_one_string_for_each_hole_with_a_format) {
  const auto at_r = [](std::string text, std::vector<OwnedValue> values) {
    return json::parse(Made{.text = std::move(text), .values = std::move(values)}.line()).value("@r", json());
  };
  EXPECT_EQ(at_r("{A} {B}", {OwnedValue(1), OwnedValue(2)}), json());
  EXPECT_EQ(at_r("{A:} {B,5}", {OwnedValue(1), OwnedValue(2)}), json());
  EXPECT_EQ(at_r("{A:03d} {B} {C:.1f}", {OwnedValue(1), OwnedValue(2), OwnedValue(0.25)}), json({"001", "0.2"}));
  EXPECT_EQ(at_r("{A,5:03d}", {OwnedValue(1)}), json({"  001"}));
  EXPECT_EQ(at_r("{A:x} {B:x} {C:x}", {OwnedValue(255)}), json({"ff", "{B:x}", "{C:x}"}));
  EXPECT_EQ(at_r("{A:zz}", {OwnedValue(255)}), json({"255"}));
}

TEST(Clef, a_name_that_begins_with_an_at_sign_gets_one_more) {
  const auto read = json::parse(
      Made{.text = "x", .context = {{"@t", OwnedValue(1)}, {"@@t", OwnedValue(2)}, {"a@", OwnedValue(3)}}}.line());
  EXPECT_EQ(read["@@t"], 1);
  EXPECT_EQ(read["@@@t"], 2);
  EXPECT_EQ(read["a@"], 3);
  EXPECT_TRUE(read["@t"].is_string());
}

TEST(Clef, nested_exceptions_stand_in_the_exception_text) {
  try {
    try {
      throw std::logic_error("inner \"cause\"\nline 2");
    } catch (...) {
      std::throw_with_nested(std::runtime_error("outer"));
    }
  } catch (const std::exception& e) {
    const auto read = json::parse(Made{.text = "x", .exception = &e}.line());
    EXPECT_EQ(read["@x"], "std::runtime_error: outer\n ---> std::logic_error: inner \"cause\"\nline 2");
    EXPECT_EQ(read["ExceptionType"], "std::runtime_error");
    EXPECT_EQ(read["ExceptionMessage"], "outer");
  }
}

TEST(Clef, numbers_are_exact) {
  const auto raw = [](const auto& value) {
    const std::string line = Made{.text = "{V}", .values = {OwnedValue(value)}}.line();
    const std::size_t at = line.find("\"V\":") + 4;
    return line.substr(at, line.size() - 1 - at);
  };
  EXPECT_EQ(raw(UINT64_MAX), "18446744073709551615");
  EXPECT_EQ(raw(INT64_MIN), "-9223372036854775808");
  EXPECT_EQ(raw((1LL << 53) + 1), "9007199254740993");
  EXPECT_EQ(raw(9007199254740994.0), "9007199254740994");
  EXPECT_EQ(raw(-0.0), "-0.0");
  EXPECT_EQ(raw(5e-324), "5e-324");
  EXPECT_EQ(raw(0.1F), "0.1");
  EXPECT_EQ(raw(std::numeric_limits<double>::max()), "1.7976931348623157e+308");
  EXPECT_EQ(raw(std::nan("")), "\"NaN\"");
  EXPECT_EQ(raw(HUGE_VAL), "\"Infinity\"");
  EXPECT_EQ(raw(-HUGE_VALF), "\"-Infinity\"");
}

TEST(Clef, a_name_is_written_once_the_most_specific_wins) {
  const auto read = [](const Made& made) {
    const std::string line = made.line();
    std::size_t count = 0;
    for (std::size_t at = 0; (at = line.find("\"P\":", at)) != std::string::npos; ++at) ++count;
    EXPECT_EQ(count, 1U) << line;
    return json::parse(line)["P"];
  };
  const std::vector<std::pair<std::string, OwnedValue>> in_context{{"P", OwnedValue("context")}};
  const std::vector<std::pair<std::string, OwnedValue>> in_logger{{"P", OwnedValue("logger")}};
  const std::vector<std::pair<std::string, OwnedValue>> in_extras{{"P", OwnedValue("enricher")}};
  EXPECT_EQ(read({.text = "{P}",
                  .values = {OwnedValue("template")},
                  .context = in_context,
                  .logger = in_logger,
                  .extras = in_extras}),
            "template");
  EXPECT_EQ(read({.text = "x", .context = in_context, .logger = in_logger, .extras = in_extras}), "context");
  EXPECT_EQ(read({.text = "x", .logger = in_logger, .extras = in_extras}), "logger");
  EXPECT_EQ(read({.text = "x", .extras = in_extras}), "enricher");
  EXPECT_EQ(read({.text = "{P} {P}", .values = {OwnedValue("first"), OwnedValue("last")}}), "last");
}

TEST(Clef, every_kind_of_invalid_utf8_becomes_u_fffd) {
  const std::string r = "\xEF\xBF\xBD";
  const std::vector<std::pair<std::string, std::string>> cases{
      {"\x80", r},                          // a continuation alone
      {"\xff", r},                          // never in UTF-8
      {"\xc3", r},                          // cut short
      {"\xe2\x82", r},                      // cut short
      {"\xc0\xaf", r + r},                  // overlong
      {"\xe0\x80\xaf", r + r + r},          // overlong
      {"\xed\xa0\x80", r + r + r},          // a surrogate
      {"\xf4\x90\x80\x80", r + r + r + r},  // past U+10FFFF
      {"a\xc3z", "a" + r + "z"},
  };
  for (const auto& [bytes, expected] : cases) {
    EXPECT_EQ(json::parse(Made{.text = "{V}", .values = {OwnedValue(bytes)}}.line())["V"], expected);
    EXPECT_EQ(json::parse(Made{.text = "t" + bytes}.line())["@mt"], "t" + expected);
    EXPECT_TRUE(
        json::parse(Made{.text = "x", .context = {{"n" + bytes, OwnedValue(1)}}}.line()).contains("n" + expected));
  }
  const auto merged =
      json::parse(Made{.text = "x", .context = {{"\xfe", OwnedValue(1)}, {"\xff", OwnedValue(2)}}}.line());
  EXPECT_EQ(merged[r], 2);
}

TEST(Clef, controls_quotes_and_backslashes_are_escaped) {
  std::string all;
  for (int c = 0; c < 0x20; ++c) all += static_cast<char>(c);
  all += "\"\\/\x7f";
  const std::string line = Made{.text = "{V}", .values = {OwnedValue(all)}}.line();
  EXPECT_EQ(json::parse(line)["V"], all);
  for (const char c : line) EXPECT_GE(static_cast<unsigned char>(c), 0x20U);
}

// ---- generated

class Generator {
 public:
  explicit Generator(std::uint32_t seed) : random_(seed) {}
  std::size_t below(std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(random_); }

  std::string bytes() {
    static const std::vector<std::string> pieces{"a",
                                                 "Z",
                                                 "0",
                                                 "_",
                                                 "@",
                                                 "$",
                                                 ".",
                                                 "\"",
                                                 "\\",
                                                 "\n",
                                                 "\x1b",
                                                 "\x7f",
                                                 "é",
                                                 "😀",
                                                 "\xff",
                                                 "\xc3",
                                                 "\xed\xa0\x80",
                                                 "\xe2\x80\xa8",
                                                 "{",
                                                 "}",
                                                 "…",
                                                 std::string(1, '\0')};
    std::string text;
    for (std::size_t n = below(6); n > 0; --n) text += pieces[below(pieces.size())];
    return text;
  }
  std::string template_text() {
    static const std::vector<std::string> pieces{"{A}",   "{B:x}", "{@C,5}", "{$D}",    "{0}", "{1:.2f}",
                                                 "{__1}", "{_}",   "{A}",    "{ bad }", "{{",  "}}"};
    std::string text;
    for (std::size_t n = below(5); n > 0; --n) text += below(4) == 0 ? bytes() : pieces[below(pieces.size())];
    return text;
  }
  /// A value, and what a reader must find in its place.
  std::pair<OwnedValue, json> value() {
    switch (below(9)) {
      case 0: {
        const std::string text = bytes();
        return {OwnedValue(text), clean(text)};
      }
      case 1: {
        const auto number = std::uniform_int_distribution<std::int64_t>(INT64_MIN, INT64_MAX)(random_) >> below(64);
        return {OwnedValue(number), number};
      }
      case 2: {
        const auto number = std::uniform_int_distribution<std::uint64_t>()(random_);
        return {OwnedValue(number), number};
      }
      case 3: {
        const double number = std::bit_cast<double>(std::uniform_int_distribution<std::uint64_t>()(random_));
        if (std::isnan(number)) return {OwnedValue(number), "NaN"};
        if (std::isinf(number)) return {OwnedValue(number), number < 0 ? "-Infinity" : "Infinity"};
        return {OwnedValue(number), number};
      }
      case 4: return {OwnedValue(below(2) == 0), json()};
      case 5: return {OwnedValue(nullptr), nullptr};
      case 6: {
        const std::vector<std::string> list{bytes(), bytes()};
        return {OwnedValue(list), json::array({clean(list[0]), clean(list[1])})};
      }
      case 7: {
        std::map<std::string, std::string> map;
        json expected = json::object();
        for (std::size_t n = below(4); n > 0; --n) map.emplace(bytes(), bytes());
        for (const auto& [key, mapped] : map) {
          std::string name = clean(key);
          for (int n = 2; expected.contains(name); ++n) name = clean(key) + '#' + std::to_string(n);
          expected[name] = clean(mapped);
        }
        return {OwnedValue(map), expected};
      }
      default: {
        const std::vector<unsigned char> raw(below(5), 0xA5);
        std::string hex;
        for (std::size_t i = 0; i < raw.size(); ++i) hex += "A5";
        return {OwnedValue(raw), hex};
      }
    }
  }
  /// The text with U+FFFD in place of what is no UTF-8, by the JSON library's own reckoning.
  static std::string clean(const std::string& text) {
    return json::parse(json(text).dump(-1, ' ', false, json::error_handler_t::replace)).get<std::string>();
  }

 private:
  std::mt19937 random_;
};

TEST(Clef, generated_events_are_valid_json_and_utf8_with_unique_keys_and_read_back) {
  const std::uint32_t seed = std::random_device{}();
  std::cout << "seed " << seed << '\n';
  Generator generate(seed);
  for (int i = 0; i < 100000; ++i) {
    Made made{.text = generate.template_text()};
    std::vector<json> expected;
    for (std::size_t n = generate.below(4); n > 0; --n) {
      auto [value, reads] = generate.value();
      if (value.view().as_bool()) reads = *value.view().as_bool();
      made.values.push_back(std::move(value));
      expected.push_back(std::move(reads));
    }
    for (std::size_t n = generate.below(3); n > 0; --n)
      made.context.emplace_back(generate.bytes(), generate.value().first);
    for (std::size_t n = generate.below(3); n > 0; --n)
      made.extras.emplace_back(generate.bytes(), generate.value().first);
    made.options.with_message = i % 2 == 0;
    made.level = static_cast<Level>(generate.below(6));
    const std::string line = made.line();
    const auto told = [&] { return "seed " + std::to_string(seed) + " case " + std::to_string(i) + ": " + line; };
    ASSERT_TRUE(cairn::format::is_valid_utf8(line)) << told();
    ASSERT_EQ(line.find('\n'), std::string::npos) << told();
    cairn::testing::UniqueKeys keys;
    ASSERT_TRUE(json::sax_parse(line, &keys)) << keys.fault << told();
    const json read = json::parse(line);
    // the values of holes without an operator that makes strings of them, each under the name it was bound to
    if (made.text.find('$') != std::string::npos) continue;
    std::vector<cairn::Value> views;
    for (const OwnedValue& value : made.values) views.push_back(value.view());
    const auto bound = cairn::MessageTemplate::parse(made.text).bind(views);
    ASSERT_GE(bound.properties.size(), made.values.size()) << told();  // nothing given is lost
    for (const cairn::OwnedProperty& property : bound.properties) {
      ASSERT_TRUE(read.contains(property.name)) << told();
      bool found = false;
      for (const json& each : expected) found = found || read[property.name] == each;
      ASSERT_TRUE(found) << property.name << ' ' << told();
    }
  }
}

}  // namespace
