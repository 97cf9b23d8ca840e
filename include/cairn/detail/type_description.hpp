// What the captured bytes of each type mean: its ValueType, made while compiling.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "cairn/detail/aggregate.hpp"
#include "cairn/detail/durations.hpp"
#include "cairn/detail/loaded_library.hpp"
#include "cairn/detail/type_category.hpp"
#include "cairn/detail/value_type.hpp"

namespace cairn::detail {

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
            .from_float = std::same_as<typename T::rep, float>,
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

}  // namespace cairn::detail
