// Looks code points up in the tables of unicode_tables.hpp.
#include "text/display_width.hpp"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <span>

#include "cairn/detail/utf8.hpp"
#include "text/unicode_tables.hpp"

namespace cairn::format {
namespace {

bool contains(std::span<const CodePointRange> table, char32_t code_point) noexcept {
  const auto after = std::upper_bound(table.begin(), table.end(), code_point,
                                      [](char32_t value, const CodePointRange& range) { return value < range.first; });
  return after != table.begin() && code_point <= std::prev(after)->last;
}

}  // namespace

int code_point_width(char32_t code_point) noexcept {
  // Latin lies below the first entry of either table.
  if (code_point < zero_width_ranges[0].first) return 1;
  if (contains(zero_width_ranges, code_point)) return 0;
  return contains(wide_ranges, code_point) ? 2 : 1;
}

std::size_t display_width(std::string_view text) noexcept {
  std::size_t columns = 0;
  const char* const end = text.data() + text.size();
  for (const char* at = text.data(); at != end;) {
    if (static_cast<unsigned char>(*at) < 0x80) {
      ++columns;
      ++at;
      continue;
    }
    const auto step = detail::decode_utf8(at, end);
    columns += step.valid ? static_cast<std::size_t>(code_point_width(step.code_point)) : step.size;
    at += step.size;
  }
  return columns;
}

std::size_t prefix_of_width(std::string_view text, std::size_t columns) noexcept {
  const char* const end = text.data() + text.size();
  const char* at = text.data();
  while (at != end) {
    auto step = detail::decode_utf8(at, end);
    if (!step.valid) step.size = 1;  // each of its bytes is a column of its own
    const std::size_t width = step.valid ? static_cast<std::size_t>(code_point_width(step.code_point)) : 1;
    if (width > columns) break;
    columns -= width;
    at += step.size;
  }
  return static_cast<std::size_t>(at - text.data());
}

void append_fill(OutputBuffer& out, std::size_t count, std::string_view fill) {
  if (fill.size() == 1) return out.append(count, fill[0]);
  for (; count != 0; --count) out.append(fill);
}

void pad(OutputBuffer& out, std::size_t from, std::size_t width, FormatAlign align, std::string_view fill) {
  const std::size_t columns = display_width(out.view_from(from));
  if (columns >= width) return;
  const std::size_t missing = width - columns;
  const std::size_t before = align == FormatAlign::right ? missing : align == FormatAlign::centre ? missing / 2 : 0;
  if (before != 0) {
    out.insert(from, before * fill.size(), fill[0]);
    if (fill.size() > 1) {
      for (std::size_t i = 0; i < before; ++i)
        std::memcpy(out.data() + from + i * fill.size(), fill.data(), fill.size());
    }
  }
  append_fill(out, missing - before, fill);
}

}  // namespace cairn::format
