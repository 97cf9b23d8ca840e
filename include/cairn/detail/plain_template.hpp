// The templates that nearly every call has, recognised in few steps: g++ checks a file of call sites twice as fast for
// it. A plain template has holes `{Name}` of ASCII letters, digits and `_` and nothing else in braces; its arguments
// are written without brackets and quotes. What is not plain goes through the whole check (template_check.hpp), and so
// do mistakes: plain is only what has none.
#pragma once

#include <cstddef>

namespace cairn::detail {

constexpr char lower_ascii(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

/// Do both begin alike, but for case? Also where one may be too short to tell, or `_` follows, which rule 12 passes
/// over.
constexpr bool begin_alike(const char* a, std::size_t a_size, const char* b, std::size_t b_size) noexcept {
  if (lower_ascii(*a) != lower_ascii(*b)) return false;
  if (a_size < 2 || b_size < 2 || a[1] == '_' || b[1] == '_') return true;
  return lower_ascii(a[1]) == lower_ascii(b[1]);
}

/// True: a template of `N` holes for `N` arguments that all have a string form, without a mistake of rules 11, 12 and
/// 14, without a `{}`. Both texts end with a NUL and have no other; `spelled`: the arguments as written, or null in the
/// function form. In constant expressions for g++ alone, which folds the builtins.
template <std::size_t N>
constexpr bool is_plain_template(const char* text, const char* spelled) noexcept {
  const char* const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";
  const char* names[N + 1]{};
  std::size_t sizes[N + 1]{};
  std::size_t holes = 0;
  for (const char* at = text + __builtin_strcspn(text, "{}"); *at != '\0';) {
    if (holes == N || *at == '}') return false;
    const char* const name = at + 1;
    const std::size_t size = __builtin_strspn(name, letters);
    if (size == 0 || name[size] != '}' || *name == '_' || (*name >= '0' && *name <= '9')) return false;
    for (std::size_t i = 0; i < holes; ++i) {
      if (sizes[i] == size && *names[i] == *name && __builtin_memcmp(names[i], name, size) == 0) return false;
    }
    names[holes] = name;
    sizes[holes] = size;
    ++holes;
    at = name + size + 1;
    at += __builtin_strcspn(at, "{}");
  }
  if (holes != N) return false;
  if (spelled == nullptr) return true;

  const char* at = spelled;
  for (std::size_t i = 0; i < N; ++i) {
    at += __builtin_strspn(at, " \n\t");
    const char* const word = at;
    const std::size_t size = __builtin_strspn(at, letters);
    at += size;
    at += __builtin_strspn(at, " \n\t");
    const bool identifier = size != 0 && !(*word >= '0' && *word <= '9');
    if (*at != ',' && *at != '\0') {  // more than a word of ASCII: no plain hole's name
      at += __builtin_strcspn(at, ",()[]{}\"'");
      if (*at != ',' && *at != '\0') return false;
    } else if (identifier) {
      if (*word == '_') return false;
      for (std::size_t other = 0; other < N; ++other) {
        if (other != i && begin_alike(word, size, names[other], sizes[other])) return false;
      }
    }
    if (i + 1 == N ? *at != '\0' : *at != ',') return false;
    if (*at == ',') ++at;
  }
  return true;
}

}  // namespace cairn::detail
