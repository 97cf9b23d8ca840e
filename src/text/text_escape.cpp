// Finds what must not pass, and copies the runs between.
#include "text/text_escape.hpp"

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "cairn/detail/utf8.hpp"

namespace cairn::format {
namespace {

enum class Mode { json, text, utf8 };

// The bytes at which a run of clean ASCII ends.
template <Mode M>
constexpr bool stops(unsigned char c) noexcept {
  if (c >= 0x80) return true;
  if (M == Mode::utf8) return false;
  if (c < 0x20) return true;
  return M == Mode::json ? c == '"' || c == '\\' : c == 0x7F;
}

template <Mode M>
constexpr std::array<bool, 256> stop_table = [] {
  std::array<bool, 256> table{};
  for (unsigned c = 0; c < 256; ++c) table[c] = stops<M>(static_cast<unsigned char>(c));
  return table;
}();

#if defined(__SSE2__)

constexpr std::ptrdiff_t chunk_size = 16;
constexpr unsigned bits_a_byte = 1;

// One bit a byte that stops.
template <Mode M>
unsigned stop_mask(__m128i bytes) noexcept {
  if constexpr (M == Mode::utf8) return static_cast<unsigned>(_mm_movemask_epi8(bytes));
  // As signed numbers, controls and everything not ASCII are both below a blank.
  __m128i found = _mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20));
  if constexpr (M == Mode::json) {
    found = _mm_or_si128(found, _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')));
    found = _mm_or_si128(found, _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\')));
  } else {
    found = _mm_or_si128(found, _mm_cmpeq_epi8(bytes, _mm_set1_epi8(0x7F)));
  }
  return static_cast<unsigned>(_mm_movemask_epi8(found));
}

template <Mode M>
unsigned stop_mask(const char* at) noexcept {
  return stop_mask<M>(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at)));
}

// The first place of fewer than 16 bytes that stops. Two loads that overlap cover any length from 4 on, and the bytes
// that are looked at twice give the same answer twice.
template <Mode M>
const char* skip_clean_tail(const char* at, const char* end) noexcept {
  const auto size = static_cast<std::size_t>(end - at);
  unsigned first = 0, last = 0, part = 0;
  if (size >= 8) {
    part = 8;
    const __m128i low = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(at));
    const __m128i high = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(end - 8));
    const unsigned mask = stop_mask<M>(_mm_unpacklo_epi64(low, high));
    first = mask & 0xFF;
    last = mask >> 8;
  } else if (size >= 4) {
    part = 4;
    int low, high;
    std::memcpy(&low, at, 4);
    std::memcpy(&high, end - 4, 4);
    const unsigned mask = stop_mask<M>(_mm_set_epi32(high, high, high, low));
    first = mask & 0xF;
    last = (mask >> 4) & 0xF;
  } else {
    while (at != end && !stop_table<M>[static_cast<unsigned char>(*at)]) ++at;
    return at;
  }
  const unsigned mask = first | last << (size - part);
  return mask == 0 ? end : at + std::countr_zero(mask);
}

/// Copies clean text; false: it is not clean, and what was copied is nothing. No byte past either end is touched.
template <Mode M>
bool copy_clean(char* to, const char* from, std::size_t size) noexcept {
  if (size >= 16) {
    const auto copy = [](char* at, const char* bytes) {
      const __m128i chunk = _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes));
      _mm_storeu_si128(reinterpret_cast<__m128i*>(at), chunk);
      return stop_mask<M>(chunk);
    };
    const std::size_t last = size - 16;
    for (std::size_t at = 0; at < last; at += 16) {
      if (copy(to + at, from + at) != 0) return false;
    }
    return copy(to + last, from + last) == 0;
  }
  if (size >= 8) {
    const __m128i low = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(from));
    const __m128i high = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(from + size - 8));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(to), low);
    _mm_storel_epi64(reinterpret_cast<__m128i*>(to + size - 8), high);
    return stop_mask<M>(_mm_unpacklo_epi64(low, high)) == 0;
  }
  if (size >= 4) {
    int low, high;
    std::memcpy(&low, from, 4);
    std::memcpy(&high, from + size - 4, 4);
    std::memcpy(to, &low, 4);
    std::memcpy(to + size - 4, &high, 4);
    return stop_mask<M>(_mm_set_epi32(high, high, high, low)) == 0;
  }
  bool clean = true;
  for (std::size_t at = 0; at < size; ++at) {
    to[at] = from[at];
    clean = clean && !stop_table<M>[static_cast<unsigned char>(from[at])];
  }
  return clean;
}

#else

constexpr std::ptrdiff_t chunk_size = 8;
constexpr unsigned bits_a_byte = 8;
constexpr std::uint64_t each_byte = 0x0101010101010101u;

// The high bit of each byte that is below `limit` (at most 0x80); bytes from 0x80 on do not count. A borrow can mark a
// byte *after* one that is truly below, never one before it: the lowest mark is always right, which is all we ask.
constexpr std::uint64_t below(std::uint64_t word, std::uint64_t limit) noexcept {
  return (word - each_byte * limit) & ~word & (each_byte * 0x80);
}

template <Mode M>
std::uint64_t stop_mask(const char* at) noexcept {
  std::uint64_t word;
  std::memcpy(&word, at, sizeof word);
  if constexpr (std::endian::native == std::endian::big) word = __builtin_bswap64(word);
  std::uint64_t found = word & (each_byte * 0x80);
  if constexpr (M == Mode::utf8) return found;
  found |= below(word, 0x20);
  if constexpr (M == Mode::json) {
    found |= below(word ^ (each_byte * '"'), 1) | below(word ^ (each_byte * '\\'), 1);
  } else {
    found |= below(word ^ (each_byte * 0x7F), 1);
  }
  return found;
}

