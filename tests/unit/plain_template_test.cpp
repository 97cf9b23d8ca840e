// The short way through the check of a call site (plain_template.hpp) against the rules themselves: what it calls plain
// has no mistake.
#include "cairn/detail/plain_template.hpp"

#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "cairn/detail/template_check.hpp"

namespace {

using cairn::detail::Hole;
using cairn::detail::is_plain_template;
using cairn::detail::Malformed;

/// What rules 11, 12 and 14 need to know, from the parser that the whole check uses.
struct Holes {
  std::vector<std::string_view> names;
  bool only_names = true;

  void text(std::string_view) {}
  void malformed(std::string_view, Malformed) { only_names = false; }
  void hole(const Hole& hole) {
    names.push_back(hole.name);
    if (hole.positional || hole.capture != '\0' || hole.alignment != 0 || !hole.format.empty()) only_names = false;
  }
};

/// Nothing: it has no mistake.
template <std::size_t N>
std::string mistake_in(std::string_view text, const char* spelled) {
  Holes holes;
  cairn::detail::parse_template(text, holes);
  if (!holes.only_names) return "a hole that is not a mere name";
  if (holes.names.size() != N) return "another number of holes";
  for (std::size_t i = 0; i < N; ++i) {
    if (holes.names[i].starts_with("__")) return "a reserved name";
    for (std::size_t j = 0; j < i; ++j) {
      if (holes.names[i] == holes.names[j]) return "a name twice";
    }
  }
  if (spelled == nullptr) return {};
  std::string_view expressions[N + 1];
  if (cairn::detail::split_expressions(spelled, expressions) != N) return {};  // then rule 12 says nothing
  for (std::size_t i = 0; i < N; ++i) {
    const std::string_view word = cairn::detail::identifier_in(expressions[i]);
    if (word.empty() || cairn::detail::same_but_for_style(word, holes.names[i])) continue;
    for (std::size_t other = 0; other < N; ++other) {
      if (other != i && cairn::detail::same_but_for_style(word, holes.names[other])) return "swapped arguments";
    }
  }
  return {};
}

class RandomCalls {
 public:
  explicit RandomCalls(unsigned seed) : random_(seed) {}

  std::string text() {
    std::string made;
    for (std::size_t parts = below(9); parts > 0; --parts) {
      if (below(8) == 0) {
        made += one_of({"{{", "}}", "{", "}", "{}", "{@A}", "{$B}", "{A,5}", "{B:x}", "{0}", "{A.b}", "{A }", "\n"});
      } else if (below(2) == 0) {
        made += one_of({" of ", "Took", ": ", "é", "\"", ""});
      } else {
        made += "{" + name() + "}";
      }
    }
    return made;
  }
  std::string spelled() {
    std::string made;
    for (std::size_t i = 0, count = below(5); i < count; ++i) {
      if (i != 0) made += ",";
      if (below(2) == 0) made += one_of({" ", "\t ", "\n"});
      if (below(3) != 0) {
        made += name();
      } else {
        made += one_of({"a + b", "f(x, y)", "x[1]", R"("s,t")", "','", "1'000", "R\"(,)\"", "1", "é", "aé", "*it", "",
                        "x.y", "-a"});
      }
      if (below(4) == 0) made += " ";
    }
    return made;
  }

 private:
  std::size_t below(std::size_t n) { return random_() % n; }
  std::string one_of(std::vector<const char*> texts) { return texts[below(texts.size())]; }
  std::string name() {
    return one_of({"A",     "a",   "b",  "B",  "User",    "user",    "user_id", "UserId", "userid", "Us_er", "U_ser",
                   "_user", "__x", "c1", "1c", "Elapsed", "ELAPSED", "a_",      "_",      "B2",     "Élan"});
  }
  std::mt19937 random_;
};

TEST(PlainTemplates, have_no_mistake) {
  const unsigned seed = std::random_device{}();
  RandomCalls calls(seed);
  std::size_t plain = 0;
  std::size_t mistaken = 0;
  for (int i = 0; i < 100'000; ++i) {
    const std::string text = calls.text();
    const std::string spelled = calls.spelled();
    for (const char* const arguments : {spelled.c_str(), static_cast<const char*>(nullptr)}) {
      const auto look = [&]<std::size_t N>() {
        const std::string mistake = mistake_in<N>(text, arguments);
        mistaken += mistake.empty() ? 0 : 1;
        if (!is_plain_template<N>(text.c_str(), arguments)) return;
        ++plain;
        ASSERT_EQ(mistake, "") << "seed " << seed << ", " << N << " arguments: " << text << " <- "
                               << (arguments ? arguments : "");
      };
      look.operator()<0>();
      look.operator()<1>();
      look.operator()<2>();
      look.operator()<3>();
      if (HasFatalFailure()) return;
    }
  }
  EXPECT_GT(plain, 10'000U) << "seed " << seed;
  EXPECT_GT(mistaken, 10'000U) << "seed " << seed;
}

TEST(PlainTemplates, are_what_most_calls_have) {
  EXPECT_TRUE(is_plain_template<0>("Started", ""));
  EXPECT_TRUE(is_plain_template<0>("", nullptr));
  EXPECT_TRUE(is_plain_template<3>("Event 7: {A} of {B} in {C}", " a + 7, b, c"));
  EXPECT_TRUE(is_plain_template<2>("{OrderId} of {Customer}", " order_id, customer.name"));
  EXPECT_TRUE(is_plain_template<1>("Took {Elapsed}", nullptr));
}

TEST(PlainTemplates, are_not_those_that_need_a_closer_look) {
  EXPECT_FALSE(is_plain_template<2>("{User} {Url}", " url, user")) << "swapped";
  EXPECT_FALSE(is_plain_template<2>("{UserId} {Count}", " count, user_id")) << "swapped, in another style";
  EXPECT_FALSE(is_plain_template<2>("{A} {A}", nullptr)) << "twice the same name";
  EXPECT_FALSE(is_plain_template<1>("{A} {B}", nullptr)) << "too many holes";
  EXPECT_FALSE(is_plain_template<2>("{A}", nullptr)) << "too few";
  EXPECT_FALSE(is_plain_template<1>("{A} }", nullptr));
  EXPECT_FALSE(is_plain_template<1>("{A", nullptr));
  EXPECT_FALSE(is_plain_template<1>("{}", " a"));
  EXPECT_FALSE(is_plain_template<1>("{__a}", nullptr));
  EXPECT_FALSE(is_plain_template<1>("{7}", nullptr));
}

}  // namespace
