// What Value's == and is_same_as, and with them the matchers and filters::property, take for equal.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cairn/all.hpp>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "../support/allocation_probe.hpp"
#include "cairn/testing.hpp"

namespace {
enum class Fruit { apple = 1, pear = 2, quince = 3 };
enum class Firm { apple = 7, oracle = 1 };
enum class Plain { one = 1, two = 2 };
enum class Wide : std::uint64_t { top = ~std::uint64_t{0} };

/// A dictionary with these entries, in that order; keys may come twice.
template <class K, class V>
struct Entries {
  std::vector<std::pair<K, V>> all;
};
}  // namespace

template <>
struct cairn::EnumNames<Fruit> {
  static constexpr std::array names{EnumName{Fruit::apple, "apple"}, EnumName{Fruit::pear, "pear"}};
};
template <>
struct cairn::EnumNames<Firm> {
  static constexpr std::array names{EnumName{Firm::apple, "apple"}, EnumName{Firm::oracle, "oracle"}};
};
template <class K, class V>
struct cairn::Capture<Entries<K, V>> {
  static void capture(const Entries<K, V>& entries, ValueWriter& out) {
    out.dictionary([&](DictionaryWriter& dictionary) {
      for (const auto& [key, value] : entries.all) dictionary.entry(key, value);
    });
  }
};

