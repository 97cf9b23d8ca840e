#include "pipeline/source_name.hpp"

#include <algorithm>

#include "cairn/output_buffer.hpp"
#include "text/text_escape.hpp"

namespace cairn::detail {

std::string dotted(std::string_view source) {
  std::string name;
  name.reserve(source.size());
  for (std::size_t i = 0; i < source.size(); ++i) {
    const bool colons = source.substr(i).starts_with("::");
    name += colons ? '.' : source[i];
    i += colons ? 1 : 0;
  }
  return name;
}

bool source_is_below(std::string_view source, std::string_view prefix) noexcept {
  std::size_t at = 0;
  for (const char wanted : prefix) {
    const bool colons = source.substr(at).starts_with("::");
    if (at == source.size() || (colons ? '.' : source[at]) != wanted) return false;
    at += colons ? 2 : 1;
  }
  const std::string_view rest = source.substr(at);
  return rest.empty() || rest.starts_with('.') || rest.starts_with("::");
}

std::string source_name_problem(std::string_view source) {
  if (source.empty()) return "is empty";
  OutputBuffer escaped;
  format::append_text_escaped(escaped, source);
  const bool is_clean = escaped.view() == source;
  constexpr std::size_t most_quoted = 64;  // it may come from data, and be of any length
  escaped.clear();
  format::append_text_escaped(escaped, source.substr(0, format::utf8_floor(source, most_quoted)));
  std::string found = '"' + std::string(escaped.view()) + '"';
  if (source.size() > most_quoted) found += "... (" + std::to_string(source.size()) + " bytes)";
  if (!is_clean) return found + " holds a control character or invalid UTF-8";
  const std::string name = dotted(source);
  for (std::string_view rest = name;;) {
    const std::size_t end = std::min(rest.find('.'), rest.size());
    const std::string_view part = rest.substr(0, end);
    if (part.empty()) return found + " has an empty part";
    for (const char edge : {part.front(), part.back()}) {
      if (edge == ':') return found + " has a part that begins or ends with a colon";
      if (edge == ' ') return found + " has a part that begins or ends with a blank";
    }
    if (end == rest.size()) return {};
    rest.remove_prefix(end + 1);
  }
}

}  // namespace cairn::detail
