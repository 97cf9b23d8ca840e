// Digits of times and durations: small numbers at fixed widths. Shared by the two formatters, for nobody else.
#pragma once

#include <cstdint>

#include "cairn/output_buffer.hpp"
#include "text/decimal.hpp"

namespace cairn::format {

/// Writes `value` to the `width` characters at `to`, with leading zeros; higher digits are cut off.
inline void put_digits(char* to, std::uint64_t value, int width) noexcept {
  for (int i = width; i > 0; --i, value /= 10) to[i - 1] = static_cast<char>('0' + value % 10);
}

/// At least `width` digits.
inline void append_digits(OutputBuffer& out, std::uint64_t value, int width) {
  if (std::uint64_t limit = 1; width < 20) {
    for (int i = 0; i < width; ++i) limit *= 10;
    if (value >= limit) return out.append_number(value);
  }
  put_digits(out.prepare(static_cast<std::size_t>(width)), value, width);
  out.commit(static_cast<std::size_t>(width));
}

/// The first `digits` of the nine that a nanosecond within its second has.
// Kept out of line: inside a caller's loop the compiler works out the digits of every case ahead of it.
[[gnu::noinline]] inline void put_fraction(char* to, std::uint32_t nanoseconds, int digits) noexcept {
  // Divided by constants, the compiler multiplies instead.
  switch (digits) {
    case 9: return put_digits<9>(to, nanoseconds);
    case 7: return put_digits<7>(to, nanoseconds / 100);
    case 6: return put_digits<6>(to, nanoseconds / 1'000);
    case 3: return put_digits<3>(to, nanoseconds / 1'000'000);
    default:
      for (int i = digits; i < 9; ++i) nanoseconds /= 10;
      put_digits(to, nanoseconds, digits);
  }
}

/// The hour on a twelve-hour clock.
constexpr int twelve_hour(std::int64_t hour) noexcept {
  const int on_dial = static_cast<int>(hour % 12);
  return on_dial == 0 ? 12 : on_dial;
}

}  // namespace cairn::format
