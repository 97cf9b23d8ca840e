// Templates without a logger: a record is made of values captured before, and goes the way of every event.
#include "cairn/render.hpp"

#include "capture/exception_record.hpp"
#include "capture/stringify.hpp"
#include "format/clef_formatter.hpp"
#include "format/message_text.hpp"
#include "format/value_text.hpp"
#include "template/bound_template.hpp"

namespace cairn {

struct MessageTemplate::Parsed {
  std::string text;
  std::vector<TemplateHole> holes;
  std::uint64_t structure_mask = 0;
};

const OwnedValue* Rendered::property(std::string_view name) const noexcept {
  for (const OwnedProperty& property : properties) {
    if (property.name == name) return &property.value;
  }
  return nullptr;
}

MessageTemplate MessageTemplate::parse(std::string_view text) {
  struct Collect {
    Parsed& into;
    bool any_named = false;
    std::uint64_t by_order = 0;
    std::uint64_t by_index = 0;
    void text(std::string_view) {}
    void malformed(std::string_view, detail::Malformed) {}
    void hole(const detail::Hole& h) {
      any_named = any_named || !h.positional;
      if (h.capture == '@') {
        if (into.holes.size() < 64) by_order |= std::uint64_t{1} << into.holes.size();
        if (h.index < 64) by_index |= std::uint64_t{1} << h.index;
      }
      into.holes.push_back(
          {std::string(h.name), std::string(h.format), h.alignment, h.capture, h.positional, std::string(h.raw)});
    }
  };
  auto parsed = std::make_shared<Parsed>();
  parsed->text = text;
  Collect collect{*parsed};
  detail::parse_template(parsed->text, collect);
  parsed->structure_mask = collect.any_named ? collect.by_order : collect.by_index;
  return MessageTemplate(std::move(parsed));
}

const std::string& MessageTemplate::text() const noexcept { return parsed_->text; }
const std::vector<TemplateHole>& MessageTemplate::holes() const noexcept { return parsed_->holes; }
std::uint32_t MessageTemplate::event_id() const noexcept { return cairn::event_id(parsed_->text); }
std::uint64_t MessageTemplate::structure_mask() const noexcept { return parsed_->structure_mask; }

std::string MessageTemplate::render(std::span<const Value> values, Rendering rendering) const {
  return bind(values, rendering).text;
}

Rendered MessageTemplate::bind(std::span<const Value> values, Rendering rendering) const {
  std::vector<const detail::ValueType*> types;
  types.reserve(values.size() + 1);
  for (const Value& value : values) types.push_back(&value.type());
  types.push_back(nullptr);
  detail::BoundTemplate bound;
  bound.bind(parsed_->text, {}, types.data(), detail::SourcePlace::of(std::source_location::current()));

  detail::CaptureBuffer buffer;
  detail::CaptureBuffer rewritten;
  constexpr CaptureLimits limits{.event_bytes = 4U << 20U};
  detail::CaptureWriter writer(buffer, limits);
  detail::RecordHeader header;
  header.size_and_flags = static_cast<std::uint32_t>(Level::information);
  writer.put(header);
  for (const Value& value : values) {
    if (value.data() != nullptr) {
      const std::byte* end = detail::skip_value(value.type(), value.data());
      writer.put_bytes(value.data(), static_cast<std::size_t>(end - value.data()));
    }
  }
  detail::finish_record(writer);
  const auto* record = reinterpret_cast<const detail::RecordHeader*>(writer.data());
  if (bound.stringifies()) record = detail::stringify(*record, bound, rewritten, limits);
  const Event event(*record, bound, nullptr, nullptr, nullptr, UINT32_MAX);  // every value was given by hand

  Rendered rendered;
  OutputBuffer out;
  detail::append_message(out, event, rendering, false);
  rendered.text = out.view();
  for (const Property& property : event.properties())
    rendered.properties.push_back({std::string(property.name), OwnedValue(property.value)});
  out.clear();
  detail::ClefFormatter().format_without_time(event, out);
  rendered.clef_ = out.view();
  return rendered;
}

}  // namespace cairn
