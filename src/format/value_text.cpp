#include "format/value_text.hpp"

#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "cairn/detail/value_type.hpp"
#include "cairn/value.hpp"
#include "template/bound_template.hpp"
#include "text/display_width.hpp"
#include "text/duration_format.hpp"
#include "text/number_format.hpp"
#include "text/text_escape.hpp"
#include "text/time_format.hpp"

namespace cairn::detail {

namespace {

/// How the parts of a container are written.
struct Style {
  Rendering rendering = Rendering::literal;
  std::string_view format;  // the hole's, for the elements; empty: none
  bool json = false;        // literal containers and CLEF
};

void append_any(OutputBuffer& out, const Value& value, const Style& style, const FormatSpec* spec, bool top);

/// Escapes what `out` holds from `from` on, where it stands: a buffer that is warm stays the only one.
template <class Escape>
void escape_tail(OutputBuffer& out, std::size_t from, Escape escape) {
  const std::size_t end = out.size();
  out.reserve(end + 6 * (end - from) +
              16);  // the most that comes of a byte is \u0000: what is read does not move while it is written
  escape(out, std::string_view(out.data() + from, end - from));
  const std::size_t escaped = out.size() - end;
  std::memmove(out.data() + from, out.data() + end, escaped);
  out.truncate(from + escaped);
}

void escape_json_tail(OutputBuffer& out, std::size_t from) {
  if (!format::is_plain_json(out.view_from(from))) escape_tail(out, from, format::append_json_content);
}

void escape_text_tail(OutputBuffer& out, std::size_t from) {
  if (!format::is_plain_text(out.view_from(from))) escape_tail(out, from, format::append_text_escaped);
}

void append_hex(OutputBuffer& out, const Value& value) {
  constexpr char digits[] = "0123456789ABCDEF";
  const std::string_view bytes = value.bytes();
  char* to = out.prepare(bytes.size() * 2);
  for (const char c : bytes) {
    *to++ = digits[static_cast<unsigned char>(c) >> 4U];
    *to++ = digits[static_cast<unsigned char>(c) & 0xFU];
  }
  out.commit(bytes.size() * 2);
  if (value.bytes_total() > bytes.size()) {
    out.append("…(+");
    out.append_number(value.bytes_total() - bytes.size());
    out.append(" bytes)");
  }
}

/// The count of a duration or time, with its unit or by the format.
void append_ticks(OutputBuffer& out, const Value& value, const FormatSpec* spec) {
  const ValueType& type = value.type();
  const auto append = [&](auto count) { format::append_duration(out, count, type.numerator, type.denominator, spec); };
  if (type.from_float) {
    append(static_cast<float>(load<double>(value.data())));
  } else if (type.floating) {
    append(load<double>(value.data()));
  } else if (type.is_unsigned) {
    append(load<std::uint64_t>(value.data()));
  } else {
    append(load<std::int64_t>(value.data()));
  }
}

/// By the pattern, else as in ISO 8601. What the calendar has no year for is told as its clock counts it.
void append_time(OutputBuffer& out, const Value& value, std::string_view pattern) {
  const auto time = value.as_time();
  const format::Moment moment = time ? format::Moment{time->seconds, time->nanoseconds} : format::Moment{};
  if (!time || !format::is_in_calendar(moment)) {
    out.append("<time out of range: ");
    append_ticks(out, value, nullptr);
    out.append('>');
  } else if (pattern.empty()) {
    format::append_iso_utc(out, moment);
  } else {
    format::append_time(out, moment, pattern, TimeZone::utc);
  }
}

void append_error(OutputBuffer& out, const Value& value) {
  const std::string_view what = *value.as_string();
  if (value.type().kind != ValueKind::error && what.starts_with("…")) {  // a cut, not a mistake
    out.append(what);
    return;
  }
  out.append("<error: ");
  out.append(what);
  out.append('>');
}

void append_omitted(OutputBuffer& out, std::uint32_t omitted) {
  out.append("…(+");
  if (omitted == omitted_unknown) {
    out.append("more");
  } else {
    out.append_number(std::uint64_t{omitted});
  }
  out.append(" elements)");
}

/// A scalar without quotes; false: the value is a container.
bool append_scalar(OutputBuffer& out, const Value& value, const FormatSpec* spec, Rendering rendering) {
  using enum ValueKind;
  const std::byte* data = value.data();
  switch (value.kind()) {
    case null: out.append("null"); return true;
    case boolean: {
      const bool is_true = *value.as_bool();
      if (spec != nullptr) {
        format::append_boolean(out, is_true, spec);
      } else if (rendering == Rendering::classic) {
        out.append(is_true ? "True" : "False");
      } else {
        out.append(is_true ? "true" : "false");
      }
      return true;
    }
    case character: format::append_character(out, *value.as_character(), spec); return true;
    case signed_integer: format::append_integer(out, load<std::int64_t>(data), spec); return true;
    case unsigned_integer: format::append_integer(out, load<std::uint64_t>(data), spec); return true;
    case signed_128: format::append_integer(out, load<Int128>(data), spec); return true;
    case unsigned_128: format::append_integer(out, load<UInt128>(data), spec); return true;
    case float_32: format::append_floating(out, load<float>(data), spec); return true;
    case float_64: format::append_floating(out, load<double>(data), spec); return true;
    case float_extended: format::append_floating(out, load<long double>(data), spec); return true;
    case enumeration:
      if (const auto name = value.as_string()) {
        format::append_string(out, *name, spec);
      } else if (value.type().is_unsigned) {
        format::append_integer(out, load<std::uint64_t>(data), spec);
      } else {
        format::append_integer(out, load<std::int64_t>(data), spec);
      }
      return true;
    case time_point: {
      const std::size_t from = out.size();
      append_time(out, value, spec != nullptr ? std::string_view(spec->time_pattern) : std::string_view());
      if (spec != nullptr) format::pad(out, from, spec->width, spec->align, spec->fill_text());
      return true;
    }
    case duration: append_ticks(out, value, spec); return true;
    case pointer:
      format::append_pointer(out, reinterpret_cast<const void*>(static_cast<std::uintptr_t>(load<std::uint64_t>(data))),
                             spec);
      return true;
    case string: format::append_string(out, *value.as_string(), spec); return true;
    case bytes: {
      if (spec == nullptr) {
        append_hex(out, value);
        return true;
      }
      OutputBuffer hex;
      append_hex(hex, value);
      format::append_string(out, hex.view(), spec);
      return true;
    }
    case secret: {
      const std::size_t from = out.size();
      out.append("***");
      if (spec != nullptr) format::pad(out, from, spec->width, spec->align, spec->fill_text());
      return true;
    }
    case error: append_error(out, value); return true;
    default: return false;
  }
}

/// Numbers, booleans and null stand bare in JSON; NaN and infinities do not.
bool is_bare_json(const Value& value) noexcept {
  using enum ValueKind;
  switch (value.kind()) {
    case null:
    case boolean:
    case signed_integer:
    case unsigned_integer:
    case signed_128:
    case unsigned_128: return true;
    case enumeration: return !value.as_string().has_value();
    case float_32:
    case float_64: {
      const double number = *value.as_double();
      return number - number == 0;  // finite
    }
    case float_extended: {
      const auto number = load<long double>(value.data());
      return number - number == 0;
    }
    default: return false;
  }
}

void append_quoted(OutputBuffer& out, const Value& value, const FormatSpec* spec) {
  if (value.kind() == ValueKind::string &&
      (spec == nullptr || (spec->type == 'j' && spec->unpadded() && spec->precision < 0))) {
    format::append_json_string(out, *value.as_string());
    return;
  }
  out.append('"');
  const std::size_t from = out.size();
  append_scalar(out, value, spec, Rendering::literal);
  escape_json_tail(out, from);
  out.append('"');
}

/// The spec of a container's element, parsed for its kind; null: it takes none.
const FormatSpec* element_spec(const Value& value, std::string_view format, std::optional<FormatSpec>& parsed) {
  if (format.empty()) return nullptr;
  FormatClass takes = format_class(value.type());
  if (value.kind() == ValueKind::enumeration) takes = value.as_string() ? FormatClass::string : FormatClass::integer;
  if (takes == FormatClass::any) return nullptr;
  parsed = parse_format_spec(format, takes);
  return parsed ? &*parsed : nullptr;
}

void append_element(OutputBuffer& out, const Value& value, const Style& style) {
  std::optional<FormatSpec> parsed;
  append_any(out, value, style, element_spec(value, style.format, parsed), false);
}

/// The keys of one JSON object, no two of them equal: a name that came before, as it comes out (two may differ only in
/// bytes that are no UTF-8), gets `#2`, `#3`, … behind it, so that its value is kept.
class JsonKeys {
 public:
  explicit JsonKeys(OutputBuffer& out) noexcept : out_(out) {}

