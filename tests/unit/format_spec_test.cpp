// The grammar of formats: what is taken, what is refused, and that it is {fmt}'s but where we say otherwise.
#include "cairn/detail/format_spec.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "format_test_support.hpp"

namespace {

using namespace cairn::detail;
using cairn::test::below;
using cairn::test::hole;
using cairn::test::seeded;

constexpr bool takes(FormatClass cls, std::string_view text) { return parse_format_spec(text, cls).has_value(); }

// All of it works at compile time.
static_assert(parse_format_spec(">10.2f", FormatClass::floating)->width == 10);
static_assert(parse_format_spec(">10.2f", FormatClass::floating)->precision == 2);
static_assert(parse_format_spec("*^10", FormatClass::string)->fill_text() == "*");
static_assert(parse_format_spec("é<3", FormatClass::integer)->fill_text() == "é");
static_assert(parse_format_spec("%H:%M:%S.%3f", FormatClass::time_point)->time_pattern == "%H:%M:%S.%3f");
static_assert(parse_format_spec("-^20%F %T", FormatClass::time_point)->time_pattern == "%F %T");

TEST(FormatSpec, an_empty_format_is_taken_by_every_class) {
  for (auto cls : {FormatClass::none, FormatClass::boolean, FormatClass::character, FormatClass::integer,
                   FormatClass::floating, FormatClass::string, FormatClass::pointer, FormatClass::time_point,
                   FormatClass::duration, FormatClass::secret, FormatClass::any}) {
    EXPECT_TRUE(takes(cls, ""));
  }
}

TEST(FormatSpec, reads_every_field) {
  const auto spec = parse_format_spec("€^+#012.5e", FormatClass::floating);
  ASSERT_TRUE(spec);
  EXPECT_EQ(spec->fill_text(), "€");
  EXPECT_EQ(spec->align, FormatAlign::centre);
  EXPECT_EQ(spec->sign, FormatSign::plus);
  EXPECT_TRUE(spec->alternate);
  EXPECT_TRUE(spec->zero);
  EXPECT_EQ(spec->width, 12);
  EXPECT_EQ(spec->precision, 5);
  EXPECT_EQ(spec->type, 'e');
}

TEST(FormatSpec, each_class_takes_its_own_types_only) {
  EXPECT_TRUE(takes(FormatClass::integer, "05d"));
  EXPECT_TRUE(takes(FormatClass::integer, "#x"));
  EXPECT_TRUE(takes(FormatClass::integer, "c"));
  EXPECT_FALSE(takes(FormatClass::integer, ".2f"));
  EXPECT_FALSE(takes(FormatClass::integer, "s"));
  EXPECT_FALSE(takes(FormatClass::integer, "l"));
  EXPECT_TRUE(takes(FormatClass::floating, "+.2f"));
  EXPECT_FALSE(takes(FormatClass::floating, "d"));
  EXPECT_TRUE(takes(FormatClass::boolean, "x"));
  EXPECT_TRUE(takes(FormatClass::boolean, "B"));
  EXPECT_FALSE(takes(FormatClass::boolean, "#B"));
  EXPECT_FALSE(takes(FormatClass::boolean, "+"));
  EXPECT_TRUE(takes(FormatClass::character, "d"));
  EXPECT_FALSE(takes(FormatClass::character, "s"));
  EXPECT_TRUE(takes(FormatClass::pointer, ">20p"));
  EXPECT_FALSE(takes(FormatClass::pointer, "x"));
  for (const char* letter : {"s", "l", "j", "u", "w", ".5", ">10", ">10.5u"}) {
    EXPECT_TRUE(takes(FormatClass::string, letter)) << letter;
  }
  EXPECT_FALSE(takes(FormatClass::string, "lj"));
  EXPECT_FALSE(takes(FormatClass::string, "u3"));
  EXPECT_FALSE(takes(FormatClass::string, "05"));
  EXPECT_FALSE(takes(FormatClass::none, "s"));
}

TEST(FormatSpec, times_and_durations_take_their_conversions_only) {
  EXPECT_TRUE(takes(FormatClass::time_point, "%Y-%m-%dT%H:%M:%S.%9f%z"));
  EXPECT_TRUE(takes(FormatClass::duration, "%H:%M:%S"));
  EXPECT_TRUE(takes(FormatClass::duration, "%Q %q"));
  EXPECT_TRUE(takes(FormatClass::duration, ">12"));
  EXPECT_FALSE(takes(FormatClass::time_point, "%Q"));
  EXPECT_FALSE(takes(FormatClass::duration, "%Y"));
  EXPECT_FALSE(takes(FormatClass::time_point, "%"));
  EXPECT_FALSE(takes(FormatClass::time_point, "%H%"));
  EXPECT_FALSE(takes(FormatClass::time_point, "%4f"));
  EXPECT_FALSE(takes(FormatClass::time_point, "%3"));
  EXPECT_FALSE(takes(FormatClass::time_point, "HH:mm"));
  EXPECT_FALSE(takes(FormatClass::time_point, "%H{}"));
  EXPECT_FALSE(takes(FormatClass::time_point, "05%H"));
  EXPECT_FALSE(takes(FormatClass::time_point, ".3%H"));
}

TEST(FormatSpec, any_takes_what_some_class_takes) {
  EXPECT_TRUE(takes(FormatClass::any, ".2f"));
  EXPECT_TRUE(takes(FormatClass::any, "u"));
  EXPECT_TRUE(takes(FormatClass::any, "%H:%M"));
  EXPECT_TRUE(takes(FormatClass::any, "08.3e"));
  EXPECT_FALSE(takes(FormatClass::any, "lj"));
  EXPECT_FALSE(takes(FormatClass::any, "%K"));
}

TEST(FormatSpec, refuses_nested_locale_broken_and_oversized) {
  for (const char* text : {"{}", ">{}", ".{}", "{<5", "}<5", "L", "Ld", ".", "5.", "dd", "x ", "\xFF<5", "4097",
                           ".4097", "99999999999999999999", "?", "=5"}) {
    for (auto cls : {FormatClass::integer, FormatClass::floating, FormatClass::string}) {
      EXPECT_FALSE(takes(cls, text)) << text;
    }
  }
  EXPECT_TRUE(takes(FormatClass::integer, "4096"));
  EXPECT_TRUE(takes(FormatClass::floating, ".4096"));
}

template <typename T>
bool fmt_takes(const std::string& spec, const T& value) {
  try {
    (void)fmt::format(fmt::runtime(hole(spec)), value);
    return true;
  } catch (const fmt::format_error&) {
    return false;
  }
}

std::string random_spec(std::mt19937_64& random) {
  static constexpr std::string_view types = "abBcdeEfFgGopsxXAL?zn";
  const auto maybe = [&](std::size_t one_in) { return below(random, one_in) == 0; };
  const auto pick = [&](std::string_view from) { return std::string(1, from[below(random, from.size())]); };
  std::string spec;
  if (maybe(2)) {
    if (maybe(2)) spec += maybe(4) ? "é" : pick("*0 -+.x<%a");
    spec += pick("<>^");
  }
  if (maybe(4)) spec += pick("+- ");
  if (maybe(4)) spec += '#';
  if (maybe(4)) spec += '0';
  if (maybe(2)) spec += std::to_string(below(random, 40));
  if (maybe(4)) spec.append(".").append(std::to_string(below(random, 20)));
  if (maybe(20)) spec += 'L';
  if (!maybe(3)) spec += pick(types);
  if (maybe(30)) spec += pick("x5.<");
  return spec;
}

/// Where we follow std::format, or ourselves, and {fmt} 9.1 does otherwise.
bool differs_from_fmt(std::string_view text, FormatClass cls, const std::optional<FormatSpec>& loose) {
  if (text.find('L') != std::string_view::npos) return true;  // no locale
  if (text.find('?') != std::string_view::npos) return true;  // C++23's debug form
  if (!loose) return false;
  const bool flags = loose->zero || loose->alternate || text.find_first_of("+- ") != std::string_view::npos;
  // {fmt} lets words and characters have number flags; std::format does not.
  const bool as_text = loose->type == 0 || loose->type == 's' || loose->type == 'c' || loose->type == 'B';
  if ((cls == FormatClass::boolean || cls == FormatClass::character || loose->type == 'c') && flags && as_text)
    return true;
  // {fmt} takes no sign on a boolean, std::format does where it is shown as a number.
  if (cls == FormatClass::boolean && text.find_first_of("+- ") != std::string_view::npos) return true;
  // `c` on a boolean is {fmt}'s alone.
  return cls == FormatClass::boolean && loose->type == 'c';
}

TEST(FormatSpec, takes_what_fmt_takes) {
  auto random = seeded("takes_what_fmt_takes");
  int same = 0, taken = 0;
  const auto check = [&](const std::string& spec, FormatClass cls, const auto& value) {
    // Which letters and flags there are, whoever takes them.
    auto loose = parse_format_spec(spec, FormatClass::floating);
    for (auto each : {FormatClass::integer, FormatClass::string}) {
      if (!loose) loose = parse_format_spec(spec, each);
    }
    if (!loose && !spec.empty() && (spec.back() == 's' || spec.back() == 'c')) {
      const std::string without(spec, 0, spec.size() - 1);
      if ((loose = parse_format_spec(without, FormatClass::floating))) loose->type = spec.back();
    }
    if (differs_from_fmt(spec, cls, loose)) return;
    ++same;
    taken += takes(cls, spec);
    EXPECT_EQ(takes(cls, spec), fmt_takes(spec, value)) << "'" << spec << "' class " << static_cast<int>(cls);
  };
  for (int i = 0; i < 30'000 && !HasFailure(); ++i) {
    const std::string spec = random_spec(random);
    check(spec, FormatClass::boolean, true);
    check(spec, FormatClass::character, 'x');
    check(spec, FormatClass::integer, 42);  // signed: {fmt} refuses a sign on unsigned numbers, std::format does not
    check(spec, FormatClass::floating, 1.5);
    check(spec, FormatClass::string, std::string_view("text"));
    check(spec, FormatClass::pointer, static_cast<const void*>(nullptr));
  }
  std::printf("compared %d, %d of them taken\n", same, taken);
  EXPECT_GT(taken, 10'000);
}

TEST(FormatSpec, no_text_reads_past_its_end) {
  auto random = seeded("no_text_reads_past_its_end");
  for (int i = 0; i < 100'000; ++i) {
    const std::string bytes = cairn::test::random_bytes(random, 12);
    const std::vector<char> exact(bytes.begin(), bytes.end());  // on the heap, for the sanitizer to watch
    for (auto cls = 0; cls <= static_cast<int>(FormatClass::any); ++cls) {
      (void)parse_format_spec({exact.data(), exact.size()}, static_cast<FormatClass>(cls));
    }
  }
}

}  // namespace
