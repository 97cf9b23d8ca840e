// What a format may ask of a secret: columns, and nothing that would tell of the value.
#include <gtest/gtest.h>

#include <cairn/all.hpp>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace {

using cairn::detail::FormatClass;
using cairn::detail::parse_format_spec;

const std::string token = "hunter2";

TEST(SecretFormats, pad_the_stars) {
  EXPECT_EQ(cairn::render("[{T:>10}]", cairn::secret(token)).text, "[       ***]");
  EXPECT_EQ(cairn::render("[{T:*<5}]", cairn::secret(token)).text, "[*****]");
  EXPECT_EQ(cairn::render("[{T:6}]", cairn::secret(token)).text, "[***   ]");
  EXPECT_EQ(cairn::render("[{T,10:^6}]", cairn::secret(token)).text, "[     ***  ]");
  EXPECT_EQ(cairn::render("{T:>5}", std::vector{cairn::Secret(token)}).text, R"(["  ***"])");
  EXPECT_EQ(cairn::render("{T:>5}", std::map<int, cairn::Secret<std::string>>{{1, cairn::Secret(token)}}).text,
            R"({"1":"  ***"})");
  EXPECT_EQ(cairn::render("{T:>5}", std::optional(cairn::Secret(token))).text, "  ***");
}

TEST(SecretFormats, of_any_other_kind_are_not_taken) {
  for (const std::string_view format : {"d", "u", "j", "s", "x", "p", ".2", "+", "#", "05", ">10s", "%H", ">10.2f"})
    EXPECT_FALSE(parse_format_spec(format, FormatClass::secret)) << format;
  for (const std::string_view format : {">10", "*^7", "4096"})
    EXPECT_TRUE(parse_format_spec(format, FormatClass::secret)) << format;
}

TEST(SecretFormats, that_are_not_taken_are_ignored_in_a_dynamic_template) {
  EXPECT_EQ(cairn::render(cairn::dynamic_template("{T:u}"), cairn::secret(token)).text, "***");
  EXPECT_EQ(cairn::render(cairn::dynamic_template("{@T:>4}"), cairn::secret(token)).text, " ***");
  EXPECT_EQ(cairn::render(cairn::dynamic_template("{T:u}"), std::vector{cairn::Secret(token)}).text, R"(["***"])");
}

}  // namespace
