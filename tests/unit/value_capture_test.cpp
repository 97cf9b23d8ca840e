// What is captured of each type of C++: rule 13 of docs/templates.md, and its limits.
#include <algorithm>
#include <any>
#include <array>
#include <atomic>
#include <chrono>
#include <deque>
#include <filesystem>
#include <forward_list>
#include <functional>
#include <limits>
#include <list>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <ostream>
#include <ranges>
#include <set>
#include <source_location>
#include <span>
#include <string>
#include <system_error>
#include <thread>
#include <tuple>
#include <unordered_map>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "cairn/render.hpp"
#include "cairn/types/ostream.hpp"
#include "cairn/types/thread_id.hpp"

namespace {

using cairn::OwnedValue;
using cairn::Rendering;
using cairn::ValueKind;

template <class T>
std::string json(const T& value) {
  const OwnedValue owned(value);
  cairn::OutputBuffer out;
  owned.view().json_to(out);
  EXPECT_TRUE(nlohmann::json::accept(out.view())) << out.view();
  return std::string(out.view());
}
template <class T>
std::string text(const T& value, Rendering rendering = Rendering::literal) {
  return OwnedValue(value).view().to_text(rendering);
}

enum class Plain : std::int8_t { low = -3, high = 5 };
enum class Side { buy, sell, neither };
enum Old { old_one = 1 };
enum class Wide : std::uint64_t { top = UINT64_MAX };

struct Point {
  int x;
  int y;
};
struct Nothing {};
struct Line {
  Point from;
  Point to;
  std::vector<Point> between;
};
struct Holder {
  int numbers[3];
  char name[8];
  std::array<double, 2> pair;
  std::optional<std::string> note;
  std::unique_ptr<int> owned;
  bool flag;
};
struct Tree {
  int value = 0;
  std::vector<Tree> children;
};
struct Chain {
  int value = 0;
  std::unique_ptr<Chain> next;
};
struct NotDefault {
  explicit NotDefault(int) {}
  friend std::ostream& operator<<(std::ostream& out, const NotDefault&) { return out << "not default"; }
};
struct HoldsNotDefault {
  NotDefault part;
  int after;
};
struct Dual {  // a structure and a string form
  int a;
  friend std::ostream& operator<<(std::ostream& out, const Dual& d) { return out << "dual " << d.a; }
};
template <class T>
struct Box {
  T content;
};
struct Fifty {
  int m01, m02, m03, m04, m05, m06, m07, m08, m09, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21, m22, m23,
      m24, m25;
  int m26, m27, m28, m29, m30, m31, m32, m33, m34, m35, m36, m37, m38, m39, m40, m41, m42, m43, m44, m45, m46, m47, m48,
      m49, m50;
};

struct Money {
  long cents;
};
struct Thrower {};
struct Silent {};
struct Twice {};
struct Listing {};
struct Book {};
struct BadStream {
  explicit BadStream(int) {}
  friend std::ostream& operator<<(std::ostream&, const BadStream&) { throw std::runtime_error("no stream"); }
};
struct ThrowsInside {
  int before = 1;
  Thrower inner;
  int after = 2;
};
/// A range over nothing but itself.
class Endless {
 public:
  Endless() noexcept {}  // no aggregate
  [[nodiscard]] const Endless* begin() const { return this; }
  [[nodiscard]] const Endless* end() const { return this; }
  friend std::ostream& operator<<(std::ostream& out, const Endless&) { return out << "endless"; }
};

/// Like std::expected.
template <class T, class E>
class Expected {
 public:
  explicit Expected(T value) : held_(std::move(value)) {}
  static Expected failed(E error) {
    Expected e{T{}};
    e.held_ = std::move(error);
    return e;
  }
  [[nodiscard]] bool has_value() const { return held_.index() == 0; }
  explicit operator bool() const { return has_value(); }
  const T& operator*() const { return std::get<0>(held_); }
  [[nodiscard]] const E& error() const { return std::get<1>(held_); }

 private:
  std::variant<T, E> held_;
};

}  // namespace

