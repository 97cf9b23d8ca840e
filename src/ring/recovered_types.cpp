#include "ring/recovered_types.hpp"

#include <bit>
#include <cstring>

#include "cairn/detail/codec.hpp"
#include "ring/ring_format.hpp"

namespace cairn::detail {

namespace {

// No program has more; what claims to is damaged.
constexpr std::uint32_t most_parts = 4096;  // members, enumerators
constexpr int deepest = 64;
constexpr std::size_t most_properties = 1024;
constexpr std::size_t most_visits = 1'000'000;  // of definitions, in a block

std::string_view as_text(std::span<const std::byte> bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

bool has_element(ValueKind kind) noexcept { return kind == ValueKind::sequence || kind == ValueKind::dictionary; }

/// The processor takes some patterns of 80 bits for no number at all.
bool is_number(const std::byte* at) noexcept {
  const auto mantissa = load<std::uint64_t>(at);
  const auto exponent = static_cast<std::uint16_t>(load<std::uint16_t>(at + 8) & 0x7FFFU);
  return (exponent != 0) == (mantissa >> 63U != 0);
}

}  // namespace

bool RecoveredTypes::define(std::span<const std::byte> definition) {
  ByteCursor in(definition);
  const auto fields = in.take<RingType>();
  if (!in.ok() || fields.key == 0 || fields.kind > ValueKind::error || fields.member_count > most_parts ||
      fields.enumerator_count > most_parts || fields.numerator <= 0 || fields.denominator <= 0)
    return false;
  if (has_element(fields.kind) != (fields.element != 0) ||
      (fields.kind == ValueKind::dictionary) != (fields.mapped_by != 0))
    return false;
  if ((fields.member_count != 0 && fields.kind != ValueKind::structure) ||
      (fields.enumerator_count != 0 && fields.kind != ValueKind::enumeration))
    return false;
  (void)in.take_text();
  for (std::uint32_t i = 0; i < fields.member_count; ++i) {
    (void)in.take<std::uint64_t>();
    (void)in.take_text();
  }
  for (std::uint32_t i = 0; i < fields.enumerator_count; ++i) {
    (void)in.take<std::int64_t>();
    (void)in.take_text();
  }
  if (!in.ok() || in.left() >= 8) return false;
  return defined_.try_emplace(fields.key, Definition{definition, nullptr}).second;
}

const ValueType* RecoveredTypes::find(std::uint64_t key) {
  const auto found = defined_.find(key);
  if (found == defined_.end()) return nullptr;
  if (found->second.made != nullptr || found->second.failed) return found->second.made;
  const ValueType* const made = make(key);
  found->second.failed = made == nullptr;
  return made;
}

SourcePlace RecoveredTypes::place(std::string_view file, std::string_view function, std::uint32_t line) {
  MadePlace& made = places_.emplace_back();
  made.file = file;
  made.function = function;
  return {made.file.c_str(), made.function.c_str(), line};
}

/// Makes a type and all that it is made of; none of them if one is missing.
const ValueType* RecoveredTypes::make(std::uint64_t key) {
  std::vector<std::pair<Definition*, Made*>> fresh;
  std::unordered_map<std::uint64_t, Made*> reached;
  std::vector<std::uint64_t> open{key};
  const auto undo = [&] {
    while (!fresh.empty()) {
      if (fresh.back().second == &made_.back()) made_.pop_back();
      fresh.pop_back();
    }
    return nullptr;
  };
  while (!open.empty()) {
    const std::uint64_t here = open.back();
    open.pop_back();
    if (reached.contains(here)) continue;
    const auto found = defined_.find(here);
    if (found == defined_.end() || ++visits_ > most_visits) return undo();
    if (found->second.made != nullptr) continue;
    const std::string_view bytes = as_text(found->second.bytes);
    Made& made = made_.emplace_back();
    fresh.emplace_back(&found->second, &made);
    reached.emplace(here, &made);
    made.definition = bytes;
    ByteCursor in(std::as_bytes(std::span(made.definition)));  // names are those of the copy
    const auto fields = in.take<RingType>();
    made.type.kind = fields.kind;
    made.type.is_unsigned = fields.is_unsigned != 0;
    made.type.floating = fields.floating != 0;
    made.type.from_float = fields.floating == 2;
    made.type.name = in.take_text();
    made.type.numerator = fields.numerator;
    made.type.zero = fields.zero;
    made.type.denominator = fields.denominator;
    if (fields.element != 0) made.parts.push_back(fields.element);
    if (fields.mapped_by != 0) made.parts.push_back(fields.mapped_by);
    for (std::uint32_t i = 0; i < fields.member_count; ++i) {
      made.parts.push_back(in.take<std::uint64_t>());
      made.members.push_back({in.take_text(), nullptr});
    }
    for (std::uint32_t i = 0; i < fields.enumerator_count; ++i) {
      const auto value = in.take<std::int64_t>();
      made.enumerators.push_back({value, in.take_text()});
    }
    open.insert(open.end(), made.parts.begin(), made.parts.end());
  }
  const auto type_of = [&](std::uint64_t part) -> const ValueType* {
    const auto found = reached.find(part);
    return found != reached.end() ? &found->second->type : defined_.at(part).made;
  };
  for (const auto& [definition, made] : fresh) {
    std::size_t part = 0;
    if (has_element(made->type.kind)) made->type.element = type_of(made->parts[part++]);
    if (made->type.kind == ValueKind::dictionary) made->type.key = type_of(made->parts[part++]);
    for (MemberType& member : made->members) member.type = type_of(made->parts[part++]);
    made->type.members = made->members.data();
    made->type.member_count = static_cast<std::uint32_t>(made->members.size());
    made->type.enumerators = made->enumerators.data();
    made->type.enumerator_count = static_cast<std::uint32_t>(made->enumerators.size());
  }
  for (const auto& [definition, made] : fresh) definition->made = &made->type;
  return defined_.at(key).made;
}

std::byte* ValueChecker::check(const ValueType& first, std::byte* at, std::byte* end, int depth) {
  using enum ValueKind;
  const ValueType* type = &first;
  const auto room = [&] { return static_cast<std::size_t>(end - at); };
  if (budget_ == 0 || depth > deepest) return nullptr;
  --budget_;
  for (int chain = 0; type->kind == dynamic; ++chain) {
    if (room() < sizeof(std::uint64_t) || chain > deepest) return nullptr;
    type = types_.find(load<std::uint64_t>(at));
    if (type == nullptr) return nullptr;
    std::memcpy(at, static_cast<const void*>(&type), sizeof(type));
    at += sizeof(type);
  }
  const auto text = [&]() -> std::byte* {
    if (room() < 4) return nullptr;
    const auto size = load<std::uint32_t>(at);
    if (size == null_length) return at + 4;
    return size <= room() - 4 ? at + 4 + size : nullptr;
  };
  switch (type->kind) {
    case string: return text();
    case error: return room() >= 4 && load<std::uint32_t>(at) == null_length ? nullptr : text();
    case bytes: {
      if (room() < 12) return nullptr;
      const auto size = load<std::uint32_t>(at);
      return size <= room() - 12 && size <= load<std::uint64_t>(at + 4) ? at + 12 + size : nullptr;
    }
    case float_extended:
      if (room() < sizeof(long double) || !is_number(at)) return nullptr;
      return at + sizeof(long double);
    case sequence:
    case dictionary:
    case structure:
    case named_structure: {
      if (room() < sizeof(ContainerHeader)) return nullptr;
      const auto header = load<ContainerHeader>(at);
      at += sizeof(header);
      if (header.size == special_size) {
        if (header.count == static_cast<std::uint32_t>(SpecialContainer::too_deep)) return at;
        if (header.count != static_cast<std::uint32_t>(SpecialContainer::error)) return nullptr;
        return check(error_type, at, end, depth + 1);
      }
      if (header.size > room()) return nullptr;
      std::byte* const after = at + header.size;
      if (type->kind == structure && header.count > type->member_count) return nullptr;
      if (type->kind == named_structure && (at = check(string_type, at, after, depth + 1)) == nullptr) return nullptr;
      for (std::uint32_t i = 0; i < header.count; ++i) {
        if (type->kind == named_structure && (at = check(string_type, at, after, depth + 1)) == nullptr) return nullptr;
        if (type->kind == dictionary && (at = check(*type->key, at, after, depth + 1)) == nullptr) return nullptr;
        const ValueType& item = type->kind == structure         ? *type->members[i].type
                                : type->kind == named_structure ? dynamic_type
                                                                : *type->element;
        if ((at = check(item, at, after, depth + 1)) == nullptr) return nullptr;
      }
      return at == after ? at : nullptr;
    }
    default: break;
  }
  std::size_t size = 0;
  switch (type->kind) {
    case null:
    case secret: break;
    case boolean: size = 1; break;
    case character:
    case float_32: size = 4; break;
    case signed_128:
    case unsigned_128: size = 16; break;
    default: size = 8; break;
  }
  return size <= room() ? at + size : nullptr;
}

bool ValueChecker::check_properties(std::span<std::byte> entries, PropertyBlock& block) {
  std::size_t count = 0;
  for (std::size_t at = 0; at < entries.size();) {
    const std::span<std::byte> here = entries.subspan(at);
    if (here.size() < sizeof(PropertyEntry) || ++count > most_properties) return false;
    const auto fields = load<PropertyEntry>(here.data());
    if (fields.size < sizeof(PropertyEntry) || fields.size > here.size() ||
        fields.name_size > fields.size - sizeof(PropertyEntry))
      return false;
    std::byte* const value = here.data() + sizeof(PropertyEntry) + fields.name_size;
    std::byte* const end = here.data() + fields.size;
    if (check(dynamic_type, value, end) != end) return false;
    const std::string_view name(reinterpret_cast<const char*>(here.data() + sizeof(PropertyEntry)), fields.name_size);
    block.add(name, Value(dynamic_type, value), fields.expiry);
    at += fields.size;
  }
  return true;
}

}  // namespace cairn::detail
