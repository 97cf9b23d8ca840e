// Names of sources: parts with `.` or `::` between them, which are the same.
#pragma once

#include <string>
#include <string_view>

namespace cairn::detail {

/// The name with each `::` as a `.`.
[[nodiscard]] std::string dotted(std::string_view source);

/// Is `source`, however its parts are joined, the dotted `prefix` itself, or below it at a separator?
[[nodiscard]] bool source_is_below(std::string_view source, std::string_view prefix) noexcept;

/// What is wrong with a name that sources are to be compared with, in words that follow "the source "; empty: nothing.
[[nodiscard]] std::string source_name_problem(std::string_view source);

}  // namespace cairn::detail
