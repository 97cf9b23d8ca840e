#include "cairn/value.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace cairn {

namespace detail {

const std::byte* skip_value(const ValueType& type, const std::byte* data) noexcept {
  using enum ValueKind;
  switch (type.kind) {
    case null:
    case secret: return data;
    case boolean: return data + 1;
    case character:
    case float_32: return data + 4;
    case signed_integer:
    case unsigned_integer:
    case float_64:
    case enumeration:
    case time_point:
    case duration:
    case pointer: return data + 8;
    case signed_128:
    case unsigned_128: return data + 16;
    case float_extended: return data + sizeof(long double);
    case string:
    case error: {
      const auto size = load<std::uint32_t>(data);
      return data + 4 + (size == null_length ? 0 : size);
    }
    case bytes: return data + 12 + load<std::uint32_t>(data);
    case sequence:
    case dictionary:
    case structure:
    case named_structure: {
      const auto header = load<ContainerHeader>(data);
      data += sizeof(ContainerHeader);
      if (header.size != special_size) return data + header.size;
      return header.count == static_cast<std::uint32_t>(SpecialContainer::error) ? skip_value(error_type, data) : data;
    }
    case dynamic: return skip_value(*load<const ValueType*>(data), data + sizeof(const ValueType*));
  }
  return data;
}

}  // namespace detail

namespace {

bool is_container(ValueKind kind) noexcept {
  return kind == ValueKind::sequence || kind == ValueKind::dictionary || kind == ValueKind::structure ||
         kind == ValueKind::named_structure;
}

std::string_view string_at(const std::byte* data) noexcept {
  const auto size = detail::load<std::uint32_t>(data);
  return size == detail::null_length ? std::string_view()
                                     : std::string_view(reinterpret_cast<const char*>(data + 4), size);
}

using detail::Int128;
using detail::UInt128;

/// The ticks of a time or duration that does not float.
Int128 whole_count(const detail::ValueType& type, const std::byte* data) noexcept {
  if (type.is_unsigned) return detail::load<std::uint64_t>(data);
  return detail::load<std::int64_t>(data);
}

}  // namespace

Value::Value(const detail::ValueType& type, const std::byte* data) noexcept : type_(&type), data_(data) {
  while (type_->kind == ValueKind::dynamic) {
    type_ = detail::load<const detail::ValueType*>(data_);
    data_ += sizeof(const detail::ValueType*);
  }
  kind_ = type_->kind;
  if (kind_ == ValueKind::string && detail::load<std::uint32_t>(data_) == detail::null_length) kind_ = ValueKind::null;
  if (is_container(kind_) && header().size == detail::special_size) kind_ = ValueKind::error;
}

std::optional<bool> Value::as_bool() const noexcept {
  if (kind_ != ValueKind::boolean) return std::nullopt;
  return detail::load<std::uint8_t>(data_) != 0;
}

std::optional<std::int64_t> Value::as_int64() const noexcept {
  switch (kind_) {
    case ValueKind::signed_integer: return detail::load<std::int64_t>(data_);
    case ValueKind::enumeration:
      if (!type_->is_unsigned || detail::load<std::int64_t>(data_) >= 0) return detail::load<std::int64_t>(data_);
      return std::nullopt;
    case ValueKind::unsigned_integer: {
      const auto value = detail::load<std::uint64_t>(data_);
      if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) return std::nullopt;
      return static_cast<std::int64_t>(value);
    }
    default: return std::nullopt;
  }
}

std::optional<std::uint64_t> Value::as_uint64() const noexcept {
  switch (kind_) {
    case ValueKind::unsigned_integer:
    case ValueKind::pointer: return detail::load<std::uint64_t>(data_);
    case ValueKind::enumeration:
      if (type_->is_unsigned || detail::load<std::int64_t>(data_) >= 0) return detail::load<std::uint64_t>(data_);
      return std::nullopt;
    case ValueKind::signed_integer: {
      const auto value = detail::load<std::int64_t>(data_);
      if (value < 0) return std::nullopt;
      return static_cast<std::uint64_t>(value);
    }
    default: return std::nullopt;
  }
}

