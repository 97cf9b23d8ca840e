// Looks code points up in the case runs of unicode_tables.hpp.
#include "text/letter_case.hpp"

#include <algorithm>
#include <iterator>
#include <span>

#include "cairn/detail/utf8.hpp"
#include "text/unicode_tables.hpp"

namespace cairn::format {
namespace {

char32_t other_case(std::span<const CaseRun> runs, char32_t code_point) noexcept {
  const auto after = std::upper_bound(runs.begin(), runs.end(), code_point,
                                      [](char32_t value, const CaseRun& run) { return value < run.first; });
  if (after == runs.begin()) return code_point;
  const CaseRun& run = *std::prev(after);
  if (code_point > run.last || (code_point - run.first) % static_cast<char32_t>(run.step) != 0) return code_point;
  return static_cast<char32_t>(static_cast<std::int32_t>(code_point) + run.delta);
}

template <char32_t (*Map)(char32_t) noexcept>
void append_mapped(OutputBuffer& out, std::string_view text) {
  const char* const end = text.data() + text.size();
  for (const char* at = text.data(); at != end;) {
    const auto step = detail::decode_utf8(at, end);
    if (step.valid) {
      char* to = out.prepare(4);
      out.commit(static_cast<std::size_t>(detail::encode_utf8(Map(step.code_point), to)));
    } else {
      out.append(std::string_view(at, step.size));
    }
    at += step.size;
  }
}

}  // namespace

char32_t to_upper(char32_t code_point) noexcept {
  if (code_point < 0x80) return code_point >= 'a' && code_point <= 'z' ? code_point - 32 : code_point;
  return other_case(upper_runs, code_point);
}

char32_t to_lower(char32_t code_point) noexcept {
  if (code_point < 0x80) return code_point >= 'A' && code_point <= 'Z' ? code_point + 32 : code_point;
  return other_case(lower_runs, code_point);
}

void append_upper(OutputBuffer& out, std::string_view text) { append_mapped<to_upper>(out, text); }
void append_lower(OutputBuffer& out, std::string_view text) { append_mapped<to_lower>(out, text); }

}  // namespace cairn::format
