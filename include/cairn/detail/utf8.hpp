// One step through UTF-8: the code point at a place, or how much of a broken one to step over.
//
// Lives apart because the compile-time checks and the formatters must agree on what is a character. Nothing but the
// decoder and the encoder may move in here: the compiler reads this file at every call site.
#pragma once

#include <cstdint>

namespace cairn::detail {

struct Utf8Step {
  char32_t code_point;  // U+FFFD where not valid
  std::uint8_t size;    // bytes; where not valid, those of the maximal subpart (what one U+FFFD stands for)
  bool valid;
};

/// Decodes at `at`, which must be before `end`. Overlong forms, surrogates and anything past U+10FFFF are not valid.
constexpr Utf8Step decode_utf8(const char* at, const char* end) noexcept {
  const auto lead = static_cast<unsigned char>(*at);
  if (lead < 0x80) return {lead, 1, true};
  if (lead < 0xC2 || lead > 0xF4) return {0xFFFD, 1, false};
  const int more = lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : 3;
  // The second byte alone decides about overlong forms, surrogates and the upper end.
  unsigned low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  unsigned high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  char32_t code_point = lead & (0x3Fu >> more);
  for (int i = 1; i <= more; ++i) {
    if (end - at <= i) return {0xFFFD, static_cast<std::uint8_t>(i), false};
    const auto next = static_cast<unsigned char>(at[i]);
    if (next < low || next > high) return {0xFFFD, static_cast<std::uint8_t>(i), false};
    code_point = (code_point << 6) | (next & 0x3Fu);
    low = 0x80;
    high = 0xBF;
  }
  return {code_point, static_cast<std::uint8_t>(more + 1), true};
}

/// Writes `code_point` to `to`, which has room for four; the number of bytes written. What is no scalar value (a
/// surrogate, or past U+10FFFF) is written as U+FFFD.
constexpr int encode_utf8(char32_t code_point, char* to) noexcept {
  if (code_point > 0x10FFFF || (code_point >= 0xD800 && code_point <= 0xDFFF)) code_point = 0xFFFD;
  if (code_point < 0x80) {
    to[0] = static_cast<char>(code_point);
    return 1;
  }
  const int more = code_point < 0x800 ? 1 : code_point < 0x10000 ? 2 : 3;
  for (int i = more; i > 0; --i) {
    to[i] = static_cast<char>(0x80 | (code_point & 0x3F));
    code_point >>= 6;
  }
  to[0] = static_cast<char>(((0xFF00u >> (more + 1)) & 0xFFu) | code_point);
  return more + 1;
}

}  // namespace cairn::detail
