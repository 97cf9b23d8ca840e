// How each kind of C++ type is described (ValueType) and written (CaptureWriter). Types are recognised by structure, so
// that no standard header is needed for them and two files cannot capture one type in two ways.
#pragma once

#include <bit>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "cairn/capture.hpp"
#include "cairn/detail/aggregate.hpp"
#include "cairn/detail/capture_writer.hpp"
#include "cairn/detail/stream_operator.hpp"
#include "cairn/detail/value_type.hpp"

namespace cairn {

/// The string form of a type that has one beside or in place of a structure: specialised by `cairn/types/ostream.hpp`
/// (types with `operator<<`) and `cairn/types/fmt.hpp` (types with a fmt::formatter), or by you, beside the type, so
/// that every file that logs it knows:
///   template <> struct cairn::StringForm<Chair> { static void write(const Chair& c, std::string& out) { out +=
///   c.name(); } };
///   template <> struct cairn::StringForm<Order> : cairn::FmtForm<Order> {};
template <class T>
struct StringForm;

namespace detail {

// ---- what a type is -------------------------------------------------------------------------------------------------

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
concept ScalarKey = std::is_arithmetic_v<T> || std::is_enum_v<T> || StringLike<T> || PathLike<T> || TimePointLike<T> ||
    DurationLike<T> || std::is_pointer_v<T>;

template <class T>
consteval Category category() {
  using enum Category;
  if constexpr (HasCapture<T>)
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

// ---- what its bytes mean --------------------------------------------------------------------------------------------

template <class T>
consteval ValueType make_value_type();

/// The description of `T`.
template <class T>
inline constexpr ValueType value_type = make_value_type<T>();

template <class T, class Members>
inline constexpr int member_types = 0;
template <class T, unsigned... I>
inline constexpr MemberType member_types<T, Indices<I...>>[] = {
    {view_of(kept_member_name<T, I>),
     with_members<member_count<T>>(UnmadeHolder<T>::object.value, [](auto&... members) {
       return &value_type<std::remove_cvref_t<decltype(*address_at<I>(members...))>>;
     })}...};
template <class T>
inline constexpr MemberType member_types<T, Indices<>>[1] = {};

template <class E>
inline constexpr auto kept_enumerators = [] {
  constexpr std::size_t count = EnumNames<E>::names.size();
  std::array<EnumeratorName, count == 0 ? 1 : count> kept{};
  std::size_t i = 0;
  for (const auto& [value, name] : EnumNames<E>::names) kept[i++] = {static_cast<std::int64_t>(value), name};
  return kept;
}();

template <class T>
requires(std::is_union_v<T> && (HasCapture<T> || HasStringForm<T>)) inline constexpr bool is_captured_union<T> = true;

template <class T>
consteval ValueType structure_type() {
  static_assert(members_are_nameable<T>(),
                "CAIRN015: the members of this aggregate cannot be named (bit-fields, reference and volatile members, "
                "bases with members and anonymous unions cannot): specialise cairn::Capture for it");
  static_assert(!lacks_string_form<T>,
                "CAIRN017: a type with an operator<< to std::ostream: include cairn/types/ostream.hpp wherever it is "
                "logged, or specialise cairn::StringForm or cairn::Capture for it");
  static_assert(counted_members<T> <= max_members,
                "CAIRN016: this aggregate has more than 64 members: specialise cairn::Capture for it");
  return {.kind = ValueKind::structure,
          .name = view_of(kept_type_name<T>),
          .members = member_types<T, Count<member_count<T>>>,
          .member_count = member_count<T>};
}

/// Where the count of libstdc++'s file clock begins, in seconds since 1970: 2174-01-01.
inline constexpr std::int64_t file_clock_zero = 6'437'664'000;

template <class T>
consteval ValueType make_value_type() {
  using enum ValueKind;
  constexpr Category c = category_of<T>;
  static_assert(c != Category::unsupported,
                "CAIRN014: this type cannot be captured: it is no scalar, string, range, tuple, optional, variant, "
                "pointer or plain "
                "aggregate. Specialise cairn::Capture for it, or include cairn/types/ostream.hpp or "
                "cairn/types/fmt.hpp if it has "
                "an operator<< or a formatter");
  if constexpr (is_dual<T> || c == Category::custom || c == Category::optional || c == Category::variant)
    return {.kind = dynamic};
  else if constexpr (c == Category::secret)
    return {.kind = secret};
  else if constexpr (c == Category::null)
    return {.kind = null};
  else if constexpr (c == Category::boolean)
    return {.kind = boolean};
  else if constexpr (c == Category::character)
    return {.kind = character};
  else if constexpr (c == Category::signed_integer)
    return {.kind = signed_integer};
  else if constexpr (c == Category::unsigned_integer || c == Category::byte)
    return {.kind = unsigned_integer};
  else if constexpr (c == Category::signed_128)
    return {.kind = signed_128};
  else if constexpr (c == Category::unsigned_128)
    return {.kind = unsigned_128};
  else if constexpr (c == Category::float_32)
    return {.kind = float_32};
  else if constexpr (c == Category::float_64)
    return {.kind = float_64};
  else if constexpr (c == Category::float_extended)
    return {.kind = float_extended};
  else if constexpr (c == Category::enumeration) {
    ValueType type{.kind = enumeration, .is_unsigned = std::is_unsigned_v<std::underlying_type_t<T>>};
    if constexpr (HasEnumNames<T>) {
      type.enumerators = kept_enumerators<T>.data();
      type.enumerator_count = static_cast<std::uint32_t>(EnumNames<T>::names.size());
    }
    return type;
  } else if constexpr (c == Category::time_point) {
    ValueType type = make_value_type<typename T::duration>();
    if constexpr (std::same_as<typename T::clock, std::chrono::system_clock>) {
      type.kind = time_point;
    } else if constexpr (std::same_as<typename T::clock, std::chrono::file_clock>) {
      type.kind = time_point;
      type.zero = file_clock_zero;
    }
    return type;
  } else if constexpr (c == Category::duration) {
    return {.kind = duration,
            .is_unsigned = std::is_unsigned_v<typename T::rep> && sizeof(typename T::rep) == sizeof(std::uint64_t),
            .floating = std::is_floating_point_v<typename T::rep>,
            .numerator = T::period::num,
            .denominator = T::period::den};
  } else if constexpr (c == Category::pointer)
    return {.kind = pointer};
  else if constexpr (c == Category::bytes)
    return {.kind = bytes};
  else if constexpr (c == Category::dictionary) {
    return {
        .kind = dictionary, .element = &value_type<typename T::mapped_type>, .key = &value_type<typename T::key_type>};
  } else if constexpr (c == Category::sequence)
    return {.kind = sequence, .element = &value_type<RangeValue<T>>};
  else if constexpr (c == Category::tuple)
    return {.kind = sequence, .element = &dynamic_type};
  else if constexpr (c == Category::wrapper)
    return make_value_type<std::remove_cv_t<typename T::type>>();
  else if constexpr (c == Category::atomic)
    return make_value_type<std::remove_cvref_t<decltype(std::declval<const T&>().load())>>();
  else if constexpr (c == Category::structure) {
    return structure_type<T>();
  } else
    return {.kind = string};  // strings, paths, error codes, locations, exceptions, string forms
}

// ---- how it is written ----------------------------------------------------------------------------------------------

void put_wide_string(CaptureWriter& out, const char16_t* text, std::size_t size);
void put_wide_string(CaptureWriter& out, const char32_t* text, std::size_t size);
void put_wide_string(CaptureWriter& out, const wchar_t* text, std::size_t size);
void write_exception_argument(CaptureWriter& out, const std::exception& exception);
void write_exception_pointer_argument(CaptureWriter& out, const std::exception_ptr& pointer);
void write_source_location(CaptureWriter& out, const char* file, std::uint64_t line);
void write_error_code(CaptureWriter& out, const char* category, int value, std::string_view message);
void write_string_form_error(CaptureWriter& out);

template <class T>
void write_value(CaptureWriter& out, T& value);

/// The type of `value`, then its payload.
template <class T>
void write_dynamic(CaptureWriter& out, T& value) {
  using Plain = std::remove_cv_t<T>;
  if constexpr (value_type<Plain>.kind == ValueKind::dynamic) {
    write_value(out, value);  // writes its own type
  } else {
    out.put_type(value_type<Plain>);
    write_value(out, value);
  }
}

template <class T>
void write_sequence(CaptureWriter& out, T& range) {
  std::size_t position = 0;
  if (!out.open_container(position)) return;
  try {
    std::uint32_t count = 0;
    std::uint32_t omitted = 0;
    auto at = range_begin(range);
    const auto end = range_end(range);
    for (; at != end; ++at) {
      if (!out.element_fits(count)) {
        if constexpr (requires { static_cast<std::size_t>(range.size()); }) {
          omitted = static_cast<std::uint32_t>(static_cast<std::size_t>(range.size()) - count);
        } else if constexpr (std::is_array_v<T>) {
          omitted = static_cast<std::uint32_t>(std::extent_v<T>) - count;
        } else {
          omitted = omitted_unknown;
        }
        break;
      }
      auto&& element = *at;
      if constexpr (std::same_as<std::remove_cvref_t<decltype(element)>, RangeValue<T>>) {
        write_value(out, element);
      } else {
        auto converted = static_cast<RangeValue<T>>(element);
        write_value(out, converted);
      }
      ++count;
    }
    out.close_container(position, count, omitted);
  } catch (...) {
    char what[256];
    current_exception_text(what);
    out.fail_container(position, what);
  }
}

template <class T>
void write_dictionary(CaptureWriter& out, T& map) {
  std::size_t position = 0;
  if (!out.open_container(position)) return;
  try {
    std::uint32_t count = 0;
    std::uint32_t omitted = 0;
    auto at = range_begin(map);
    const auto end = range_end(map);
    for (; at != end; ++at) {
      if (!out.element_fits(count)) {
        omitted = static_cast<std::uint32_t>(map.size() - count);
        break;
      }
      auto&& [key, mapped] = *at;
      write_value(out, key);
      write_value(out, mapped);
      ++count;
    }
    out.close_container(position, count, omitted);
  } catch (...) {
    char what[256];
    current_exception_text(what);
    out.fail_container(position, what);
  }
}

template <class T>
void write_structure(CaptureWriter& out, T& value) {
  std::size_t position = 0;
  if (!out.open_container(position)) return;
  try {
    with_members<member_count<std::remove_cv_t<T>>>(value, [&](auto&... members) { (write_value(out, members), ...); });
    out.close_container(position, member_count<std::remove_cv_t<T>>, 0);
  } catch (...) {
    char what[256];
    current_exception_text(what);
    out.fail_container(position, what);
  }
}

template <class T>
void write_tuple(CaptureWriter& out, T& value) {
  std::size_t position = 0;
  if (!out.open_container(position)) return;
  constexpr std::size_t size = std::tuple_size<std::remove_cv_t<T>>::value;
  try {
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      using std::get;
      (write_dynamic(out, get<I>(value)), ...);
    }
    (std::make_index_sequence<size>{});
    out.close_container(position, static_cast<std::uint32_t>(size), 0);
  } catch (...) {
    char what[256];
    current_exception_text(what);
    out.fail_container(position, what);
  }
}

template <class T>
void write_string_form(CaptureWriter& out, const T& value) {
  try {
    std::string text;
    StringForm<T>::write(value, text);
    out.put_string(text);
  } catch (...) {
    write_string_form_error(out);
  }
}

void write_too_deep(CaptureWriter& out);

/// Runs `write` (which writes a type and a payload); what it throws becomes an error in their place.
template <class F>
void write_guarded_dynamic(CaptureWriter& out, F&& write) {
  constexpr std::uint32_t most_forwards = 128;
  if (out.forwards == most_forwards) return write_too_deep(out);
  const std::size_t start = out.size();
  const std::uint32_t depth = out.depth;
  const std::uint32_t forwards = out.forwards++;
  try {
    write();
    out.forwards = forwards;
  } catch (...) {
    out.forwards = forwards;
    out.truncate(start);
    out.depth = depth;
    char what[256];
    current_exception_text(what);
    out.put_type(error_type);
    out.put_string(what);
  }
}

/// std::monostate, told by its name: its header is a heavy one. In a variant it says that there is nothing.
template <class T>
inline constexpr bool is_monostate = false;
template <class T>
requires std::is_empty_v<T>
inline constexpr bool is_monostate<T> = is_spelled<T>("std::monostate");

/// Writes the payload of `value` as value_type<T> says.
template <class T>
void write_value(CaptureWriter& out, T& value) {
  using Plain = std::remove_cv_t<T>;
  constexpr Category c = category_of<Plain>;
  if constexpr (is_dual<Plain>) {
    if (!out.structure) {
      out.put_type(string_type);
      write_string_form(out, value);
      return;
    }
    if constexpr (c == Category::structure) {
      static constexpr ValueType type = structure_type<Plain>();
      out.put_type(type);
      write_structure(out, value);
      return;
    }
  }
  if constexpr (c == Category::custom) {
    write_guarded_dynamic(out, [&] {
      ValueWriter writer(out);
      Capture<Plain>::capture(value, writer);
      if (!writer.written()) writer.null();
    });
  } else if constexpr (c == Category::secret || c == Category::null) {
    (void)value;
  } else if constexpr (c == Category::boolean) {
    out.put(static_cast<std::uint8_t>(value ? 1 : 0));
  } else if constexpr (c == Category::character) {
    out.put(static_cast<std::uint32_t>(static_cast<std::make_unsigned_t<Plain>>(value)));
  } else if constexpr (c == Category::signed_integer) {
    out.put(static_cast<std::int64_t>(value));
  } else if constexpr (c == Category::unsigned_integer || c == Category::byte) {
    out.put(static_cast<std::uint64_t>(value));
  } else if constexpr (c == Category::signed_128 || c == Category::unsigned_128 || c == Category::float_32 ||
                       c == Category::float_64) {
    out.put(static_cast<Plain>(value));
  } else if constexpr (c == Category::float_extended) {
    std::byte bytes[sizeof(long double)]{};
    std::memcpy(bytes, &value, 10);  // the rest is padding, of any value
    out.put_bytes(bytes, sizeof(bytes));
  } else if constexpr (c == Category::string) {
    if constexpr (std::is_array_v<Plain>) {  // a char array need not be terminated
      const char* text = reinterpret_cast<const char*>(&value[0]);
      const void* end = std::memchr(text, 0, std::extent_v<Plain>);
      out.put_string({text, end == nullptr ? std::extent_v<Plain>
                                           : static_cast<std::size_t>(static_cast<const char*>(end) - text)});
    } else if constexpr (std::convertible_to<const Plain&, std::string_view>) {
      out.put_string(static_cast<std::string_view>(std::as_const(value)));
    } else {
      out.put_string({reinterpret_cast<const char*>(value.data()), value.size()});
    }
  } else if constexpr (c == Category::wide_string) {
    if constexpr (std::is_array_v<Plain>) {  // nor need this one be
      std::size_t length = 0;
      while (length < std::extent_v<Plain> && value[length] != 0) ++length;
      put_wide_string(out, &value[0], length);
    } else {
      put_wide_string(out, value.data(), value.size());
    }
  } else if constexpr (c == Category::c_string) {
    if (value == nullptr) {
      out.put_null_string();
    } else {
      out.put_string(reinterpret_cast<const char*>(static_cast<const std::remove_pointer_t<Plain>*>(value)));
    }
  } else if constexpr (c == Category::wide_c_string) {
    if (value == nullptr) {
      out.put_null_string();
    } else {
      put_wide_string(out, value, std::char_traits<std::remove_const_t<std::remove_pointer_t<Plain>>>::length(value));
    }
  } else if constexpr (c == Category::path) {
    out.put_string(value.native());
  } else if constexpr (c == Category::enumeration) {
    out.put(static_cast<std::int64_t>(value));
  } else if constexpr (c == Category::time_point) {
    auto since = value.time_since_epoch();  // in ticks of its own: what those hold is beyond what nanoseconds do
    write_value(out, since);
  } else if constexpr (c == Category::duration) {
    if constexpr (std::is_floating_point_v<typename Plain::rep>) {
      out.put(static_cast<double>(value.count()));
    } else {
      out.put(static_cast<std::int64_t>(value.count()));
    }
  } else if constexpr (c == Category::error_code) {
    write_error_code(out, value.category().name(), value.value(), value.message());
  } else if constexpr (c == Category::source_location) {
    write_source_location(out, value.file_name(), value.line());
  } else if constexpr (c == Category::exception) {
    write_exception_argument(out, value);
  } else if constexpr (c == Category::exception_pointer) {
    write_exception_pointer_argument(out, value);
  } else if constexpr (c == Category::pointer) {
    out.put(static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(value)));
  } else if constexpr (c == Category::bytes) {
    if constexpr (std::is_array_v<Plain>) {
      out.put_byte_string(&value[0], sizeof(value));
    } else {
      out.put_byte_string(value.data(), value.size());
    }
  } else if constexpr (c == Category::dictionary) {
    write_dictionary(out, value);
  } else if constexpr (c == Category::sequence) {
    write_sequence(out, value);
  } else if constexpr (c == Category::tuple) {
    write_tuple(out, value);
  } else if constexpr (c == Category::variant) {
    if (value.valueless_by_exception()) {
      out.put_type(null_type);
    } else {
      write_guarded_dynamic(out, [&] {
        visit(
            [&](auto& held) {
              if constexpr (is_monostate<std::remove_cvref_t<decltype(held)>>) {
                out.put_type(null_type);
              } else {
                write_dynamic(out, held);
              }
            },
            value);
      });
    }
  } else if constexpr (c == Category::optional) {
    write_guarded_dynamic(out, [&] {
      if (static_cast<bool>(value)) {
        auto&& held = *value;
        if constexpr (std::is_void_v<decltype(*value)>)
          out.put_type(null_type);
        else
          write_dynamic(out, held);
      } else if constexpr (requires { value.error(); }) {
        auto&& error = value.error();
        write_dynamic(out, error);
      } else {
        out.put_type(null_type);
      }
    });
  } else if constexpr (c == Category::wrapper) {
    write_value(out, value.get());
  } else if constexpr (c == Category::atomic) {
    auto loaded = value.load();
    write_value(out, loaded);
  } else if constexpr (c == Category::structure) {
    write_structure(out, value);
  } else if constexpr (c == Category::string_form) {
    write_string_form(out, value);
  }
}

}  // namespace detail

