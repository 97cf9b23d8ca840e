// Upper and lower case of UTF-8 text, for `{Name:u}` and `{Name:w}`.
//
// Simple Unicode mappings only: one code point for one, no language, no context (`ß` stays, every `Σ` becomes `σ`).
// The result may differ in bytes from what it was made of. Invalid bytes pass unchanged.
#pragma once

#include <string_view>

#include "cairn/output_buffer.hpp"

namespace cairn::format {

[[nodiscard]] char32_t to_upper(char32_t code_point) noexcept;
[[nodiscard]] char32_t to_lower(char32_t code_point) noexcept;

void append_upper(OutputBuffer& out, std::string_view text);
void append_lower(OutputBuffer& out, std::string_view text);

}  // namespace cairn::format
