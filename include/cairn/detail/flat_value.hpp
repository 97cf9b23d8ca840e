// Values that are copied into a record without a look at their insides: scalars and strings. They travel to the encoder
// by value, in one of seven shapes, so that calls with like arguments share one encoder.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <type_traits>

#include "cairn/detail/codec.hpp"

namespace cairn::detail {

struct FlatString {
  const char* data = nullptr;
  std::size_t size = 0;  // null_length with null data: a null pointer
};

template <class T>
consteval bool flat_category() {
  switch (category_of<T>) {
    case Category::boolean:
    case Category::character:
    case Category::signed_integer:
    case Category::unsigned_integer:
    case Category::byte:
    case Category::float_32:
    case Category::float_64:
    case Category::enumeration:
    case Category::pointer:
    case Category::string:
    case Category::c_string: return true;
    case Category::duration: return true;
    default: return false;
  }
}
template <class T>
inline constexpr bool is_flat = flat_category<std::remove_cv_t<T>>();

/// The value in its shape; a string is measured once, here.
template <class T>
[[gnu::always_inline]] inline auto flat_value(T& value) noexcept {
  using Plain = std::remove_cv_t<T>;
  constexpr Category c = category_of<Plain>;
  if constexpr (c == Category::boolean) {
    return static_cast<std::uint8_t>(value ? 1 : 0);
  } else if constexpr (c == Category::character) {
    return static_cast<std::uint32_t>(static_cast<std::make_unsigned_t<Plain>>(value));
  } else if constexpr (c == Category::signed_integer || c == Category::enumeration) {
    return static_cast<std::int64_t>(value);
  } else if constexpr (c == Category::unsigned_integer || c == Category::byte) {
    return static_cast<std::uint64_t>(value);
  } else if constexpr (c == Category::float_32 || c == Category::float_64) {
    return static_cast<Plain>(value);
  } else if constexpr (c == Category::duration) {
    if constexpr (std::is_floating_point_v<typename Plain::rep>) {
      return static_cast<double>(value.count());
    } else {
      return static_cast<std::int64_t>(value.count());
    }
  } else if constexpr (c == Category::pointer) {
    return static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(value));
  } else if constexpr (c == Category::c_string) {
    const char* text = reinterpret_cast<const char*>(static_cast<const std::remove_pointer_t<Plain>*>(value));
    return text != nullptr ? FlatString{text, std::strlen(text)} : FlatString{nullptr, null_length};
  } else if constexpr (std::is_array_v<Plain>) {  // need not be terminated
    const char* text = reinterpret_cast<const char*>(&value[0]);
    return FlatString{text, ::strnlen(text, std::extent_v<Plain>)};
  } else if constexpr (std::convertible_to<const Plain&, std::string_view>) {
    const std::string_view text = static_cast<std::string_view>(std::as_const(value));
    return FlatString{text.data(), text.size()};
  } else {
    return FlatString{reinterpret_cast<const char*>(value.data()), value.size()};
  }
}

template <class F>
inline constexpr std::size_t fixed_size = std::is_same_v<F, FlatString> ? sizeof(std::uint32_t) : sizeof(F);
template <class F>
[[nodiscard]] constexpr std::size_t text_size(const F& value) noexcept {
  if constexpr (std::is_same_v<F, FlatString>) {
    return value.data != nullptr ? value.size : 0;
  } else {
    return 0;
  }
}

/// Writes one value at `to`, which has room for it; gives where the next goes.
template <class F>
[[gnu::always_inline]] inline std::byte* put_flat(std::byte* to, const F& value) noexcept {
  if constexpr (std::is_same_v<F, FlatString>) {
    const auto size = static_cast<std::uint32_t>(value.size);
    std::memcpy(to, &size, sizeof(size));
    to += sizeof(size);
    const std::size_t count = text_size(value);
    if (count != 0) std::memcpy(to, value.data, count);
    return to + count;
  } else {
    std::memcpy(to, &value, sizeof(value));
    return to + sizeof(value);
  }
}

/// The same through the bounded writer, which cuts what is too long.
template <class F>
void put_flat(CaptureWriter& out, const F& value) {
  if constexpr (std::is_same_v<F, FlatString>) {
    if (value.data == nullptr && value.size == null_length) {
      out.put_null_string();
    } else {
      out.put_string({value.data, value.size});
    }
  } else {
    out.put(value);
  }
}

}  // namespace cairn::detail
