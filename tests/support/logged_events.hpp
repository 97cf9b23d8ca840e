// Events from a real logger, kept for a formatter or a sink to be tried on.
#pragma once

#include <cairn/all.hpp>
#include <cairn/memory_sink.hpp>

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "format/text_formatter.hpp"

namespace cairn::testing {

/// 2026-01-31 17:05:09.123456789 UTC, for ever.
struct FixedClock final : Clock {
  Timestamp now() noexcept override { return Timestamp(std::chrono::nanoseconds(1'769'879'109'123'456'789)); }
  std::chrono::nanoseconds steady() noexcept override { return {}; }
};

/// A logger of every level whose events are kept.
class LoggedEvents {
 public:
  LoggedEvents() : log(Configuration{}.verbose().use_clock(clock_).write_to(sink_).create_logger()) {}

  [[nodiscard]] std::vector<OwnedEvent> kept() const { return sink_->events(); }
  [[nodiscard]] OwnedEvent last() const { return sink_->events().back(); }

 private:
  FixedClock clock_;
  std::shared_ptr<MemorySink> sink_ = std::make_shared<MemorySink>();

 public:
  const Logger log;
};

/// As a batch; valid as long as `kept`.
inline std::vector<Event> batch_of(const std::vector<OwnedEvent>& kept) {
  std::vector<Event> events;
  for (const OwnedEvent& event : kept) events.push_back(event.view());
  return events;
}

/// The last event's lines by this layout.
inline std::string formatted(const LoggedEvents& events, std::string_view layout,
                             Rendering rendering = Rendering::literal, detail::Painter* painter = nullptr) {
  detail::TextFormatter formatter(layout, rendering, TimeZone::utc);
  OutputBuffer out;
  formatter.format(events.last().view(), out, painter);
  return std::string(out.view());
}

/// Is there a byte in `text` that could move a cursor or turn the text's direction, line ends aside?
inline bool has_raw_controls(std::string_view text) {
  for (const std::string_view hostile :
       {"\xC2\x85", "\xC2\x9B", "\xE2\x80\xA8", "\xE2\x80\xA9", "\xE2\x80\xAE", "\xE2\x81\xA6"}) {
    if (text.find(hostile) != std::string_view::npos) return true;
  }
  for (const char c : text) {
    if ((static_cast<unsigned char>(c) < 0x20 && c != '\n') || c == '\x7F') return true;
  }
  return false;
}

/// `text` without the escape codes that a theme may write: ESC [ digits and semicolons m.
inline std::string without_colours(std::string_view text) {
  std::string plain;
  while (!text.empty()) {
    if (text.starts_with("\x1b[")) {
      const std::size_t end = text.find_first_not_of("0123456789;", 2);
      if (end != std::string_view::npos && text[end] == 'm') {
        text.remove_prefix(end + 1);
        continue;
      }
    }
    plain += text.front();
    text.remove_prefix(1);
  }
  return plain;
}

}  // namespace cairn::testing
