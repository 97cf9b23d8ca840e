#include "cairn/memory_sink.hpp"

#include <ostream>

namespace cairn {

EmitResult MemorySink::emit(std::span<const Event> events) {
  const std::lock_guard lock(mutex_);
  for (const Event& event : events) {
    events_.emplace_back(event);
    if (events_.size() > limit_) {
      events_.erase(events_.begin());
      ++forgotten_;
    }
  }
  return EmitResult::all(events);
}

std::vector<OwnedEvent> MemorySink::events() const {
  const std::lock_guard lock(mutex_);
  return events_;
}

std::vector<std::string> MemorySink::messages() const {
  std::vector<std::string> texts;
  for (const OwnedEvent& event : events()) texts.push_back(event->message());
  return texts;
}

std::size_t MemorySink::size() const {
  const std::lock_guard lock(mutex_);
  return events_.size();
}

std::size_t MemorySink::forgotten() const {
  const std::lock_guard lock(mutex_);
  return forgotten_;
}

void MemorySink::clear() {
  const std::lock_guard lock(mutex_);
  events_.clear();
  forgotten_ = 0;
}

void PrintTo(const MemorySink& sink, std::ostream* out) {
  const std::size_t size = sink.size();
  *out << "a MemorySink with " << size << (size == 1 ? " event" : " events");
}

}  // namespace cairn
