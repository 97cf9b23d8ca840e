// The one parser of message templates, constexpr and at run time: text and holes, nothing else.
// The grammar is that of messagetemplates.org with the rules of docs/templates.md; it is total: malformed parts are
// text. What lives here knows nothing of arguments, values or output.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

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

[[nodiscard]] constexpr bool is_name_letter(char32_t code) noexcept {
  if (code < 0x80) return (code >= 'a' && code <= 'z') || (code >= 'A' && code <= 'Z') || code == '_';
  return in_ranges(letter_ranges, code);
}

[[nodiscard]] constexpr bool is_name_digit(char32_t code) noexcept {
  if (code < 0x80) return code >= '0' && code <= '9';
  return in_ranges(digit_ranges, code);
}

/// Is `name` a name a hole may carry: all ASCII digits, or dot-separated segments of a letter or `_`, then letters,
/// digits, `_`?
[[nodiscard]] constexpr bool is_hole_name(std::string_view name, bool& positional) noexcept {
  positional = !name.empty();
  for (const char c : name) positional = positional && is_ascii_digit(c);
  if (positional) return true;
  bool segment_start = true;
  for (std::size_t at = 0; at < name.size();) {
    const char32_t code = next_code_point(name, at);
    if (code == '.') {
      if (segment_start) return false;
      segment_start = true;
    } else if (is_name_letter(code)) {
      segment_start = false;
    } else if (!segment_start && is_name_digit(code)) {
      continue;
    } else {
      return false;
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
  const std::size_t colon = content.find(':');
  const std::size_t comma = content.substr(0, colon).find(',');
  std::string_view name = content.substr(0, comma < colon ? comma : colon);
  if (colon != std::string_view::npos) hole.format = content.substr(colon + 1);
  if (comma != std::string_view::npos) {
    std::string_view digits = content.substr(0, colon).substr(comma + 1);
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
  std::size_t run = 0;  // where the literal run not yet handed over began
  std::size_t at = 0;
  const auto hand_over = [&](std::size_t until) {
    if (until > run) visitor.text(text.substr(run, until - run));
  };
  while (at < text.size()) {
    const char c = text[at];
    if (c != '{' && c != '}') {
      ++at;
      continue;
    }
    if (at + 1 < text.size() && text[at + 1] == c) {  // `{{` and `}}`: one brace
      // An escape in a part that never closes is verbatim, but then no `{` before it was a hole: only this one can
      // tell.
      hand_over(at + 1);
      at += 2;
      run = at;
      continue;
    }
    if (c == '}') {
      ++at;
      continue;
    }
    hand_over(at);
    const std::size_t close = text.find('}', at + 1);
    if (close == std::string_view::npos) {  // no hole can follow: the rest is verbatim
      visitor.malformed(text.substr(at), Malformed::unclosed);
      return;
    }
    Hole hole;
    hole.raw = text.substr(at, close + 1 - at);
    Malformed why{};
    if (parse_hole(text.substr(at + 1, close - at - 1), hole, why)) {
      visitor.hole(hole);
    } else {
      visitor.malformed(hole.raw, why);
    }
    at = close + 1;
    run = at;
  }
  hand_over(at);
}

}  // namespace cairn::detail
