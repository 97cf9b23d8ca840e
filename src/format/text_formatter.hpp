// Events as lines of text, by an output template: `[{Timestamp:%H:%M:%S} {Level:u3}] {Message}{NewLine}{Exception}`.
//
// A template is read once, into steps; docs/output-templates.md says what it may hold. Whatever an event brings is
// escaped, so that an event is one line, followed by the lines of its exception; only the template itself and a Painter
// add more. Colours come from a Painter alone, which the sink has.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cairn/event.hpp"
#include "cairn/output_buffer.hpp"
#include "cairn/rendering.hpp"
#include "cairn/time_zone.hpp"
#include "format/message_text.hpp"
#include "text/time_format.hpp"

namespace cairn::detail {

inline constexpr std::string_view default_console_template =
    "[{Timestamp:%H:%M:%S} {Level:u3}] {Message}{NewLine}{Exception}";
inline constexpr std::string_view default_text_template =
    "{Timestamp:%Y-%m-%d %H:%M:%S.%3f %z} [{Level:u3}] {Message}{NewLine}{Exception}";

/// What is wrong with an output template, if anything: what was found and what is taken. A formatter takes every
/// template all the same: what is malformed is text, and a format that is not understood is none.
[[nodiscard]] std::vector<std::string> output_template_errors(std::string_view output_template);

/// What a part of a line is, beside the runs of its message. `text` is what stands between the holes.
enum class Part : std::uint8_t { text, timestamp, level, property, exception };

/// Puts colours around the parts of a line and the runs of its message. No part and no run holds a line end.
class Painter : public RunListener {
 public:
  virtual void begin_part(OutputBuffer& out, Part part, Level level) = 0;
  virtual void end_part(OutputBuffer& out, Part part, Level level) = 0;
};

/// Not safe from several threads at once: it remembers the last second and has a buffer of its own.
class TextFormatter {
 public:
  TextFormatter(std::string_view output_template, Rendering rendering, TimeZone time_zone);
  /// Appends the event's line, with its '\n', and those of its exception.
  void format(const Event& event, OutputBuffer& out, Painter* painter = nullptr);

 private:
  struct Compiler;
  struct Line;
  enum class Kind : std::uint8_t {
    text,
    timestamp,
    level,
    message,
    new_line,
    exception,
    properties,
    trace_id,
    span_id,
    file,
    line,
    event_id,
    property,
  };
  struct Step {
    Kind kind = Kind::text;
    std::string text{};     // the text, or a property's name
    std::string format{};   // of a property
    int alignment = 0;      // columns; negative pads on the right
    Rendering rendering{};  // of the message and the properties
    TimeZone zone{};        // of a timestamp
    std::optional<format::TimeFormat> time{};
    std::array<std::string, 6> levels{};  // what each level shows
    bool after_exception = false;         // a line end that an exception's own makes needless
  };

  void append_exception(Line& line);
  void append_message(Line& line, const Step& step);
  void append_properties(Line& line, const Step& step);
  [[nodiscard]] bool is_shown(const Event& event, std::string_view name, std::size_t index) const noexcept;

  std::vector<Step> steps_;
  Rendering rendering_;
  bool shows_message_ = false;
  bool shows_exception_ = false;
  OutputBuffer scratch_;
};

}  // namespace cairn::detail
