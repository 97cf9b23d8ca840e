// The catalogue: every event that a program may log, known without running the calls (docs/catalog.md).
//
//   for (const cairn::CatalogEvent& event : cairn::catalog()) std::cout << event.message_template << '\n';
//
// Sites in the macro form are listed by the linker: all of them are known, used or not. Sites in the function form are
// known once used, and only to the process that used them. Dynamic templates are not call sites and are never listed.
#pragma once

#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "cairn/level.hpp"

namespace cairn {

struct CatalogProperty {
  std::string name;
  std::string type;  // as docs/catalog.md says: `int`, `[string]`, `Order{id: int, customer: string}`

  friend bool operator==(const CatalogProperty&, const CatalogProperty&) = default;
};

enum class CatalogForm : std::uint8_t { macro, function };

/// One call site.
struct CatalogEvent {
  std::string message_template;  // as outputs have it: `{}` with the name of its argument
  Level level{};                 // function form: that of the first event
  std::uint32_t event_id = 0;    // event_id(message_template), the `@i` of CLEF
  CatalogForm form = CatalogForm::macro;
  std::vector<CatalogProperty> properties;
  std::string file;
  std::uint32_t line = 0;
  std::string function;  // as the compiler spells it

  friend bool operator==(const CatalogEvent&, const CatalogEvent&) = default;
};

/// A file whose catalogue cannot be read; what() names the file and says why.
class CatalogError : public std::runtime_error {
  using runtime_error::runtime_error;
};

/// The call sites of this process, by file and line: those in the macro form of every object now loaded, and those in
/// the function form that have logged. Reads all of them each time: some microseconds a site, and loading and unloading
/// of libraries waits meanwhile. Thread-safe; throws std::bad_alloc.
[[nodiscard]] std::vector<CatalogEvent> catalog();

/// The call sites in the macro form of a program or shared library (ELF, x86-64), by file and line, read without
/// running it; empty when it has none. Libraries that it loads are files of their own. The file may be anything:
/// whatever is wrong with it is a CatalogError. Thread-safe.
[[nodiscard]] std::vector<CatalogEvent> read_catalog(const std::string& path);

/// One event as a line, without its end, or as one JSON object (docs/catalog.md has both formats).
[[nodiscard]] std::string to_text(const CatalogEvent& event);
[[nodiscard]] std::string to_json(const CatalogEvent& event);
/// A JSON array, with one event a line.
[[nodiscard]] std::string to_json(std::span<const CatalogEvent> events);

}  // namespace cairn
