// A logger whose events a test can look at afterwards.
#pragma once

#include <cairn/all.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace cairn::testing_support {

/// Everything that logs to `log` is kept in `sink`.
struct KeptEvents {
  explicit KeptEvents(Configuration configuration = {}) {
    configuration.verbose();
    configuration.write_to(sink, "kept");
    log = configuration.create_logger();
  }

  [[nodiscard]] OwnedEvent last() const { return sink->events().back(); }
  /// The last event's property as text; `-` where there is none.
  [[nodiscard]] std::string last(std::string_view name) const { return text(last(), name); }
  [[nodiscard]] static std::string text(const OwnedEvent& event, std::string_view name) {
    const auto value = event->property(name);
    return value ? value->to_text() : "-";
  }
  /// That property of every event.
  [[nodiscard]] std::vector<std::string> all(std::string_view name) const {
    std::vector<std::string> texts;
    for (const OwnedEvent& event : sink->events()) texts.push_back(text(event, name));
    return texts;
  }

  std::shared_ptr<MemorySink> sink = std::make_shared<MemorySink>();
  Logger log;
};

/// A clock that stands where it is put.
class SetClock final : public Clock {
 public:
  Timestamp now() noexcept override { return time; }
  std::chrono::nanoseconds steady() noexcept override { return since_start; }
  Timestamp time{};
  std::chrono::nanoseconds since_start{0};
};

}  // namespace cairn::testing_support