  /// Appends `"name":` after a comma where one is due.
  void open(std::string_view name) {
    begin();
    format::append_json_content(out_, name);
    close();
  }
  /// The same with the name that `write` appends to the buffer, unescaped.
  template <class Write>
  void open_with(Write write) {
    begin();
    const std::size_t from = out_.size();
    write();
    escape_json_tail(out_, from);
    close();
  }

 private:
  struct Key {
    std::size_t hash;
    std::size_t at;
    std::size_t size;
    std::uint64_t next;  // the number behind the next of this name
  };
  void begin() {
    if (count_ != 0) out_.append(',');
    key_ = out_.size();
    out_.append('"');
  }
  void close() {
    const std::size_t end = out_.size();
    if (Key* const first = add()) {
      do {
        out_.truncate(end);
        out_.append('#');
        out_.append_number(first->next++);
      } while (add() != nullptr);
    }
    out_.append("\":");
  }
  /// Takes what stands behind `key_` as a key; or gives the one that it is equal to.
  Key* add() {
    const std::string_view written = out_.view_from(key_);
    const Key key{std::hash<std::string_view>{}(written), key_, written.size(), 2};
    for (std::size_t i = 0; i < count_; ++i) {
      Key& other = i < few ? few_[i] : many_[i - few];
      if (other.hash == key.hash && out_.view().substr(other.at, other.size) == written) return &other;
    }
    if (count_ < few) {
      few_[count_] = key;
    } else {
      many_.push_back(key);
    }
    ++count_;
    return nullptr;
  }

