// Whatever file it is given, the catalogue's reader says what is wrong with it or gives a list that can be written; it
// reads nothing outside the file and gives up where the file claims more than a program can have.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <vector>

#include "cairn/event.hpp"
#include "catalog/read_catalog.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string problem;
  const std::vector<cairn::CatalogEvent> events =
      cairn::detail::read_catalog_image(std::as_bytes(std::span(data, size)), problem);
  if (!problem.empty() && !events.empty()) std::abort();
  for (const cairn::CatalogEvent& event : events) {
    if (event.event_id != cairn::event_id(event.message_template)) std::abort();
    if (event.level > cairn::Level::fatal) std::abort();
    if (to_text(event).find('\n') != std::string::npos) std::abort();
    for (const cairn::CatalogProperty& property : event.properties) {
      if (property.name.empty() || property.type.empty()) std::abort();
    }
#ifdef CAIRN_PLANTED_BUG
    if (event.properties.size() == 2) std::abort();  // those of the corpus have three
#endif
  }
  if (to_json(std::span(events)).empty()) std::abort();
  return 0;
}
