// The members of a plain aggregate and their names, found by the compiler without a macro.
//
// How many: the largest number of initialisers the type takes, arrays counted as one by trying `{}` in their place.
// Their names: the address of a member of a never-read static object, given to a template whose spelling the compiler
// then tells. Not covered, each a clear error: bit-fields, reference members, volatile members (g++ takes them for
// read), bases with members, anonymous unions, over 64 members.
#pragma once

#include <array>
#include <string_view>
#include <type_traits>
#include <utility>

#include "cairn/detail/member_bindings.hpp"

namespace cairn::detail {

#if defined(__clang__)
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wmissing-braces"
#pragma clang diagnostic ignored "-Wmissing-field-initializers"
#pragma clang diagnostic ignored "-Wundefined-inline"
#pragma clang diagnostic ignored "-Wundefined-internal"
#else
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#endif

/// Converts to anything; only its declaration is ever used.
struct AnyInitializer {
  template <class T>
  operator T() const noexcept;
};

template <unsigned>
using AnyAt = AnyInitializer;

template <unsigned... I>
using Indices = std::integer_sequence<unsigned, I...>;

template <class T, unsigned... I>
consteval bool takes(Indices<I...>) {
  return requires { T{AnyAt<I>{}...}; };
}

/// Does T take `I` initialisers, then `{}`, then as many more as `R`?
template <class T, unsigned... I, unsigned... R>
consteval bool takes_braced(Indices<I...>, Indices<R...>) {
  return requires { T{AnyAt<I>{}..., {}, AnyAt<R>{}...}; };
}

template <unsigned N>
using Count = std::make_integer_sequence<unsigned, N>;

/// The number of initialisers with braces left out; a member of array type counts each element.
template <class T, unsigned N, bool Seen>
consteval unsigned flat_count() {
  if constexpr (takes<T>(Count<N>{})) {
    return flat_count<T, N + 1, true>();
  } else if constexpr (Seen || N > max_members) {
    return Seen ? N - 1 : 0;
  } else {
    return flat_count<T, N + 1, false>();
  }
}

/// The most initialisers that may follow when the member at `I` is given as `{}`.
template <class T, unsigned I, unsigned R>
consteval unsigned rest_after() {
  if constexpr (R == 0 || takes_braced<T>(Count<I>{}, Count<R>{})) {
    return R;
  } else {
    return rest_after<T, I, R - 1>();
  }
}

template <class T, unsigned I, unsigned Flat>
consteval unsigned count_members_from() {
  if constexpr (I >= Flat) {
    return 0;
  } else if constexpr (!takes_braced<T>(Count<I>{}, Count<0>{})) {
    return 1 + count_members_from<T, I + 1, Flat>();  // a member that `{}` cannot make is no array
  } else {
    return 1 + count_members_from<T, Flat - rest_after<T, I, Flat - I - 1>(), Flat>();
  }
}

/// Converts to a base class of T and to nothing else.
template <class T>
struct BaseInitializer {
  template <class Base>
  requires(std::is_base_of_v<Base, T> && !std::is_same_v<Base, T>) operator Base() const noexcept;
};
/// Converts to an lvalue of anything.
struct ReferenceInitializer {
  template <class T>
  operator T&() const noexcept;
};

template <class T, unsigned Bases = 0>
consteval unsigned base_count() {
  if constexpr ([]<unsigned... I>(Indices<I...>) {
                  return requires { T{(static_cast<void>(I), BaseInitializer<T>{})...}; };
                }(Count<Bases + 1>{})) {
    return base_count<T, Bases + 1>();
  } else {
    return Bases;
  }
}

/// A union that is captured as a whole by a customization point; the others have no members that could be named.
template <class T>
inline constexpr bool is_captured_union = false;  // codec.hpp knows better

/// Converts to anything, but may throw where what is wanted is a base with members or a union: that tells them apart
/// without naming them.
template <class Whole>
struct UnnameableProbe {
  template <class T>
  static constexpr bool unnameable =
      std::is_union_v<T> ? !is_captured_union<T>
                         : std::is_base_of_v<T, Whole> && !std::is_same_v<T, Whole> && !std::is_empty_v<T>;
  template <class T>
  operator T() const noexcept(!unnameable<T>);
};

template <class Whole, unsigned>
using ProbeAt = UnnameableProbe<Whole>;

template <class T, class... From>
concept NothrowFrom = noexcept(T{std::declval<From>()...});

/// Has T a base with members, or a union (an anonymous one; a named one has no category and stops the compiler too)?
template <class T>
inline constexpr bool has_unnameable_part = []<unsigned... I>(Indices<I...>) {
  return NothrowFrom<T, AnyAt<I>...> && !NothrowFrom<T, ProbeAt<T, I>...>;
}
(Count<flat_count<T, 0, false>()>{});

/// Is the member after the last that could be counted a reference?
template <class T>
inline constexpr bool has_reference_member = []<unsigned... I>(Indices<I...>) {
  return requires { T{AnyAt<I>{}..., ReferenceInitializer{}}; };
}
(Count<flat_count<T, 0, false>()>{});

/// Members and bases, before anything is known of whether they can be named.
template <class T>
inline constexpr unsigned counted_members = count_members_from<T, 0, flat_count<T, 0, false>()>() - base_count<T>();

/// Is a member a bit-field? Only members of a volatile object, since a reference to const would take a copy of one.
template <class T>
consteval bool has_bit_field() {
  return std::is_void_v<decltype(with_members<counted_members<T>>(std::declval<volatile T&>(),
                                                                  [](auto&...) { return true; }))>;
}

template <class T>
consteval bool has_volatile_member() {
  using Found = decltype(with_members<counted_members<T>>(std::declval<T&>(), [](auto&... members) {
    return std::bool_constant<(std::is_volatile_v<std::remove_reference_t<decltype(members)>> || ...)>{};
  }));
  return Found::value;
}

template <class T>
consteval bool members_are_nameable() {
  if constexpr (has_reference_member<T> || has_unnameable_part<T>) {
    return false;
  } else if constexpr (counted_members<T> == 0) {
    return std::is_empty_v<T>;
  } else if constexpr (counted_members<T> > max_members) {
    return true;  // too many, which is another mistake
  } else if constexpr (has_bit_field<T>()) {
    return false;
  } else {
    return !has_volatile_member<T>();
  }
}

/// How many members the aggregate `T` has; an array is one. Bases are not members. None where they cannot be named, so
/// that the one error that says so stands alone.
template <class T>
inline constexpr unsigned member_count = members_are_nameable<T>() && counted_members<T> <= max_members
                                             ? counted_members<T>
                                             : 0;

/// Never read and never made: only the addresses of its members matter.
template <class T>
union Unmade {
  char none;
  T value;
  constexpr Unmade() : none{} {}
  constexpr ~Unmade() {}
};

template <class T>
struct UnmadeHolder {
#if defined(__clang__)
  static inline Unmade<T> object{};  // clang wants every member literal for constexpr, and drops the object unused
#else
  static constexpr Unmade<T> object{};
#endif
};

/// clang 16 takes the address of a subobject as a template argument only inside a class.
template <class M>
struct MemberAddress {
  M* address;
};
template <class M>
MemberAddress(M*) -> MemberAddress<M>;

template <MemberAddress Address>
consteval std::string_view spelling() {
  return __PRETTY_FUNCTION__;
}

/// The last identifier before the closing brackets of what the compiler spells.
consteval std::string_view last_identifier(std::string_view text) {
  const auto is_part = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c & 0x80) != 0;
  };
