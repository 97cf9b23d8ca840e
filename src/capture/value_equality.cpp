// When two values are equal: Value's ==, and is_same_as, for which NaN is NaN. It takes memory for large dictionaries
// that are in different orders, and does without where there is none.
#include <algorithm>
#include <cmath>
#include <functional>
#include <new>
#include <utility>
#include <vector>

#include "cairn/value.hpp"

namespace cairn {

namespace {

using detail::Int128;
using detail::UInt128;

/// What values of different kinds may be equal as.
enum class Sort : std::uint8_t { integer, floating, text, structure, other };

Sort sort_of(const Value& value) noexcept {
  using enum ValueKind;
  switch (value.kind()) {
    case signed_integer:
    case unsigned_integer:
    case signed_128:
    case unsigned_128: return Sort::integer;
    case float_32:
    case float_64:
    case float_extended: return Sort::floating;
    case string: return Sort::text;
    case enumeration: return value.as_string() ? Sort::text : Sort::other;
    case structure:
    case named_structure: return Sort::structure;
    default: return Sort::other;
  }
}

struct WideInteger {
  bool negative;
  UInt128 bits;
  bool operator==(const WideInteger&) const = default;
};

WideInteger wide(std::int64_t number) noexcept { return {number < 0, static_cast<UInt128>(Int128{number})}; }

/// Of an integer, an enumerator or a pointer.
WideInteger wide_integer(const Value& value) noexcept {
  switch (value.kind()) {
    case ValueKind::signed_integer: return wide(detail::load<std::int64_t>(value.data()));
    case ValueKind::signed_128: {
      const auto number = detail::load<Int128>(value.data());
      return {number < 0, static_cast<UInt128>(number)};
    }
    case ValueKind::unsigned_128: return {false, detail::load<UInt128>(value.data())};
    case ValueKind::enumeration:
      if (!value.type().is_unsigned) return wide(detail::load<std::int64_t>(value.data()));
      [[fallthrough]];
    default: return {false, detail::load<std::uint64_t>(value.data())};
  }
}

long double wide_floating(const Value& value) noexcept {
  if (value.kind() == ValueKind::float_32) return static_cast<long double>(detail::load<float>(value.data()));
  if (value.kind() == ValueKind::float_64) return static_cast<long double>(detail::load<double>(value.data()));
  return detail::load<long double>(value.data());
}

/// Since 1970.
long double seconds_of_time(const Value& time) noexcept {
  const detail::ValueType& type = time.type();
  const long double count = type.floating      ? static_cast<long double>(detail::load<double>(time.data()))
                            : type.is_unsigned ? static_cast<long double>(detail::load<std::uint64_t>(time.data()))
                                               : static_cast<long double>(detail::load<std::int64_t>(time.data()));
  return count * static_cast<long double>(type.numerator) / static_cast<long double>(type.denominator) +
         static_cast<long double>(type.zero);
}

long double seconds_of_duration(const Value& value) noexcept {
  const DurationValue duration = *value.as_duration();
  const long double count = duration.floating              ? static_cast<long double>(duration.floating_count)
                            : duration.unsigned_count != 0 ? static_cast<long double>(duration.unsigned_count)
                                                           : static_cast<long double>(duration.count);
  return count * static_cast<long double>(duration.numerator) / static_cast<long double>(duration.denominator);
}

// ---- a number that equal values have in common

std::uint64_t mix(std::uint64_t seed, std::uint64_t more) noexcept {
  std::uint64_t mixed = (seed ^ more) + 0x9E3779B97F4A7C15U;
  mixed = (mixed ^ (mixed >> 30U)) * 0xBF58476D1CE4E5B9U;
  mixed = (mixed ^ (mixed >> 27U)) * 0x94D049BB133111EBU;
  return mixed ^ (mixed >> 31U);
}

std::uint64_t hash_of(std::string_view text) noexcept { return std::hash<std::string_view>()(text); }

std::uint64_t hash_of(long double number) noexcept {
  return std::isnan(number) ? 0 : std::hash<double>()(static_cast<double>(number));  // of -0.0 that of 0.0
}

std::uint64_t hash_of(const WideInteger& number) noexcept {
  return mix(static_cast<std::uint64_t>(number.bits), static_cast<std::uint64_t>(number.bits >> 64U));
}

std::uint64_t hash_of(const Value& value) noexcept;

std::uint64_t hash_of(const Entry& entry) noexcept { return mix(mix(1, hash_of(entry.key)), hash_of(entry.value)); }

std::uint64_t hash_of_other(const Value& value) noexcept {
  using enum ValueKind;
  switch (value.kind()) {
    case boolean: return value.as_bool() == true ? 1 : 0;
    case character: return *value.as_character();
    case enumeration:
    case pointer: return hash_of(wide_integer(value));
    case error: return hash_of(value.as_string().value_or(std::string_view()));
    case bytes: return hash_of(value.bytes());
    case duration: return hash_of(seconds_of_duration(value));
    case time_point: {
      const auto time = value.as_time();
      if (!time) return hash_of(seconds_of_time(value));
      return mix(static_cast<std::uint64_t>(time->seconds), time->nanoseconds);
    }
    case sequence: {
      std::uint64_t hash = value.size();
      for (const Value& element : value.elements()) hash = mix(hash, hash_of(element));
      return hash;
    }
    case dictionary: {
      std::uint64_t hash = value.size();
      for (const Entry& entry : value.entries()) hash += hash_of(entry);  // whatever their order
      return hash;
    }
    default: return 0;
  }
}

std::uint64_t hash_of(const Value& value) noexcept {
  const Sort sort = sort_of(value);
  const auto seed = static_cast<std::uint64_t>(sort);
  switch (sort) {
    case Sort::integer: return mix(seed, hash_of(wide_integer(value)));
    case Sort::floating: return mix(seed, hash_of(wide_floating(value)));
    case Sort::text: return mix(seed, hash_of(*value.as_string()));
    case Sort::structure: {
      std::uint64_t hash = mix(seed, hash_of(value.type_name()));
      for (const Member& member : value.members()) hash = mix(mix(hash, hash_of(member.name)), hash_of(member.value));
      return hash;
    }
    case Sort::other: break;
  }
  return mix(mix(seed, static_cast<std::uint64_t>(value.kind())), hash_of_other(value));
}

// ---- equality

class Equality {
 public:
  explicit Equality(bool nan_is_nan) noexcept : nan_is_nan_(nan_is_nan) {}
  [[nodiscard]] bool operator()(const Value& a, const Value& b) const noexcept;

