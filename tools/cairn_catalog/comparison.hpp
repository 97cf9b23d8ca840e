// What became of a program's events from one build of it to another.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "cairn/catalog.hpp"

/// An event of both builds that is not the same in them. Where it stands does not count.
struct ChangedEvent {
  cairn::CatalogEvent before;
  cairn::CatalogEvent after;
};

struct Comparison {
  std::vector<ChangedEvent> changed;
  std::vector<cairn::CatalogEvent> added;
  std::vector<cairn::CatalogEvent> removed;

  [[nodiscard]] bool same() const { return changed.empty() && added.empty() && removed.empty(); }
};

/// An event is its template. One that has the same template in both is changed if level or properties differ. Of those
/// whose template is in one only, two that stand in the same function of the same file, with the same level and
/// properties, are one whose template was changed.
[[nodiscard]] Comparison compare(std::span<const cairn::CatalogEvent> before,
                                 std::span<const cairn::CatalogEvent> after);

[[nodiscard]] std::string to_text(const Comparison& comparison);
[[nodiscard]] std::string to_json(const Comparison& comparison);
