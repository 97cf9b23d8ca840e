// Text from anywhere made safe to stand in an output: in a JSON string, or in one line of text. Also the checks of
// UTF-8 that other rooms need.
//
// Whatever goes in, what comes out is valid UTF-8 (and, for JSON, a valid string; for text, one line that moves no
// cursor). Clean text, the usual case, is found 16 bytes at a time and copied whole. Thread-safe but for the buffer;
// throws only std::bad_alloc.
#pragma once

#include <cstddef>
#include <string_view>

#include "cairn/output_buffer.hpp"

namespace cairn::format {

/// As a JSON string, with its quotes. Escaped: `"`, `\` and U+0000 to U+001F. Each maximal subpart of invalid UTF-8
/// becomes one U+FFFD. All else, U+2028 and DEL too, stays as it is.
void append_json_string(OutputBuffer& out, std::string_view text);
/// The same without the quotes.
void append_json_content(OutputBuffer& out, std::string_view text);

/// For one line of text: controls come out as `\n`, `\r`, `\t`, `\x1b` (C0, DEL) or `\u0085` (C1), line and paragraph
/// separators and bidirectional controls as `\u202e`, each invalid byte as `\x80`. A backslash itself is not escaped:
/// paths stay readable.
void append_text_escaped(OutputBuffer& out, std::string_view text);

/// True where append_json_content, append_text_escaped would change nothing and need not look twice: clean ASCII.
[[nodiscard]] bool is_plain_json(std::string_view text) noexcept;
[[nodiscard]] bool is_plain_text(std::string_view text) noexcept;

[[nodiscard]] bool is_valid_utf8(std::string_view text) noexcept;

/// The size of the longest prefix of at most `max` bytes that does not end inside a valid sequence.
[[nodiscard]] std::size_t utf8_floor(std::string_view text, std::size_t max) noexcept;

}  // namespace cairn::format
