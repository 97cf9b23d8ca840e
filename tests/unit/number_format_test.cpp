// Scalars as text: by no format, and by every format {fmt} knows too.
#include "text/number_format.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <bit>
#include <charconv>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "format_test_support.hpp"

namespace {

using namespace cairn::format;
using cairn::detail::parse_format_spec;
using cairn::test::below;
using cairn::test::hole;
using cairn::test::seeded;
using cairn::test::written;

template <typename T>
std::string integer(T value) {
  return written([&](auto& out) { append_integer(out, value, nullptr); });
}
template <typename T>
std::string floating(T value) {
  return written([&](auto& out) { append_floating(out, value, nullptr); });
}
std::string floating(double value, std::string_view spec) {
  const auto parsed = parse_format_spec(spec, FormatClass::floating);
  return parsed ? written([&](auto& out) { append_floating(out, value, &*parsed); }) : "refused";
}
std::string integer(std::int64_t value, std::string_view spec) {
  const auto parsed = parse_format_spec(spec, FormatClass::integer);
  return parsed ? written([&](auto& out) { append_integer(out, value, &*parsed); }) : "refused";
}
std::string string(std::string_view value, std::string_view spec) {
  const auto parsed = parse_format_spec(spec, FormatClass::string);
  return parsed ? written([&](auto& out) { append_string(out, value, &*parsed); }) : "refused";
}

TEST(NumberFormat, whole_numbers_are_exact_to_both_ends) {
  EXPECT_EQ(integer(std::numeric_limits<std::int64_t>::min()), "-9223372036854775808");
  EXPECT_EQ(integer(std::numeric_limits<std::uint64_t>::max()), "18446744073709551615");
  EXPECT_EQ(integer(std::int64_t{9007199254740993}), "9007199254740993");
  EXPECT_EQ(integer(Int128{std::numeric_limits<std::int64_t>::min()}), "-9223372036854775808");
  EXPECT_EQ(integer(static_cast<Int128>(UInt128{1} << 127)), "-170141183460469231731687303715884105728");
  EXPECT_EQ(integer(~UInt128{0}), "340282366920938463463374607431768211455");
  EXPECT_EQ(integer(UInt128{10'000'000'000'000'000'000u}), "10000000000000000000");
  EXPECT_EQ(integer(UInt128{0}), "0");
}

TEST(NumberFormat, floating_numbers_are_the_shortest_and_valid_json) {
  EXPECT_EQ(floating(1.0), "1");
  EXPECT_EQ(floating(0.1), "0.1");
  EXPECT_EQ(floating(0.1f), "0.1");
  EXPECT_EQ(floating(-0.0), "-0");
  EXPECT_EQ(floating(100000.0), "100000");
  EXPECT_EQ(floating(1e20), "1e+20");
  EXPECT_EQ(floating(1e300), "1e+300");
  EXPECT_EQ(floating(1e-5), "1e-05");
  EXPECT_EQ(floating(5e-324), "5e-324");
  EXPECT_EQ(floating(1.7976931348623157e308), "1.7976931348623157e+308");
  EXPECT_EQ(floating(std::nan("")), "NaN");
  EXPECT_EQ(floating(-std::nan("")), "NaN");
  EXPECT_EQ(floating(std::numeric_limits<double>::infinity()), "Infinity");
  EXPECT_EQ(floating(-std::numeric_limits<float>::infinity()), "-Infinity");
}

TEST(NumberFormat, decimals_and_their_neighbours_are_as_fmt_has_them) {
  auto random = seeded("decimals_and_their_neighbours_are_as_fmt_has_them");
  for (int i = 0; i < 100'000 && !HasFailure(); ++i) {
    const double scale = (random() & 1U) != 0 ? 1000.0 : 1000000.0;
    const auto digits = static_cast<double>(random() >> (11 + random() % 50));
    const double value = (random() & 1U) != 0 ? digits / scale : -digits / scale;
    for (const double near : {value, std::nextafter(value, 1e300), std::nextafter(value, -1e300)}) {
      EXPECT_EQ(floating(near), fmt::format("{}", near));
    }
  }
}

TEST(NumberFormat, floating_numbers_read_back_as_they_were) {
  auto random = seeded("floating_numbers_read_back_as_they_were");
  for (int i = 0; i < 100'000 && !HasFailure(); ++i) {
    const auto value = std::bit_cast<double>(random());
    if (!std::isfinite(value)) continue;
    const std::string text = floating(value);
    double back = 0;
    std::from_chars(text.data(), text.data() + text.size(), back);
    EXPECT_EQ(std::bit_cast<std::uint64_t>(back), std::bit_cast<std::uint64_t>(value)) << text;
    char shortest[40];
    const auto end = std::to_chars(shortest, shortest + 40, value, std::chars_format::scientific).ptr;
    // As many digits as the shortest has, leading and trailing zeros aside.
    const auto digits = [](std::string_view number) {
      std::string found;
      for (char c : number.substr(0, number.find('e'))) {
        if (c >= '0' && c <= '9' && !(found.empty() && c == '0')) found += c;
      }
      while (!found.empty() && found.back() == '0') found.pop_back();
      return found;
    };
    EXPECT_EQ(digits(text).size(), digits({shortest, static_cast<std::size_t>(end - shortest)}).size()) << text;
    EXPECT_TRUE(nlohmann::json::accept(text)) << text;
    const auto single = std::bit_cast<float>(static_cast<std::uint32_t>(random()));
    if (!std::isfinite(single)) continue;
    const std::string single_text = floating(single);
    float single_back = 0;
    std::from_chars(single_text.data(), single_text.data() + single_text.size(), single_back);
    EXPECT_EQ(single_back, single) << single_text;
    const long double wide = static_cast<long double>(value) * 1.1L;
    if (std::isfinite(wide)) {
      EXPECT_EQ(std::strtold(floating(wide).c_str(), nullptr), wide) << floating(wide);
    }
  }
}

TEST(NumberFormat, frequent_formats) {
  EXPECT_EQ(floating(3.14159, ".2f"), "3.14");
  EXPECT_EQ(floating(-3.14159, ".0f"), "-3");
  EXPECT_EQ(floating(2.5, ".0f"), "2");
  EXPECT_EQ(floating(0.125, ".2f"), "0.12");
  EXPECT_EQ(floating(0.375, ".2f"), "0.38");
  EXPECT_EQ(floating(1.005, ".2f"), "1.00");
  EXPECT_EQ(floating(999.9996, ".3f"), "1000.000");
  EXPECT_EQ(floating(5e-324, ".9f"), "0.000000000");
  EXPECT_EQ(floating(-0.0, ".1f"), "-0.0");
  EXPECT_EQ(floating(-1.5, "08.2f"), "-0001.50");
  EXPECT_EQ(floating(1.5, "*^+10.1f"), "***+1.5***");
  EXPECT_EQ(floating(std::nan(""), "06.2f"), "   nan");
  EXPECT_EQ(integer(42, "05d"), "00042");
  EXPECT_EQ(integer(-42, "05d"), "-0042");
  EXPECT_EQ(integer(255, "#x"), "0xff");
  EXPECT_EQ(integer(255, "#010X"), "0X000000FF");
  EXPECT_EQ(integer(5, "<05d"), "5    ");  // std::format: an alignment overrides the zeros; {fmt} 9 prints 50000
}

TEST(NumberFormat, whole_numbers_as_characters_are_code_points) {
  EXPECT_EQ(integer(65, "c"), "A");
  EXPECT_EQ(integer(0x20AC, ">3c"), "  €");
  EXPECT_EQ(integer(-1, "c"), "-1");
  EXPECT_EQ(integer(0xD800, "c"), "55296");
  EXPECT_EQ(integer(0x110000, "c"), "1114112");
}

TEST(NumberFormat, strings_are_cut_and_padded_by_columns) {
  EXPECT_EQ(string("abc", "*^10"), "***abc****");
  EXPECT_EQ(string("abcdef", ".3"), "abc");
  EXPECT_EQ(string("日本語", ".4"), "日本");
  EXPECT_EQ(string("日本語", ".5"), "日本");
  EXPECT_EQ(string("日本", ">6"), "  日本");
  EXPECT_EQ(string("e\xCC\x81x", ".1"), "e\xCC\x81");
  EXPECT_EQ(string("ab", "€>4"), "€€ab");
  EXPECT_EQ(string("ab", "€^5"), "€ab€€");
  EXPECT_EQ(string("Grüße", "u"), "GRÜßE");
  EXPECT_EQ(string("ΑΒΓ Где", "w"), "αβγ где");
  EXPECT_EQ(string("a\"b", "j"), "\"a\\\"b\"");
  EXPECT_EQ(string("x", ">4l"), "   x");
}

TEST(NumberFormat, booleans_characters_and_pointers) {
  const auto boolean = [](bool value, std::string_view spec) {
    const auto parsed = parse_format_spec(spec, FormatClass::boolean);
    return written([&](auto& out) { append_boolean(out, value, spec.empty() ? nullptr : &*parsed); });
  };
  EXPECT_EQ(boolean(true, ""), "true");
  EXPECT_EQ(boolean(true, "B"), "true");
  EXPECT_EQ(boolean(false, ">7B"), "  false");
  EXPECT_EQ(boolean(true, "#x"), "0x1");
  EXPECT_EQ(boolean(false, "d"), "0");
  EXPECT_EQ(written([](auto& out) { append_character(out, 'x', nullptr); }), "x");
  EXPECT_EQ(written([](auto& out) { append_character(out, U'é', nullptr); }), "é");
  EXPECT_EQ(written([](auto& out) { append_character(out, char32_t{0xD800}, nullptr); }), "\xEF\xBF\xBD");
  const auto as_number = parse_format_spec("#x", FormatClass::character);
  EXPECT_EQ(written([&](auto& out) { append_character(out, U'é', &*as_number); }), "0xe9");
  EXPECT_EQ(written([](auto& out) { append_pointer(out, nullptr, nullptr); }), "0x0");
  EXPECT_EQ(written([](auto& out) { append_pointer(out, reinterpret_cast<void*>(0xBEEF), nullptr); }), "0xbeef");
}

std::string random_spec(std::mt19937_64& random, std::string_view types, bool flags, bool precision) {
  const auto maybe = [&](std::size_t one_in) { return below(random, one_in) == 0; };
  const auto pick = [&](std::string_view from) { return std::string(1, from[below(random, from.size())]); };
  std::string spec;
  bool aligned = false;
  if (maybe(2)) {
    aligned = true;
    if (maybe(2)) spec += maybe(4) ? "é" : pick("*0 -+.x<a");
    spec += pick("<>^");
  }
  if (flags && maybe(3)) spec += pick("+- ");
  if (flags && maybe(4)) spec += '#';
  if (flags && !aligned && maybe(3)) spec += '0';  // beside an alignment {fmt} 9 fills with zeros, against std::format
  if (maybe(2)) spec += std::to_string(1 + below(random, 40));
  if (precision && maybe(2)) spec.append(".").append(std::to_string(below(random, 12)));
  if (!maybe(4)) spec += pick(types);
  return spec;
}

double random_double(std::mt19937_64& random) {
  switch (below(random, 6)) {
    case 0: return std::bit_cast<double>(random());
    case 1: return static_cast<double>(static_cast<std::int64_t>(random())) / 1000.0;
    case 2: return static_cast<double>(below(random, 2'000'000)) / 1000.0 - 1000;
    case 3: return static_cast<double>(below(random, 4096)) / 64.0;  // many halves
    case 4: return static_cast<double>(below(random, 10)) * (below(random, 2) == 0 ? 1e-7 : 0.1);
    default: return std::ldexp(static_cast<double>(random() >> 11), static_cast<int>(below(random, 160)) - 140);
  }
}

TEST(NumberFormat, is_what_fmt_prints) {
  auto random = seeded("is_what_fmt_prints");
  int compared = 0;
  const auto compare = [&](const std::string& spec, FormatClass cls, const auto& value, auto append) {
    const auto parsed = parse_format_spec(spec, cls);
    ASSERT_TRUE(parsed) << spec;
    ++compared;
    EXPECT_EQ(written([&](auto& out) { append(out, value, &*parsed); }), fmt::format(fmt::runtime(hole(spec)), value))
        << "'" << spec << "'";
  };
  const auto whole = [](auto& out, auto value, const FormatSpec* spec) { append_integer(out, value, spec); };
  for (int i = 0; i < 30'000 && !HasFailure(); ++i) {
    const std::string of_integers = random_spec(random, "bBdoxX", true, false);
    const auto bits = random() >> below(random, 64);
    compare(of_integers, FormatClass::integer, static_cast<std::int64_t>(bits), whole);
    compare(of_integers, FormatClass::integer, -static_cast<std::int64_t>(bits >> 1), whole);
    compare(of_integers, FormatClass::integer, static_cast<Int128>(UInt128{random()} << 64 | bits), whole);
    if (of_integers.find_first_of("+- ") == std::string::npos) {
      compare(of_integers, FormatClass::integer, std::uint64_t{bits}, whole);
    }
    compare(random_spec(random, "c", false, false), FormatClass::integer,
            std::int64_t{32} + static_cast<int>(below(random, 90)),
            [](auto& out, auto value, const FormatSpec* spec) { append_integer(out, value, spec); });
    const std::string of_floats = random_spec(random, "aAeEfFgG", true, true);
    const double value = random_double(random);
    const auto floats = [](auto& out, auto number, const FormatSpec* spec) { append_floating(out, number, spec); };
    const std::string of_fixed = random_spec(random, "f", true, true);
    // What is not finite {fmt} 9 aligns left unless told and never fills with zeros; std::format treats it as any
    // number.
    const auto told = [](const std::string& spec) {
      return spec.find_first_of("<>^") != std::string::npos && spec[0] != '0';
    };
    const auto single = static_cast<float>(value);
    if (std::isfinite(value) || told(of_floats)) compare(of_floats, FormatClass::floating, value, floats);
    if (std::isfinite(single) || told(of_floats)) compare(of_floats, FormatClass::floating, single, floats);
    if (std::isfinite(value) || told(of_fixed)) compare(of_fixed, FormatClass::floating, value, floats);
    compare(random_spec(random, "s", false, true), FormatClass::string,
            std::string_view("some text of Grüße").substr(0, below(random, 15)),
            [](auto& out, auto text, const FormatSpec* spec) { append_string(out, text, spec); });
    compare(random_spec(random, "bdoxX", false, false), FormatClass::boolean, below(random, 2) == 0,
            [](auto& out, auto flag, const FormatSpec* spec) { append_boolean(out, flag, spec); });
    compare(random_spec(random, "cbBdoxX", false, false), FormatClass::character,
            static_cast<char>(32 + below(random, 90)),
            [](auto& out, auto c, const FormatSpec* spec) { append_character(out, c, spec); });
    compare(random_spec(random, "p", false, false), FormatClass::pointer, reinterpret_cast<const void*>(bits),
            [](auto& out, auto pointer, const FormatSpec* spec) { append_pointer(out, pointer, spec); });
  }
  std::printf("compared %d\n", compared);
}

TEST(NumberFormat, fixed_decimals_are_what_printf_prints) {
  auto random = seeded("fixed_decimals_are_what_printf_prints");
  for (int i = 0; i < 150'000 && !HasFailure(); ++i) {
    const double value = random_double(random);
    if (!std::isfinite(value)) continue;
    const int precision = static_cast<int>(below(random, 11));
    char expected[400];
    std::snprintf(expected, sizeof expected, "%.*f", precision, value);
    EXPECT_EQ(floating(value, std::string(".").append(std::to_string(precision)).append("f")), expected);
  }
}

}  // namespace