namespace {

using cairn::OwnedValue;
using cairn::testing_support::allocations;
using cairn::testing_support::FailingAllocations;
using testing::Not;

template <class A, class B>
bool equal(const A& a, const B& b) {
  const OwnedValue one(a);
  const OwnedValue other(b);
  const bool result = one.view() == other.view();
  EXPECT_EQ(other.view() == one.view(), result);
  return result;
}

template <class A, class B>
bool same(const A& a, const B& b) {
  const OwnedValue one(a);
  const OwnedValue other(b);
  const bool result = one.view().is_same_as(other.view());
  EXPECT_EQ(other.view().is_same_as(one.view()), result);
  return result;
}

// ---- enumerations

TEST(EnumEquality, goes_by_names_where_both_have_one) {
  EXPECT_TRUE(equal(Fruit::apple, Fruit::apple));
  EXPECT_FALSE(equal(Fruit::apple, Fruit::pear));
  EXPECT_FALSE(equal(Fruit::apple, Firm::oracle)) << "the same number";
  EXPECT_TRUE(equal(Fruit::apple, Firm::apple)) << "each of which equals the string \"apple\"";
  EXPECT_TRUE(equal(Firm::apple, std::string("apple")));
  EXPECT_FALSE(equal(Firm::apple, 7));
}

TEST(EnumEquality, goes_by_numbers_where_neither_has_a_name) {
  EXPECT_TRUE(equal(Plain::one, Plain::one));
  EXPECT_FALSE(equal(Plain::one, Plain::two));
  EXPECT_TRUE(equal(Fruit::quince, static_cast<Plain>(3)));
  EXPECT_FALSE(equal(Fruit::apple, Plain::one)) << "what has a name is no enumerator without one";
  EXPECT_FALSE(equal(Wide::top, static_cast<Plain>(-1))) << "the same bits";
}

TEST(EnumEquality, is_what_matchers_and_filters_go_by) {
  const auto sink = std::make_shared<cairn::MemorySink>();
  const auto firms = std::make_shared<cairn::MemorySink>();
  const auto log = cairn::Configuration{}
                       .write_to(sink)
                       .write_to(firms)
                       .with_filter(cairn::filters::property("E", Firm::oracle))
                       .create_logger();
  log.information("{E}", Fruit::apple);
  EXPECT_THAT(sink, cairn::testing::logged("{E}").with("E", Fruit::apple));
  EXPECT_THAT(sink, Not(cairn::testing::logged("{E}").with("E", Firm::oracle)));
  EXPECT_EQ(firms->size(), 0U);
  log.information("{E}", Firm::oracle);
  EXPECT_EQ(firms->size(), 1U);
}

// ---- dictionaries

using Numbers = Entries<std::string, int>;

Numbers numbered(int count, int first = 0) {
  Numbers made;
  for (int i = 0; i < count; ++i) made.all.emplace_back("key " + std::to_string(i), first + i);
  return made;
}

Numbers reversed(Numbers numbers) {
  std::reverse(numbers.all.begin(), numbers.all.end());
  return numbers;
}

TEST(DictionaryEquality, goes_by_keys_whatever_their_order) {
  for (const int count : {0, 1, 2, 16, 17, 18, 1000}) {
    const Numbers numbers = numbered(count);
    EXPECT_TRUE(equal(numbers, reversed(numbers))) << count;
    if (count == 0) continue;
    Numbers another_value = reversed(numbers);
    another_value.all[0].second = -1;
    EXPECT_FALSE(equal(numbers, another_value)) << count;
    Numbers another_key = reversed(numbers);
    another_key.all[0].first = "another";
    EXPECT_FALSE(equal(numbers, another_key)) << count;
    Numbers fewer = reversed(numbers);
    fewer.all.pop_back();
    EXPECT_FALSE(equal(numbers, fewer)) << count;
  }
}

TEST(DictionaryEquality, goes_by_the_pairs_of_key_and_value) {
  using Crossed = Entries<int, int>;
  EXPECT_FALSE(equal(Crossed{{{1, 2}, {3, 4}}}, Crossed{{{1, 4}, {3, 2}}}));
  EXPECT_FALSE(equal(Crossed{{{1, 2}, {3, 4}}}, Crossed{{{2, 1}, {4, 3}}}));
}

TEST(DictionaryEquality, of_unordered_maps_made_in_different_ways_is_what_matchers_and_filters_go_by) {
  std::unordered_map<std::string, int> one;
  std::unordered_map<std::string, int> other;
  other.reserve(1000);
  for (int i = 0; i < 20; ++i) one["k" + std::to_string(i)] = i;
  for (int i = 19; i >= 0; --i) other["k" + std::to_string(i)] = i;
  const auto sink = std::make_shared<cairn::MemorySink>();
  const auto log =
      cairn::Configuration{}.write_to(sink).filter_by(cairn::filters::property("Map", one)).create_logger();
  log.information("{Map}", other);
  EXPECT_THAT(sink, cairn::testing::logged("{Map}").with("Map", one));
  other["k0"] = 1;
  log.information("{Map}", other);
  EXPECT_EQ(sink->size(), 1U);
}

TEST(DictionaryEquality, counts_keys_that_come_more_than_once) {
  for (const int rest : {0, 100}) {
    const Numbers others = numbered(rest);
    const auto with = [&](std::vector<std::pair<std::string, int>> entries, bool backwards) {
      Numbers made = others;
      made.all.insert(made.all.begin(), entries.begin(), entries.end());
      return backwards ? reversed(made) : made;
    };
    EXPECT_TRUE(equal(with({{"a", 1}, {"a", 2}, {"a", 1}}, false), with({{"a", 1}, {"a", 1}, {"a", 2}}, true)));
    EXPECT_FALSE(equal(with({{"a", 1}, {"a", 2}, {"a", 1}}, false), with({{"a", 2}, {"a", 1}, {"a", 2}}, true)));
  }
  Numbers equal_keys;
  for (int i = 0; i < 500; ++i) equal_keys.all.emplace_back("a", i % 3);
  EXPECT_TRUE(equal(equal_keys, reversed(equal_keys)));
}

TEST(DictionaryEquality, takes_for_equal_what_is_so_elsewhere) {
  for (const int rest : {0, 100}) {
    Entries<int, double> one;
    Entries<std::uint64_t, float> other;
    for (int i = 0; i <= rest; ++i) {
      one.all.emplace_back(i, 0.5 * i);
      other.all.emplace_back(static_cast<std::uint64_t>(rest - i), 0.5F * static_cast<float>(rest - i));
    }
    one.all.emplace_back(-1, 0.0);
    other.all.insert(other.all.begin(), {1'000'000, -0.0F});
    EXPECT_FALSE(equal(one, other));
    one.all.back().first = 1'000'000;
    EXPECT_TRUE(equal(one, other));
  }
  const Entries<Fruit, Fruit> fruits{{{Fruit::apple, Fruit::pear}, {Fruit::pear, Fruit::quince}}};
  const Entries<std::string, Fruit> texts{{{"pear", Fruit::quince}, {"apple", Fruit::pear}}};
  EXPECT_TRUE(equal(fruits, texts));
  const Entries<Fruit, std::string> other_texts{{{Fruit::pear, "quince"}, {Fruit::apple, "pear"}}};
  EXPECT_FALSE(equal(fruits, other_texts));
}

struct Order {
  int id;
  std::vector<std::string> items;
};

TEST(DictionaryEquality, of_values_of_every_kind_and_of_dictionaries_in_them) {
  using namespace std::chrono_literals;
  const auto make = [](bool backwards) {
    std::vector<std::pair<std::string, OwnedValue>> all;
    const auto add = [&](const auto& value) { all.emplace_back(std::to_string(all.size()), OwnedValue(value)); };
    const Numbers inner = numbered(30);
    add(backwards ? reversed(inner) : inner);
    add(backwards ? std::vector{reversed(inner)} : std::vector{inner});
    add(true);
    add('c');
    add(nullptr);
    add(cairn::secret(backwards ? "one" : "other"));
    add(std::as_bytes(std::span("bytes")));
    add(cairn::Timestamp(1h));
    add(90min);
    add(std::chrono::duration<double>(1.5));
    add(static_cast<const void*>("pointer") == nullptr);
    add(Plain::two);
    add(Wide::top);
    add(1.5F);
    add(std::numeric_limits<long double>::max());
    add(std::vector{1, 2, 3});
    add(std::pair(1, "a"));
    for (int i = 0; i < 20; ++i) add(i);
    if (backwards) std::reverse(all.begin(), all.end());
    return Entries<std::string, OwnedValue>{all};
  };
  EXPECT_TRUE(equal(make(false), make(true)));
  Entries<std::string, OwnedValue> other = make(true);
  other.all.back().second = OwnedValue(numbered(30, 1));
  EXPECT_FALSE(equal(make(false), other));
}

TEST(DictionaryEquality, holds_nan_for_itself_only_where_it_is_asked_to) {
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  for (const int rest : {0, 100}) {
    Entries<double, double> one{{{nan, 1}, {2, nan}}};
    for (int i = 0; i < rest; ++i) one.all.emplace_back(i, i);
    Entries<double, double> other = one;
    std::reverse(other.all.begin(), other.all.end());
    EXPECT_TRUE(same(one, other)) << rest;
    EXPECT_FALSE(equal(one, other)) << rest;
  }
}

TEST(DictionaryEquality, tells_numbers_apart_that_are_one_as_doubles) {
  const long double one = 1;
  const long double more = one + std::numeric_limits<long double>::epsilon();
  if (static_cast<long double>(static_cast<double>(more)) == more) GTEST_SKIP() << "they are doubles here";
  using Values = std::vector<long double>;
  const auto of_one_key = [](const Values& values, int rest) {
    Entries<int, long double> made;
    for (const long double value : values) made.all.emplace_back(1, value);
    for (int i = 0; i < rest; ++i) made.all.emplace_back(2 + i, i);
    return made;
  };
  for (const int rest : {0, 100}) {
    const auto reference = of_one_key({one, more, more}, rest);
    for (const Values& values : {Values{one, more, more}, {more, one, more}, {more, more, one}})
      EXPECT_TRUE(equal(reference, of_one_key(values, rest))) << rest;
    for (const Values& values : {Values{one, one, more}, {one, more, one}, {more, one, one}})
      EXPECT_FALSE(equal(reference, of_one_key(values, rest))) << rest;
  }
}

TEST(DictionaryEquality, needs_memory_for_large_ones_in_different_orders_only_and_does_without) {
  const OwnedValue numbers(numbered(100));
  const OwnedValue others(numbered(100, 1));
  const OwnedValue backwards(reversed(numbered(100)));
  const OwnedValue few(numbered(16));
  const OwnedValue few_backwards(reversed(numbered(16)));
  const std::size_t before = allocations();
  EXPECT_TRUE(numbers.view() == numbers.view());
  EXPECT_FALSE(numbers.view() == others.view());
  EXPECT_TRUE(few.view() == few_backwards.view());
  EXPECT_EQ(allocations(), before);
  EXPECT_TRUE(numbers.view() == backwards.view());
  EXPECT_GT(allocations(), before);
  const FailingAllocations failing(0);
  EXPECT_TRUE(numbers.view() == backwards.view());
  EXPECT_FALSE(others.view() == backwards.view());
}

// ---- times

using FloatingTime = std::chrono::sys_time<std::chrono::duration<double>>;
using Years = std::chrono::sys_time<std::chrono::duration<std::int64_t, std::ratio<31556952>>>;

FloatingTime at(double seconds) { return FloatingTime(std::chrono::duration<double>(seconds)); }

TEST(TimeEquality, takes_times_that_are_no_number_as_it_takes_such_numbers) {
  EXPECT_TRUE(same(at(NAN), at(NAN)));
  EXPECT_TRUE(same(at(NAN), at(-NAN)));
  EXPECT_FALSE(equal(at(NAN), at(NAN)));
  EXPECT_FALSE(same(at(NAN), at(1.5)));
  EXPECT_FALSE(same(at(NAN), at(INFINITY)));
  EXPECT_TRUE(equal(at(INFINITY), at(INFINITY)));
  EXPECT_FALSE(equal(at(INFINITY), at(-INFINITY)));
}

TEST(TimeEquality, tells_times_apart_that_no_clock_reaches) {
  const auto years = [](std::int64_t count) { return Years(Years::duration(count)); };
  EXPECT_TRUE(equal(years(INT64_MAX), years(INT64_MAX)));
  EXPECT_FALSE(equal(years(INT64_MAX), years(INT64_MAX - 1)));
  EXPECT_FALSE(equal(years(INT64_MAX), at(1.5)));
  using Days = std::chrono::sys_time<std::chrono::duration<std::int64_t, std::ratio<86400>>>;
  EXPECT_FALSE(equal(years(INT64_MAX), Days(Days::duration(INT64_MAX)))) << "the same count";
}

// ---- matchers

TEST(MatchersOfASinkThatIsNull, match_nothing_and_say_so) {
  const std::shared_ptr<cairn::MemorySink> none;
  testing::StringMatchResultListener why;
  EXPECT_FALSE(cairn::testing::logged(cairn::Level::error).MatchAndExplain(none, why.stream()));
  EXPECT_EQ(why.str(), "which is null");
  EXPECT_FALSE(cairn::testing::logged(cairn::Level::error).MatchAndExplain(none, nullptr));
}

}  // namespace
