// What a thrown value has to say that is no std::exception: texts and numbers are thrown, too.
#pragma once

#include <string>
#include <string_view>

namespace cairn::detail {

struct ThrownText {
  std::string_view type;  // lives for ever
  std::string text;       // empty: the type is all that is known
};

/// Inside a catch block, of what was caught: a string, a number or a std::error_code with its text, of anything else
/// the type. Throws std::bad_alloc.
[[nodiscard]] ThrownText thrown_text();

}  // namespace cairn::detail
