// H7: values nested without end. Nothing overflows the stack; what is too deep is a note, and counted.
#include <gtest/gtest.h>

#include <cairn/all.hpp>
#include <memory>
#include <string>
#include <vector>

#include "support/every_output.hpp"

struct Chain {
  int number = 0;
  std::shared_ptr<Chain> next;
};

/// Says it is what it points to, and that may be itself.
struct Forwarding {
  std::shared_ptr<Forwarding> next;
};
template <>
struct cairn::Capture<Forwarding> {
  static void capture(const Forwarding& value, cairn::ValueWriter& out) { out.value(value.next); }
};

struct EndlessList {};
template <>
struct cairn::Capture<EndlessList> {
  static void capture(const EndlessList& value, cairn::ValueWriter& out) {
    out.sequence([&](auto& s) {
      s.element(value);
      s.element(value);
    });
  }
};

namespace {

using cairn::testing::EveryOutput;

/// As deep as asked for; taken apart without recursion.
class Deep {
 public:
  explicit Deep(int depth) {
    for (int i = 0; i < depth; ++i) {
      auto outer = std::make_shared<Chain>();
      outer->number = i;
      outer->next = std::move(chain);
      chain = std::move(outer);
    }
  }
  ~Deep() {
    while (chain) chain = std::move(chain->next);
  }
  Deep(const Deep&) = delete;
  Deep& operator=(const Deep&) = delete;
  std::shared_ptr<Chain> chain;
};

TEST(H7Nesting, a_chain_of_a_hundred_thousand_is_cut_at_ten) {
  EveryOutput out;
  const Deep deep(100'000);
  out.log.information("{@A}", deep.chain);
  out.expect_sound(1);
  auto at = out.last()["A"];
  int levels = 0;
  for (; at.is_object(); at = at["next"]) ++levels;
  EXPECT_EQ(levels, 10);
  EXPECT_EQ(at, "…(too deep)");
  EXPECT_EQ(out.log.metrics().logger.truncated, 1U);
}

TEST(H7Nesting, a_cycle_ends_at_the_same_depth) {
  EveryOutput out;
  const auto cycle = std::make_shared<Chain>();
  cycle->next = cycle;
  out.log.information("{@A}", cycle);
  cycle->next.reset();
  EXPECT_NE(out.clef_file().find("…(too deep)"), std::string::npos);
  EXPECT_EQ(out.log.metrics().logger.truncated, 1U);
  out.expect_sound(1);
}

TEST(H7Nesting, a_capture_that_forwards_to_itself_ends) {
  EveryOutput out;
  const auto cycle = std::make_shared<Forwarding>();
  cycle->next = cycle;
  out.log.information("{A} {B}", *cycle, 2);
  cycle->next.reset();
  EXPECT_EQ(out.last()["A"], "…(too deep)");
  EXPECT_EQ(out.last()["B"], 2);
  EXPECT_EQ(out.log.metrics().logger.truncated, 1U);
  out.log.information("{A}", *cycle);
  EXPECT_EQ(out.last()["A"], nullptr);
  EXPECT_EQ(out.log.metrics().logger.truncated, 1U) << "and leaves nothing behind";
  out.expect_sound(2);
}

TEST(H7Nesting, a_capture_that_branches_into_itself_is_bounded_by_the_event) {
  EveryOutput out;
  out.log.information("{A}", EndlessList{});
  EXPECT_LT(out.clef_file().size(), 512U * 1024);
  EXPECT_EQ(out.log.metrics().logger.truncated, 1U);
  out.expect_sound(1);
}

TEST(H7Nesting, exceptions_nested_without_end_are_bounded) {
  EveryOutput out;
  const auto nest = [](auto& self, int depth) -> void {
    if (depth == 0) throw std::runtime_error("innermost");
    try {
      self(self, depth - 1);
    } catch (...) {
      std::throw_with_nested(std::runtime_error("level " + std::to_string(depth)));
    }
  };
  try {
    nest(nest, 200);
  } catch (const std::exception& e) {
    out.log.error(e, "x");
  }
  const std::string text = out.last()["@x"];
  EXPECT_TRUE(text.starts_with("std::runtime_error: level 200\n ---> std::runtime_error: level 199\n ---> ")) << text;
  EXPECT_TRUE(text.ends_with("std::runtime_error: level 191\n ---> …(too deep)")) << text;
  EXPECT_EQ(out.log.metrics().logger.truncated, 1U);
  out.expect_sound(1, 11);
}

}  // namespace
