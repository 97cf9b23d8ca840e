#include "template/bound_template.hpp"

#include <unordered_map>
#include <utility>

#include "cairn/detail/template_check.hpp"
#include "cairn/detail/template_parser.hpp"
#include "cairn/event.hpp"
#include "cairn/output_buffer.hpp"
#include "text/padded_copy.hpp"
#include "text/text_escape.hpp"

namespace cairn::detail {

FormatClass format_class(const ValueType& type) noexcept {
  using enum ValueKind;
  switch (type.kind) {
    case boolean: return FormatClass::boolean;
    case character: return FormatClass::character;
    case signed_integer:
    case unsigned_integer:
    case signed_128:
    case unsigned_128: return FormatClass::integer;
    case enumeration: return type.enumerator_count == 0 ? FormatClass::integer : FormatClass::any;
    case float_32:
    case float_64:
    case float_extended: return FormatClass::floating;
    case string:
    case bytes:
    case null:
    case error: return FormatClass::string;
    case pointer: return FormatClass::pointer;
    case time_point: return FormatClass::time_point;
    case duration: return FormatClass::duration;
    case secret: return FormatClass::secret;
    default: return FormatClass::any;
  }
}

namespace {

/// `{}` holes get the names of their arguments, so that the template an output carries is complete.
struct NameHoles {
  std::string_view expressions;
  std::string out;
  void text(std::string_view run) {
    for (const char c : run) out.append(c == '{' || c == '}' ? 2U : 1U, c);
  }
  void hole(const Hole& h) {
    (void)next_expression(expressions);
    out += h.raw;
  }
  void malformed(std::string_view raw, Malformed why) {
    if (why != Malformed::empty) {
      out += raw;
      return;
    }
    out += '{';
    out += name_of_expression(next_expression(expressions));
    out += '}';
  }
};

struct CollectHoles {
  std::vector<Segment>& segments;
  std::vector<Hole> holes;
  bool any_named = false;

  void text(std::string_view run) {
    if (!segments.empty() && !segments.back().is_hole) {
      segments.back().text += run;
    } else {
      segments.emplace_back().text = run;
    }
  }
  void malformed(std::string_view raw, Malformed) { text(raw); }
  void hole(const Hole& h) {
    Segment& segment = segments.emplace_back();
    segment.is_hole = true;
    segment.text = h.raw;
    segment.alignment = h.alignment;
    segment.format = h.format;
    holes.push_back(h);
    any_named = any_named || !h.positional;
  }
};

}  // namespace

int BoundTemplate::find(std::string_view name) const noexcept {
  for (std::size_t i = 0; i < properties_.size(); ++i) {
    if (properties_[i].name == name) return static_cast<int>(i);
  }
  return -1;
}

void BoundTemplate::bind(std::string_view text, std::string_view expressions, const ValueType* const* types,
                         const SourcePlace& place) {
  place_ = place;
  text_ = text;
  if (!expressions.empty() && text.find("{}") != std::string_view::npos) {
    NameHoles naming{expressions, {}};
    parse_template(text, naming);
    text_ = std::move(naming.out);
  }
  event_id_ = cairn::event_id(text_);
  for (; *types != nullptr; ++types) captured_.push_back(*types);
  types_ = captured_;

  CollectHoles collected{segments_, {}};
  parse_template(text_, collected);
  const std::vector<Hole>& holes = collected.holes;

  // Which argument each hole takes; the last hole of a name decides what the property holds.
  std::vector<bool> kept(captured_.size(), false);
  std::vector<bool> taken(captured_.size(), false);
  std::unordered_map<std::string_view, std::size_t> by_name;  // templates of a million holes are bound too
  for (std::size_t i = 0; i < holes.size(); ++i) {
    const std::size_t argument = collected.any_named ? i : holes[i].index;
    if (argument >= captured_.size()) continue;
    taken[argument] = true;
    const auto [found, is_new] = by_name.try_emplace(holes[i].name, properties_.size());
    if (is_new) {
      properties_.push_back({std::string(holes[i].name), {}, 0});
    } else if (properties_[found->second].argument != argument) {
      ++duplicates_;
    }
    properties_[found->second].argument = static_cast<std::uint32_t>(argument);
    if (holes[i].capture == '$') {
      types_[argument] = &string_type;
      stringifies_ = stringifies_ || captured_[argument] != &string_type;
    }
  }
  for (const BoundProperty& property : properties_) kept[property.argument] = true;
  for (std::size_t argument = 0; argument < captured_.size(); ++argument) {
    if (!taken[argument]) ++mismatched_arguments_;
    if (kept[argument]) continue;
    std::string name = "__" + std::to_string(argument);
    while (by_name.contains(name)) name += '_';  // a dynamic template may have a hole of that name
    properties_.push_back({std::move(name), {}, static_cast<std::uint32_t>(argument)});
  }

  // After binding, holes render by name.
  std::size_t hole = 0;
  holes_in_order_ = true;
  for (Segment& segment : segments_) {
    if (!segment.is_hole) continue;
    const auto found = by_name.find(holes[hole].name);
    segment.property = found == by_name.end() ? -1 : static_cast<int>(found->second);
    if (segment.property < 0) ++mismatched_arguments_;
    has_formats_ = has_formats_ || !segment.format.empty();
    if (segment.property >= 0) {
      const std::uint32_t argument = properties_[static_cast<std::size_t>(segment.property)].argument;
      holes_in_order_ = holes_in_order_ && argument == hole;
      const FormatClass takes = format_class(*types_[argument]);
      if (!segment.format.empty() && takes != FormatClass::any) {
        segment.spec = parse_format_spec(segment.format, takes);
        if (!segment.spec) ++ignored_formats_;
      }
    }
    ++hole;
  }
  properties_in_order_ = true;
  for (std::size_t i = 0; i < properties_.size(); ++i)
    properties_in_order_ = properties_in_order_ && properties_[i].argument == i;
  write_pieces();
  memory_bytes_ = measure();
}

std::size_t BoundTemplate::measure() const noexcept {
  const auto of = [](const std::string& text) {
    return text.capacity() > std::string().capacity() ? text.capacity() + 1 : 0;  // else it is in the object
  };
  std::size_t bytes = sizeof(*this) + of(text_) + of(pieces_) + segments_.capacity() * sizeof(Segment) +
                      properties_.capacity() * sizeof(BoundProperty) +
                      (types_.capacity() + captured_.capacity()) * sizeof(const ValueType*);
  for (const Segment& segment : segments_) bytes += of(segment.text) + of(segment.format);
  for (const BoundProperty& property : properties_) bytes += of(property.name);
  return bytes;
}

void BoundTemplate::write_pieces() {
  OutputBuffer out;
  std::vector<std::pair<std::string_view*, std::size_t>> ends;
  const auto piece = [&](std::string_view& view) { ends.emplace_back(&view, out.size()); };
  out.append(",\"@mt\":\"");
  format::append_json_content(out, text_);
  out.append('"');
  piece(json_member_);
  for (BoundProperty& property : properties_) {
    out.append(",\"");  // the name of a hole never begins with an @, which would have to be doubled
    format::append_json_content(out, property.name);
    out.append("\":");
    piece(property.json_key);
  }
  for (Segment& segment : segments_) {
    format::append_text_escaped(out, segment.text);
    piece(segment.escaped);
  }
  out.append(format::padding, '\0');
  pieces_ = out.view();
  std::size_t begin = 0;
  for (const auto& [view, end] : ends) {
    *view = std::string_view(pieces_).substr(begin, end - begin);
    begin = end;
  }
}

}  // namespace cairn::detail
