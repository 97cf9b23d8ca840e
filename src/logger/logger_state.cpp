#include "logger/logger_state.hpp"

#include "dispatch/dispatcher.hpp"
#include "platform/made_once.hpp"

namespace cairn::detail {

LoggerState::LoggerState(const LoggerState& other, std::shared_ptr<const LoggerParts> other_parts)
    : root(other.root), owning(other.owning), parts(std::move(other_parts)), source(other.source) {
  threshold = other.threshold;
  if (root == nullptr) return;
  if (owning) {
    root->add_handle();
  } else {
    root->add_reference();
  }
}

void LoggerState::enter_table() {
  if (root == nullptr || !root->lanes()) return;
  id = LoggerTable::instance().take(parts);
  // Through the window goes what needs nothing but its arguments and the counter.
  if (root->lanes()->ticks && !root->pipeline().enriches_at_capture(*parts)) root_key = root->lanes()->key;
}

std::unique_ptr<LoggerState> LoggerState::borrow(const LoggerState& other) {
  auto made = std::make_unique<LoggerState>();
  made->threshold = other.threshold;
  made->parts = other.parts;
  made->source = other.source;
  made->owning = false;
  made->root = other.root;
  if (made->root != nullptr) made->root->add_reference();
  return made;
}

LoggerState::~LoggerState() {
  if (root == nullptr) return;
  if (id != 0 && LoggerTable::instance().retire(id)) Dispatcher::instance().wake();
  if (owning) {
    root->drop_handle();
  } else {
    root->drop_reference();
  }
}

void LoggerState::end_without_dying() noexcept {
  if (root == nullptr || !owning) return;
  root->add_reference();
  root->drop_handle();
}

LoggerState& silent_state() noexcept {
  static constinit MadeOnce<LoggerParts> nothing;
  struct Silent : LoggerState {
    // Nobody's parts: a logger that is moved from, which must not throw, takes no memory for them.
    Silent() : LoggerState(std::shared_ptr<const LoggerParts>(std::shared_ptr<void>(), &nothing.get())) {
      threshold = &word_ended();
    }
  };
  static constinit MadeOnce<Silent> made;
  return made.get();
}

std::atomic<std::uint64_t>& silent_calls() noexcept {
  static constinit std::atomic<std::uint64_t> calls{0};
  return calls;
}

}  // namespace cairn::detail
