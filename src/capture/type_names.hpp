// Readable names of types, for exceptions: demangled once a type, then kept for ever.
#pragma once

#include <string_view>
#include <typeinfo>

namespace cairn::detail {

/// The name as C++ spells it: `std::runtime_error`. Lock-free and free of allocation once a type was seen; lives for
/// ever.
[[nodiscard]] std::string_view type_name(const std::type_info& type) noexcept;

/// Inside a catch block: the type of what was caught, whatever it is.
[[nodiscard]] std::string_view current_exception_type_name() noexcept;

/// Of the name of an exception's type: that of what was thrown, not of what std::throw_with_nested makes of it.
[[nodiscard]] std::string_view thrown_name(std::string_view type) noexcept;

}  // namespace cairn::detail