// ---- the customization point's writers ------------------------------------------------------------------------------

/// Elements of a sequence a Capture writes.
class SequenceWriter {
 public:
  template <class T>
  void element(const T& value) {
    if (!writer_.element_fits(count_)) {
      ++omitted_;
      return;
    }
    detail::write_dynamic(writer_, value);
    ++count_;
  }

 private:
  friend class ValueWriter;
  explicit SequenceWriter(detail::CaptureWriter& writer) noexcept : writer_(writer) {}
  detail::CaptureWriter& writer_;
  std::uint32_t count_ = 0;
  std::uint32_t omitted_ = 0;
};

/// Members of a structure a Capture writes. A name should not come twice.
class StructureWriter {
 public:
  template <class T>
  void member(std::string_view name, const T& value) {
    if (count_ >= writer_.limits().properties || writer_.room() < 64) {
      ++omitted_;
      return;
    }
    writer_.put_name(name);
    detail::write_dynamic(writer_, value);
    ++count_;
  }

 private:
  friend class ValueWriter;
  explicit StructureWriter(detail::CaptureWriter& writer) noexcept : writer_(writer) {}
  detail::CaptureWriter& writer_;
  std::uint32_t count_ = 0;
  std::uint32_t omitted_ = 0;
};

/// Entries of a dictionary a Capture writes.
class DictionaryWriter {
 public:
  template <class K, class T>
  void entry(const K& key, const T& value) {
    if (!writer_.element_fits(count_)) {
      ++omitted_;
      return;
    }
    detail::write_dynamic(writer_, key);
    detail::write_dynamic(writer_, value);
    ++count_;
  }

