// What parse_level accepts, it prints and reads back; whatever else, it refuses without harm.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "cairn/level.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  const auto level = cairn::parse_level(text);
  if (level) {
    if (cairn::parse_level(cairn::to_string(*level)) != level) std::abort();
    if (cairn::parse_level(cairn::to_short_string(*level)) != level) std::abort();
#ifdef CAIRN_PLANTED_BUG
    if (*level == cairn::Level::information && text.size() == 4) std::abort();
#endif
  }
  return 0;
}
