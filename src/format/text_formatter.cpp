// From an output template to steps, and from an event to its lines.
#include "format/text_formatter.hpp"

#include <algorithm>
#include <utility>

#include "cairn/detail/template_parser.hpp"
#include "format/output_template.hpp"
#include "format/value_text.hpp"
#include "template/bound_template.hpp"
#include "text/display_width.hpp"
#include "text/text_escape.hpp"

namespace cairn::detail {

namespace {

constexpr std::string_view default_time_pattern = "%Y-%m-%d %H:%M:%S.%3f %z";

std::size_t columns(int alignment) noexcept { return static_cast<std::size_t>(alignment < 0 ? -alignment : alignment); }

void align(OutputBuffer& out, std::size_t from, int alignment) {
  if (alignment != 0) {
    format::pad(out, from, columns(alignment), alignment < 0 ? FormatAlign::left : FormatAlign::right);
  }
}

}  // namespace

// ---- reading the template

struct TextFormatter::Compiler {
  TextFormatter& formatter;
  TimeZone zone;

  void text(std::string_view run) {
    auto& steps = formatter.steps_;
    if (steps.empty() || steps.back().kind != Kind::text) steps.emplace_back();
    steps.back().text += run;
  }
  void malformed(std::string_view raw, Malformed) { text(raw); }

  void hole(const Hole& hole) {
    const bool after_exception = !formatter.steps_.empty() && formatter.steps_.back().kind == Kind::exception;
    Step& step = formatter.steps_.emplace_back();
    step.alignment = hole.alignment;
    step.rendering = formatter.rendering_;
    if (hole.name == "Timestamp" || hole.name == "UtcTimestamp") {
      step.kind = Kind::timestamp;
      step.zone = hole.name == "Timestamp" ? zone : TimeZone::utc;
      step.time.emplace(hole.format.empty() ? default_time_pattern : escaped_layout_text(hole.format));
    } else if (hole.name == "Level") {
      step.kind = Kind::level;
      const LevelFormat format = parse_level_format(hole.format).value_or(LevelFormat{});
      OutputBuffer padded;
      for (std::size_t i = 0; i < step.levels.size(); ++i) {
        padded.clear();
        padded.append(level_text(static_cast<Level>(i), format));
        align(padded, 0, step.alignment);
        step.levels[i] = padded.view();
      }
    } else if (hole.name == "Message") {
      step.kind = Kind::message;
      if (is_message_format(hole.format)) step.rendering = Rendering::literal;
      formatter.shows_message_ = true;
    } else if (hole.name == "NewLine") {
      step.kind = Kind::new_line;
      step.after_exception = after_exception;
    } else if (hole.name == "Exception") {
      step.kind = Kind::exception;
      formatter.shows_exception_ = true;
    } else if (hole.name == "Properties") {
      step.kind = Kind::properties;
      if (is_properties_format(hole.format)) step.rendering = Rendering::literal;
    } else {
      constexpr std::pair<std::string_view, Kind> others[] = {
          {"TraceId", Kind::trace_id}, {"SpanId", Kind::span_id},   {"File", Kind::file},
          {"Line", Kind::line},        {"EventId", Kind::event_id},
      };
      step.kind = Kind::property;
      for (const auto& [name, kind] : others) {
        if (name == hole.name) step.kind = kind;
      }
      step.text = hole.name;
      step.format = hole.format;
    }
  }
};

TextFormatter::TextFormatter(std::string_view output_template, Rendering rendering, TimeZone time_zone)
    : rendering_(rendering) {
  Compiler compiler{*this, time_zone};
  parse_template(output_template, compiler);
  // A line end in the text is a step of its own, so that no event has to look for it.
  std::vector<Step> steps;
  for (Step& step : steps_) {
    if (step.kind != Kind::text) {
      steps.push_back(std::move(step));
      continue;
    }
    const std::string text = escaped_layout_text(step.text);
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = std::min(text.find('\n', at), text.size());
      if (end != at) steps.emplace_back().text = text.substr(at, end - at);
      if (end != text.size()) steps.emplace_back().kind = Kind::new_line;
      at = end + 1;
    }
  }
  steps_ = std::move(steps);
}

// ---- writing a line

/// The line that is being written.
struct TextFormatter::Line {
  const Event& event;
  OutputBuffer& out;
  Painter* painter;
  bool at_start = true;  // nothing stands on the current line yet

  /// A part that `write` appends, its padding inside its colour.
  template <class Write>
  void part(Part what, int alignment, Write&& write) {
    if (painter != nullptr) painter->begin_part(out, what, event.level());
    const std::size_t from = out.size();
    write();
    align(out, from, alignment);
    if (painter != nullptr) painter->end_part(out, what, event.level());
    at_start = false;
  }
  /// Escaped; nothing at all where there is none.
  void text_part(Part what, int alignment, std::string_view text) {
    if (!text.empty()) part(what, alignment, [&] { format::append_text_escaped(out, text); });
  }
  void end() {
    out.append('\n');
    at_start = true;
  }
};

