// A template known only at run time, with values of every kind, in both renderings: it always renders, the same each
// time, and what is escaped for a line of text holds nothing that could move a cursor or break the line.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "cairn/output_buffer.hpp"
#include "cairn/render.hpp"
#include "format/value_text.hpp"
#include "support/fuzz_values.hpp"
#include "text/text_escape.hpp"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

void check_escaped(std::string_view text) {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    require(byte >= 0x20 && byte != 0x7F);
  }
  require(cairn::format::is_valid_utf8(text));
  require(text.find("\u2028") == std::string_view::npos && text.find("\u202e") == std::string_view::npos);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  cairn_fuzz::Bytes bytes(data, size);
  const std::string text(bytes.text());
  const std::vector<cairn::OwnedValue> owned = cairn_fuzz::values_of(bytes);
  const std::vector<cairn::Value> views = cairn_fuzz::views_of(owned);
  const cairn::MessageTemplate parsed = cairn::MessageTemplate::parse(text);
  for (const cairn::Rendering rendering : {cairn::Rendering::literal, cairn::Rendering::classic}) {
    const cairn::Rendered rendered = parsed.bind(views, rendering);
    require(rendered.text == parsed.render(views, rendering));
    for (const cairn::Value& value : views) {
      cairn::OutputBuffer out;
      cairn::detail::append_value_text(out, value, {}, nullptr, rendering, true);
      check_escaped(out.view());
      for (const cairn::TemplateHole& hole : parsed.holes()) {
        out.clear();
        cairn::detail::append_value_text(out, value, hole.format, nullptr, rendering, true);
        check_escaped(out.view());
      }
    }
#ifdef CAIRN_PLANTED_BUG
    for (const cairn::TemplateHole& hole : parsed.holes())
      require(!(hole.alignment != 0 && views.size() == 2 && views[1].kind() == cairn::ValueKind::dictionary));
#endif
  }
  return 0;
}
