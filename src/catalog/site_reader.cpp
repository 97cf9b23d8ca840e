#include "catalog/site_reader.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <tuple>

#include "cairn/detail/record.hpp"
#include "template/bound_template.hpp"

namespace cairn::detail {

namespace {

// No program has more; what claims to is damaged.
constexpr std::size_t max_text_size = 1 << 16;
constexpr std::size_t max_arguments = 1024;
constexpr std::size_t max_parts = 4096;
constexpr const char* too_much = "it claims more call sites or text than it can have";

constexpr std::size_t max_description_size = 2000;
constexpr int max_description_depth = 8;

constexpr std::uint32_t layout_version = 3;  // the type of the note in cairn/macros.hpp

template <class T>
std::uint64_t address_of(const T* pointer) noexcept {
  return reinterpret_cast<std::uintptr_t>(pointer);
}

std::string_view unit_of(const ValueType& type) noexcept {
  struct Unit {
    std::int64_t numerator, denominator;
    std::string_view name;
  };
  constexpr Unit units[] = {{1, 1'000'000'000, "ns"}, {1, 1'000'000, "us"}, {1, 1000, "ms"}, {1, 1, "s"},
                            {60, 1, "min"},           {3600, 1, "h"},       {86400, 1, "d"}};
  for (const Unit& unit : units) {
    if (type.numerator == unit.numerator && type.denominator == unit.denominator) return unit.name;
  }
  return "other";
}

void describe(std::string& out, const ValueType* type, int depth) {
  using enum ValueKind;
  if (out.size() >= max_description_size || depth > max_description_depth) {
    if (!out.ends_with("…")) out += "…";
    return;
  }
  if (type == nullptr) {
    out += "unknown";
    return;
  }
  switch (type->kind) {
    case null: out += "null"; return;
    case boolean: out += "bool"; return;
    case character: out += "char"; return;
    case signed_integer: out += "int"; return;
    case unsigned_integer: out += "uint"; return;
    case signed_128: out += "int128"; return;
    case unsigned_128: out += "uint128"; return;
    case float_32: out += "float"; return;
    case float_64: out += "double"; return;
    case float_extended: out += "long double"; return;
    case string: out += "string"; return;
    case time_point: out += "time"; return;
    case pointer: out += "pointer"; return;
    case bytes: out += "bytes"; return;
    case dynamic: out += "any"; return;
    case secret: out += "secret"; return;
    case error: out += "error"; return;
    case named_structure: out += "structure"; return;
    case duration:
      out += "duration(";
      out += unit_of(*type);
      out += ')';
      return;
    case enumeration:
      out += "enum";
      for (std::uint32_t i = 0; i < type->enumerator_count && out.size() < max_description_size; ++i) {
        out += i == 0 ? '(' : '|';
        out += type->enumerators[i].name;
      }
      if (type->enumerator_count != 0) out += ')';
      return;
    case sequence:
      out += '[';
      describe(out, type->element, depth + 1);
      out += ']';
      return;
    case dictionary:
      out += '{';
      describe(out, type->key, depth + 1);
      out += ": ";
      describe(out, type->element, depth + 1);
      out += '}';
      return;
    case structure:
      out += type->name;
      out += '{';
      for (std::uint32_t i = 0; i < type->member_count && out.size() < max_description_size; ++i) {
        if (i != 0) out += ", ";
        out += type->members[i].name;
        out += ": ";
        describe(out, type->members[i].type, depth + 1);
      }
      out += '}';
      return;
  }
  out += "unknown";
}

}  // namespace

std::string type_description(const ValueType& type) {
  std::string out;
  describe(out, &type, 0);
  return out;
}

std::string SiteReader::add_listed(std::span<const NoteRange> notes, std::uint64_t base) {
  struct NoteHeader {
    std::uint32_t name_size, content_size, type;
  };
  struct Content {
    std::int32_t start, stop;  // of the section, each from where it stands itself
  };
  constexpr char name[8] = "cairn";
  for (const NoteRange& range : notes) {
    const std::uint64_t alignment = range.alignment == 8 ? 8 : 4;
    const auto aligned = [&](std::uint64_t size) { return (size + alignment - 1) / alignment * alignment; };
    for (std::uint64_t at = 0; range.memory.size - at >= sizeof(NoteHeader);) {
      const std::uint64_t address = base + range.memory.begin + at;
      if (!afford(sizeof(NoteHeader))) return too_much;
      const auto header = memory_.read_as<NoteHeader>(address);
      if (!header) return "its notes are not in it";
      const std::uint64_t content_at = aligned(sizeof(NoteHeader) + header->name_size);
      char found[sizeof(name)] = {};
      if (header->name_size == sizeof("cairn") && memory_.read(address + sizeof(NoteHeader), found, sizeof("cairn")) &&
          std::memcmp(found, name, sizeof(name)) == 0) {
        if (header->type != layout_version || header->content_size != sizeof(Content))
          return "its call sites are laid out as another version of Cairn does (" + std::to_string(header->type) +
                 "; this one reads " + std::to_string(layout_version) + ")";
        const std::uint64_t content_address = address + content_at;
        const auto content = memory_.read_as<Content>(content_address);
        if (!content) return "its notes are not in it";
        const std::uint64_t start = content_address + static_cast<std::uint64_t>(std::int64_t{content->start});
        const std::uint64_t stop = content_address + 4 + static_cast<std::uint64_t>(std::int64_t{content->stop});
        if (stop < start) return "its list of call sites is damaged";
        if (std::string problem = add_section({start, stop - start}); !problem.empty()) return problem;
      }
      const std::uint64_t size = aligned(content_at + header->content_size);
      if (size >= range.memory.size - at) break;
      at += size;
    }
  }
  return {};
}

std::string SiteReader::add_section(AddressRange section) {
  for (std::uint64_t at = 0; section.size - at >= sizeof(std::int32_t); at += sizeof(std::int32_t)) {
    const std::uint64_t entry = section.begin + at;
    if (!afford(sizeof(std::int32_t))) return too_much;
    const auto offset = memory_.read_as<std::int32_t>(entry);
    if (!offset) return "its list of call sites is not in it";
    const std::uint64_t site = entry + static_cast<std::uint64_t>(std::int64_t{*offset});
    if (!seen_.insert(site).second) continue;  // a call in a header or in a loop that was unrolled
    if (std::string problem = add_site(site); !problem.empty()) return problem;
  }
  return {};
}

std::string SiteReader::add_site(std::uint64_t address) {
  const auto site = memory_.read_as<CallSite>(address);
  if (!site || site->level > Level::fatal) return "a call site of it is damaged";
  const auto text = text_at(address_of(site->text), site->text_size);
  std::string expressions;
  if (site->is_extended != 0) {
    const auto at = memory_.read_as<std::uint64_t>(address + sizeof(CallSite));  // the first that an extended one adds
    if (!at) return "a call site of it is damaged";
    expressions = c_string_at(*at, max_text_size);
  }
  if (bytes_read_ > max_bytes_) return too_much;
  if (!text) return "the template of a call site of it is damaged";
  add(*text, expressions, address_of(site->types), site->level, site->place(), CatalogForm::macro);
  return {};
}

void SiteReader::add(std::string_view text, std::string_view expressions, std::uint64_t types, Level level,
                     const SourcePlace& place, CatalogForm form) {
  std::vector<const ValueType*> argument_types;
  for (std::uint64_t at = types; argument_types.size() < max_arguments && afford(sizeof(at));
       at += sizeof(std::uint64_t)) {
    const auto address = memory_.read_as<std::uint64_t>(at);
    if (!address || *address == 0) break;
    argument_types.push_back(type_at(*address));
  }
  complete_types();
  argument_types.push_back(nullptr);

  BoundTemplate bound;
  bound.bind(text, expressions, argument_types.data(), {});
  CatalogEvent& event = events_.emplace_back();
  event.message_template = bound.text();
  event.level = level;
  event.event_id = bound.event_id();
  event.form = form;
  for (const BoundProperty& property : bound.properties())
    event.properties.push_back({property.name, type_description(*bound.types()[property.argument])});
  event.file = c_string_at(address_of(place.file));
  event.function = c_string_at(address_of(place.function));
  event.line = place.line;
}

std::vector<CatalogEvent> SiteReader::take() {
  std::stable_sort(events_.begin(), events_.end(), [](const CatalogEvent& a, const CatalogEvent& b) {
    return std::tie(a.file, a.line, a.message_template) < std::tie(b.file, b.line, b.message_template);
  });
  return std::move(events_);
}

/// Never null. Its parts are filled in by complete_types().
const ValueType* SiteReader::type_at(std::uint64_t address) {
  static constexpr ValueType unknown{.kind = ValueKind{0xFF}};  // described as such
  const auto [found, is_new] = types_.try_emplace(address, nullptr);
  if (!is_new) return found->second == nullptr ? &unknown : found->second;
  std::array<std::byte, sizeof(ValueType)> bytes;
  if (!afford(bytes.size()) || !memory_.read(address, bytes.data(), bytes.size())) return &unknown;
  for (const std::size_t flag :
       {offsetof(ValueType, is_unsigned), offsetof(ValueType, floating), offsetof(ValueType, from_float)})
    bytes[flag] = bytes[flag] == std::byte{0} ? std::byte{0} : std::byte{1};  // no other byte is a bool
  found->second = &kept_types_.emplace_back(std::bit_cast<ValueType>(bytes));
  incomplete_.push_back(found->second);
  return found->second;
}

void SiteReader::complete_types() {
  while (!incomplete_.empty()) {
    ValueType& type = *incomplete_.back();
    incomplete_.pop_back();
    type.name = keep(type.name);
    if (type.element != nullptr) type.element = type_at(address_of(type.element));
    if (type.key != nullptr) type.key = type_at(address_of(type.key));

    const std::uint64_t members_at = address_of(type.members);
    std::vector<MemberType>& members = kept_members_.emplace_back();
    for (std::uint32_t i = 0; i < type.member_count && i < max_parts && afford(sizeof(MemberType)); ++i) {
      auto member = memory_.read_as<MemberType>(members_at + i * sizeof(MemberType));
      if (!member) break;
      members.push_back({keep(member->name), type_at(address_of(member->type))});
    }
    type.members = members.data();
    type.member_count = static_cast<std::uint32_t>(members.size());

    const std::uint64_t enumerators_at = address_of(type.enumerators);
    std::vector<EnumeratorName>& names = kept_enumerators_.emplace_back();
    for (std::uint32_t i = 0; i < type.enumerator_count && i < max_parts && afford(sizeof(EnumeratorName)); ++i) {
      auto name = memory_.read_as<EnumeratorName>(enumerators_at + i * sizeof(EnumeratorName));
      if (!name) break;
      names.push_back({name->value, keep(name->name)});
    }
    type.enumerators = names.data();
    type.enumerator_count = static_cast<std::uint32_t>(names.size());
  }
}

std::optional<std::string> SiteReader::text_at(std::uint64_t address, std::size_t size) {
  if (size == 0) return std::string();
  if (size > max_text_size || !afford(size)) return std::nullopt;
  std::string text(size, '\0');
  if (!memory_.read(address, text.data(), size)) return std::nullopt;
  return text;
}

std::string_view SiteReader::keep(std::string_view name) {
  return kept_names_.emplace_back(text_at(address_of(name.data()), name.size()).value_or("unknown"));
}

std::string SiteReader::c_string_at(std::uint64_t address, std::size_t max_size) {
  std::string text;
  for (; text.size() < max_size && afford(1); ++address) {
    const auto c = memory_.read_as<char>(address);
    if (!c || *c == '\0') break;
    text += *c;
  }
  return text;
}

}  // namespace cairn::detail