std::optional<double> Value::as_double() const noexcept {
  switch (kind_) {
    case ValueKind::float_32: return static_cast<double>(detail::load<float>(data_));
    case ValueKind::float_64: return detail::load<double>(data_);
    case ValueKind::float_extended: return static_cast<double>(detail::load<long double>(data_));
    case ValueKind::signed_integer: return static_cast<double>(detail::load<std::int64_t>(data_));
    case ValueKind::unsigned_integer: return static_cast<double>(detail::load<std::uint64_t>(data_));
    case ValueKind::signed_128: return static_cast<double>(detail::load<Int128>(data_));
    case ValueKind::unsigned_128: return static_cast<double>(detail::load<UInt128>(data_));
    default: return std::nullopt;
  }
}

std::optional<char32_t> Value::as_character() const noexcept {
  if (kind_ != ValueKind::character) return std::nullopt;
  return static_cast<char32_t>(detail::load<std::uint32_t>(data_));
}

std::optional<TimeValue> Value::as_time() const noexcept {
  if (kind_ != ValueKind::time_point) return std::nullopt;
  constexpr std::int64_t second = 1'000'000'000;
  if (type_->floating) {
    const long double time = static_cast<long double>(detail::load<double>(data_)) *
                                 static_cast<long double>(type_->numerator) /
                                 static_cast<long double>(type_->denominator) +
                             static_cast<long double>(type_->zero);
    if (!(std::abs(time) < 9.2e18L)) return std::nullopt;
    const long double whole = std::floor(time);
    const auto part = static_cast<std::uint32_t>((time - whole) * second);
    return TimeValue{static_cast<std::int64_t>(whole), std::min(part, static_cast<std::uint32_t>(second - 1))};
  }
  if (type_->numerator == 1 && type_->denominator == second && type_->zero == 0 &&
      !type_->is_unsigned) {  // as nearly all are
    const auto count = detail::load<std::int64_t>(data_);
    const std::int64_t whole = count / second - (count % second < 0 ? 1 : 0);
    const auto rest = static_cast<std::uint64_t>(count) - static_cast<std::uint64_t>(whole) * second;
    return TimeValue{whole, static_cast<std::uint32_t>(rest)};
  }
  // 128 bits hold any product of two numbers of 64.
  const Int128 ticks = whole_count(*type_, data_) * type_->numerator;
  Int128 whole = ticks / type_->denominator;
  Int128 rest = ticks % type_->denominator;
  if (rest < 0) {
    --whole;
    rest += type_->denominator;
  }
  whole += type_->zero;
  if (whole > INT64_MAX || whole < INT64_MIN) return std::nullopt;
  return TimeValue{static_cast<std::int64_t>(whole), static_cast<std::uint32_t>(rest * second / type_->denominator)};
}

std::optional<Timestamp> Value::as_timestamp() const noexcept {
  const auto time = as_time();
  if (!time) return std::nullopt;
  const Int128 count = static_cast<Int128>(time->seconds) * 1'000'000'000 + time->nanoseconds;
  if (count > INT64_MAX || count < INT64_MIN) return std::nullopt;
  return Timestamp(std::chrono::nanoseconds(static_cast<std::int64_t>(count)));
}

std::optional<DurationValue> Value::as_duration() const noexcept {
  if (kind_ != ValueKind::duration) return std::nullopt;
  DurationValue duration{.floating = type_->floating, .numerator = type_->numerator, .denominator = type_->denominator};
  if (duration.floating) {
    duration.floating_count = detail::load<double>(data_);
  } else {
    const Int128 count = whole_count(*type_, data_);
    duration.count = static_cast<std::int64_t>(std::min<Int128>(count, INT64_MAX));
    if (count > INT64_MAX) duration.unsigned_count = static_cast<std::uint64_t>(count);
  }
  return duration;
}

