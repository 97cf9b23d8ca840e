// The usual numbers of a record, straight from its bytes to where their text shall stand: the same in text and in JSON.
#pragma once

#include <cstddef>

#include "cairn/value.hpp"
#include "text/decimal.hpp"
#include "text/number_format.hpp"

namespace cairn::detail {

/// What a plain number takes in a record, and the room its text needs.
inline constexpr std::size_t plain_number_bytes = 8;
inline constexpr std::size_t plain_number_room = format::floating_size;

/// Writes an integer, or a finite double that is not zero, without a format. Where it ends; null: it is another kind of
/// value.
inline char* put_plain_number(char* to, ValueKind kind, const std::byte* data) {
  switch (kind) {
    case ValueKind::signed_integer: return format::put_signed(to, load<std::int64_t>(data));
    case ValueKind::unsigned_integer: return format::put_unsigned(to, load<std::uint64_t>(data));
    case ValueKind::float_64: {
      const auto value = load<double>(data);
      return value - value == 0 && value != 0 ? format::put_floating(to, value) : nullptr;
    }
    default: return nullptr;
  }
}

/// The text of a string, or nothing: it is another kind of value, or null. It takes 4 bytes more in the record.
inline const char* plain_string(ValueKind kind, const std::byte* data, std::size_t& size) noexcept {
  if (kind != ValueKind::string) return nullptr;
  const auto length = load<std::uint32_t>(data);
  size = length;
  return length == null_length ? nullptr : reinterpret_cast<const char*>(data + 4);
}

}  // namespace cairn::detail
