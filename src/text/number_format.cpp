// Whole numbers are done here by hand; floating ones by a fast path for `.Nf` and by {fmt} for the rest.
#include "text/number_format.hpp"

#include <fmt/compile.h>
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <iterator>
#include <type_traits>

#include "cairn/detail/utf8.hpp"
#include "text/decimal.hpp"
#include "text/display_width.hpp"
#include "text/letter_case.hpp"
#include "text/text_escape.hpp"

namespace cairn::format {
namespace {

using detail::FormatSign;

// The finished parts of a number, put together: padding, prefix (sign, base), zeros, digits, padding. All ASCII.
void append_parts(OutputBuffer& out, std::string_view prefix, std::string_view digits, const FormatSpec& spec,
                  bool zeros = true) {
  const std::size_t size = prefix.size() + digits.size();
  if (spec.width <= size) {
    out.append(prefix);
    return out.append(digits);
  }
  const std::size_t missing = spec.width - size;
  if (spec.zero && zeros && spec.align == FormatAlign::none) {
    out.append(prefix);
    out.append(missing, '0');
    return out.append(digits);
  }
  const std::size_t before = spec.align == FormatAlign::left     ? 0
                             : spec.align == FormatAlign::centre ? missing / 2
                                                                 : missing;
  append_fill(out, before, spec.fill_text());
  out.append(prefix);
  out.append(digits);
  append_fill(out, missing - before, spec.fill_text());
}

char sign_of(bool negative, FormatSign sign) noexcept {
  return negative ? '-' : sign == FormatSign::plus ? '+' : sign == FormatSign::space ? ' ' : '\0';
}

// Digits of any base from the end of `buffer` back; where they begin.
template <typename U>
char* digits_before(char* end, U value, char type) noexcept {
  const unsigned shift = type == 'x' || type == 'X' ? 4 : type == 'o' ? 3 : 1;
  const char* const symbols = type == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
  do {
    *--end = symbols[static_cast<unsigned>(value) & ((1u << shift) - 1)];
    value >>= shift;
  } while (value != 0);
  return end;
}

char* decimal_before(char* end, UInt128 value) noexcept {
  constexpr std::uint64_t chunk = 10'000'000'000'000'000'000u;
  while (value >= chunk) {  // 19 digits at a time, since division of 128 bits is slow
    auto low = static_cast<std::uint64_t>(value % chunk);
    value /= chunk;
    for (int i = 0; i < 19; ++i, low /= 10) *--end = static_cast<char>('0' + low % 10);
  }
  auto low = static_cast<std::uint64_t>(value);
  do {
    *--end = static_cast<char>('0' + low % 10);
    low /= 10;
  } while (low != 0);
  return end;
}

bool append_as_character(OutputBuffer& out, bool negative, UInt128 magnitude, const FormatSpec& spec) {
  if (negative || magnitude > 0x10FFFF || (magnitude >= 0xD800 && magnitude <= 0xDFFF)) return false;
  FormatSpec padding = spec;
  padding.type = 0;
  append_character(out, static_cast<char32_t>(magnitude), &padding);
  return true;
}

template <typename U>  // std::uint64_t or UInt128
void append_whole(OutputBuffer& out, bool negative, U magnitude, const FormatSpec& spec) {
  char type = spec.type;
  if (type == 'c') {
    if (append_as_character(out, negative, magnitude, spec)) return;
    type = 'd';
  }
  char prefix[3];
  std::size_t prefix_size = 0;
  if (const char sign = sign_of(negative, spec.sign)) prefix[prefix_size++] = sign;
  char buffer[128];
  char* const end = buffer + sizeof buffer;
  char* digits;
  if (type == 'x' || type == 'X' || type == 'o' || type == 'b' || type == 'B') {
    digits = digits_before(end, magnitude, type);
    if (spec.alternate && (type != 'o' || magnitude != 0)) {
      prefix[prefix_size++] = '0';
      if (type != 'o') prefix[prefix_size++] = type;
    }
  } else if constexpr (sizeof(U) <= sizeof(std::uint64_t)) {
    char* const written = std::to_chars(buffer, end, magnitude).ptr;
    return append_parts(out, {prefix, prefix_size}, {buffer, static_cast<std::size_t>(written - buffer)}, spec);
  } else {
    digits = decimal_before(end, magnitude);
  }
  append_parts(out, {prefix, prefix_size}, {digits, static_cast<std::size_t>(end - digits)}, spec);
}

// ---- floating

constexpr std::uint64_t powers_of_ten[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000};

/// Fixed notation with `precision` decimals, exactly rounded (halves to even); the number of characters written to
/// `to`, or 0 where the value is out of this path's reach. `value` is finite and not negative.
std::size_t fixed_digits(char* to, double value, int precision) noexcept {
  if (precision > 9) return 0;
  const auto bits = std::bit_cast<std::uint64_t>(value);
  const int biased = static_cast<int>(bits >> 52);
  const std::uint64_t fraction = bits & ((std::uint64_t{1} << 52) - 1);
  // value = mantissa * 2^-shift
  const std::uint64_t mantissa = biased == 0 ? fraction : fraction | (std::uint64_t{1} << 52);
  int shift = 1075 - (biased == 0 ? 1 : biased);
  if (shift < 0) return 0;
  // Below 2^53 * 10^9 < 2^83: past that many places nothing is left but whether it was zero.
  const UInt128 scaled = static_cast<UInt128>(mantissa) * powers_of_ten[precision];
  shift = std::min(shift, 100);
  UInt128 rounded = scaled >> shift;
  if (shift != 0) {
    const UInt128 rest = scaled & ((UInt128{1} << shift) - 1);
    const UInt128 half = UInt128{1} << (shift - 1);
    if (rest > half || (rest == half && (rounded & 1) != 0)) ++rounded;
  }
  if ((rounded >> 64) != 0) return 0;
  const auto all = static_cast<std::uint64_t>(rounded);
  char* at = std::to_chars(to, to + 20, all / powers_of_ten[precision]).ptr;
  if (precision != 0) {
    *at = '.';
    std::uint64_t decimals = all % powers_of_ten[precision];
    for (int i = precision; i > 0; --i, decimals /= 10) at[i] = static_cast<char>('0' + decimals % 10);
    at += precision + 1;
  }
  return static_cast<std::size_t>(at - to);
}

// What {fmt} makes of a value that is not negative: the spec's `#`, precision and type, and nothing of its padding.
template <typename T>
void fmt_digits(fmt::memory_buffer& to, T value, const FormatSpec& spec) {
  char text[16];
  char* at = text;
  *at++ = '{';
  *at++ = ':';
  if (spec.alternate) *at++ = '#';
  if (spec.precision >= 0) {
    *at++ = '.';
    at = std::to_chars(at, text + sizeof text, spec.precision).ptr;
  }
  if (spec.type != 0) *at++ = spec.type;
  *at++ = '}';
  const std::string_view format(text, static_cast<std::size_t>(at - text));
  fmt::vformat_to(std::back_inserter(to), format, fmt::make_format_args(value));
}

template <typename T>
void append_spec(OutputBuffer& out, T value, const FormatSpec& spec) {
  char prefix[4];
  std::size_t prefix_size = 0;
  const bool negative = std::signbit(value);
  if (const char sign = sign_of(negative, spec.sign)) prefix[prefix_size++] = sign;
  if (!std::isfinite(value)) {
    const bool upper = spec.type >= 'A' && spec.type <= 'G';
    const std::string_view word = std::isnan(value) ? (upper ? "NAN" : "nan") : (upper ? "INF" : "inf");
    return append_parts(out, {prefix, prefix_size}, word, spec, false);
  }
  const T magnitude = negative ? -value : value;
  if constexpr (!std::is_same_v<T, long double>) {
    if (spec.type == 'f' && !spec.alternate) {
      char digits[40];
      if (const std::size_t size = fixed_digits(digits, magnitude, spec.precision < 0 ? 6 : spec.precision)) {
        return append_parts(out, {prefix, prefix_size}, {digits, size}, spec);
      }
    }
  }
  fmt::memory_buffer digits;
  fmt_digits(digits, magnitude, spec);
  append_parts(out, {prefix, prefix_size}, {digits.data(), digits.size()}, spec);
}

/// Values that are a decimal of at most 15 digits, three or six of them after the point, as measured times and sums of
/// money are: that decimal without its last zeros is the shortest that reads back, since no other of so few digits
/// reads back to the same double. Where it ends, or null.
char* put_short_decimal(char* to, double value) noexcept {
  const double magnitude = std::fabs(value);
  if (!(magnitude >= 0.001 && magnitude < 1e9)) return nullptr;
  std::uint64_t whole = 0;
  std::uint32_t decimals = 0;
  int width = 3;
  // A half rounded wrongly does no harm: what comes of it is divided again and must be the value.
  // NOLINTBEGIN(bugprone-incorrect-roundings)
  if (const auto scaled = static_cast<std::int64_t>(magnitude * 1000.0 + 0.5);
      static_cast<double>(scaled) / 1000.0 == magnitude) {
    whole = static_cast<std::uint64_t>(scaled) / 1000;
    decimals = static_cast<std::uint32_t>(static_cast<std::uint64_t>(scaled) % 1000);
  } else {
    const auto finer = static_cast<std::int64_t>(magnitude * 1'000'000.0 + 0.5);
    if (finer >= 1'000'000'000'000'000 || static_cast<double>(finer) / 1'000'000.0 != magnitude) return nullptr;
    whole = static_cast<std::uint64_t>(finer) / 1'000'000;
    decimals = static_cast<std::uint32_t>(static_cast<std::uint64_t>(finer) % 1'000'000);
    width = 6;
  }
  // NOLINTEND(bugprone-incorrect-roundings)
  if (value < 0) *to++ = '-';
  to = put_unsigned(to, whole);
  if (decimals == 0) return to;
  *to++ = '.';
  width == 3 ? put_digits<3>(to, decimals) : put_digits<6>(to, decimals);
  to += width;
  while (to[-1] == '0') --to;
  return to;
}

/// Shortest, of any finite value. Where it ends.
template <typename T>
char* put_shortest(char* to, T value) {
  if constexpr (std::is_same_v<T, double>) {
    if (char* const end = put_short_decimal(to, value)) return end;
  }
  return fmt::format_to(to, FMT_COMPILE("{}"), value);
}

template <typename T>
void append_any_floating(OutputBuffer& out, T value, const FormatSpec* spec) {
  if (spec != nullptr) return append_spec(out, value, *spec);
  if (!std::isfinite(value)) {
    return out.append(std::isnan(value) ? "NaN" : std::signbit(value) ? "-Infinity" : "Infinity");
  }
  char* const to = out.prepare(64);
  out.commit(static_cast<std::size_t>(put_shortest(to, value) - to));
}

void append_padded(OutputBuffer& out, std::string_view text, const FormatSpec* spec) {
  const std::size_t from = out.size();
  out.append(text);
  if (spec != nullptr && !spec->unpadded()) pad(out, from, spec->width, spec->align, spec->fill_text());
}

bool has_integer_type(const FormatSpec* spec) noexcept {
  if (spec == nullptr) return false;
  return std::string_view("bBdoxX").find(spec->type) != std::string_view::npos && spec->type != 0;
}

}  // namespace

char* put_floating(char* to, double value) { return put_shortest(to, value); }

void append_integer(OutputBuffer& out, std::int64_t value, const FormatSpec* spec) {
  if (spec == nullptr) return out.append_number(value);
  // Negated as unsigned, where the smallest number has a counterpart.
  const auto magnitude = static_cast<std::uint64_t>(value);
  append_whole(out, value < 0, value < 0 ? 0 - magnitude : magnitude, *spec);
}

void append_integer(OutputBuffer& out, std::uint64_t value, const FormatSpec* spec) {
  if (spec == nullptr) return out.append_number(value);
  append_whole(out, false, value, *spec);
}

void append_integer(OutputBuffer& out, Int128 value, const FormatSpec* spec) {
  const auto magnitude = static_cast<UInt128>(value);
  append_whole(out, value < 0, value < 0 ? 0 - magnitude : magnitude, spec == nullptr ? FormatSpec{} : *spec);
}

void append_integer(OutputBuffer& out, UInt128 value, const FormatSpec* spec) {
  append_whole(out, false, value, spec == nullptr ? FormatSpec{} : *spec);
}

void append_floating(OutputBuffer& out, float value, const FormatSpec* spec) { append_any_floating(out, value, spec); }
void append_floating(OutputBuffer& out, double value, const FormatSpec* spec) { append_any_floating(out, value, spec); }
void append_floating(OutputBuffer& out, long double value, const FormatSpec* spec) {
  append_any_floating(out, value, spec);
}

void append_character(OutputBuffer& out, char32_t code_point, const FormatSpec* spec) {
  if (has_integer_type(spec)) return append_integer(out, std::uint64_t{code_point}, spec);
  char bytes[4];
  append_padded(out, {bytes, static_cast<std::size_t>(detail::encode_utf8(code_point, bytes))}, spec);
}

void append_character(OutputBuffer& out, char byte, const FormatSpec* spec) {
  if (has_integer_type(spec)) return append_integer(out, std::int64_t{byte}, spec);
  append_padded(out, {&byte, 1}, spec);
}

void append_boolean(OutputBuffer& out, bool value, const FormatSpec* spec) {
  // `B` on a boolean is the words, in JSON's spelling.
  if (has_integer_type(spec) && spec->type != 'B') return append_integer(out, std::uint64_t{value}, spec);
  append_padded(out, value ? "true" : "false", spec);
}

void append_pointer(OutputBuffer& out, const void* pointer, const FormatSpec* spec) {
  FormatSpec hexadecimal = spec == nullptr ? FormatSpec{} : *spec;
  hexadecimal.type = 'x';
  hexadecimal.alternate = true;
  append_integer(out, static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(pointer)), &hexadecimal);
}

void append_string(OutputBuffer& out, std::string_view text, const FormatSpec* spec) {
  if (spec == nullptr) return out.append(text);
  if (spec->precision >= 0) text = text.substr(0, prefix_of_width(text, static_cast<std::size_t>(spec->precision)));
  const std::size_t from = out.size();
  switch (spec->type) {
    case 'u': append_upper(out, text); break;
    case 'w': append_lower(out, text); break;
    case 'j': append_json_string(out, text); break;
    default: out.append(text);
  }
  if (!spec->unpadded()) pad(out, from, spec->width, spec->align, spec->fill_text());
}

}  // namespace cairn::format