 private:
  using Iterator = Value::Items<Entry>::Iterator;
  struct Hashed {
    std::uint64_t hash;
    Entry entry;
  };

  [[nodiscard]] bool same(long double a, long double b) const noexcept {
    return a == b || (nan_is_nan_ && std::isnan(a) && std::isnan(b));
  }
  [[nodiscard]] bool same(const Member& a, const Member& b) const noexcept {
    return a.name == b.name && (*this)(a.value, b.value);
  }
  [[nodiscard]] bool same(const Entry& a, const Entry& b) const noexcept {
    return (*this)(a.key, b.key) && (*this)(a.value, b.value);
  }
  [[nodiscard]] bool same_times(const Value& a, const Value& b) const noexcept;
  [[nodiscard]] bool same_dictionaries(const Value& a, const Value& b) const noexcept;
  [[nodiscard]] bool same_counts(Iterator a, Iterator b, const Iterator& end) const noexcept;
  [[nodiscard]] bool same_by_hash(Iterator a, Iterator b, const Iterator& end) const;

  bool nan_is_nan_;
};

bool Equality::operator()(const Value& a, const Value& b) const noexcept {
  const Sort sort = sort_of(a);
  if (sort != sort_of(b)) return false;
  switch (sort) {
    case Sort::integer: return wide_integer(a) == wide_integer(b);
    case Sort::floating: return same(wide_floating(a), wide_floating(b));
    case Sort::text: return a.as_string() == b.as_string();
    case Sort::structure:
      return a.type_name() == b.type_name() && a.omitted() == b.omitted() && a.size() == b.size() &&
             std::equal(a.members().begin(), a.members().end(), b.members().begin(),
                        [&](const Member& one, const Member& other) { return same(one, other); });
    case Sort::other: break;
  }
  if (a.kind() != b.kind() || a.omitted() != b.omitted()) return false;
  using enum ValueKind;
  switch (a.kind()) {
    case null:
    case secret: return true;  // what is secret tells nothing, not even a difference
    case boolean: return a.as_bool() == b.as_bool();
    case character: return a.as_character() == b.as_character();
    case error: return a.as_string() == b.as_string();
    case time_point: return same_times(a, b);
    case duration: return same(seconds_of_duration(a), seconds_of_duration(b));
    case enumeration:  // without names
    case pointer: return wide_integer(a) == wide_integer(b);
    case bytes: return a.bytes_total() == b.bytes_total() && a.bytes() == b.bytes();
    case sequence:
      return a.size() == b.size() && std::equal(a.elements().begin(), a.elements().end(), b.elements().begin(), *this);
    case dictionary: return a.size() == b.size() && same_dictionaries(a, b);
    default: return false;
  }
}

bool Equality::same_times(const Value& a, const Value& b) const noexcept {
  const auto one = a.as_time();
  const auto other = b.as_time();
  if (one || other) return one == other;
  return same(seconds_of_time(a), seconds_of_time(b));
}

/// Whatever their orders; a key may be there more than once.
bool Equality::same_dictionaries(const Value& a, const Value& b) const noexcept {
  const Value::Items<Entry> all = a.entries();
  const Iterator end = all.end();
  Iterator left = all.begin();
  Iterator right = b.entries().begin();
  for (; left != end && same(*left, *right); ++left) ++right;
  std::size_t count = 0;
  std::uint64_t difference = 0;
  for (auto [one, other] = std::pair(left, right); one != end; ++one, ++other, ++count)
    difference += hash_of(*one) - hash_of(*other);
  if (count == 0) return true;
  if (difference != 0) return false;
  constexpr std::size_t few = 16;
  if (count <= few) return same_counts(left, right, end);
  try {
    return same_by_hash(left, right, end);
  } catch (const std::bad_alloc&) {
    return same_counts(left, right, end);
  }
}

/// Is each entry as often in the one as in the other? What does not equal itself is in neither.
bool Equality::same_counts(Iterator a, Iterator b, const Iterator& end) const noexcept {
  for (Iterator each = a; each != end; ++each) {
    std::size_t in_a = 0;
    std::size_t in_b = 0;
    for (auto [one, other] = std::pair(a, b); one != end; ++one, ++other) {
      in_a += same(*each, *one) ? 1 : 0;
      in_b += same(*each, *other) ? 1 : 0;
    }
    if (in_a == 0 || in_a != in_b) return false;
  }
  return true;
}

bool Equality::same_by_hash(Iterator a, Iterator b, const Iterator& end) const {
  std::vector<Hashed> ones;
  std::vector<Hashed> others;
  for (; a != end; ++a, ++b) {
    ones.push_back({hash_of(*a), *a});
    others.push_back({hash_of(*b), *b});
  }
  const auto by_hash = [](const Hashed& one, const Hashed& other) { return one.hash < other.hash; };
  std::sort(ones.begin(), ones.end(), by_hash);
  std::sort(others.begin(), others.end(), by_hash);
  for (std::size_t i = 0; i < ones.size(); ++i) {
    std::size_t match = i;  // among those of that hash that are no match of another
    while (match < others.size() && others[match].hash == ones[i].hash && !same(ones[i].entry, others[match].entry))
      ++match;
    if (match == others.size() || others[match].hash != ones[i].hash) return false;
    std::swap(others[i], others[match]);
  }
  return true;
}

}  // namespace

bool Value::equal(const Value& a, const Value& b, bool nan_is_nan) noexcept { return Equality(nan_is_nan)(a, b); }

}  // namespace cairn