 private:
  friend class ValueWriter;
  explicit DictionaryWriter(detail::CaptureWriter& writer) noexcept : writer_(writer) {}
  detail::CaptureWriter& writer_;
  std::uint32_t count_ = 0;
  std::uint32_t omitted_ = 0;
};

template <class T>
void ValueWriter::value(const T& value) {
  if (begin()) detail::write_dynamic(writer_, value);
}

template <class F>
void ValueWriter::structure(std::string_view type_name, F&& f) {
  if (!begin()) return;
  writer_.put_type(detail::named_structure_type);
  std::size_t position = 0;
  if (!writer_.open_container(position)) return;
  writer_.put_name(type_name);
  StructureWriter members(writer_);
  f(members);
  writer_.close_container(position, members.count_, members.omitted_);
}

template <class F>
void ValueWriter::sequence(F&& f) {
  if (!begin()) return;
  writer_.put_type(detail::sequence_of_dynamic_type);
  std::size_t position = 0;
  if (!writer_.open_container(position)) return;
  SequenceWriter elements(writer_);
  f(elements);
  writer_.close_container(position, elements.count_, elements.omitted_);
}

template <class F>
void ValueWriter::dictionary(F&& f) {
  if (!begin()) return;
  writer_.put_type(detail::dictionary_of_dynamic_type);
  std::size_t position = 0;
  if (!writer_.open_container(position)) return;
  DictionaryWriter entries(writer_);
  f(entries);
  writer_.close_container(position, entries.count_, entries.omitted_);
}

}  // namespace cairn
