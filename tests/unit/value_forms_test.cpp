// Values that once took another form by the headers included, by how a text is pointed to, or by what wraps them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bitset>
#include <cairn/all.hpp>
#include <exception>
#include <stdexcept>
#include <string>
#include <thread>
#include <variant>
#include <vector>

namespace {

using cairn::OwnedValue;
using cairn::ValueKind;
using testing::AllOf;
using testing::EndsWith;
using testing::StartsWith;

/// Has an operator<< beside its Capture.
struct Ticket {
  int number;
  [[maybe_unused]] friend std::ostream& operator<<(std::ostream& out, const Ticket& t) {
    return out << "ticket " << t.number;
  }
};

}  // namespace

template <>
struct cairn::Capture<Ticket> {
  static void capture(const Ticket& t, ValueWriter& out) { out.value(t.number); }
};

namespace {

TEST(ValueForms, a_capture_that_writes_a_scalar_is_not_overruled_by_an_operator_of_streams) {
  const Ticket ticket{7};
  EXPECT_EQ(cairn::render("{T}", ticket).clef(), R"({"@mt":"{T}","T":7})");
  EXPECT_EQ(cairn::render("{@T}", ticket).clef(), R"({"@mt":"{@T}","T":7})");
  EXPECT_EQ(cairn::render("{T}", std::vector<Ticket>{{1}, {2}}).text, "[1,2]");
}

TEST(ValueForms, a_bit_of_a_vector_or_a_bitset_is_a_bool_and_no_number) {
  std::vector<bool> bits{true, false};
  std::bitset<2> set("10");
  EXPECT_EQ(cairn::render("{A} {B:B} {C} {D}", bits[0], bits[1], set[0], set[1]).clef(),
            R"({"@mt":"{A} {B:B} {C} {D}","@r":["false"],"A":true,"B":false,"C":false,"D":true})");
  const OwnedValue kept(bits.back());
  EXPECT_EQ(kept.view().kind(), ValueKind::boolean);
}

TEST(ValueForms, a_thread_id_is_a_number_whatever_headers_are_there) {
  const std::thread::id id = std::this_thread::get_id();
  EXPECT_EQ(OwnedValue(id).view().kind(), ValueKind::unsigned_integer);
  const auto rendered = cairn::render("{Id}", id);
  EXPECT_EQ(rendered.property("Id")->view().kind(), ValueKind::unsigned_integer);
}

TEST(ValueForms, pointers_to_wide_characters_are_text) {
  const wchar_t* wide = L"Grüße 😀";
  const char16_t* utf16 = u"Grüße 😀";
  const char32_t* utf32 = U"Grüße 😀";
  char16_t changeable[] = u"abc";
  char16_t* pointer = changeable;
  EXPECT_EQ(cairn::render("{A} {B} {C} {D}", wide, utf16, utf32, pointer).text, "Grüße 😀 Grüße 😀 Grüße 😀 abc");
  EXPECT_EQ(OwnedValue(static_cast<const wchar_t*>(nullptr)).view().kind(), ValueKind::null);
  EXPECT_EQ(OwnedValue(static_cast<const char16_t*>(nullptr)).view().kind(), ValueKind::null);
  EXPECT_EQ(cairn::render("{A:u}", wide).text, "GRÜßE 😀") << "and take the formats of texts";
}

TEST(ValueForms, a_nested_exception_as_an_argument_has_the_name_of_what_was_thrown) {
  try {
    try {
      throw std::runtime_error("inner");
    } catch (...) {
      std::throw_with_nested(std::logic_error("outer"));
    }
  } catch (const std::exception& e) {
    EXPECT_EQ(cairn::render("{E}", e).text, "std::logic_error: outer");
    EXPECT_EQ(cairn::render("{E}", std::current_exception()).text, "std::logic_error: outer");
  }
  try {
    try {
      throw std::runtime_error("inner");
    } catch (...) {
      struct NoException {};
      std::throw_with_nested(NoException{});
    }
  } catch (...) {
    EXPECT_THAT(cairn::render("{E}", std::current_exception()).text,
                AllOf(EndsWith("NoException"), testing::Not(StartsWith("std::_Nested"))));
  }
}

TEST(ValueForms, a_variant_that_holds_nothing_is_null) {
  const std::variant<std::monostate, int> nothing;
  const std::variant<std::monostate, int> something = 3;
  EXPECT_EQ(cairn::render("{A} {B}", nothing, something).clef(), R"({"@mt":"{A} {B}","A":null,"B":3})");
  struct monostate {};  // another one, of the program's
  const std::variant<monostate> own;
  EXPECT_EQ(OwnedValue(own).view().kind(), ValueKind::structure);
}

TEST(ValueForms, the_mark_of_a_cut_wide_text_counts_all_of_its_bytes) {
  constexpr std::size_t limit = 64 * 1024;
  const auto mark = [](std::size_t bytes) { return "…(+" + std::to_string(bytes) + " bytes)"; };
  const std::u16string ascii(10 * limit, u'x');
  EXPECT_EQ(cairn::render("{T}", ascii).text, std::string(limit, 'x') + mark(9 * limit));
  const std::u32string faces(limit, U'😀');  // 4 bytes each
  EXPECT_THAT(cairn::render("{T}", faces).text, EndsWith("😀" + mark(3 * limit)));
  const std::u16string pairs = [] {
    std::u16string text;
    for (std::size_t i = 0; i < limit; ++i) text += u"😀";
    return text;
  }();
  EXPECT_THAT(cairn::render("{T}", pairs).text, EndsWith("😀" + mark(3 * limit)));
  std::u16string alone(3 * limit, static_cast<char16_t>(0xD800));  // each half a pair: U+FFFD, 3 bytes
  EXPECT_THAT(cairn::render("{T}", alone).text, EndsWith(mark(9 * limit - (limit / 3) * 3)));
  const std::wstring mixed = std::wstring(limit - 1, L'a') + L"üb";  // the ü does not fit
  EXPECT_EQ(cairn::render("{T}", mixed).text, std::string(limit - 1, 'a') + mark(3));
  const std::wstring whole(limit, L'a');
  EXPECT_EQ(cairn::render("{T}", whole).text, std::string(limit, 'a')) << "nothing is cut of what fits";
}

}  // namespace
