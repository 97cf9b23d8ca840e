// Scanning the text of a call site while compiling. g++ takes long for each step of a loop in a constant expression,
// and folds these builtins whole; to clang, and at run time, a loop is as quick.
#pragma once

#include <string_view>
#include <type_traits>

namespace cairn::detail {

/// Where the next of `set` may stand, at or after `at`: none is passed over. May stop early, and does at a NUL; outside
/// of g++'s constant expressions it stops at once.
constexpr const char* skip_to(const char* at, [[maybe_unused]] const char* end,
                              [[maybe_unused]] const char* set) noexcept {
#if !defined(__clang__)
  if (std::is_constant_evaluated() && at != end) {
    const char* const next = at + __builtin_strcspn(at, set);
    return next < end ? next : end;
  }
#endif
  return at;
}

/// The same for the next character that is not of `set`.
constexpr const char* skip_over(const char* at, [[maybe_unused]] const char* end,
                                [[maybe_unused]] const char* set) noexcept {
#if !defined(__clang__)
  if (std::is_constant_evaluated() && at != end) {
    const char* const next = at + __builtin_strspn(at, set);
    return next < end ? next : end;
  }
#endif
  return at;
}

/// Equal, with a look at the first character before std::string_view's call.
constexpr bool same_text(std::string_view a, std::string_view b) noexcept {
  return a.size() == b.size() && (a.empty() || (*a.data() == *b.data() && a == b));
}

}  // namespace cairn::detail
