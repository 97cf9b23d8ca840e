// Decimal digits two at a time, written straight to where they shall stand.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>

namespace cairn::format {

/// "00" to "99".
inline constexpr auto digit_pairs = [] {
  std::array<char, 200> pairs{};
  for (std::size_t i = 0; i < 100; ++i) {
    pairs[2 * i] = static_cast<char>('0' + i / 10);
    pairs[2 * i + 1] = static_cast<char>('0' + i % 10);
  }
  return pairs;
}();

/// `value` is below 100.
inline void put_pair(char* to, std::uint32_t value) noexcept {
  std::memcpy(to, &digit_pairs[2 * std::size_t{value}], 2);
}

/// The lowest `Width` digits of `value`, with leading zeros.
template <int Width>
inline void put_digits(char* to, std::uint32_t value) noexcept {
  if constexpr (Width == 1) {
    *to = static_cast<char>('0' + value % 10);
  } else if constexpr (Width > 1) {
    put_pair(to + Width - 2, value % 100);
    put_digits<Width - 2>(to, value / 100);
  }
}

/// Shortest, without leading zeros; room for 20. Where it ends.
inline char* put_unsigned(char* to, std::uint64_t value) noexcept {
  if (value >= 100'000'000) {
    to = put_unsigned(to, value / 100'000'000);
    put_digits<8>(to, static_cast<std::uint32_t>(value % 100'000'000));
    return to + 8;
  }
  const auto small = static_cast<std::uint32_t>(value);
  if (small < 10) {
    *to = static_cast<char>('0' + small);
    return to + 1;
  }
  if (small < 100) return put_pair(to, small), to + 2;
  if (small < 1'000) return put_digits<3>(to, small), to + 3;
  if (small < 10'000) return put_digits<4>(to, small), to + 4;
  if (small < 100'000) return put_digits<5>(to, small), to + 5;
  if (small < 1'000'000) return put_digits<6>(to, small), to + 6;
  if (small < 10'000'000) return put_digits<7>(to, small), to + 7;
  return put_digits<8>(to, small), to + 8;
}

inline char* put_signed(char* to, std::int64_t value) noexcept {
  const auto magnitude = static_cast<std::uint64_t>(value);
  if (value >= 0) return put_unsigned(to, magnitude);
  *to = '-';
  return put_unsigned(to + 1, 0 - magnitude);
}

}  // namespace cairn::format
