// Hostile text made safe: JSON strings, lines of text, and what counts as UTF-8.
#include "text/text_escape.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <vector>

#include "cairn/detail/utf8.hpp"
#include "format_test_support.hpp"

namespace {

using namespace std::literals;
using namespace cairn::format;
using cairn::test::below;
using cairn::test::seeded;
using cairn::test::written;

std::string json(std::string_view text) {
  return written([&](auto& out) { append_json_string(out, text); });
}
std::string line(std::string_view text) {
  return written([&](auto& out) { append_text_escaped(out, text); });
}

TEST(JsonString, escapes_what_rfc_8259_asks_and_no_more) {
  EXPECT_EQ(json(""), R"("")");
  EXPECT_EQ(json("plain"), R"("plain")");
  EXPECT_EQ(json("a\"b\\c/d"), R"("a\"b\\c/d")");
  EXPECT_EQ(json("\b\f\n\r\t"), R"("\b\f\n\r\t")");
  EXPECT_EQ(json("\0\x01\x1b\x1f"sv), R"("\u0000\u0001\u001b\u001f")");
  EXPECT_EQ(json("\x7f"), "\"\x7f\"");
  EXPECT_EQ(json("Grüße 日本 👍 \u2028\u0085"), "\"Grüße 日本 👍 \u2028\u0085\"");
  EXPECT_EQ(written([](auto& out) { append_json_content(out, "a\nb"); }), "a\\nb");
}

TEST(JsonString, a_mark_is_found_at_every_place_of_texts_of_every_length) {
  for (std::size_t size = 1; size < 70; ++size) {
    for (std::size_t at = 0; at < size; ++at) {
      for (const char mark : {'"', '\\', '\n', '\x1f', '\0', '\x80', '\xff'}) {
        std::vector<char> text(size, 'x');  // on the heap, for the sanitizer to watch both ends
        text[at] = mark;
        std::string expected = std::string("\"").append(at, 'x');
        expected += mark == '"'      ? "\\\""
                    : mark == '\\'   ? "\\\\"
                    : mark == '\n'   ? "\\n"
                    : mark == '\x1f' ? "\\u001f"
                    : mark == '\0'   ? "\\u0000"
                                     : "\xEF\xBF\xBD";
        expected.append(size - at - 1, 'x').append("\"");
        ASSERT_EQ(json({text.data(), size}), expected);
      }
    }
  }
}

// One vector a class of Markus Kuhn's stress test, ours in their bytes: {bytes, how many U+FFFD}.
struct Broken {
  std::string_view name, bytes;
  int subparts;
};
constexpr Broken broken[] = {
    {"lone continuation", "\x80"sv, 1},
    {"last continuation", "\xBF"sv, 1},
    {"seven continuations", "\x80\xBF\x80\xBF\x80\xBF\x80"sv, 7},
    {"lead of two, then a blank", "\xC3 "sv, 1},
    {"lead of three, then a blank", "\xE2 "sv, 1},
    {"lead of four, then a blank", "\xF1 "sv, 1},
    {"lead of five", "\xF8\x88\x80\x80\x80"sv, 5},
    {"lead of six", "\xFC\x84\x80\x80\x80\x80"sv, 6},
    {"two without its last", "\xC3"sv, 1},
    {"three without its last", "\xE6\x97"sv, 1},
    {"four without its last", "\xF0\x9F\x91"sv, 1},
    {"four without its last two", "\xF0\x9F"sv, 1},
    {"truncated ones in a row", "\xC3\xE6\x97\xF0\x9F\x91"sv, 3},
    {"FE and FF", "\xFE\xFF\xFE\xFE\xFF\xFF"sv, 6},
    {"overlong slash in two", "\xC0\xAF"sv, 2},
    {"overlong slash in three", "\xE0\x80\xAF"sv, 3},
    {"overlong slash in four", "\xF0\x80\x80\xAF"sv, 4},
    {"greatest overlong of two", "\xC1\xBF"sv, 2},
    {"greatest overlong of three", "\xE0\x9F\xBF"sv, 3},
    {"greatest overlong of four", "\xF0\x8F\xBF\xBF"sv, 4},
    {"overlong NUL", "\xC0\x80"sv, 2},
    {"first surrogate", "\xED\xA0\x80"sv, 3},
    {"last surrogate", "\xED\xBF\xBF"sv, 3},
    {"surrogate pair", "\xED\xA0\xBD\xED\xB1\x8D"sv, 6},
    {"first past U+10FFFF", "\xF4\x90\x80\x80"sv, 4},
    {"far past U+10FFFF", "\xF7\xBF\xBF\xBF"sv, 4},
    {"a good start, then a good character", "\xF0\x9F\xC3\xBC"sv, 1},
    {"Unicode's own example", "\x61\xF1\x80\x80\xE1\x80\xC2\x62\x80\x63\x80\xBF\x64"sv, 6},
};

int count(std::string_view text, std::string_view part) {
  int found = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != std::string_view::npos; at += part.size()) ++found;
  return found;
}

