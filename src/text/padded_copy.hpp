// Short texts copied without a call: sixteen bytes at a time, over the end of the one into room behind the other.
#pragma once

#include <cstddef>
#include <cstring>
#include <string_view>

namespace cairn::format {

/// So many bytes behind `text` must be readable, and behind where it goes writable.
inline constexpr std::size_t padding = 16;

/// Copies `text`; where it ends.
inline char* put_padded(char* to, std::string_view text) noexcept {
  const char* from = text.data();
  char* const end = to + text.size();
  for (char* at = to; at < end; at += padding, from += padding) {
    std::memcpy(at, from, padding);
    asm volatile("" : : : "memory");  // or the compiler makes a call of the loop
  }
  return end;
}

}  // namespace cairn::format