  static constexpr std::size_t few = 16;  // of so many no memory is asked for
  OutputBuffer& out_;
  std::size_t key_ = 0;
  std::size_t count_ = 0;
  Key few_[few];
  std::vector<Key> many_;
};

void append_json_container(OutputBuffer& out, const Value& value, const Style& style) {
  const auto append_note = [&] {  // needs no escaping
    out.append('"');
    append_omitted(out, value.omitted());
    out.append('"');
  };
  if (value.kind() == ValueKind::sequence) {
    bool first = true;
    const auto separate = [&] {
      if (!first) out.append(',');
      first = false;
    };
    out.append('[');
    for (const Value& element : value.elements()) {
      separate();
      append_element(out, element, style);
    }
    if (value.omitted() != 0) separate(), append_note();
    out.append(']');
    return;
  }
  out.append('{');
  JsonKeys keys(out);
  for (const Entry& entry : value.entries()) {
    keys.open_with([&] { append_any(out, entry.key, {}, nullptr, true); });
    append_element(out, entry.value, style);
  }
  for (const Member& member : value.members()) {
    keys.open(member.name);
    append_element(out, member.value, style);
  }
  if (value.omitted() != 0) {
    keys.open("…");
    append_note();
  }
  if (!value.type_name().empty()) {
    keys.open("$type");
    format::append_json_string(out, value.type_name());
  }
  out.append('}');
}

void append_classic_container(OutputBuffer& out, const Value& value, const Style& style) {
  bool first = true;
  const auto separate = [&] {
    if (!first) out.append(", ");
    first = false;
  };
  if (value.kind() == ValueKind::sequence) {
    out.append('[');
    for (const Value& element : value.elements()) {
      separate();
      append_element(out, element, style);
    }
    if (value.omitted() != 0) separate(), append_omitted(out, value.omitted());
    out.append(']');
  } else if (value.kind() == ValueKind::dictionary) {
    out.append('[');
    for (const Entry& entry : value.entries()) {
      separate();
      out.append('(');
      append_element(out, entry.key, {style.rendering, {}, false});
      out.append(": ");
      append_element(out, entry.value, style);
      out.append(')');
    }
    if (value.omitted() != 0) separate(), append_omitted(out, value.omitted());
    out.append(']');
  } else {
    if (!value.type_name().empty()) {
      out.append(value.type_name());
      out.append(' ');
    }
    out.append("{ ");
    for (const Member& member : value.members()) {
      separate();
      out.append(member.name);
      out.append(": ");
      append_element(out, member.value, style);
    }
    if (value.omitted() != 0) separate(), append_omitted(out, value.omitted());
    out.append(" }");
  }
}

void append_any(OutputBuffer& out, const Value& value, const Style& style, const FormatSpec* spec, bool top) {
  using enum ValueKind;
  const ValueKind kind = value.kind();
  const bool container = kind == sequence || kind == dictionary || kind == structure || kind == named_structure;
  if (container) {
    if (style.json || style.rendering == Rendering::literal) {
      append_json_container(out, value, {style.rendering, style.format, true});
    } else {
      append_classic_container(out, value, style);
    }
    return;
  }
  if (style.json) {
    if (is_bare_json(value) && spec == nullptr) {
      const std::size_t from = out.size();
      append_scalar(out, value, nullptr, Rendering::literal);
      if (out.view_from(from) == "-0") out.append(".0");  // many readers take -0 for a whole number, and lose its sign
    } else if (spec != nullptr && is_bare_json(value)) {
      // A format may write what is no JSON (padding, hex, a sign): numbers that stay numbers are bare, others are
      // strings.
      OutputBuffer text;
      append_scalar(text, value, spec, Rendering::literal);
      const std::string_view written = text.view();
      const std::size_t sign = written.starts_with('-') ? 1 : 0;
      const bool number = written.size() > sign &&
                          written.find_first_not_of("0123456789.", sign) == std::string_view::npos &&
                          (written[sign] != '0' || written.size() == sign + 1 || written[sign + 1] == '.') &&
                          written.back() != '.' && written[sign] != '.';
      if (number) {
        out.append(written);
      } else {
        format::append_json_string(out, written);
      }
    } else {
      append_quoted(out, value, spec);
    }
    return;
  }
  const bool quotes = style.rendering == Rendering::classic && (kind == string || kind == bytes || kind == secret) &&
                      !(top && spec != nullptr && (spec->type == 'l' || spec->type == 'j'));
  if (!quotes) {
    append_scalar(out, value, spec, style.rendering);
    return;
  }
  OutputBuffer text;
  append_scalar(text, value, spec, style.rendering);
  out.append('"');
  for (const char c : text.view()) {
    if (c == '"') out.append('\\');
    out.append(c);
  }
  out.append('"');
}

}  // namespace

void append_value_text(OutputBuffer& out, const Value& value, std::string_view format, const FormatSpec* spec,
                       Rendering rendering, bool escape) {
  std::optional<FormatSpec> parsed;
  if (spec == nullptr && !format.empty()) spec = element_spec(value, format, parsed);
  const Style style{rendering, format, false};
  // What needs no escaping by its kind is written straight; the rest takes the way round.
  const ValueKind kind = value.kind();
  const bool clean = spec == nullptr && (kind == ValueKind::signed_integer || kind == ValueKind::unsigned_integer ||
                                         kind == ValueKind::float_64 || kind == ValueKind::boolean);
  if (!escape || clean) {
    append_any(out, value, style, spec, true);
    return;
  }
  if (kind == ValueKind::string && spec == nullptr && rendering == Rendering::literal) {
    format::append_text_escaped(out, *value.as_string());
    return;
  }
  const std::size_t from = out.size();
  append_any(out, value, style, spec, true);
  escape_text_tail(out, from);
}

void append_value_json(OutputBuffer& out, const Value& value) {
  switch (value.kind()) {  // the usual kinds take the short way
    case ValueKind::signed_integer: return out.append_number(load<std::int64_t>(value.data()));
    case ValueKind::unsigned_integer: return out.append_number(load<std::uint64_t>(value.data()));
    case ValueKind::string: return format::append_json_string(out, *value.as_string());
    default: append_any(out, value, {Rendering::literal, {}, true}, nullptr, true);
  }
}

void append_omitted_properties(OutputBuffer& out, const Event& event, std::uint64_t omitted) {
  std::string name = "…";
  while (event.property(name)) name += "…";
  format::append_json_string(out, name);
  out.append(":\"…(+");
  out.append_number(omitted);
  out.append(" properties)\"");
}

}  // namespace cairn::detail

namespace cairn {

void Value::render_to(OutputBuffer& out, Rendering rendering) const {
  detail::append_value_text(out, *this, {}, nullptr, rendering, false);
}

std::string Value::to_text(Rendering rendering) const {
  OutputBuffer out;
  render_to(out, rendering);
  return std::string(out.view());
}

void Value::json_to(OutputBuffer& out) const { detail::append_value_json(out, *this); }

}  // namespace cairn
