#include "format/message_text.hpp"

#include "cairn/detail/value_type.hpp"
#include "capture/event_parts.hpp"
#include "format/plain_number.hpp"
#include "format/value_text.hpp"
#include "template/bound_template.hpp"
#include "text/display_width.hpp"
#include "text/padded_copy.hpp"
#include "text/text_escape.hpp"

namespace cairn::detail {

namespace {

RunKind run_kind(const Value& value) noexcept {
  using enum ValueKind;
  switch (value.kind()) {
    case null: return RunKind::null;
    case boolean: return RunKind::boolean;
    case signed_integer:
    case unsigned_integer:
    case signed_128:
    case unsigned_128:
    case float_32:
    case float_64:
    case float_extended: return RunKind::number;
    case string:
    case character: return RunKind::string;
    case sequence:
    case dictionary:
    case structure:
    case named_structure: return RunKind::container;
    default: return RunKind::scalar;
  }
}

void append_segment(OutputBuffer& out, const Segment& segment, const Value& value, Rendering rendering, bool escape) {
  const std::size_t from = out.size();
  append_value_text(out, value, segment.format, segment.spec ? &*segment.spec : nullptr, rendering, escape);
  if (segment.alignment != 0) {
    const auto width = static_cast<std::size_t>(segment.alignment < 0 ? -segment.alignment : segment.alignment);
    format::pad(out, from, width, segment.alignment < 0 ? FormatAlign::left : FormatAlign::right);
  }
}

/// The message where nothing is told and every hole shows the argument of its place: one walk over their bytes.
void append_message_in_order(OutputBuffer& out, const Event& event, Rendering rendering, bool escape) {
  const BoundTemplate& bound = event.bound_template();
  const std::byte* data = EventParts::arguments(event);
  const ValueType* const* next_type = bound.types().data();
  for (const Segment& segment : bound.segments()) {
    if (segment.property < 0) {
      if (!escape) {
        out.append(segment.text);
        continue;
      }
      char* const to = out.prepare(segment.escaped.size() + format::padding);
      out.commit(static_cast<std::size_t>(format::put_padded(to, segment.escaped) - to));
      continue;
    }
    const ValueType& type = **next_type++;
    if (segment.format.empty() && segment.alignment == 0) {
      char* const begin = out.prepare(plain_number_room);
      if (char* const end = put_plain_number(begin, type.kind, data); end != nullptr) {
        out.commit(static_cast<std::size_t>(end - begin));
        data += plain_number_bytes;
        continue;
      }
      std::size_t size = 0;
      const bool bare = rendering == Rendering::literal;
      if (const char* const text = bare ? plain_string(type.kind, data, size) : nullptr; text != nullptr) {
        escape ? format::append_text_escaped(out, {text, size}) : out.append(std::string_view(text, size));
        data += 4 + size;
        continue;
      }
    }
    append_segment(out, segment, Value(type, data), rendering, escape);
    data = skip_value(type, data);
  }
}

}  // namespace

void append_message(OutputBuffer& out, const Event& event, Rendering rendering, bool escape, RunListener* listener) {
  const BoundTemplate& bound = event.bound_template();
  if (listener == nullptr && bound.holes_in_order()) return append_message_in_order(out, event, rendering, escape);
  const Arguments arguments(event);
  for (const Segment& segment : bound.segments()) {
    RunKind kind = RunKind::text;
    if (segment.is_hole) {
      kind = segment.property < 0
                 ? RunKind::unbound
                 : run_kind(arguments[bound.properties()[static_cast<std::size_t>(segment.property)].argument]);
    }
    if (listener != nullptr) listener->begin(out, kind);
    if (segment.property < 0) {
      out.append(escape ? segment.escaped : std::string_view(segment.text));
    } else {
      append_segment(out, segment, arguments[bound.properties()[static_cast<std::size_t>(segment.property)].argument],
                     rendering, escape);
    }
    if (listener != nullptr) listener->end(out, kind);
  }
}

void append_hole(OutputBuffer& out, const Event& event, std::size_t index, Rendering rendering, bool escape) {
  const BoundTemplate& bound = event.bound_template();
  const Segment& segment = bound.segments()[index];
  if (segment.property < 0) {
    out.append(escape ? segment.escaped : std::string_view(segment.text));
    return;
  }
  append_segment(out, segment, event.argument(bound.properties()[static_cast<std::size_t>(segment.property)].argument),
                 rendering, escape);
}

}  // namespace cairn::detail

namespace cairn {

void Event::render_to(OutputBuffer& out, Rendering rendering) const {
  detail::append_message(out, *this, rendering, true);
}

}  // namespace cairn
