// The one parser of message templates, constexpr and at run time: text and holes, nothing else.
// The grammar is that of messagetemplates.org with the rules of docs/templates.md; it is total: malformed parts are
// text. What lives here knows nothing of arguments, values or output.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "cairn/detail/scan.hpp"
#include "cairn/detail/unicode_names.hpp"
#include "cairn/detail/utf8.hpp"

namespace cairn::detail {

/// The widest alignment a hole may ask for, in columns.
inline constexpr int max_alignment = 4096;

/// Why a hole is text.
enum class Malformed : std::uint8_t { unclosed, empty, name, alignment, alignment_over_cap };

/// A well-formed hole; the views point into the template's text.
struct Hole {
  std::string_view raw;     // with its braces
  std::string_view name;    // without operator
  std::string_view format;  // empty: none
  int alignment = 0;        // columns; negative pads on the right
  char capture = '\0';      // '@' structure, '$' string form
  bool positional = false;  // the name is all digits
  std::uint32_t index = 0;  // of a positional hole, saturated
};

template <std::size_t N>
[[nodiscard]] constexpr bool in_ranges(const CodePointRange (&ranges)[N], char32_t code) noexcept {
  std::size_t low = 0;
  std::size_t high = N;
  while (low < high) {
    const std::size_t middle = (low + high) / 2;
    if (ranges[middle].last < code) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low < N && ranges[low].first <= code;
}

/// Reads one code point of UTF-8 at `at` and moves past it; what is not valid UTF-8 gives U+FFFD.
[[nodiscard]] constexpr char32_t next_code_point(std::string_view text, std::size_t& at) noexcept {
  const Utf8Step step = decode_utf8(text.data() + at, text.data() + text.size());
  at += step.size;
  return step.code_point;
}

[[nodiscard]] constexpr bool is_ascii_digit(char c) noexcept { return c >= '0' && c <= '9'; }

/// Is `name` a name a hole may carry: all ASCII digits, or dot-separated segments of a letter or `_`, then letters,
/// digits, `_`?
[[nodiscard]] constexpr bool is_hole_name(std::string_view name, bool& positional) noexcept {
  // Here and below: pointers, and no call for ASCII. The compiler runs this for every call site, and g++ takes long for
  // each call.
  const char* at = name.data();
  const char* const end = at + name.size();
  positional = at != end;
  for (const char* digit = at; positional && digit != end; ++digit) positional = *digit >= '0' && *digit <= '9';
  if (positional) return true;
  bool segment_start = true;
  while (at != end) {
    if (const char* const next = skip_over(at, end, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_");
        next != at) {
      segment_start = false;
      if (next == end) break;
      at = next;
    }
    const char c = *at;
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_') {
      segment_start = false;
      ++at;
    } else if (c == '.' || (c >= '0' && c <= '9')) {
      if (segment_start) return false;
      segment_start = c == '.';
      ++at;
    } else if (static_cast<unsigned char>(c) < 0x80) {
      return false;
    } else {
      const Utf8Step step = decode_utf8(at, end);
      if (in_ranges(letter_ranges, step.code_point)) {
        segment_start = false;
      } else if (segment_start || !in_ranges(digit_ranges, step.code_point)) {
        return false;
      }
      at += step.size;
    }
  }
  return !segment_start;  // also false for an empty name
}

/// Reads what stands between a hole's braces. True: `hole` is filled (but for raw). False: `why` says what is wrong.
[[nodiscard]] constexpr bool parse_hole(std::string_view content, Hole& hole, Malformed& why) noexcept {
  why = Malformed::name;
  if (content.empty()) {
    why = Malformed::empty;
    return false;
  }
  const char* const begin = content.data();
  const char* const end = begin + content.size();
  const char* comma = skip_to(begin, end, ",:");
  while (comma != end && *comma != ',' && *comma != ':') ++comma;
  const char* colon = skip_to(comma, end, ":");
  while (colon != end && *colon != ':') ++colon;
  std::string_view name(begin, static_cast<std::size_t>(comma - begin));
  if (colon != end) hole.format = std::string_view(colon + 1, static_cast<std::size_t>(end - colon - 1));
  if (comma != colon) {
    std::string_view digits(comma + 1, static_cast<std::size_t>(colon - comma - 1));
    const bool negative = !digits.empty() && digits.front() == '-';
    if (negative) digits.remove_prefix(1);
    if (digits.empty()) {
      why = Malformed::alignment;
      return false;
    }
    int width = 0;
    for (const char c : digits) {
      if (!is_ascii_digit(c)) {
        why = Malformed::alignment;
        return false;
      }
      if (width <= max_alignment) width = width * 10 + (c - '0');
    }
    if (width > max_alignment) {
      why = Malformed::alignment_over_cap;
      return false;
    }
    hole.alignment = negative ? -width : width;
  }
  if (!name.empty() && (name.front() == '@' || name.front() == '$')) {
    hole.capture = name.front();
    name.remove_prefix(1);
  }
  if (!is_hole_name(name, hole.positional)) return false;
  hole.name = name;
  if (hole.positional) {
    std::uint64_t index = 0;
    for (const char c : name) {
      if (index < UINT32_MAX) index = index * 10 + static_cast<std::uint64_t>(c - '0');
    }
    hole.index = index > UINT32_MAX ? UINT32_MAX : static_cast<std::uint32_t>(index);
  }
  return true;
}

/// Walks a template in one pass, in order. `visitor` has `text(string_view)` (already unescaped runs), `hole(const
/// Hole&)` and `malformed(string_view raw, Malformed why)`, which is text too.
template <class Visitor>
constexpr void parse_template(std::string_view text, Visitor&& visitor) {
  const char* at = text.data();
  const char* const end = at + text.size();
  const char* run = at;  // where the literal run not yet handed over began
  const auto between = [](const char* from, const char* to) {
    return std::string_view(from, static_cast<std::size_t>(to - from));
  };
  while (at != end) {
    at = skip_to(at, end, "{}");
    if (at == end) break;
    const char c = *at;
    if (c != '{' && c != '}') {
      ++at;
      continue;
    }
    if (at + 1 != end && at[1] == c) {  // `{{` and `}}`: one brace
      // An escape in a part that never closes is verbatim, but then no `{` before it was a hole: only this one can
      // tell.
      visitor.text(between(run, at + 1));
      at += 2;
      run = at;
      continue;
    }
    if (c == '}') {
      ++at;
      continue;
    }
    if (run != at) visitor.text(between(run, at));
    const char* close = skip_to(at + 1, end, "}");
    while (close != end && *close != '}') ++close;
    if (close == end) {  // no hole can follow: the rest is verbatim
      visitor.malformed(between(at, end), Malformed::unclosed);
      return;
    }
    Hole hole;
    hole.raw = between(at, close + 1);
    Malformed why{};
    if (parse_hole(between(at + 1, close), hole, why)) {
      visitor.hole(hole);
    } else {
      visitor.malformed(hole.raw, why);
    }
    at = close + 1;
    run = at;
  }
  if (run != end) visitor.text(between(run, end));
}

}  // namespace cairn::detail