namespace cairn {
template <>
struct EnumNames<Side> {
  static constexpr std::array names{EnumName{Side::buy, "Buy"}, EnumName{Side::sell, "Sell"}};
};
template <>
struct Capture<Money> {
  static void capture(const Money& m, ValueWriter& out) {
    out.structure("Money", [&](auto& s) {
      s.member("Cents", m.cents);
      s.member("Currency", "EUR");
    });
  }
};
template <>
struct Capture<Thrower> {
  static void capture(const Thrower&, ValueWriter& out) {
    out.structure("Half", [&](auto& s) {
      s.member("Written", 1);
      throw std::runtime_error("cannot say");
    });
  }
};
template <>
struct Capture<Silent> {
  static void capture(const Silent&, ValueWriter&) {}
};
template <>
struct Capture<Twice> {
  static void capture(const Twice&, ValueWriter& out) {
    out.value(1);
    out.value(2);
  }
};
template <>
struct Capture<Listing> {
  static void capture(const Listing&, ValueWriter& out) {
    out.sequence([](auto& s) {
      s.element(1);
      s.element("two");
      s.element(Money{3});
    });
  }
};
template <>
struct Capture<Book> {
  static void capture(const Book&, ValueWriter& out) {
    out.dictionary([](auto& d) {
      d.entry("a", 1);
      d.entry(2, "b");
      d.entry("a", 3);
    });
  }
};
}  // namespace cairn

