// Columns: how many there are, where to cut by them, how to fill up to them.
#include "text/display_width.hpp"

#include <gtest/gtest.h>

#include "cairn/detail/utf8.hpp"
#include "format_test_support.hpp"
#include "text/letter_case.hpp"

namespace {

using namespace cairn::format;
using cairn::test::seeded;
using cairn::test::written;

TEST(DisplayWidth, counts_columns_not_bytes) {
  EXPECT_EQ(display_width(""), 0u);
  EXPECT_EQ(display_width("plain"), 5u);
  EXPECT_EQ(display_width("Grüße"), 5u);
  EXPECT_EQ(display_width("Привет"), 6u);
  EXPECT_EQ(display_width("日本語"), 6u);
  EXPECT_EQ(display_width("한글"), 4u);
  EXPECT_EQ(display_width("ＡＢ"), 4u);
  EXPECT_EQ(display_width("👍"), 2u);
  EXPECT_EQ(display_width("𠀀"), 2u);
}

TEST(DisplayWidth, marks_and_format_characters_take_no_column) {
  EXPECT_EQ(display_width("e\u0301"), 1u);
  EXPECT_EQ(display_width("a\u200Db"), 2u);
  EXPECT_EQ(display_width("\uFEFF"), 0u);
  EXPECT_EQ(display_width("x\uFE0F"), 1u);
  EXPECT_EQ(display_width("\u1112\u1161\u11AB"), 2u);  // a Hangul syllable in its parts
  EXPECT_EQ(display_width("\u00AD"), 1u);              // the soft hyphen is drawn
}

TEST(DisplayWidth, an_invalid_byte_takes_one_column) {
  EXPECT_EQ(display_width("\xFF"), 1u);
  EXPECT_EQ(display_width("\xE6\x97"), 2u);
  EXPECT_EQ(display_width("a\x80z"), 3u);
}

TEST(DisplayWidth, a_prefix_never_ends_inside_a_character) {
  EXPECT_EQ(prefix_of_width("日本", 3), 3u);
  EXPECT_EQ(prefix_of_width("日本", 4), 6u);
  EXPECT_EQ(prefix_of_width("日本", 1), 0u);
  EXPECT_EQ(prefix_of_width("e\u0301x", 1), 3u);
  EXPECT_EQ(prefix_of_width("abc", 9), 3u);
  EXPECT_EQ(prefix_of_width("\xE6\x97", 1), 1u);
}

TEST(DisplayWidth, a_prefix_and_its_width_agree) {
  auto random = seeded("a_prefix_and_its_width_agree");
  for (int i = 0; i < 50'000 && !HasFailure(); ++i) {
    const std::string text = cairn::test::random_bytes(random, 40);
    const std::size_t columns = cairn::test::below(random, 45);
    const std::size_t size = prefix_of_width(text, columns);
    const std::size_t width = display_width(text);
    if (width <= columns) {
      EXPECT_EQ(size, text.size());
    } else {
      EXPECT_LE(display_width(text.substr(0, size)), columns);
      EXPECT_GE(display_width(text.substr(0, size)) + 2, columns);
    }
  }
}

std::string padded(std::string_view text, std::size_t width, FormatAlign align, std::string_view fill = " ") {
  return written([&](cairn::OutputBuffer& out) {
    const std::size_t from = out.size();
    out.append(text);
    pad(out, from, width, align, fill);
  });
}

TEST(DisplayWidth, pads_by_columns_on_either_side) {
  EXPECT_EQ(padded("日本", 6, FormatAlign::left), "日本  ");
  EXPECT_EQ(padded("日本", 6, FormatAlign::right), "  日本");
  EXPECT_EQ(padded("日本", 7, FormatAlign::centre), " 日本  ");
  EXPECT_EQ(padded("日本", 4, FormatAlign::right), "日本");
  EXPECT_EQ(padded("日本", 3, FormatAlign::right), "日本");
  EXPECT_EQ(padded("x", 3, FormatAlign::none), "x  ");
  EXPECT_EQ(padded("x", 4, FormatAlign::centre, "·"), "·x··");
  EXPECT_EQ(padded("", 2, FormatAlign::right, "€"), "€€");
}

TEST(LetterCase, maps_latin_greek_and_cyrillic) {
  const auto upper = [](std::string_view text) { return written([&](auto& out) { append_upper(out, text); }); };
  const auto lower = [](std::string_view text) { return written([&](auto& out) { append_lower(out, text); }); };
  EXPECT_EQ(upper("straße ÿ ő ǆ"), "STRAßE Ÿ Ő Ǆ");
  EXPECT_EQ(lower("ÀÉÎ ŸŐ ǅ"), "àéî ÿő ǆ");
  EXPECT_EQ(upper("ςσ ά ᾳ"), "ΣΣ Ά ᾼ");
  EXPECT_EQ(lower("ΑΩΣ Ά"), "αωσ ά");
  EXPECT_EQ(upper("жѓё"), "ЖЃЁ");
  EXPECT_EQ(lower("ЖЃЁ"), "жѓё");
  EXPECT_EQ(lower("İ"), "i");
  EXPECT_EQ(lower("K"), "k");  // the sign for kelvin
  EXPECT_EQ(upper("日本 1 \xFF\xE6"), "日本 1 \xFF\xE6");
}

TEST(LetterCase, nearly_every_letter_finds_its_way_back) {
  int pairs = 0;
  for (char32_t c = 1; c < 0x10FFFF; ++c) {
    const char32_t upper = to_upper(c);
    EXPECT_EQ(to_upper(upper), upper) << std::hex << static_cast<unsigned>(c);
    pairs += upper != c && to_lower(upper) == c;
  }
  EXPECT_GT(pairs, 1300);
}

TEST(Utf8, every_code_point_survives_writing_and_reading) {
  for (char32_t c = 0; c <= 0x10FFFF; ++c) {
    char bytes[4];
    const int size = cairn::detail::encode_utf8(c, bytes);
    const auto step = cairn::detail::decode_utf8(bytes, bytes + size);
    const bool surrogate = c >= 0xD800 && c <= 0xDFFF;
    ASSERT_TRUE(step.valid && step.size == size);
    ASSERT_EQ(step.code_point, surrogate ? char32_t{0xFFFD} : c);
    for (int cut = 1; cut < size; ++cut) {
      const auto part = cairn::detail::decode_utf8(bytes, bytes + cut);
      ASSERT_TRUE(!part.valid && part.size == cut);
    }
  }
}

}  // namespace
