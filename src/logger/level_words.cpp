#include "logger/level_words.hpp"

#include <atomic>
#include <mutex>

#include "platform/made_once.hpp"

namespace cairn::detail {

namespace {
struct WordPool {
  ForkMutex mutex;
  std::vector<LevelWord*> free;
};
WordPool& word_pool() {
  static constinit MadeOnce<WordPool> made;  // never destroyed: handles may outlive every static
  return made.get();
}
}  // namespace

LevelWord* take_level_word() {
  WordPool& pool = word_pool();
  const std::lock_guard lock(pool.mutex);
  if (pool.free.empty()) return new LevelWord(level_ended);
  LevelWord* word = pool.free.back();
  pool.free.pop_back();
  return word;
}

void give_back(LevelWord* word) noexcept {
  word->store(level_ended, std::memory_order_relaxed);
  try {
    WordPool& pool = word_pool();
    const std::lock_guard lock(pool.mutex);
    pool.free.push_back(word);
  } catch (...) {
    // the word is lost: a byte
  }
}

const LevelWord& word_ended() noexcept {
  static constinit LevelWord word{level_ended};
  return word;
}

void LevelSwitchState::subscribe(LevelWord* word) {
  const std::lock_guard lock(mutex);
  words.push_back(word);
  word->store(word_of(level), std::memory_order_relaxed);
}

void LevelSwitchState::unsubscribe(LevelWord* word) noexcept {
  const std::lock_guard lock(mutex);
  std::erase(words, word);
  word->store(level_ended, std::memory_order_relaxed);
}

}  // namespace cairn::detail

namespace cairn {

LevelSwitch::LevelSwitch(Level level) : state_(std::make_shared<detail::LevelSwitchState>()) { state_->level = level; }

Level LevelSwitch::level() const noexcept {
  const std::lock_guard lock(state_->mutex);
  return state_->level;
}

void LevelSwitch::set(Level level) noexcept {
  const std::lock_guard lock(state_->mutex);
  state_->level = level;
  for (detail::LevelWord* word : state_->words) word->store(detail::word_of(level), std::memory_order_relaxed);
}

}  // namespace cairn
