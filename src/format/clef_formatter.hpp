// Events as CLEF: one JSON object a line, as Serilog's compact formatter writes it. Source: clef-json.org and
// docs/clef.md.
#pragma once

#include "cairn/clef_options.hpp"
#include "cairn/event.hpp"
#include "cairn/output_buffer.hpp"
#include "text/time_format.hpp"

namespace cairn::detail {

/// Not safe from several threads at once: it keeps the last timestamp and a buffer.
class ClefFormatter {
 public:
  explicit ClefFormatter(ClefOptions options = {}) noexcept
      : options_(options), always_more_(options.rendered || options.with_message || options.with_event_id) {}
  /// Appends one line, with its '\n'. Always valid JSON and UTF-8, no key twice.
  void format(const Event& event, OutputBuffer& out);
  /// The same without `@t` and the line's end.
  void format_without_time(const Event& event, OutputBuffer& out);

 private:
  void body(const Event& event, OutputBuffer& out);
  [[gnu::noinline]] void append_more(const Event& event, OutputBuffer& out);

  ClefOptions options_;
  bool always_more_;  // every event has what few have by default
  format::IsoTimeCache time_;
  OutputBuffer scratch_;  // text on its way to be escaped
};

}  // namespace cairn::detail