namespace {

TEST(ValueCapture, whole_numbers_of_every_width_are_exact) {
  EXPECT_EQ(json(std::int8_t{-128}), "-128");
  EXPECT_EQ(json(std::uint8_t{255}), "255");
  EXPECT_EQ(json(std::int16_t{-32768}), "-32768");
  EXPECT_EQ(json(std::uint16_t{65535}), "65535");
  EXPECT_EQ(json(INT32_MIN), "-2147483648");
  EXPECT_EQ(json(UINT32_MAX), "4294967295");
  EXPECT_EQ(json(INT64_MIN), "-9223372036854775808");
  EXPECT_EQ(json(UINT64_MAX), "18446744073709551615");
  EXPECT_EQ(json(5LL), "5");
  EXPECT_EQ(json(std::byte{7}), "7");
}

TEST(ValueCapture, numbers_of_128_bits_are_exact) {
  __extension__ typedef __int128 Int128;
  __extension__ typedef unsigned __int128 UInt128;
  EXPECT_EQ(json(static_cast<UInt128>(-1)), "340282366920938463463374607431768211455");
  EXPECT_EQ(json(static_cast<Int128>(static_cast<UInt128>(1) << 127)), "-170141183460469231731687303715884105728");
}

TEST(ValueCapture, floating_point_numbers_read_back_as_the_same) {
  EXPECT_EQ(json(0.1F), "0.1");
  EXPECT_EQ(json(0.1), "0.1");
  EXPECT_EQ(json(0.1L), "0.1");
  EXPECT_EQ(json(std::numeric_limits<double>::quiet_NaN()), "\"NaN\"");
  EXPECT_EQ(json(std::numeric_limits<float>::infinity()), "\"Infinity\"");
  EXPECT_EQ(json(-std::numeric_limits<long double>::infinity()), "\"-Infinity\"");
  EXPECT_EQ(nlohmann::json::parse(json(5e-324)).get<double>(), 5e-324);
  EXPECT_TRUE(std::signbit(nlohmann::json::parse(json(-0.0)).get<double>()));
}

TEST(ValueCapture, characters_are_code_points) {
  EXPECT_EQ(json('c'), "\"c\"");
  EXPECT_EQ(json(u8'c'), "\"c\"");
  EXPECT_EQ(json(u'é'), "\"é\"");
  EXPECT_EQ(json(U'😀'), "\"😀\"");
  EXPECT_EQ(json(L'é'), "\"é\"");
  EXPECT_EQ(json(char16_t{0xD800}), "\"\xEF\xBF\xBD\"");
}

TEST(ValueCapture, strings_of_every_kind_are_copied) {
  EXPECT_EQ(json(std::string("a")), "\"a\"");
  EXPECT_EQ(json(std::string_view("ab", 1)), "\"a\"");
  EXPECT_EQ(json("literal"), "\"literal\"");
  const char* pointer = "pointer";
  EXPECT_EQ(json(pointer), "\"pointer\"");
  char buffer[8] = "buf";
  EXPECT_EQ(json(buffer), "\"buf\"");
  const char full[3] = {'a', 'b', 'c'};  // no NUL at its end
  EXPECT_EQ(json(full), "\"abc\"");
  EXPECT_EQ(json(std::u8string(u8"é")), "\"é\"");
  EXPECT_EQ(json(std::u16string(u"é😀")), "\"é😀\"");
  EXPECT_EQ(json(std::u32string(U"é😀")), "\"é😀\"");
  EXPECT_EQ(json(std::wstring(L"é😀")), "\"é😀\"");
  EXPECT_EQ(json(u"é😀"), "\"é😀\"");
  EXPECT_EQ(json(U"é😀"), "\"é😀\"");
  EXPECT_EQ(json(L"é😀"), "\"é😀\"");
  const char16_t full16[2] = {u'a', u'b'};  // no NUL at its end
  EXPECT_EQ(json(full16), "\"ab\"");
  EXPECT_EQ(json(std::u16string(1, char16_t{0xDC00})), "\"\xEF\xBF\xBD\"");
  EXPECT_EQ(json(std::string("a\0b", 3)), "\"a\\u0000b\"");
}

TEST(ValueCapture, null_has_many_forms) {
  EXPECT_EQ(json(nullptr), "null");
  EXPECT_EQ(json(static_cast<const char*>(nullptr)), "null");
  EXPECT_EQ(json(std::optional<int>()), "null");
  EXPECT_EQ(json(std::unique_ptr<int>()), "null");
  EXPECT_EQ(json(std::shared_ptr<Point>()), "null");
  EXPECT_EQ(json(std::monostate{}), "{\"$type\":\"monostate\"}");
  EXPECT_TRUE(OwnedValue(static_cast<const char*>(nullptr)).view().is_null());
}

TEST(ValueCapture, enumerators_are_their_names_where_they_have_them) {
  EXPECT_EQ(json(Plain::low), "-3");
  EXPECT_EQ(json(old_one), "1");
  EXPECT_EQ(json(Wide::top), "18446744073709551615");
  EXPECT_EQ(json(Side::sell), "\"Sell\"");
  EXPECT_EQ(json(Side::neither), "2");
  EXPECT_EQ(json(static_cast<Side>(77)), "77");
  EXPECT_EQ(cairn::render("{S:>6}|{T:>6}", Side::buy, Side::neither).text, "   Buy|     2");
  EXPECT_EQ(json(std::map<Side, int>{{Side::buy, 1}}), "{\"Buy\":1}");
}

TEST(ValueCapture, times_and_durations) {
  using namespace std::chrono_literals;
  using std::chrono::sys_days;
  EXPECT_EQ(json(sys_days(2024y / 2 / 29) + 1s), "\"2024-02-29T00:00:01.0000000Z\"");
  EXPECT_EQ(OwnedValue(std::chrono::system_clock::time_point(5ns)).view().as_timestamp(), cairn::Timestamp(5ns));
  EXPECT_EQ(json(1500us), "\"1500us\"");
  EXPECT_EQ(json(std::chrono::duration<double, std::milli>(1.5)), "\"1.5ms\"");
  EXPECT_EQ(OwnedValue(std::chrono::steady_clock::time_point(7ns)).view().kind(), ValueKind::duration);
}

TEST(ValueCapture, times_and_durations_that_count_in_unsigned_numbers_are_never_negative) {
  using Ticks = std::chrono::duration<std::uint64_t, std::milli>;
  const Ticks beyond(std::uint64_t{1} << 63U);
  EXPECT_EQ(json(Ticks::max()), "\"18446744073709551615ms\"");
  EXPECT_EQ(cairn::render("{D}|{E:%Q %q}|{F:%T}", beyond, beyond, Ticks(3'661'001)).text,
            "9223372036854775808ms|9223372036854775808 ms|01:01:01.001");
  EXPECT_EQ(json(std::vector<Ticks>{Ticks(1), beyond}), "[\"1ms\",\"9223372036854775808ms\"]");
  const OwnedValue great(beyond);
  EXPECT_EQ(great.view().as_duration()->count, INT64_MAX);
  EXPECT_EQ(great.view().as_duration()->unsigned_count, std::uint64_t{1} << 63U);
  EXPECT_EQ(OwnedValue(Ticks(5)).view().as_duration()->count, 5);
  EXPECT_EQ(OwnedValue(Ticks(5)).view().as_duration()->unsigned_count, 0U);
  EXPECT_EQ(great.view(), OwnedValue(std::chrono::duration<double, std::milli>(9223372036854775808.0)).view());
  EXPECT_NE(great.view(), OwnedValue(std::chrono::milliseconds::min()).view());

  using Time = std::chrono::sys_time<std::chrono::duration<std::uint64_t, std::nano>>;
  const OwnedValue late(Time(Time::duration((std::uint64_t{1} << 63U) + 5)));
  EXPECT_EQ(json(Time(Time::duration((std::uint64_t{1} << 63U) + 5))), "\"2262-04-11T23:47:16.8547758Z\"");
  EXPECT_EQ(late.view().as_time(), (cairn::TimeValue{9'223'372'036, 854'775'813}));
  EXPECT_EQ(
      json(std::chrono::sys_time<std::chrono::duration<std::uint64_t>>(std::chrono::duration<std::uint64_t>(~0ULL))),
      "\"<time out of range: 18446744073709551615s>\"");
}

TEST(ValueCapture, things_of_the_system) {
  EXPECT_EQ(json(std::filesystem::path("/a/b")), "\"/a/b\"");
  EXPECT_EQ(json(std::make_error_code(std::errc::no_such_file_or_directory)),
            "\"generic:2 (No such file or directory)\"");
  const auto here = std::source_location::current();
  EXPECT_TRUE(text(here).ends_with("value_capture_test.cpp:" + std::to_string(here.line())));
  EXPECT_GT(std::stoull(text(std::this_thread::get_id())), 0U);
  int target = 0;
  EXPECT_TRUE(text(&target).starts_with("0x"));
  EXPECT_EQ(text(static_cast<void*>(nullptr)), "0x0");
  EXPECT_EQ(json(std::runtime_error("why")), "\"std::runtime_error: why\"");
  EXPECT_EQ(json(std::make_exception_ptr(std::logic_error("why"))), "\"std::logic_error: why\"");
  EXPECT_EQ(json(std::exception_ptr()), "null");
}

TEST(ValueCapture, bytes_are_upper_hex_cut_at_1024_with_a_note) {
  EXPECT_EQ(json(std::vector<std::byte>{std::byte{0}, std::byte{0xff}}), "\"00FF\"");
  EXPECT_EQ(json(std::array<unsigned char, 2>{0xab, 1}), "\"AB01\"");
  const unsigned char raw[] = {1, 2};
  EXPECT_EQ(json(raw), "\"0102\"");
  EXPECT_EQ(json(std::span<const unsigned char>(raw)), "\"0102\"");
  const OwnedValue whole(std::vector<unsigned char>(1024, 0x11));
  EXPECT_EQ(whole.view().to_text().size(), 2048U);
  const OwnedValue cut(std::vector<unsigned char>(1030, 0x11));
  EXPECT_EQ(cut.view().bytes_total(), 1030U);
  EXPECT_TRUE(cut.view().to_text().ends_with("11…(+6 bytes)"));
}

TEST(ValueCapture, every_range_is_a_sequence) {
  EXPECT_EQ(json(std::vector<int>{1, 2}), "[1,2]");
  EXPECT_EQ(json(std::list<std::string>{"a"}), "[\"a\"]");
  EXPECT_EQ(json(std::set<int>{2, 1}), "[1,2]");
  EXPECT_EQ(json(std::deque<double>{0.5}), "[0.5]");
  EXPECT_EQ(json(std::forward_list<int>{1}), "[1]");
  EXPECT_EQ(json(std::vector<bool>{true, false}), "[true,false]");
  const int array[2][2] = {{1, 2}, {3, 4}};
  EXPECT_EQ(json(array), "[[1,2],[3,4]]");
  EXPECT_EQ(json(std::array<int, 0>{}), "[]");
  EXPECT_EQ(json(std::span<const int>(array[1])), "[3,4]");
  EXPECT_EQ(json(std::views::iota(1, 4)), "[1,2,3]");
  EXPECT_EQ(json(std::vector<std::vector<std::string>>{{"a"}, {}}), "[[\"a\"],[]]");
  const char* const names[] = {"a", nullptr};
  EXPECT_EQ(json(names), "[\"a\",null]");
}

TEST(ValueCapture, views_that_change_as_they_are_read_are_taken_by_reference) {
  std::vector<int> numbers{1, 2, 3, 4};
  auto even = numbers | std::views::filter([](int n) { return n % 2 == 0; });
  EXPECT_EQ(cairn::render("{L}", even).text, "[2,4]");
  auto squares = numbers | std::views::transform([](int n) { return std::to_string(n * n); });
  EXPECT_EQ(cairn::render("{L}", squares).text, "[\"1\",\"4\",\"9\",\"16\"]");
}

TEST(ValueCapture, tuples_and_pairs_are_sequences) {
  EXPECT_EQ(json(std::tuple(1, "a", true)), "[1,\"a\",true]");
  EXPECT_EQ(json(std::pair(1, std::string("b"))), "[1,\"b\"]");
  EXPECT_EQ(json(std::tuple<>()), "[]");
}

TEST(ValueCapture, maps_with_scalar_keys_are_dictionaries_others_sequences_of_pairs) {
  EXPECT_EQ(json(std::map<std::string, int>{{"a", 1}, {"b", 2}}), "{\"a\":1,\"b\":2}");
  EXPECT_EQ(json(std::unordered_map<int, std::string>{{7, "x"}}), "{\"7\":\"x\"}");
  EXPECT_EQ(json(std::map<bool, int>{{true, 1}}), "{\"true\":1}");
  EXPECT_EQ(json(std::map<std::wstring, int>{{L"ä", 1}}), "{\"ä\":1}");
  EXPECT_EQ(json(std::map<std::u16string, int>{{u"b", 2}}), "{\"b\":2}");
  EXPECT_EQ(json(std::map<std::error_code, int>{{std::make_error_code(std::errc::no_such_file_or_directory), 3}}),
            "{\"generic:2 (No such file or directory)\":3}");
#ifdef __SIZEOF_INT128__
  __extension__ typedef __int128 Int128;
  __extension__ typedef unsigned __int128 UInt128;
  EXPECT_EQ(json(std::map<Int128, int>{{-5, 4}}), "{\"-5\":4}");
  EXPECT_EQ(json(std::map<UInt128, int>{{5, 4}}), "{\"5\":4}");
#endif
  EXPECT_EQ(json(std::map<std::pair<int, int>, int>{{{1, 2}, 3}}), "[[[1,2],3]]");
  EXPECT_EQ(json(std::multimap<int, int>{{1, 2}, {1, 3}}), "[[1,2],[1,3]]");
  EXPECT_EQ(json(std::map<std::string, int>{{"", 1}, {"_", 2}}), "{\"\":1,\"_\":2}");
}

TEST(ValueCapture, no_key_comes_twice_even_where_bytes_are_replaced) {
  EXPECT_EQ(json(std::map<std::string, int>{{"\xfe", 1}, {"\xff", 2}}), "{\"\uFFFD\":1,\"\uFFFD#2\":2}");
  EXPECT_EQ(json(Book{}), "{\"a\":1,\"2\":\"b\",\"a#2\":3}");
  const std::string big = json([] {
    std::map<std::string, int> m{{"…", 0}};
    for (int i = 0; i < 1001; ++i) m[std::to_string(i)] = i;
    return m;
  }());
  EXPECT_EQ(nlohmann::json::parse(big).size(), 1001U);
}

TEST(ValueCapture, holders_are_what_they_hold) {
  EXPECT_EQ(json(std::variant<int, std::string>("a")), "\"a\"");
  EXPECT_EQ(json(std::optional(std::vector<int>{1})), "[1]");
  EXPECT_EQ(json(std::make_unique<Point>(Point{1, 2})), "{\"x\":1,\"y\":2,\"$type\":\"Point\"}");
  EXPECT_EQ(json(std::make_shared<int>(4)), "4");
  int referred = 5;
  EXPECT_EQ(json(std::ref(referred)), "5");
  EXPECT_EQ(json(std::atomic<int>(6)), "6");
  EXPECT_EQ(json(Expected<int, std::string>(7)), "7");
  EXPECT_EQ(json(Expected<int, std::string>::failed("bad")), "\"bad\"");
  EXPECT_EQ(json(std::optional<std::optional<int>>(std::optional<int>())), "null");
}

TEST(ValueCapture, plain_aggregates_are_structures_with_the_names_of_their_members) {
  EXPECT_EQ(json(Point{1, -2}), "{\"x\":1,\"y\":-2,\"$type\":\"Point\"}");
  EXPECT_EQ(json(Nothing{}), "{\"$type\":\"Nothing\"}");
  EXPECT_EQ(json(Line{{1, 2}, {3, 4}, {{5, 6}}}),
            "{\"from\":{\"x\":1,\"y\":2,\"$type\":\"Point\"},\"to\":{\"x\":3,\"y\":4,\"$type\":\"Point\"},"
            "\"between\":[{\"x\":5,\"y\":6,\"$type\":\"Point\"}],\"$type\":\"Line\"}");
  EXPECT_EQ(json(Holder{{1, 2, 3}, "ann", {0.5, 1.5}, "note", std::make_unique<int>(9), true}),
            "{\"numbers\":[1,2,3],\"name\":\"ann\",\"pair\":[0.5,1.5],\"note\":\"note\",\"owned\":9,\"flag\":true,\"$"
            "type\":\"Holder\"}");
  EXPECT_EQ(json(Box<int>{1}), "{\"content\":1,\"$type\":\"Box\"}");
  EXPECT_EQ(json(Box<std::map<std::string, Point>>{{{"a", {1, 2}}}}),
            "{\"content\":{\"a\":{\"x\":1,\"y\":2,\"$type\":\"Point\"}},\"$type\":\"Box\"}");
  EXPECT_EQ(json(HoldsNotDefault{NotDefault(1), 2}),
            "{\"part\":\"not default\",\"after\":2,\"$type\":\"HoldsNotDefault\"}");
}

TEST(ValueCapture, a_structure_of_50_members_has_them_all) {
  Fifty fifty{};
  fifty.m50 = 50;
  const auto read = nlohmann::json::parse(json(fifty));
  EXPECT_EQ(read.size(), 51U);
  EXPECT_EQ(read["m50"], 50);
}

TEST(ValueCapture, local_types_have_their_names) {
  struct Local {
    int inner;
    std::string other;
  };
  EXPECT_EQ(json(Local{3, "o"}), "{\"inner\":3,\"other\":\"o\",\"$type\":\"Local\"}");
}

TEST(ValueCapture, recursive_types) {
  EXPECT_EQ(json(Tree{1, {{2, {}}}}),
            "{\"value\":1,\"children\":[{\"value\":2,\"children\":[],\"$type\":\"Tree\"}],\"$type\":\"Tree\"}");
  Chain chain{1, std::make_unique<Chain>()};
  EXPECT_EQ(json(chain), "{\"value\":1,\"next\":{\"value\":0,\"next\":null,\"$type\":\"Chain\"},\"$type\":\"Chain\"}");
}

TEST(ValueCapture, the_operator_decides_between_structure_and_string_form) {
  const Dual dual{4};
  EXPECT_EQ(cairn::render("{D}", dual).clef(), R"({"@mt":"{D}","D":"dual 4"})");
  EXPECT_EQ(cairn::render("{@D}", dual).clef(), R"({"@mt":"{@D}","D":{"a":4,"$type":"Dual"}})");
  EXPECT_EQ(cairn::render("{L}", std::vector<Dual>{{1}}).text, R"(["dual 1"])");
  EXPECT_EQ(cairn::render("{@L}", std::vector<Dual>{{1}}).text, R"([{"a":1,"$type":"Dual"}])");
  EXPECT_EQ(cairn::render("{$P}", Point{1, 2}).clef(), R"({"@mt":"{$P}","P":"{\"x\":1,\"y\":2,\"$type\":\"Point\"}"})");
  EXPECT_EQ(json(Endless{}), "\"endless\"");
}

TEST(ValueCapture, the_customization_point_decides) {
  EXPECT_EQ(json(Money{250}), R"({"Cents":250,"Currency":"EUR","$type":"Money"})");
  EXPECT_EQ(json(Listing{}), R"([1,"two",{"Cents":3,"Currency":"EUR","$type":"Money"}])");
  EXPECT_EQ(json(std::vector<Money>{{1}}), R"([{"Cents":1,"Currency":"EUR","$type":"Money"}])");
  EXPECT_EQ(json(Silent{}), "null");
  EXPECT_EQ(json(Twice{}), "1");
}

TEST(ValueCapture, what_user_code_throws_stands_in_the_place_of_its_value) {
  EXPECT_EQ(json(Thrower{}), "\"<error: cannot say>\"");
  EXPECT_EQ(json(std::vector<Thrower>(2)), "[\"<error: cannot say>\",\"<error: cannot say>\"]");
  EXPECT_EQ(json(ThrowsInside{}),
            "{\"before\":1,\"inner\":\"<error: cannot say>\",\"after\":2,\"$type\":\"ThrowsInside\"}");
  EXPECT_EQ(json(BadStream(1)), "\"<error: no stream>\"");
  EXPECT_EQ(cairn::render("{A} {B}", Thrower{}, 2).text, "<error: cannot say> 2");
  const auto bad = std::views::iota(0, 3) |
                   std::views::transform([](int n) { return n == 1 ? throw std::runtime_error("mid") : n; });
  EXPECT_EQ(json(bad), "\"<error: mid>\"");
}

template <class T>
concept Streams = requires(std::ostream& out, const T& value) {
  out << value;
};
static_assert(Streams<std::string>);
static_assert(!Streams<cairn::Secret<std::string>>);
static_assert(!Streams<cairn::Secret<int>>);
static_assert(!std::is_convertible_v<cairn::Secret<std::string>, std::string>);
static_assert(!std::equality_comparable<cairn::Secret<int>>);

struct Login {
  std::string user;
  cairn::Secret<std::string> password;
};

TEST(ValueCapture, secrets_are_stars_everywhere) {
  std::string token = "hunter2-token";
  EXPECT_EQ(cairn::secret(token).reveal(), token);
  EXPECT_EQ(cairn::secret(std::as_const(token)).reveal(), token);
  EXPECT_EQ(cairn::secret(std::string("x")).reveal(), "x");
  const auto expect_hidden = [&](const cairn::Rendered& r) {
    EXPECT_EQ(r.text.find("***") == std::string::npos, r.text == "surplus") << r.text;
    EXPECT_EQ(r.text.find("hunter2"), std::string::npos);
    EXPECT_NE(r.clef().find("***"), std::string::npos);
    EXPECT_EQ(r.clef().find("hunter2"), std::string::npos);
  };
  expect_hidden(cairn::render("{T}", cairn::secret(token)));
  expect_hidden(cairn::render("{$T}", cairn::secret(token)));
  expect_hidden(cairn::render(cairn::dynamic_template("{@T}"), cairn::secret(token)));
  expect_hidden(cairn::render("{T:>20}", cairn::secret(std::string(token))));
  expect_hidden(cairn::render("{@L}", Login{"ann", cairn::Secret(token)}));
  expect_hidden(cairn::render("{L}", std::vector{cairn::Secret(token)}));
  expect_hidden(cairn::render("{M}", std::map<std::string, cairn::Secret<std::string>>{{"k", cairn::Secret(token)}}));
  expect_hidden(cairn::render("{O}", std::optional(cairn::Secret(token))));
  expect_hidden(cairn::render(cairn::dynamic_template("surplus"), cairn::secret(token)));
  EXPECT_EQ(cairn::render("{T}", cairn::secret(token)).text, "***");
  const OwnedValue owned{cairn::Secret(token)};
  EXPECT_NE(owned.view().to_text(Rendering::classic).find("***"), std::string::npos);
}

// ---- limits

template <int Depth>
struct Nested {
  Nested<Depth - 1> in;
};
template <>
struct Nested<0> {
  int end = 1;
};

TEST(ValueCapture, ten_levels_are_captured_and_the_eleventh_is_a_note) {
  EXPECT_EQ(json(Nested<9>{}).find("too deep"), std::string::npos);
  const std::string eleven = json(Nested<10>{});
  EXPECT_NE(eleven.find("\"in\":\"…(too deep)\""), std::string::npos) << eleven;
  Chain* last = nullptr;
  Chain chain;
  last = &chain;
  for (int i = 0; i < 20; ++i) {
    last->next = std::make_unique<Chain>();
    last = last->next.get();
  }
  EXPECT_NE(json(chain).find("too deep"), std::string::npos);
}

TEST(ValueCapture, a_thousand_elements_are_kept) {
  const OwnedValue whole(std::vector<int>(1000));
  EXPECT_EQ(whole.view().omitted(), 0U);
  const OwnedValue cut(std::vector<int>(1007));
  EXPECT_EQ(cut.view().size(), 1000U);
  EXPECT_EQ(cut.view().omitted(), 7U);
  EXPECT_TRUE(cut.view().to_text().ends_with(",\"…(+7 elements)\"]"));
  EXPECT_EQ(OwnedValue(std::forward_list<int>(1001)).view().omitted(), UINT32_MAX);
}

TEST(ValueCapture, strings_are_cut_at_64_KiB_between_characters) {
  const std::size_t most = 64 * 1024;
  EXPECT_EQ(text(std::string(most, 'a')).size(), most);
  EXPECT_EQ(text(std::string(most + 1, 'a')), std::string(most, 'a') + "…(+1 bytes)");
  std::string wide(most - 1, 'a');
  wide += "é and more";  // the limit falls inside é
  EXPECT_EQ(text(wide), std::string(most - 1, 'a') + "…(+11 bytes)");
  std::string picture(most - 3, 'a');
  picture += "😀";
  EXPECT_EQ(text(picture), std::string(most - 3, 'a') + "…(+4 bytes)");
  EXPECT_TRUE(text(std::u16string(most, u'é')).ends_with("bytes)"));
}

TEST(ValueCapture, an_event_is_cut_at_256_KiB) {
  const OwnedValue huge(std::vector<std::string>(900, std::string(1000, 'x')));
  EXPECT_LT(huge.view().to_text().size(), 270U * 1024);
  EXPECT_GT(huge.view().to_text().size(), 250U * 1024);
  EXPECT_GT(huge.view().omitted(), 0U);
}

TEST(ValueCapture, cuts_are_counted) {
  constexpr cairn::CaptureLimits limits{.depth = 1, .elements = 2, .properties = 1, .string_bytes = 4};
  const auto cuts = [&](const auto& value) {
    cairn::detail::CaptureBuffer buffer;
    cairn::detail::CaptureWriter writer(buffer, limits);
    cairn::detail::write_dynamic(writer, value);
    return writer.cuts();
  };
  EXPECT_EQ(cuts(std::string("four")), 0U);
  EXPECT_EQ(cuts(std::string("fives")), 1U);
  EXPECT_EQ(cuts(std::vector<int>(2)), 0U);
  EXPECT_EQ(cuts(std::vector<int>(3)), 1U);
  EXPECT_EQ(cuts(std::vector<std::vector<int>>(1)), 1U);
  EXPECT_EQ(cuts(Money{1}), 1U);
  EXPECT_EQ(cuts(Twice{}), 1U);
}

// ---- nothing borrowed survives

TEST(ValueCapture, what_was_captured_outlives_what_it_came_from) {
  struct Owner {
    std::string_view view;
    const char* pointer;
    std::vector<std::string_view> list;
  };
  std::optional<OwnedValue> kept;
  {
    auto text = std::make_unique<std::string>("a string long enough to live on the heap");
    auto owner = std::make_unique<Owner>(Owner{*text, text->c_str(), {*text}});
    kept.emplace(*owner);
    std::fill(text->begin(), text->end(), '#');
  }
  EXPECT_EQ(kept->view().to_text().find('#'), std::string::npos);
  EXPECT_EQ(kept->view().find("view")->as_string(), "a string long enough to live on the heap");
  const auto made = [] {
    std::string name = "MoneyOfALongNameThatIsNotInPlace";
    const auto parsed = cairn::MessageTemplate::parse(std::string("{") + name + "}");
    return parsed.bind_values(Rendering::literal, std::string(100, 'v'));
  }();
  EXPECT_EQ(made.properties.at(0).name, "MoneyOfALongNameThatIsNotInPlace");
  EXPECT_EQ(made.text, std::string(100, 'v'));
}

TEST(ValueCapture, values_are_captured_again_unchanged) {
  const OwnedValue first(Line{{1, 2}, {3, 4}, {}});
  const OwnedValue second(first.view());
  EXPECT_TRUE(first.view() == second.view());
  EXPECT_EQ(cairn::render("{@L}", first).text, first.view().to_text());
  EXPECT_EQ(OwnedValue().view().kind(), ValueKind::null);
  EXPECT_EQ(json(OwnedValue()), "null");
  EXPECT_EQ(json(OwnedValue(static_cast<const char*>(nullptr))), "null");
}

TEST(ValueCapture, the_parts_of_values_can_be_read) {
  const OwnedValue line(Line{{1, 2}, {3, 4}, {{5, 6}, {7, 8}}});
  std::vector<std::string> names;
  for (const cairn::Member& member : line.view().members()) names.emplace_back(member.name);
  EXPECT_EQ(names, (std::vector<std::string>{"from", "to", "between"}));
  EXPECT_EQ(line.view().type_name(), "Line");
  EXPECT_EQ(line.view().find("to")->find("y")->as_int64(), 4);
  int sum = 0;
  for (const cairn::Value& point : line.view().find("between")->elements())
    sum += static_cast<int>(*point.find("x")->as_int64());
  EXPECT_EQ(sum, 12);
  const OwnedValue map(std::map<std::string, int>{{"a", 1}});
  EXPECT_EQ(map.view().find("a")->as_int64(), 1);
  EXPECT_FALSE(map.view().find("b"));
}

TEST(ValueCapture, equality_is_by_value) {
  const auto same = [](const auto& a, const auto& b) { return OwnedValue(a).view() == OwnedValue(b).view(); };
  EXPECT_TRUE(same(1, 1UL));
  EXPECT_TRUE(same(std::int8_t{-1}, -1LL));
  EXPECT_FALSE(same(-1, UINT64_MAX));
  EXPECT_FALSE(same(1, true));
  EXPECT_FALSE(same("c", 'c'));
  EXPECT_TRUE(same(0.5F, 0.5L));
  EXPECT_TRUE(same(std::vector<int>{1}, std::array<long, 1>{1}));
  EXPECT_TRUE(same(std::chrono::seconds(1), std::chrono::milliseconds(1000)));
  EXPECT_TRUE(same(Side::buy, "Buy"));
  EXPECT_FALSE(same(std::vector<int>(1001), std::vector<int>(1002)));
}

}  // namespace