TEST(Utf8, every_class_of_broken_sequence_is_replaced_by_its_maximal_subparts) {
  for (const Broken& each : broken) {
    EXPECT_FALSE(is_valid_utf8(each.bytes)) << each.name;
    const std::string safe = json(each.bytes);
    EXPECT_EQ(count(safe, "\xEF\xBF\xBD"), each.subparts) << each.name;
    EXPECT_TRUE(is_valid_utf8(safe)) << each.name;
    EXPECT_TRUE(nlohmann::json::accept(safe)) << each.name;
    EXPECT_TRUE(is_valid_utf8(line(each.bytes))) << each.name;
  }
}

TEST(Utf8, the_edges_of_what_is_valid_are_valid) {
  for (const std::string_view text :
       {"\0"sv, "\x7F"sv, "\xC2\x80"sv, "\xDF\xBF"sv, "\xE0\xA0\x80"sv, "\xED\x9F\xBF"sv, "\xEE\x80\x80"sv,
        "\xEF\xBF\xBD"sv, "\xEF\xBF\xBF"sv, "\xF0\x90\x80\x80"sv, "\xF4\x8F\xBF\xBF"sv}) {
    EXPECT_TRUE(is_valid_utf8(text));
    if (text[0] != '\0') {
      EXPECT_EQ(json(text), std::string("\"").append(text).append("\""));
    }
  }
}

TEST(Utf8, floor_keeps_whole_characters) {
  EXPECT_EQ(utf8_floor("abc", 5), 3u);
  EXPECT_EQ(utf8_floor("abc", 2), 2u);
  EXPECT_EQ(utf8_floor("aü", 2), 1u);
  EXPECT_EQ(utf8_floor("日本", 5), 3u);
  EXPECT_EQ(utf8_floor("日本", 3), 3u);
  EXPECT_EQ(utf8_floor("👍", 3), 0u);
  EXPECT_EQ(utf8_floor("", 0), 0u);
  EXPECT_EQ(utf8_floor("\x80\x80\x80\x80\x80", 3), 3u);  // nothing to keep whole
  EXPECT_EQ(utf8_floor("\xE6\x97zz", 1), 1u);
}

TEST(JsonString, reads_back_as_what_an_independent_decoder_makes_of_the_bytes) {
  auto random = seeded("reads_back_as_what_an_independent_decoder_makes_of_the_bytes");
  for (int i = 0; i < 100'000 && !HasFailure(); ++i) {
    const std::string bytes = cairn::test::random_bytes(random, 60);
    const std::string safe = json(bytes);
    const auto read = nlohmann::json::parse(safe, nullptr, false);
    ASSERT_TRUE(read.is_string()) << safe;
    // nlohmann's serializer validates by a table of its own and replaces maximal subparts too.
    const std::string theirs = nlohmann::json(bytes).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    EXPECT_EQ(read.get<std::string>(), nlohmann::json::parse(theirs).get<std::string>());
    EXPECT_EQ(is_valid_utf8(bytes), read.get<std::string>() == bytes);
    EXPECT_TRUE(is_valid_utf8(safe));
  }
}

TEST(TextLine, controls_and_what_moves_text_come_out_visible) {
  EXPECT_EQ(line("plain C:\\path \"quoted\""), "plain C:\\path \"quoted\"");
  EXPECT_EQ(line("a\nb\rc\td"), "a\\nb\\rc\\td");
  EXPECT_EQ(line("\x1b[31m"), "\\x1b[31m");
  EXPECT_EQ(line("\0\x07\x08\x0b\x7f"sv), "\\x00\\x07\\x08\\x0b\\x7f");
  EXPECT_EQ(line("\u0080\u0085\u009b\u009f\u00a0"), "\\u0080\\u0085\\u009b\\u009f\u00a0");
  EXPECT_EQ(line("\u2027\u2028\u2029\u202a\u202e\u202f"), "\u2027\\u2028\\u2029\\u202a\\u202e\u202f");
  EXPECT_EQ(line("\u2065\u2066\u2067\u2068\u2069\u206a"), "\u2065\\u2066\\u2067\\u2068\\u2069\u206a");
  EXPECT_EQ(line("\u200d\u200e\u200f\u2010\u061b\u061c"), "\u200d\\u200e\\u200f\u2010\u061b\\u061c");
  EXPECT_EQ(line("\xFF\xE6\x97z"), "\\xff\\xe6\\x97z");
  EXPECT_EQ(line("Grüße 日本 👍"), "Grüße 日本 👍");
}

TEST(TextLine, whatever_goes_in_one_harmless_line_comes_out) {
  auto random = seeded("whatever_goes_in_one_harmless_line_comes_out");
  for (int i = 0; i < 100'000 && !HasFailure(); ++i) {
    const std::string bytes = cairn::test::random_bytes(random, 60);
    const std::string safe = line(bytes);
    const char* const end = safe.data() + safe.size();
    for (const char* at = safe.data(); at != end;) {
      const auto step = cairn::detail::decode_utf8(at, end);
      const char32_t c = step.code_point;
      ASSERT_TRUE(step.valid);
      ASSERT_TRUE(c >= 0x20 && !(c >= 0x7F && c < 0xA0) && c != 0x061C);
      ASSERT_TRUE(!(c >= 0x200E && c <= 0x200F) && !(c >= 0x2028 && c <= 0x202E) && !(c >= 0x2066 && c <= 0x2069));
      at += step.size;
    }
    EXPECT_EQ(line(safe), safe);  // what is clean passes as it is
  }
}

}  // namespace
