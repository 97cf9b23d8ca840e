// Whatever the template, the names and the values: what comes out as CLEF is JSON to another parser, UTF-8, on one
// line, with no key twice at any depth.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "cairn/render.hpp"
#include "support/fuzz_values.hpp"
#include "text/text_escape.hpp"

namespace {

void require(bool holds, std::string_view line) {
  if (holds) return;
  std::fprintf(stderr, "%.*s\n", static_cast<int>(line.size()), line.data());
  std::abort();
}

void check(std::string_view line) {
  require(cairn::format::is_valid_utf8(line), line);
  require(line.find('\n') == std::string_view::npos, line);
  std::vector<std::set<std::string>> keys;
  bool unique = true;
  const auto watch = [&](int, nlohmann::json::parse_event_t event, nlohmann::json& parsed) {
    using Event = nlohmann::json::parse_event_t;
    if (event == Event::object_start) keys.emplace_back();
    if (event == Event::object_end) keys.pop_back();
    if (event == Event::key) unique = unique && keys.back().insert(parsed.get<std::string>()).second;
    return true;
  };
  const nlohmann::json parsed = nlohmann::json::parse(line, watch, false);
  require(!parsed.is_discarded() && parsed.is_object(), line);
  require(unique, line);
#ifdef CAIRN_PLANTED_BUG
  for (const auto& [key, value] : parsed.items())
    require(!(value.is_array() && value.size() == 3 && value.back().is_object()), line);
#endif
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  cairn_fuzz::Bytes bytes(data, size);
  const std::string text(bytes.text());
  const std::vector<cairn::OwnedValue> owned = cairn_fuzz::values_of(bytes);
  check(cairn::MessageTemplate::parse(text).bind(cairn_fuzz::views_of(owned)).clef());
  return 0;
}
