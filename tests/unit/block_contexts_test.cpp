// Contexts of a block that come again: what the thread knows of where they stand, and what the dispatcher has read.
#include "dispatch/block_contexts.hpp"

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <new>

namespace {

using namespace cairn::detail;

TEST(WrittenContexts, are_the_newest_of_the_present_block) {
  WrittenContexts written;
  EXPECT_EQ(written.find(0, 0), nullptr);
  for (std::uint64_t i = 0; i < WrittenContexts::most + 3; ++i) written.add(1, 100 + i, 8 * i, i % 2 == 0);
  for (std::uint64_t i = 0; i < 3; ++i) EXPECT_EQ(written.find(1, 100 + i), nullptr) << i;
  for (std::uint64_t i = 3; i < WrittenContexts::most + 3; ++i) {
    const WrittenContexts::Place* const place = written.find(1, 100 + i);
    ASSERT_NE(place, nullptr) << i;
    EXPECT_EQ(place->offset, 8 * i);
    EXPECT_EQ(place->is_empty, i % 2 == 0);
  }
  EXPECT_EQ(written.find(2, 105), nullptr) << "of another block";
  written.add(2, 200, 0, false);
  EXPECT_NE(written.find(2, 200), nullptr);
  EXPECT_EQ(written.find(2, 105), nullptr) << "of the block before";
}

class ReadContextsTest : public ::testing::Test {
 protected:
  const std::shared_ptr<const PropertyBlock>& get(std::size_t at, std::uint64_t block) {
    return read.get(memory.data() + at, block, [this](const std::byte*) {
      ++made;
      if (no_memory) throw std::bad_alloc();
      return std::make_shared<const PropertyBlock>();
    });
  }
  std::array<std::byte, 64> memory{};
  ReadContexts read;
  bool no_memory = false;
  int made = 0;
};

TEST_F(ReadContextsTest, are_made_once_a_block) {
  const auto first = get(0, 1);
  const auto second = get(8, 1);
  EXPECT_NE(first, second);
  EXPECT_EQ(get(0, 1), first);
  EXPECT_EQ(get(0, 1), first);
  EXPECT_EQ(get(8, 1), second);
  EXPECT_EQ(made, 2);
  EXPECT_NE(get(8, 2), second) << "what stands there in another block is another";
  EXPECT_EQ(made, 3);
  EXPECT_EQ(second.use_count(), 1) << "it is kept no longer than its block";
}

TEST_F(ReadContextsTest, that_there_was_no_memory_for_are_asked_for_again) {
  const auto first = get(0, 1);
  no_memory = true;
  EXPECT_THROW((void)get(8, 1), std::bad_alloc);
  EXPECT_THROW((void)get(8, 1), std::bad_alloc) << "and are not taken for none";
  no_memory = false;
  EXPECT_EQ(get(0, 1), first);
  EXPECT_NE(get(8, 1), nullptr);
}

TEST_F(ReadContextsTest, of_an_event_that_has_none_are_none) {
  (void)get(0, 1);
  EXPECT_EQ(read.get(nullptr, 1, [](const std::byte*) { return std::make_shared<const PropertyBlock>(); }), nullptr);
}

TEST_F(ReadContextsTest, of_which_there_are_many_are_made_again) {
  for (int round = 0; round < 2; ++round)
    for (std::size_t at = 0; at < ReadContexts::most + 1; ++at) EXPECT_NE(get(at, 1), nullptr);
  EXPECT_EQ(made, 2 * static_cast<int>(ReadContexts::most + 1));
}

}  // namespace
