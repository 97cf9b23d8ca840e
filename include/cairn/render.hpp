// Templates without a logger: text, properties and CLEF of a template and its arguments.
//
//   auto r = cairn::render("Hello {Name}, you are {Age}", "Ann", 41);
//   r.text        // Hello Ann, you are 41
//   r.clef()      // {"@mt":"Hello {Name}, you are {Age}","Name":"Ann","Age":41}
//   auto t = cairn::MessageTemplate::parse(text_from_a_file);
//   t.render(std::array{cairn::OwnedValue(1).view()}, cairn::Rendering::classic)
//
// A literal is checked while compiling, as in a log call. Safe from every thread; throws std::bad_alloc only.
#pragma once

#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cairn/detail/submit.hpp"
#include "cairn/event.hpp"
#include "cairn/value.hpp"

namespace cairn {

struct OwnedProperty {
  std::string name;
  OwnedValue value;
};

/// What a template and its arguments came to.
class Rendered {
 public:
  std::string text;                       // as people read it; not escaped
  std::vector<OwnedProperty> properties;  // in the order of the template, surplus arguments last

  /// One JSON object, as CLEF has it, without `@t` and a line's end.
  [[nodiscard]] const std::string& clef() const noexcept { return clef_; }
  /// The property of that name, or null.
  [[nodiscard]] const OwnedValue* property(std::string_view name) const noexcept;

 private:
  friend class MessageTemplate;
  std::string clef_;
};

/// One hole of a template.
struct TemplateHole {
  std::string name;
  std::string format;
  int alignment = 0;    // columns; negative pads on the right
  char capture = '\0';  // '@', '$' or none
  bool positional = false;
  std::string raw;  // as it stands in the template
};

/// A template known at run time. Parsing never fails: malformed parts are text. Immutable and cheap to copy.
class MessageTemplate {
 public:
  [[nodiscard]] static MessageTemplate parse(std::string_view text);
  /// The text it was parsed from, to the byte.
  [[nodiscard]] const std::string& text() const noexcept;
  [[nodiscard]] const std::vector<TemplateHole>& holes() const noexcept;
  [[nodiscard]] std::uint32_t event_id() const noexcept;

  /// The text with its holes filled; not escaped. Too few values leave holes as they stand.
  [[nodiscard]] std::string render(std::span<const Value> values, Rendering rendering = Rendering::literal) const;
  /// Text, properties and CLEF.
  [[nodiscard]] Rendered bind(std::span<const Value> values, Rendering rendering = Rendering::literal) const;
  /// The same with the arguments as they are.
  template <class... A>
  [[nodiscard]] Rendered bind_values(Rendering rendering, A&&... arguments) const {
    const std::vector<OwnedValue> owned = capture(structure_mask(), arguments...);
    std::vector<Value> views;
    views.reserve(owned.size());
    for (const OwnedValue& value : owned) views.push_back(value.view());
    return bind(views, rendering);
  }

  template <class... A>
  [[nodiscard]] static std::vector<OwnedValue> capture(std::uint64_t mask, A&... arguments) {
    std::vector<OwnedValue> owned;
    owned.reserve(sizeof...(A));
    [[maybe_unused]] unsigned index = 0;
    (owned.push_back(capture_one(mask, index++, arguments)), ...);
    return owned;
  }

 private:
  template <class T>
  static OwnedValue capture_one(std::uint64_t mask, unsigned index, T& value) {
    detail::CaptureBuffer buffer;
    constexpr CaptureLimits limits;
    detail::CaptureWriter writer(buffer, limits, mask);
    writer.structure = writer.wants_structure(index);
    detail::write_dynamic(writer, value);
    return OwnedValue(Value(detail::dynamic_type, writer.data()));
  }
  [[nodiscard]] std::uint64_t structure_mask() const noexcept;

  struct Parsed;
  explicit MessageTemplate(std::shared_ptr<const Parsed> parsed) noexcept : parsed_(std::move(parsed)) {}
  std::shared_ptr<const Parsed> parsed_;
};

/// Text (Rendering::literal), properties and CLEF of a checked template.
template <class... A>
[[nodiscard]] Rendered render(Template<A...> text, A&&... arguments) {
  const std::vector<OwnedValue> owned = MessageTemplate::capture(text.parts().structure_mask, arguments...);
  std::vector<Value> views;
  views.reserve(owned.size());
  for (const OwnedValue& value : owned) views.push_back(value.view());
  return MessageTemplate::parse(text.text()).bind(views);
}
/// The same with a dynamic template.
template <class... A>
[[nodiscard]] Rendered render(DynamicTemplate text, A&&... arguments) {
  return MessageTemplate::parse(text.text).bind_values(Rendering::literal, arguments...);
}

}  // namespace cairn
