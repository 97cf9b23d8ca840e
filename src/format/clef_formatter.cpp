#include "format/clef_formatter.hpp"

#include <algorithm>
#include <cstring>

#include "capture/event_parts.hpp"
#include "format/message_text.hpp"
#include "format/plain_number.hpp"
#include "format/value_text.hpp"
#include "template/bound_template.hpp"
#include "text/padded_copy.hpp"
#include "text/text_escape.hpp"

namespace cairn::detail {

namespace {

void append_event_id(OutputBuffer& out, std::uint32_t id) {
  constexpr char digits[] = "0123456789abcdef";
  out.append(",\"@i\":\"");
  for (int shift = 28; shift >= 0; shift -= 4) out.append(digits[(id >> static_cast<unsigned>(shift)) & 0xFU]);
  out.append('"');
}

void append_message_property(OutputBuffer& out, const Event& event, OutputBuffer& message) {
  message.clear();
  append_message(message, event, Rendering::literal, false);
  out.append(",\"@m\":");
  format::append_json_string(out, message.view());
}

void append_renderings(OutputBuffer& out, const Event& event, OutputBuffer& rendered) {
  const auto& segments = event.bound_template().segments();
  bool first = true;
  out.append(",\"@r\":[");
  for (std::size_t i = 0; i < segments.size(); ++i) {
    if (!segments[i].is_hole || segments[i].format.empty())
      continue;  // a reader counts holes that have no argument too
    if (!first) out.append(',');
    first = false;
    rendered.clear();
    append_hole(rendered, event, i, Rendering::literal, false);
    format::append_json_string(out, rendered.view());
  }
  out.append(']');
}

void append_properties_by_index(OutputBuffer& out, const Event& event) {
  const auto& properties = event.bound_template().properties();
  const Arguments arguments(event);
  const std::size_t count = std::min<std::size_t>(properties.size(), event.max_properties());
  for (std::size_t i = 0; i < count; ++i) {
    out.append(properties[i].json_key);
    append_value_json(out, arguments[properties[i].argument]);
  }
}

/// The properties of the template: one walk over their bytes where they stand in that order.
void append_template_properties(OutputBuffer& out, const Event& event) {
  const BoundTemplate& bound = event.bound_template();
  const auto& properties = bound.properties();
  if (!bound.properties_in_order() || properties.size() > event.max_properties())
    return append_properties_by_index(out, event);
  const std::byte* data = EventParts::arguments(event);
  const ValueType* const* next_type = bound.types().data();
  for (const BoundProperty& property : properties) {
    const ValueType& type = **next_type++;
    char* const begin = out.prepare(property.json_key.size() + format::padding + plain_number_room);
    char* const to = format::put_padded(begin, property.json_key);
    if (char* const end = put_plain_number(to, type.kind, data); end != nullptr) {
      out.commit(static_cast<std::size_t>(end - begin));
      data += plain_number_bytes;
      continue;
    }
    out.commit(static_cast<std::size_t>(to - begin));
    std::size_t size = 0;
    if (const char* const text = plain_string(type.kind, data, size); text != nullptr) {
      format::append_json_string(out, {text, size});
      data += 4 + size;
      continue;
    }
    append_value_json(out, Value(type, data));
    data = skip_value(type, data);
  }
}

[[gnu::noinline]] void append_ambient_properties(OutputBuffer& out, const Event& event) {
  for (const Property& property : event.ambient_properties()) {
    out.append(property.name.starts_with('@') ? ",\"@" : ",\"");
    format::append_json_content(out, property.name.empty() ? "_" : property.name);
    out.append("\":");
    append_value_json(out, property.value);
  }
}

}  // namespace

void ClefFormatter::format(const Event& event, OutputBuffer& out) {
  char* const to = out.prepare(64);
  std::memcpy(to, "{\"@t\":\"", 8);
  out.commit(7);
  format::append_iso_utc(out, event.timestamp(), options_.nanoseconds ? 9 : 7, time_);
  out.append('"');
  body(event, out);
  std::memcpy(out.prepare(2), "}\n", 2);
  out.commit(2);
}

void ClefFormatter::format_without_time(const Event& event, OutputBuffer& out) {
  const std::size_t start = out.size();
  out.append('{');
  body(event, out);
  out.append('}');
  // the first key came with a comma
  char* text = out.data() + start;
  if (text[1] == ',') {
    std::memmove(text + 1, text + 2, out.size() - start - 2);
    out.truncate(out.size() - 1);
  }
}

void ClefFormatter::body(const Event& event, OutputBuffer& out) {
  const BoundTemplate& bound = event.bound_template();
  const RecordHeader& record = EventParts::record(event);
  if (!options_.rendered) {
    const std::string_view member = bound.json_member();
    char* const to = out.prepare(member.size() + format::padding);
    out.commit(static_cast<std::size_t>(format::put_padded(to, member) - to));
  }
  if (always_more_ || bound.has_formats() || record.level() != Level::information ||
      record.is(RecordHeader::has_exception) || EventParts::has_trace(event)) {
    append_more(event, out);
  }
  append_template_properties(out, event);
  if (!EventParts::may_omit_properties(event)) [[likely]]
    return;
  append_ambient_properties(out, event);
  if (const std::uint64_t omitted = event.omitted_properties(); omitted != 0) [[unlikely]] {
    out.append(',');
    append_omitted_properties(out, event, omitted);
  }
}

/// What most events have not: between the template and the properties.
void ClefFormatter::append_more(const Event& event, OutputBuffer& out) {
  const BoundTemplate& bound = event.bound_template();
  if (!options_.rendered && bound.has_formats()) append_renderings(out, event, scratch_);
  if (options_.rendered || options_.with_message) append_message_property(out, event, scratch_);
  if (options_.rendered || options_.with_event_id) append_event_id(out, event.event_id());
  if (event.level() != Level::information) {
    out.append(",\"@l\":\"");
    out.append(to_string(event.level()));
    out.append('"');
  }
  if (const ExceptionView exception = event.exception(); exception) {
    scratch_.clear();
    exception.text_to(scratch_);
    out.append(",\"@x\":");
    format::append_json_string(out, scratch_.view());
  }
  if (const auto trace = event.trace_id(); !trace.empty()) {
    out.append(",\"@tr\":\"");
    out.append(trace);
    out.append("\",\"@sp\":\"");
    out.append(event.span_id());
    out.append('"');
  }
}

}  // namespace cairn::detail

std::string cairn::to_clef(const Event& event, const ClefOptions& options) {
  OutputBuffer out;
  detail::ClefFormatter(options).format(event, out);
  return std::string(out.view().substr(0, out.size() - 1));
}
