#include "logger/root.hpp"

#include <algorithm>

#include "cairn/log_context.hpp"
#include "capture/thread_state.hpp"
#include "lifecycle/exit_hook.hpp"

namespace cairn::detail {

// ---- level words

namespace {
struct WordPool {
  std::mutex mutex;
  std::vector<LevelWord*> free;
};
WordPool& word_pool() {
  static WordPool* const pool = new WordPool;  // never destroyed: handles may outlive every static
  return *pool;
}
}  // namespace

LevelWord* take_level_word() {
  WordPool& pool = word_pool();
  const std::lock_guard lock(pool.mutex);
  if (pool.free.empty()) return new LevelWord(level_off);
  LevelWord* word = pool.free.back();
  pool.free.pop_back();
  return word;
}

void give_back(LevelWord* word) noexcept {
  word->store(level_off, std::memory_order_relaxed);
  try {
    WordPool& pool = word_pool();
    const std::lock_guard lock(pool.mutex);
    pool.free.push_back(word);
  } catch (...) {
    // the word is lost: a byte
  }
}

const LevelWord& word_off() noexcept {
  static constinit LevelWord word{level_off};
  return word;
}

void LevelSwitchState::subscribe(LevelWord* word) {
  const std::lock_guard lock(mutex);
  words.push_back(word);
  word->store(static_cast<std::uint8_t>(level), std::memory_order_relaxed);
}

void LevelSwitchState::unsubscribe(LevelWord* word) noexcept {
  const std::lock_guard lock(mutex);
  std::erase(words, word);
  word->store(level_off, std::memory_order_relaxed);
}

bool source_is_below(std::string_view source, std::string_view prefix) noexcept {
  if (!source.starts_with(prefix)) return false;
  const std::string_view rest = source.substr(prefix.size());
  return rest.empty() || rest.front() == '.' || rest.starts_with("::");
}

// ---- the root

Root::Root(std::vector<LevelSetting> levels, std::vector<Enricher> enrichers, std::vector<Filter> filters,
           CaptureLimits limits, std::function<void(std::string_view)> on_internal_error, Clock& clock)
    : pipeline_(std::move(enrichers), std::move(filters), std::move(on_internal_error), clock), limits_(limits) {
  words_.reserve(levels.size());
  for (LevelSetting& setting : levels) {
    LevelWord* word = take_level_word();
    words_.push_back({std::move(setting), word});
    const LevelSetting& kept = words_.back().setting;
    if (kept.followed) {
      kept.followed->subscribe(word);
    } else {
      word->store(static_cast<std::uint8_t>(kept.level), std::memory_order_relaxed);
    }
  }
}

Root::~Root() {
  for (Word& word : words_) {
    if (word.setting.followed) word.setting.followed->unsubscribe(word.word);
    give_back(word.word);
  }
}

const LevelWord* Root::word_for(std::string_view source) const noexcept {
  const Word* best = &words_.front();
  for (const Word& word : words_) {
    if (!word.setting.source.empty() && source_is_below(source, word.setting.source) &&
        word.setting.source.size() > best->setting.source.size()) {
      best = &word;
    }
  }
  return best->word;
}

FlushResult Root::flush(std::chrono::nanoseconds timeout) noexcept {
  FlushResult result;
  if (ActiveRoot::contains(*this)) {
    result.status = FlushStatus::would_deadlock;
    return result;
  }
  timeout = std::clamp(timeout, std::chrono::nanoseconds(0), std::chrono::nanoseconds(std::chrono::hours(24)));
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  try {
    for (const auto& sink : pipeline_.sinks()) {
      for (SinkStage* stage = sink.get(); stage != nullptr; stage = stage->fallback()) {
        result.sinks.push_back(stage->flush(deadline));
        result.status = std::max(result.status, result.sinks.back().status);
      }
    }
  } catch (...) {
    result.status = FlushStatus::failed;
  }
  return result;
}

FlushResult Root::close(std::chrono::nanoseconds timeout) noexcept {
  FlushResult result;
  if (ActiveRoot::contains(*this)) {
    result.status = FlushStatus::would_deadlock;
    return result;
  }
  if (closed_.exchange(true, std::memory_order_acq_rel)) return result;  // pairs with closed(): one thread closes
  for (Word& word : words_) {
    if (word.setting.followed) word.setting.followed->unsubscribe(word.word);
    word.word->store(level_off, std::memory_order_relaxed);
  }
  timeout = std::clamp(timeout, std::chrono::nanoseconds(0), std::chrono::nanoseconds(std::chrono::hours(24)));
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  try {
    for (const auto& sink : pipeline_.sinks()) {
      for (SinkStage* stage = sink.get(); stage != nullptr; stage = stage->fallback()) {
        result.sinks.push_back(stage->close(deadline));
        result.status = std::max(result.status, result.sinks.back().status);
      }
    }
  } catch (...) {
    result.status = FlushStatus::failed;
  }
  return result;
}

void Root::reopen() noexcept {
  if (ActiveRoot::contains(*this)) return;
  for (const auto& sink : pipeline_.sinks()) sink->reopen();
}

MetricsSnapshot Root::metrics() const {
  MetricsSnapshot snapshot;
  pipeline_.counts_into(snapshot.logger);
  constexpr std::string_view names[] = {"after_shutdown", "reentrant", "oom", "not_configured"};
  for (std::size_t i = 0; i < refusals; ++i) {
    if (const auto count = refused_[i].load(std::memory_order_relaxed); count != 0)
      snapshot.logger.rejected[std::string(names[i])] = count;
  }
  snapshot.logger.context_cut = LogContext::cut_count();
  for (const auto& sink : pipeline_.sinks()) sink->counts_into(snapshot.sinks);
  return snapshot;
}

void Root::drop_handle() noexcept {
  // acq_rel: what the handles did happens before the closing
  if (handles_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    forget_at_exit(*this);
    (void)close(std::chrono::seconds(5));
  }
  drop_reference();
}

void Root::drop_reference() noexcept {
  // acq_rel: as above, before the memory goes
  if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
}

// ---- states

LoggerState::LoggerState(const LoggerState& other)
    : root(other.root),
      owning(other.owning),
      threshold(other.threshold),
      properties(other.properties),
      source(other.source),
      enrichers(other.enrichers),
      filters(other.filters) {
  if (root == nullptr) return;
  if (owning) {
    root->add_handle();
  } else {
    root->add_reference();
  }
}

std::unique_ptr<LoggerState> LoggerState::borrow(const LoggerState& other) {
  auto made = std::make_unique<LoggerState>();
  made->threshold = other.threshold;
  made->properties = other.properties;
  made->source = other.source;
  made->enrichers = other.enrichers;
  made->filters = other.filters;
  made->owning = false;
  made->root = other.root;
  if (made->root != nullptr) made->root->add_reference();
  return made;
}

LoggerState::~LoggerState() {
  if (root == nullptr) return;
  if (owning) {
    root->drop_handle();
  } else {
    root->drop_reference();
  }
}

LoggerState& silent_state() noexcept {
  static LoggerState* const state = [] {
    auto* made = new LoggerState;
    made->threshold = &word_off();
    return made;
  }();
  return *state;
}

std::atomic<std::uint64_t>& silent_calls() noexcept {
  static constinit std::atomic<std::uint64_t> calls{0};
  return calls;
}

// ---- nesting

ActiveRoot::ActiveRoot(const Root& root) noexcept : ActiveRoot(root, thread_state()) {}

ActiveRoot::ActiveRoot(const Root& root, ThreadState* thread) noexcept {
  if (thread == nullptr || thread->active_count == std::size(thread->active_roots)) return;
  thread->active_roots[thread->active_count++] = &root;
  thread_ = thread;
}

ActiveRoot::~ActiveRoot() {
  if (thread_ != nullptr) --thread_->active_count;
}

bool ActiveRoot::contains(const Root& root) noexcept {
  const ThreadState* thread = thread_state();
  if (thread == nullptr) return false;
  const auto* end = thread->active_roots + thread->active_count;
  return std::find(thread->active_roots, end, static_cast<const void*>(&root)) != end;
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
  for (detail::LevelWord* word : state_->words)
    word->store(static_cast<std::uint8_t>(level), std::memory_order_relaxed);
}

}  // namespace cairn
