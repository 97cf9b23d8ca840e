// The words in which the levels of loggers stand, and the switches that set them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cairn/detail/fork_mutex.hpp"
#include "cairn/detail/level_word.hpp"
#include "cairn/level_switch.hpp"

namespace cairn::detail {

/// A word from the pool of level words, and back to it. Words are never freed: a handle being replaced may still be
/// read.
[[nodiscard]] LevelWord* take_level_word();
void give_back(LevelWord* word) noexcept;
/// The word of loggers that are off for good.
[[nodiscard]] const LevelWord& word_ended() noexcept;

struct LevelSwitchState {
  ForkMutex mutex;
  Level level = Level::information;
  std::vector<LevelWord*> words;  // of the roots that follow this switch

  void subscribe(LevelWord* word);
  void unsubscribe(LevelWord* word) noexcept;
};

/// A minimum level: fixed, or a switch's.
struct LevelSetting {
  std::string source{};  // of an override, as given; empty: the root's
  Level level = Level::information;
  std::shared_ptr<LevelSwitchState> followed{};
};

}  // namespace cairn::detail
