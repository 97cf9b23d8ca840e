// Reads call sites out of a program's memory: finds the list that the macros made (cairn/macros.hpp), follows each site
// to its template, types and location, and says what its events are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "cairn/catalog.hpp"
#include "cairn/detail/source_place.hpp"
#include "cairn/detail/value_type.hpp"
#include "catalog/program_memory.hpp"

namespace cairn::detail {

/// A type as the catalogue spells it; a long one is cut at `…`.
[[nodiscard]] std::string type_description(const ValueType& type);

class SiteReader {
 public:
  /// `memory` has to outlive the reader. What makes it read more than `max_bytes` is damaged: a small file may point at
  /// the same bytes again and again, or have a huge part that is all zeros.
  SiteReader(const ProgramMemory& memory, std::uint64_t max_bytes) : memory_(memory), max_bytes_(max_bytes) {}

  /// Adds the sites that these notes lead to, each once. Says what is wrong if they do not make sense; else empty.
  /// `base`: where the program was loaded.
  [[nodiscard]] std::string add_listed(std::span<const NoteRange> notes, std::uint64_t base = 0);

  /// Adds a site whose text is known; its types and what its place points to are looked up, and left out where they
  /// are gone.
  void add(std::string_view text, std::string_view expressions, std::uint64_t types, Level level,
           const SourcePlace& place, CatalogForm form);

  /// What was added, by file and line.
  [[nodiscard]] std::vector<CatalogEvent> take();

 private:
  [[nodiscard]] std::string add_section(AddressRange section);
  [[nodiscard]] std::string add_site(std::uint64_t address);
  [[nodiscard]] const ValueType* type_at(std::uint64_t address);
  void complete_types();
  [[nodiscard]] std::optional<std::string> text_at(std::uint64_t address, std::size_t size);
  [[nodiscard]] std::string c_string_at(std::uint64_t address, std::size_t max_size = 4096);
  /// Counts bytes that are about to be read; false when they are too many.
  [[nodiscard]] bool afford(std::uint64_t bytes) noexcept { return (bytes_read_ += bytes) <= max_bytes_; }
  [[nodiscard]] std::string_view keep(std::string_view name);

  const ProgramMemory& memory_;
  std::vector<CatalogEvent> events_;
  std::unordered_set<std::uint64_t> seen_;
  std::uint64_t max_bytes_;
  std::uint64_t bytes_read_ = 0;

  // Types as this process can use them, by their address in the program. What a type refers to is copied later, so that
  // no chain of types, however long, is a recursion.
  std::unordered_map<std::uint64_t, ValueType*> types_;
  std::vector<ValueType*> incomplete_;
  std::deque<ValueType> kept_types_;
  std::deque<std::vector<MemberType>> kept_members_;
  std::deque<std::vector<EnumeratorName>> kept_enumerators_;
  std::deque<std::string> kept_names_;
};

}  // namespace cairn::detail
