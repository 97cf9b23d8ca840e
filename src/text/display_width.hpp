// How many columns text takes on a terminal or in a fixed-width editor, and padding by it.
//
//   display_width("Grüße") == 5;  display_width("日本") == 4;  display_width("👍") == 2
//
// Columns are counted a code point at a time, as terminals do: East Asian wide, full-width and emoji take two,
// combining marks and format characters none, all else one. An invalid byte takes one, and so does a control character
// (what is shown of it is for who escapes it to say). Joined emoji are the sum of their parts; terminals disagree about
// them.
#pragma once

#include <cstddef>
#include <string_view>

#include "cairn/detail/format_spec.hpp"
#include "cairn/output_buffer.hpp"

namespace cairn::format {

using detail::FormatAlign;

[[nodiscard]] int code_point_width(char32_t code_point) noexcept;

[[nodiscard]] std::size_t display_width(std::string_view text) noexcept;

/// The size in bytes of the longest prefix that takes at most `columns`; it never ends inside a sequence, and takes the
/// combining marks along that follow its last character.
[[nodiscard]] std::size_t prefix_of_width(std::string_view text, std::size_t columns) noexcept;

/// Pads what was written to `out` since it was `from` long to `width` columns. `none` aligns left; where the padding is
/// odd, `centre` puts the greater part on the right. `fill` is one code point, taken to be one column wide.
void pad(OutputBuffer& out, std::size_t from, std::size_t width, FormatAlign align, std::string_view fill = " ");

/// `count` times `fill`.
void append_fill(OutputBuffer& out, std::size_t count, std::string_view fill);

}  // namespace cairn::format
