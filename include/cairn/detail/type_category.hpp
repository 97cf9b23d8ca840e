// What a type is to Cairn, by its structure: no standard header is needed to recognise a type, and no two files can
// take one type for two things.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "cairn/detail/stream_operator.hpp"
#include "cairn/detail/value_type.hpp"

namespace cairn {

// cairn/capture.hpp
template <class T>
struct Capture;
template <class E>
struct EnumNames;
template <class T>
class Secret;
class ValueWriter;

/// The string form of a type that has one beside or in place of a structure: specialised by `cairn/types/ostream.hpp`
/// (types with `operator<<`) and `cairn/types/fmt.hpp` (types with a fmt::formatter), or by you, beside the type, so
/// that every file that logs it knows:
///   template <> struct cairn::StringForm<Chair> { static void write(const Chair& c, std::string& out) { out +=
///   c.name(); } };
///   template <> struct cairn::StringForm<Order> : cairn::FmtForm<Order> {};
template <class T>
struct StringForm;

namespace detail {

enum class Category : std::uint8_t {
  unsupported,
  custom,
  secret,
  null,
  boolean,
  character,
  signed_integer,
  unsigned_integer,
  signed_128,
  unsigned_128,
  float_32,
  float_64,
  float_extended,
  string,
  c_string,
  wide_string,
  wide_c_string,
  path,
  enumeration,
  time_point,
  duration,
  error_code,
  source_location,
  exception,
  exception_pointer,
  pointer,
  bytes,
  byte,
  dictionary,
  sequence,
  tuple,
  variant,
  optional,
  wrapper,  // reference_wrapper: get()
  atomic,
  structure,
  string_form
};

template <class T>
concept HasCapture = requires(const T& value, ValueWriter& out) {
  Capture<T>::capture(value, out);
};
template <class T>
concept HasEnumNames = requires {
  EnumNames<T>::names.begin();
};
template <class T>
concept HasStringForm = requires(const T& value, std::string& out) {
  StringForm<T>::write(value, out);
};

template <class T>
inline constexpr bool is_secret = false;
template <class T>
inline constexpr bool is_secret<Secret<T>> = true;

template <class T>
concept PathLike = requires(const T& value) {
  value.lexically_normal();
  { value.native() } -> std::convertible_to<std::string_view>;
};
template <class T>
concept StringLike = std::convertible_to<const T&, std::string_view> ||
                     (std::is_array_v<T> && (std::same_as<std::remove_cv_t<std::remove_extent_t<T>>, char> ||
                                             std::same_as<std::remove_cv_t<std::remove_extent_t<T>>, char8_t>)) ||
                     requires(const T& value) {
  { value.data() } -> std::convertible_to<const char8_t*>;
  { value.size() } -> std::convertible_to<std::size_t>;
};
template <class T>
concept WideCharacter = std::same_as<T, char16_t> || std::same_as<T, char32_t> || std::same_as<T, wchar_t>;
template <class T>
concept WideStringLike = (std::is_array_v<T> && WideCharacter<std::remove_cv_t<std::remove_extent_t<T>>>) ||
                         requires(const T& value) {
  { value.size() } -> std::convertible_to<std::size_t>;
  requires WideCharacter<std::remove_cvref_t<decltype(*value.data())>>;
  typename T::traits_type;
};
template <class T>
concept TimePointLike = requires(const T& value) {
  typename T::clock;
  typename T::duration;
  value.time_since_epoch();
};
template <class T>
concept DurationLike = requires(const T& value) {
  typename T::rep;
  typename T::period;
  value.count();
}
&&std::is_arithmetic_v<typename T::rep>;
template <class T>
concept ErrorCodeLike = requires(const T& value) {
  { value.value() } -> std::same_as<int>;
  value.category().name();
  { value.message() } -> std::convertible_to<std::string>;
};
template <class T>
concept SourceLocationLike = requires(const T& value) {
  { value.file_name() } -> std::convertible_to<const char*>;
  { value.function_name() } -> std::convertible_to<const char*>;
  value.line();
};
template <class T>
concept RangeLike = std::is_array_v<T> || requires(T& value) {
  value.begin();
  value.end();
} || requires(T& value) {
  begin(value);
  end(value);
};
template <class T>
concept MapLike = RangeLike<T> && requires(const T& value, const typename T::key_type& key) {
  typename T::key_type;
  typename T::mapped_type;
  value.at(key);  // a multimap may hold a key twice: it is a sequence of pairs
};
template <class T>
concept TupleLike = requires {
  std::tuple_size<T>::value;
};
template <class T>
concept VariantLike = requires(const T& value) {
  { value.valueless_by_exception() } -> std::same_as<bool>;
  value.index();
};
template <class T>
concept OptionalLike = requires(const T& value) {
  { value.has_value() } -> std::same_as<bool>;
  *value;
};
template <class T>
concept SmartPointerLike = requires(const T& value) {
  typename T::element_type;
  value.get();
  *value;
  static_cast<bool>(value);
};
template <class T>
concept WrapperLike = requires(const T& value) {
  typename T::type;
  { value.get() } -> std::same_as<typename T::type&>;
};
template <class T>
concept AtomicLike = requires(const T& value) {
  value.load();
  { value.is_lock_free() } -> std::same_as<bool>;
};

template <class T>
auto range_begin(T& range) {
  if constexpr (std::is_array_v<T>) {
    return &range[0];
  } else if constexpr (requires { range.begin(); }) {
    return range.begin();
  } else {
    return begin(range);
  }
}
template <class T>
auto range_end(T& range) {
  if constexpr (std::is_array_v<T>) {
    return &range[0] + std::extent_v<T>;
  } else if constexpr (requires { range.end(); }) {
    return range.end();
  } else {
    return end(range);
  }
}
template <class T>
using RangeElement = std::remove_cvref_t<decltype(*range_begin(std::declval<T&>()))>;
/// What is captured of an element; a proxy (vector<bool>) becomes its value.
template <class T>
struct RangeValueOf {
  using type = RangeElement<T>;
};
template <class T>
requires requires { typename T::value_type; } && std::convertible_to < RangeElement<T>,
typename T::value_type > struct RangeValueOf<T> { using type = std::remove_cv_t<typename T::value_type>; };
template <class T>
using RangeValue = typename RangeValueOf<T>::type;

/// A range of itself (a path, a JSON value) has no element to stop at.
template <class T>
concept RangeOfOthers = RangeLike<T> && !std::same_as<RangeValue<T>, std::remove_cv_t<T>>;

template <class T>
concept BytesLike = requires(const T& value) {
  {value.data()};
  { value.size() } -> std::convertible_to<std::size_t>;
  requires std::same_as<std::remove_cvref_t<decltype(*value.data())>, std::byte> ||
      std::same_as < std::remove_cvref_t<decltype(*value.data())>,
  unsigned char > ;
}
|| (std::is_array_v<T> && (std::same_as<std::remove_cv_t<std::remove_extent_t<T>>, std::byte> ||
                           std::same_as<std::remove_cv_t<std::remove_extent_t<T>>, unsigned char>));

template <class T>
concept CharacterLike = std::same_as<T, char> || std::same_as<T, char8_t> || std::same_as<T, char16_t> ||
    std::same_as<T, char32_t> || std::same_as<T, wchar_t>;

/// What stands for one bit of a vector<bool> or a bitset.
template <class T>
concept BitReferenceLike = std::is_class_v<T> && requires(T& bit) {
  bit.flip();
  { std::as_const(bit).operator bool() }
  noexcept;
};

template <class T>
concept ScalarKey = std::is_arithmetic_v<T> || std::is_enum_v<T> || std::same_as<T, Int128> ||
    std::same_as<T, UInt128> || StringLike<T> || WideStringLike<T> || PathLike<T> || TimePointLike<T> ||
    DurationLike<T> || ErrorCodeLike<T> || std::is_pointer_v<T>;

template <class T>
consteval Category category() {
  using enum Category;
  if constexpr (std::is_function_v<T>)  // it has no size to ask for below
    return unsupported;
  else if constexpr (HasCapture<T>)
    return custom;
  else if constexpr (is_secret<T>)
    return secret;
  else if constexpr (std::is_null_pointer_v<T>)
    return null;
  else if constexpr (std::same_as<T, bool> || BitReferenceLike<T>)
    return boolean;
  else if constexpr (CharacterLike<T>)
    return character;
  else if constexpr (std::same_as<T, std::byte>)
    return byte;
  else if constexpr (std::is_enum_v<T>)
    return enumeration;
  else if constexpr (std::is_integral_v<T> && sizeof(T) <= 8)
    return std::is_signed_v<T> ? signed_integer : unsigned_integer;
  else if constexpr (std::same_as<T, Int128>)
    return signed_128;
  else if constexpr (std::same_as<T, UInt128>)
    return unsigned_128;
  else if constexpr (std::same_as<T, float>)
    return float_32;
  else if constexpr (std::same_as<T, double>)
    return float_64;
  else if constexpr (std::same_as<T, long double>)
    return float_extended;
  else if constexpr (std::same_as<T, const char*> || std::same_as<T, char*>)
    return c_string;
  else if constexpr (std::same_as<T, const char8_t*> || std::same_as<T, char8_t*>)
    return c_string;
  else if constexpr (std::is_pointer_v<T> && WideCharacter<std::remove_const_t<std::remove_pointer_t<T>>>)
    return wide_c_string;
  else if constexpr (std::is_pointer_v<T> || std::is_member_pointer_v<T>)
    return std::is_pointer_v<T> ? pointer : unsupported;
  else if constexpr (std::same_as<T, std::exception_ptr>)
    return exception_pointer;
  else if constexpr (std::is_base_of_v<std::exception, T>)
    return exception;
  else if constexpr (PathLike<T>)
    return path;
  else if constexpr (StringLike<T>)
    return string;
  else if constexpr (WideStringLike<T>)
    return wide_string;
  else if constexpr (TimePointLike<T>)
    return time_point;
  else if constexpr (DurationLike<T>)
    return duration;
  else if constexpr (ErrorCodeLike<T>)
    return error_code;
  else if constexpr (SourceLocationLike<T>)
    return source_location;
  else if constexpr (BytesLike<T>)
    return bytes;
  else if constexpr (MapLike<T>)
    return ScalarKey<typename T::key_type> ? dictionary : sequence;
  else if constexpr (VariantLike<T>)
    return variant;
  else if constexpr (OptionalLike<T> || SmartPointerLike<T>)
    return optional;
  else if constexpr (AtomicLike<T>)
    return atomic;
  else if constexpr (WrapperLike<T>)
    return wrapper;
  else if constexpr (RangeOfOthers<T>)
    return sequence;
  else if constexpr (TupleLike<T>)
    return tuple;
  else if constexpr (std::is_class_v<T> && std::is_aggregate_v<T> && !std::is_union_v<T>)
    return structure;
  else if constexpr (HasStringForm<T>)
    return string_form;
  else
    return unsupported;
}

template <class T>
inline constexpr Category category_of = category<std::remove_cv_t<T>>();

/// A structure that also has a string form: `@` decides at the call which is captured.
template <class T>
inline constexpr bool is_dual =
    (category_of<T> == Category::structure || category_of<T> == Category::custom) && HasStringForm<T>;

/// Of a structure: has it an operator<<, which is its string form in files that include cairn/types/ostream.hpp, and
/// not in this one?
template <class T>
inline constexpr bool lacks_string_form = !HasStringForm<T> && stream_operator::AggregateWithOperator<T>;

}  // namespace detail
}  // namespace cairn