std::optional<std::string_view> Value::as_string() const noexcept {
  switch (kind_) {
    case ValueKind::string: return string_at(data_);
    case ValueKind::error:
      if (is_container(type_->kind)) {
        if (header().count == static_cast<std::uint32_t>(detail::SpecialContainer::too_deep)) return "…(too deep)";
        return string_at(data_ + sizeof(detail::ContainerHeader));
      }
      return string_at(data_);
    case ValueKind::enumeration: {
      const auto value = detail::load<std::int64_t>(data_);
      for (std::uint32_t i = 0; i < type_->enumerator_count; ++i) {
        if (type_->enumerators[i].value == value) return type_->enumerators[i].name;
      }
      return std::nullopt;
    }
    default: return std::nullopt;
  }
}

std::string_view Value::bytes() const noexcept {
  if (kind_ != ValueKind::bytes) return {};
  return {reinterpret_cast<const char*>(data_ + 12), detail::load<std::uint32_t>(data_)};
}

std::uint64_t Value::bytes_total() const noexcept {
  return kind_ == ValueKind::bytes ? detail::load<std::uint64_t>(data_ + 4) : 0;
}

std::uint32_t Value::size() const noexcept { return is_container(kind_) ? header().count : 0; }

std::uint32_t Value::omitted() const noexcept { return is_container(kind_) ? header().omitted : 0; }

std::string_view Value::type_name() const noexcept {
  if (kind_ == ValueKind::structure) return type_->name;
  if (kind_ == ValueKind::named_structure) return string_at(data_ + sizeof(detail::ContainerHeader));
  return {};
}

Value::Items<Value> Value::elements() const noexcept {
  return kind_ == ValueKind::sequence ? Items<Value>(*this) : Items<Value>();
}
Value::Items<Member> Value::members() const noexcept {
  return kind_ == ValueKind::structure || kind_ == ValueKind::named_structure ? Items<Member>(*this) : Items<Member>();
}
Value::Items<Entry> Value::entries() const noexcept {
  return kind_ == ValueKind::dictionary ? Items<Entry>(*this) : Items<Entry>();
}

std::optional<Value> Value::find(std::string_view name) const noexcept {
  for (const Member& member : members()) {
    if (member.name == name) return member.value;
  }
  for (const Entry& entry : entries()) {
    if (entry.key.as_string() == name) return entry.value;
  }
  return std::nullopt;
}

template <class Item>
Value::Items<Item>::Iterator::Iterator(const Value& container, std::uint32_t index) noexcept
    : type_(&container.type()), next_(container.data()), index_(index), count_(container.size()) {
  next_ += sizeof(detail::ContainerHeader);
  if (type_->kind == ValueKind::named_structure) next_ = detail::skip_value(detail::string_type, next_);
  if (index_ < count_) read();
}

namespace {
Value take(const detail::ValueType& type, const std::byte*& at) noexcept {
  Value value(type, at);
  at = detail::skip_value(type, at);
  return value;
}
}  // namespace

template <class Item>
void Value::Items<Item>::Iterator::read() noexcept {
  if (index_ >= count_) return;
  if constexpr (std::same_as<Item, Value>) {
    item_ = take(*type_->element, next_);
  } else if constexpr (std::same_as<Item, Member>) {
    if (type_->kind == ValueKind::structure) {
      item_.name = type_->members[index_].name;
      item_.value = take(*type_->members[index_].type, next_);
    } else {
      item_.name = string_at(next_);
      next_ = detail::skip_value(detail::string_type, next_);
      item_.value = take(detail::dynamic_type, next_);
    }
  } else {
    item_.key = take(*type_->key, next_);
    item_.value = take(*type_->element, next_);
  }
}

template class Value::Items<Value>;
template class Value::Items<Member>;
template class Value::Items<Entry>;

OwnedValue::OwnedValue(const Value& value) {
  const auto* type = &value.type();
  bytes_.assign(reinterpret_cast<const char*>(&type), sizeof(type));
  if (value.data() != nullptr) {
    const std::byte* end = detail::skip_value(*type, value.data());
    bytes_.append(reinterpret_cast<const char*>(value.data()), static_cast<std::size_t>(end - value.data()));
  }
}

Value OwnedValue::view() const noexcept {
  return bytes_.empty() ? Value() : Value(detail::dynamic_type, reinterpret_cast<const std::byte*>(bytes_.data()));
}

}  // namespace cairn