#if !defined(__clang__)
  text = text.substr(0, text.find("; std::string_view"));  // g++ explains its typedefs at the end
#endif
  std::size_t end = text.size();
  while (end > 0 && !is_part(text[end - 1])) --end;
  std::size_t begin = end;
  while (begin > 0 && is_part(text[begin - 1])) --begin;
  return text.substr(begin, end - begin);
}

template <unsigned I, class First, class... Rest>
constexpr auto* address_at(First& first, Rest&... rest) {
  if constexpr (I == 0) {
    return &first;
  } else {
    return address_at<I - 1>(rest...);
  }
}

template <class T, unsigned I>
consteval std::string_view member_name() {
  constexpr auto* address = with_members<member_count<T>>(UnmadeHolder<T>::object.value,
                                                          [](auto&... members) { return address_at<I>(members...); });
  return last_identifier(spelling<MemberAddress{address}>());
}

/// A name kept in the program on its own, so that the long spelling it was cut from is not.
template <std::size_t N>
struct KeptName {
  char text[N + 1]{};
};

template <class T, unsigned I>
inline constexpr auto kept_member_name = [] {
  constexpr std::string_view name = member_name<T, I>();
  KeptName<name.size()> kept;
  for (std::size_t i = 0; i < name.size(); ++i) kept.text[i] = name[i];
  return kept;
}();

/// The unqualified name of a type without template arguments, for "$type".
template <class T>
consteval std::string_view spelled_type() {
  return __PRETTY_FUNCTION__;
}

/// The type in what spelled_type() gives.
consteval std::string_view qualified(std::string_view spelled) {
#if defined(__clang__)
  constexpr std::string_view before = "[T = ";
#else
  constexpr std::string_view before = "[with T = ";
#endif
  std::string_view name = spelled.substr(spelled.find(before) + before.size());
  name = name.substr(0, name.rfind(']'));
#if !defined(__clang__)
  if (const auto typedefs = name.find("; std::string_view"); typedefs != std::string_view::npos)
    name = name.substr(0, typedefs);
#endif
  return name;
}

template <class T>
consteval bool is_spelled(std::string_view name) {
  return qualified(spelled_type<T>()) == name;
}

consteval std::string_view unqualified(std::string_view spelled) {
  std::string_view name = qualified(spelled);
  if (name.ends_with('>')) {  // drop the template arguments
    int depth = 0;
    std::size_t at = name.size();
    while (at > 0) {
      --at;
      if (name[at] == '>') ++depth;
      if (name[at] == '<' && --depth == 0) break;
    }
    name = name.substr(0, at);
  }
  int depth = 0;  // the last `::` outside brackets
  std::size_t begin = 0;
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (name[i] == '<' || name[i] == '(' || name[i] == '{') ++depth;
    if (name[i] == '>' || name[i] == ')' || name[i] == '}') --depth;
    if (depth == 0 && name[i] == ':') begin = i + 1;
  }
  return name.substr(begin);
}

template <class T>
inline constexpr auto kept_type_name = [] {
  constexpr std::string_view name = unqualified(spelled_type<T>());
  KeptName<name.size()> kept;
  for (std::size_t i = 0; i < name.size(); ++i) kept.text[i] = name[i];
  return kept;
}();

template <std::size_t N>
constexpr std::string_view view_of(const KeptName<N>& name) {
  return {name.text, N};
}
template <>
constexpr std::string_view view_of(const KeptName<0>&) {
  return {};
}

#if defined(__clang__)
#pragma clang diagnostic pop
#else
#pragma GCC diagnostic pop
#endif

}  // namespace cairn::detail
