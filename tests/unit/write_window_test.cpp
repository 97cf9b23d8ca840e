// Lines that a call claims for the records that come after it: each once, and never a byte that holds something.
#include "cairn/detail/write_window.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <new>
#include <vector>

#include <gtest/gtest.h>

namespace {

using cairn::detail::WriteWindow;

constexpr std::size_t line = 64;

/// A block of a lane that is full of something else, and a window in it.
struct UsedBlock {
  UsedBlock() {
    std::fill_n(memory, bytes, something);
    window.end = at(bytes - 8);
  }
  ~UsedBlock() { ::operator delete (memory, std::align_val_t{line}); }
  UsedBlock(const UsedBlock&) = delete;
  UsedBlock& operator=(const UsedBlock&) = delete;
  [[nodiscard]] std::byte* at(std::size_t place) const { return memory + place; }
  /// Where words became zero since it was asked last; all else is as it was.
  std::vector<std::size_t> claimed() {
    std::vector<std::size_t> places;
    for (std::size_t place = 0; place < bytes; ++place) {
      if (*at(place) == something) continue;
      if (place % line == 0) places.push_back(place);
      EXPECT_LT(place % line, sizeof(std::uint32_t)) << "a byte at " << place;
    }
    std::fill_n(memory, bytes, something);
    return places;
  }

  static constexpr std::size_t bytes = 16 << 10;
  static constexpr std::byte something{0xA5};
  std::byte* memory = static_cast<std::byte*>(::operator new (bytes, std::align_val_t{line}));
  WriteWindow window;
};

TEST(WriteWindow, claims_each_line_once_and_none_that_holds_something) {
  UsedBlock block;
  for (std::size_t size = 24; size < 2000; size += 8) {
    std::size_t next_line = 0;  // the first that is not claimed yet
    std::size_t record = 0;
    for (; record + size <= UsedBlock::bytes - 8; record += size) {
      block.window.claim_ahead(block.at(record), size);
      const std::size_t behind = record + size;
      for (const std::size_t place : block.claimed()) {
        EXPECT_GE(place, behind + sizeof(std::uint32_t)) << "the record of " << size << " bytes at " << record;
        EXPECT_LT(place, UsedBlock::bytes - 8);
        EXPECT_GE(place, next_line) << size << " bytes at " << record;
        if (record != 0 && next_line > behind) {
          EXPECT_EQ(place, next_line) << size << " bytes at " << record;
        }
        next_line = place + line;
      }
    }
    EXPECT_GT(next_line, UsedBlock::bytes - line - size) << size;
  }
}

TEST(WriteWindow, that_is_closed_claims_nothing) {
  UsedBlock block;
  block.window.close();
  block.window.claim_ahead(block.at(0), 48);
  EXPECT_TRUE(block.claimed().empty());
}

}  // namespace
