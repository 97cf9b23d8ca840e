// The parser of message templates is total: whatever it is given, its runs and holes put together are that text again,
// every hole is what the grammar says, and the work grows no faster than the text.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "cairn/detail/template_parser.hpp"
#include "cairn/render.hpp"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

/// Puts the text together again: what is text comes unescaped, so that its braces are doubled back.
struct Rebuild {
  std::string out;
  std::size_t calls = 0;
  std::size_t holes = 0;

  void text(std::string_view run) {
    ++calls;
    for (const char c : run) out.append(c == '{' || c == '}' ? 2U : 1U, c);
  }
  void malformed(std::string_view raw, cairn::detail::Malformed) {
    ++calls;
    out += raw;
  }
  void hole(const cairn::detail::Hole& hole) {
    ++calls;
    ++holes;
    require(hole.raw.size() >= 3 && hole.raw.front() == '{' && hole.raw.back() == '}');
    require(!hole.name.empty() && hole.raw.find(hole.name) != std::string_view::npos);
    require(hole.alignment >= -cairn::detail::max_alignment && hole.alignment <= cairn::detail::max_alignment);
    require(hole.capture == '\0' || hole.capture == '@' || hole.capture == '$');
    require(hole.positional == (hole.name.find_first_not_of("0123456789") == std::string_view::npos));
#ifdef CAIRN_PLANTED_BUG
    require(!(hole.capture == '@' && hole.alignment == -7));
#endif
    out += hole.raw;
  }
};

/// Text a single brace of which stands for itself reads the same with it doubled.
std::string with_single_braces_doubled(std::string_view text) {
  Rebuild rebuild;
  cairn::detail::parse_template(text, rebuild);
  return rebuild.out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  Rebuild first;
  cairn::detail::parse_template(text, first);
  require(first.calls <= 2 * size + 2);

  // Braces that stood single are doubled or kept in the first round; from there on nothing changes.
  Rebuild second;
  cairn::detail::parse_template(first.out, second);
  require(second.holes == first.holes);
  require(with_single_braces_doubled(second.out) == second.out);

  // The public face says the same, and keeps the text to the byte.
  const cairn::MessageTemplate parsed = cairn::MessageTemplate::parse(text);
  require(parsed.text() == text);
  require(parsed.holes().size() == first.holes);
  return 0;
}
