// Scalars to characters: whole and floating numbers, characters, booleans, pointers and strings, with or without a
// checked format.
//
//   append_integer(out, std::int64_t{42}, nullptr);              // 42
//   append_floating(out, 3.14159, &*parse_format_spec(".2f", …)); // 3.14
//
// Without a format (null) a number is the shortest that reads back as the same value, and valid JSON where it is
// finite; `NaN`, `Infinity` and `-Infinity` are bare, for whoever writes JSON to quote. With a format the result is
// std::format's ({fmt}'s for hexadecimal floats: `0x1.8p+1`). The format must have been parsed for the value's own
// class. Thread-safe but for the buffer; throws only std::bad_alloc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "cairn/detail/format_spec.hpp"
#include "cairn/output_buffer.hpp"

namespace cairn::format {

using detail::FormatClass;
using detail::FormatSpec;

__extension__ using Int128 = __int128;
__extension__ using UInt128 = unsigned __int128;

/// With the type `c`, the character of that code point; the plain number where there is none.
void append_integer(OutputBuffer& out, std::int64_t value, const FormatSpec* spec);
void append_integer(OutputBuffer& out, std::uint64_t value, const FormatSpec* spec);
void append_integer(OutputBuffer& out, Int128 value, const FormatSpec* spec);
void append_integer(OutputBuffer& out, UInt128 value, const FormatSpec* spec);

/// Each at its own precision: 0.1f is `0.1`. Fixed notation from 1e-4 to 1e16, exponents (`1e+20`) beyond.
void append_floating(OutputBuffer& out, float value, const FormatSpec* spec);
void append_floating(OutputBuffer& out, double value, const FormatSpec* spec);
void append_floating(OutputBuffer& out, long double value, const FormatSpec* spec);

/// The same without a format, of a finite number, straight to where it shall stand: room for `floating_size`. Where it
/// ends.
[[nodiscard]] char* put_floating(char* to, double value);
inline constexpr std::size_t floating_size = 32;

/// A code point, as UTF-8. A surrogate or anything past U+10FFFF becomes U+FFFD.
void append_character(OutputBuffer& out, char32_t code_point, const FormatSpec* spec);
/// A byte of some 8-bit text: one over 0x7F is no character by itself and is written as it is, invalid, for the
/// escaping that follows to show.
void append_character(OutputBuffer& out, char byte, const FormatSpec* spec);

/// `true` or `false`, or 1 or 0 for the integer types.
void append_boolean(OutputBuffer& out, bool value, const FormatSpec* spec);

/// `0x` and hexadecimal digits; null is `0x0`.
void append_pointer(OutputBuffer& out, const void* pointer, const FormatSpec* spec);

/// Applies precision (a cut, in columns, never inside a sequence), `u`, `w` (case) and `j` (a quoted JSON string), then
/// the padding. `s`, `l` and none are the text itself. Does not escape otherwise.
void append_string(OutputBuffer& out, std::string_view text, const FormatSpec* spec);

}  // namespace cairn::format
