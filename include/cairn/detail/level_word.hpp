// The level from which a logger passes events on, as a call reads it: one byte, one comparison.
#pragma once

#include <atomic>
#include <cstdint>

#include "cairn/level.hpp"

namespace cairn::detail {

/// One more than the level's number; or level_ended. Words live for ever, so that they can be read without a lock.
using LevelWord = std::atomic<std::uint8_t>;
/// Of a logger that is silent for good, closed or never configured: every call comes through, to be counted as refused
/// where it would be captured.
inline constexpr std::uint8_t level_ended = 0;

[[nodiscard]] constexpr std::uint8_t word_of(Level level) noexcept {
  return static_cast<std::uint8_t>(static_cast<unsigned>(level) + 1);
}
/// Would an event of that level be captured, or has to be counted as refused?
[[nodiscard]] constexpr bool comes_through(Level level, std::uint8_t word) noexcept {
  return static_cast<unsigned>(level) + 1 >= word;
}
/// Would it be captured?
[[nodiscard]] constexpr bool passes(Level level, std::uint8_t word) noexcept {
  return word != level_ended && comes_through(level, word);
}

}  // namespace cairn::detail
