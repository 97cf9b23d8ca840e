// The catalogue of a file that is in memory.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "cairn/catalog.hpp"

namespace cairn::detail {

/// `problem`: what is wrong with the file, and then nothing is returned; else empty. The bytes may be anything.
[[nodiscard]] std::vector<CatalogEvent> read_catalog_image(std::span<const std::byte> file, std::string& problem);

}  // namespace cairn::detail
