// Properties as bytes: what replaces an entry, and what is left out where there is no room.
#include "capture/property_block.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cairn/all.hpp>
#include <cstring>
#include <string>
#include <vector>

#include "text/text_escape.hpp"

namespace {

using cairn::OwnedValue;
using cairn::detail::PropertyBlock;
using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> names(const PropertyBlock& block) {
  std::vector<std::string> found;
  for (std::size_t at = 0; at < block.size_bytes();) found.emplace_back(block.read(at).property.name);
  return found;
}

TEST(PropertyBlock, replaces_the_last_entry_by_one_that_is_the_last) {
  PropertyBlock block;
  block.add("First", OwnedValue(1).view());
  block.add("Last", OwnedValue("short").view());
  const std::size_t before = block.size_bytes();
  block.replace_within(before + 100, "Last", OwnedValue(std::string(100, 'x')).view(), false);
  EXPECT_THAT(names(block), ElementsAre("First", "Last"));
  EXPECT_EQ(block.count(), 2U);
  EXPECT_FALSE(block.cut());
}

TEST(PropertyBlock, leaves_out_the_last_entry_with_what_should_replace_it_where_there_is_no_room) {
  PropertyBlock block;
  block.add("First", OwnedValue(1).view());
  const std::size_t most = block.size_bytes() + 100;
  block.add("Last", OwnedValue("short").view());
  block.replace_within(most, "Last", OwnedValue(std::string(100, 'x')).view(), false);
  EXPECT_THAT(names(block), ElementsAre("First"));
  EXPECT_EQ(block.count(), 1U);
  EXPECT_TRUE(block.cut());
}

TEST(PropertyBlock, has_no_name_that_outputs_would_make_that_of_another) {
  PropertyBlock block;
  block.add("\xFF", OwnedValue(1).view());
  block.replace_within(1000, "\xFE", OwnedValue(2).view(), false);
  block.add("a\xC3", OwnedValue(3).view());
  EXPECT_THAT(names(block), testing::Contains("a\xEF\xBF\xBD"));
  for (const std::string& name : names(block)) EXPECT_TRUE(cairn::format::is_valid_utf8(name));
}

TEST(PropertyBlock, leaves_out_the_only_entry) {
  PropertyBlock block;
  block.add("Only", OwnedValue("short").view());
  block.replace_within(block.size_bytes(), "Only", OwnedValue(std::string(100, 'x')).view(), false);
  EXPECT_THAT(names(block), IsEmpty());
  EXPECT_TRUE(block.empty());
}

TEST(PropertyBlock, keeps_within_the_limit_where_a_context_gave_a_name_twice) {
  PropertyBlock block;  // as contexts have them: of equal names the last counts
  block.add("Name", OwnedValue(1).view());
  block.add("Name", OwnedValue(2).view());
  const std::size_t most = block.size_bytes();
  block.replace_within(most, "Name", OwnedValue(std::string(1000, 'x')).view(), false);
  EXPECT_LE(block.size_bytes(), most);
  for (const std::string& name : names(block)) EXPECT_EQ(name, "Name");
}

TEST(PropertyBlock, ends_at_half_an_entry) {
  PropertyBlock whole;
  whole.add("First", OwnedValue(1).view());
  whole.add("Second", OwnedValue("two").view());
  std::size_t second = 0;
  static_cast<void>(whole.read(second));
  const std::vector<std::byte> bytes(whole.data(), whole.data() + whole.size_bytes());
  PropertyBlock read;
  for (std::size_t size = second; size < bytes.size(); ++size) {
    read.assign(bytes.data(), size, nullptr);
    EXPECT_THAT(names(read), ElementsAre("First")) << size;
    EXPECT_EQ(read.count(), 1U);
    EXPECT_EQ(read.cut(), size != second);
  }
  for (const std::uint32_t wrong : {0U, 1U, static_cast<unsigned>(sizeof(cairn::detail::PropertyEntry)), 0xFFFFFFFFU}) {
    std::vector<std::byte> changed = bytes;
    std::memcpy(changed.data() + second, &wrong, sizeof(wrong));
    read.assign(changed.data(), changed.size(), nullptr);
    EXPECT_THAT(names(read), ElementsAre("First")) << wrong;
  }
}

TEST(PropertyBlock, is_read_to_its_end_where_it_is_half_written) {
  PropertyBlock block;
  block.add("First", OwnedValue(1).view());
  static_cast<void>(block.open("Second"));  // and not closed
  EXPECT_THAT(names(block), ElementsAre("First", ""));
  cairn::Value value;
  EXPECT_FALSE(block.find("Second", 0, value));
  EXPECT_EQ(block.count_at(0), 1U);
}

}  // namespace