template <Mode M>
const char* skip_clean_tail(const char* at, const char* end) noexcept {
  while (at != end && !stop_table<M>[static_cast<unsigned char>(*at)]) ++at;
  return at;
}

#endif

/// The first place from `at` on that stops, or `end`.
template <Mode M>
const char* skip_clean(const char* at, const char* end) noexcept {
  for (; end - at >= chunk_size; at += chunk_size) {
    if (const auto mask = stop_mask<M>(at)) return at + static_cast<unsigned>(std::countr_zero(mask)) / bits_a_byte;
  }
  return skip_clean_tail<M>(at, end);
}

#if !defined(__SSE2__)
template <Mode M>
bool copy_clean(char* to, const char* from, std::size_t size) noexcept {
  if (skip_clean<M>(from, from + size) != from + size) return false;
  if (size != 0) std::memcpy(to, from, size);
  return true;
}
#endif

void append_hex(OutputBuffer& out, std::string_view prefix, unsigned value, int digits) {
  out.append(prefix);
  for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4) out.append("0123456789abcdef"[(value >> shift) & 0xF]);
}

// A code point past ASCII that must not reach a line of text.
constexpr bool moves_text(char32_t c) noexcept {
  if (c < 0xA0) return true;  // C1
  if (c == 0x061C) return true;
  if (c < 0x200E || c > 0x2069) return false;
  return c <= 0x200F || (c >= 0x2028 && c <= 0x202E) || c >= 0x2066;
}

void append_json_escape(OutputBuffer& out, unsigned char c) {
  switch (c) {
    case '"': return out.append("\\\"");
    case '\\': return out.append("\\\\");
    case '\b': return out.append("\\b");
    case '\f': return out.append("\\f");
    case '\n': return out.append("\\n");
    case '\r': return out.append("\\r");
    case '\t': return out.append("\\t");
    default: return append_hex(out, "\\u", c, 4);
  }
}

void append_text_escape(OutputBuffer& out, unsigned char c) {
  switch (c) {
    case '\n': return out.append("\\n");
    case '\r': return out.append("\\r");
    case '\t': return out.append("\\t");
    default: return append_hex(out, "\\x", c, 2);
  }
}

template <Mode M>
void append_escaped(OutputBuffer& out, std::string_view text) {
  const char* const end = text.data() + text.size();
  const char* run = text.data();  // what is clean but not yet copied begins here
  const auto flush = [&](const char* to) { out.append(std::string_view(run, static_cast<std::size_t>(to - run))); };
  for (const char* at = run;;) {
    at = skip_clean<M>(at, end);
    if (at == end) return flush(end);
    const auto c = static_cast<unsigned char>(*at);
    if (c < 0x80) {
      flush(at);
      M == Mode::json ? append_json_escape(out, c) : append_text_escape(out, c);
      run = ++at;
      continue;
    }
    // Text that is not ASCII tends to go on so: stay here as long as it does.
    while (at != end && static_cast<unsigned char>(*at) >= 0x80) {
      const auto step = detail::decode_utf8(at, end);
      const bool escape = !step.valid || (M == Mode::text && moves_text(step.code_point));
      if (escape) {
        flush(at);
        if (step.valid) {
          append_hex(out, "\\u", static_cast<unsigned>(step.code_point), 4);
        } else if (M == Mode::json) {
          out.append("\xEF\xBF\xBD");
        } else {
          for (int i = 0; i < step.size; ++i) append_hex(out, "\\x", static_cast<unsigned char>(at[i]), 2);
        }
        run = at + step.size;
      }
      at += step.size;
    }
  }
}

}  // namespace

void append_json_content(OutputBuffer& out, std::string_view text) { append_escaped<Mode::json>(out, text); }

void append_json_string(OutputBuffer& out, std::string_view text) {
  char* const to = out.prepare(text.size() + 2);
  if (copy_clean<Mode::json>(to + 1, text.data(), text.size())) {  // nearly every string
    to[0] = '"';
    to[text.size() + 1] = '"';
    return out.commit(text.size() + 2);
  }
  out.append('"');
  append_escaped<Mode::json>(out, text);
  out.append('"');
}

void append_text_escaped(OutputBuffer& out, std::string_view text) {
  if (copy_clean<Mode::text>(out.prepare(text.size()), text.data(), text.size())) return out.commit(text.size());
  append_escaped<Mode::text>(out, text);
}

bool is_plain_json(std::string_view text) noexcept {
  return skip_clean<Mode::json>(text.data(), text.data() + text.size()) == text.data() + text.size();
}

bool is_plain_text(std::string_view text) noexcept {
  return skip_clean<Mode::text>(text.data(), text.data() + text.size()) == text.data() + text.size();
}

bool is_valid_utf8(std::string_view text) noexcept {
  const char* const end = text.data() + text.size();
  for (const char* at = text.data();;) {
    at = skip_clean<Mode::utf8>(at, end);
    if (at == end) return true;
    const auto step = detail::decode_utf8(at, end);
    if (!step.valid) return false;
    at += step.size;
  }
}

std::size_t utf8_floor(std::string_view text, std::size_t max) noexcept {
  if (text.size() <= max) return text.size();
  // A sequence that straddles `max` began at most three bytes before it.
  for (std::size_t back = 1; back <= 3 && back <= max; ++back) {
    const std::size_t start = max - back;
    if ((static_cast<unsigned char>(text[start]) & 0xC0) == 0x80) continue;
    const auto step = detail::decode_utf8(text.data() + start, text.data() + text.size());
    return step.valid && step.size > back ? start : max;
  }
  return max;
}

}  // namespace cairn::format