void TextFormatter::format(const Event& event, OutputBuffer& out, Painter* painter) {
  const std::size_t start = out.size();
  Line line{event, out, painter};
  for (Step& step : steps_) {
    switch (step.kind) {
      case Kind::text: line.part(Part::text, 0, [&] { out.append(step.text); }); break;
      case Kind::timestamp:
        line.part(Part::timestamp, step.alignment, [&] { step.time->append(out, event.timestamp(), step.zone); });
        break;
      case Kind::level:
        line.part(Part::level, 0, [&] {
          out.append(
              step.levels[std::min<std::size_t>(static_cast<std::size_t>(event.level()), step.levels.size() - 1)]);
        });
        break;
      case Kind::message: append_message(line, step); break;
      case Kind::new_line:
        if (!step.after_exception || !event.exception()) line.end();
        break;
      case Kind::exception: append_exception(line); break;
      case Kind::properties: append_properties(line, step); break;
      case Kind::trace_id: line.text_part(Part::property, step.alignment, event.trace_id()); break;
      case Kind::span_id: line.text_part(Part::property, step.alignment, event.span_id()); break;
      case Kind::file: line.text_part(Part::property, step.alignment, event.file()); break;
      case Kind::line:
        line.part(Part::property, step.alignment, [&] { out.append_number(std::uint64_t{event.line()}); });
        break;
      case Kind::event_id:
        line.part(Part::property, step.alignment, [&] {
          for (int shift = 28; shift >= 0; shift -= 4)
            out.append("0123456789abcdef"[(event.event_id() >> shift) & 0xFU]);
        });
        break;
      case Kind::property:
        if (const auto value = event.property(step.text)) {
          // A string stands in a layout as it is; quotes belong to the message.
          const Rendering rendering = value->kind() == ValueKind::string ? Rendering::literal : step.rendering;
          line.part(Part::property, step.alignment,
                    [&] { append_value_text(out, *value, step.format, nullptr, rendering, true); });
        }
        break;
    }
  }
  // A layout that ends no line would run events into one another.
  if (!line.at_start || out.size() == start) line.end();
}

void TextFormatter::append_exception(Line& line) {
  const ExceptionView exception = line.event.exception();
  if (!exception) return;
  scratch_.clear();
  exception.text_to(scratch_);
  // Its own line ends are kept, each line indented: a line of an exception never begins where an event's does.
  std::string_view rest = scratch_.view();
  while (rest.ends_with('\n')) rest.remove_suffix(1);
  for (bool more = true; more;) {
    const std::size_t end = rest.find('\n');
    more = end != std::string_view::npos;
    if (line.at_start) line.out.append("  ");
    line.text_part(Part::exception, 0, rest.substr(0, end));
    line.end();
    if (more) rest.remove_prefix(end + 1);
  }
}

void TextFormatter::append_message(Line& line, const Step& step) {
  OutputBuffer& out = line.out;
  line.at_start = false;
  if (step.alignment == 0 || line.painter == nullptr) {
    const std::size_t from = out.size();
    detail::append_message(out, line.event, step.rendering, true, line.painter);
    align(out, from, step.alignment);
    return;
  }
  // Colours have no width: measure the message without them.
  scratch_.clear();
  detail::append_message(scratch_, line.event, step.rendering, true);
  const std::size_t width = format::display_width(scratch_.view());
  const std::size_t padding = columns(step.alignment) > width ? columns(step.alignment) - width : 0;
  if (step.alignment > 0) out.append(padding, ' ');
  detail::append_message(out, line.event, step.rendering, true, line.painter);
  if (step.alignment < 0) out.append(padding, ' ');
}

/// Does the line show the property elsewhere? `index`: its place among the event's; those of the message template come
/// first.
bool TextFormatter::is_shown(const Event& event, std::string_view name, std::size_t index) const noexcept {
  const BoundTemplate& bound = event.bound_template();
  const bool of_template = index < bound.properties().size();
  if (of_template && shows_message_) {
    for (const Segment& segment : bound.segments()) {
      if (segment.property == static_cast<int>(index)) return true;
    }
  }
  if (!of_template && shows_exception_ && event.exception() &&
      (name == "ExceptionType" || name == "ExceptionMessage")) {
    return true;
  }
  return std::any_of(steps_.begin(), steps_.end(),
                     [&](const Step& step) { return step.kind == Kind::property && step.text == name; });
}

void TextFormatter::append_properties(Line& line, const Step& step) {
  const bool json = step.rendering == Rendering::literal;
  scratch_.clear();
  bool first = true;
  std::size_t index = 0;
  for (const Property& property : line.event.properties()) {
    if (is_shown(line.event, property.name, index++)) continue;
    if (json) {
      scratch_.append(first ? "{" : ",");
      format::append_json_string(scratch_, property.name);
      scratch_.append(':');
      append_value_json(scratch_, property.value);
    } else {
      scratch_.append(first ? "{ " : ", ");
      scratch_.append(property.name);
      scratch_.append(": ");
      append_value_text(scratch_, property.value, {}, nullptr, step.rendering, false);
    }
    first = false;
  }
  if (const std::uint64_t omitted = line.event.omitted_properties(); omitted != 0) {
    scratch_.append(first ? "{" : ",");
    if (!json) scratch_.append(' ');
    append_omitted_properties(scratch_, line.event, omitted);
    first = false;
  }
  scratch_.append(first ? "{}" : json ? "}" : " }");
  line.text_part(Part::property, step.alignment, scratch_.view());
}

}  // namespace cairn::detail
