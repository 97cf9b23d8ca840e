#include "cairn/catalog.hpp"

#include <link.h>

#include <cerrno>
#include <cstring>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "cairn/output_buffer.hpp"
#include "capture/site_table.hpp"
#include "catalog/elf_image.hpp"
#include "catalog/read_catalog.hpp"
#include "catalog/site_reader.hpp"
#include "text/text_escape.hpp"

namespace cairn {

namespace detail {

namespace {

/// What is loaded into this process and may be read. Made and used while the loader's lock is held: nothing goes away.
class ProcessMemory final : public ProgramMemory {
 public:
  struct Object {
    std::uint64_t base = 0;
    std::vector<NoteRange> notes;
  };

  ProcessMemory() {
    dl_iterate_phdr(
        [](dl_phdr_info* info, std::size_t, void* self) {
          static_cast<ProcessMemory*>(self)->add(*info);
          return 0;
        },
        this);
  }

  [[nodiscard]] bool read(std::uint64_t address, void* out, std::size_t size) const noexcept override {
    for (const AddressRange& range : loaded_) {
      if (!range.contains(address, size)) continue;
      std::memcpy(out, reinterpret_cast<const void*>(address), size);
      return true;
    }
    return false;
  }
  [[nodiscard]] const std::vector<Object>& objects() const noexcept { return objects_; }

 private:
  void add(const dl_phdr_info& info) {
    Object& object = objects_.emplace_back();
    object.base = info.dlpi_addr;
    for (std::size_t i = 0; i < info.dlpi_phnum; ++i) {
      const auto& part = info.dlpi_phdr[i];
      if (part.p_type == PT_NOTE) object.notes.push_back({{part.p_vaddr, part.p_memsz}, part.p_align});
      if (part.p_type == PT_LOAD && (part.p_flags & PF_R) != 0)
        loaded_.push_back({info.dlpi_addr + part.p_vaddr, part.p_memsz});
    }
  }

  std::vector<AddressRange> loaded_;
  std::vector<Object> objects_;
};

std::vector<CatalogEvent> read_process() {
  const ProcessMemory memory;
  SiteReader reader(memory, UINT64_MAX);
  for (const ProcessMemory::Object& object : memory.objects()) {
    // An object built against another version of Cairn is left out: it does not use this one either.
    (void)reader.add_listed(object.notes, object.base);
  }
  for_each_function_site([&](const FunctionSite& site) {
    reader.add(site.text, {}, reinterpret_cast<std::uintptr_t>(site.types), site.level, site.place,
               CatalogForm::function);
  });
  return reader.take();
}

}  // namespace

std::vector<CatalogEvent> read_catalog_image(std::span<const std::byte> file, std::string& problem) {
  const ElfImage image(file, problem);
  if (!problem.empty()) return {};
  SiteReader reader(image, (std::uint64_t{8} << 20) + 64 * file.size());
  problem = reader.add_listed(image.notes());
  if (!problem.empty()) return {};
  return reader.take();
}

}  // namespace detail

std::vector<CatalogEvent> catalog() {
  // Called for the first object only: what it is there for is the lock that is held meanwhile, under which no library
  // is unloaded.
  struct Result {
    std::vector<CatalogEvent> events;
    std::exception_ptr thrown;
  } result;
  dl_iterate_phdr(
      [](dl_phdr_info*, std::size_t, void* out) {
        auto& into = *static_cast<Result*>(out);
        try {
          into.events = detail::read_process();
        } catch (...) {
          into.thrown = std::current_exception();
        }
        return 1;
      },
      &result);
  if (result.thrown) std::rethrow_exception(result.thrown);
  return std::move(result.events);
}

std::vector<CatalogEvent> read_catalog(const std::string& path) {
  std::error_code failure;
  const auto fail = [&](const std::string& why) { throw CatalogError(path + ": " + why); };
  if (!std::filesystem::is_regular_file(path, failure)) fail(failure ? failure.message() : "not a regular file");
  std::ifstream in(path, std::ios::binary);
  if (!in) fail(std::strerror(errno));
  const std::vector<char> bytes{std::istreambuf_iterator<char>(in), {}};
  if (in.bad()) fail("it cannot be read");
  std::string problem;
  std::vector<CatalogEvent> events = detail::read_catalog_image(std::as_bytes(std::span(bytes)), problem);
  if (!problem.empty()) fail(problem);
  return events;
}

namespace {

void append_id(OutputBuffer& out, std::uint32_t id) {
  for (unsigned digit = 8; digit-- > 0;) out.append("0123456789abcdef"[(id >> (4 * digit)) & 0xFU]);
}

void append_json(OutputBuffer& out, const CatalogEvent& event) {
  out.append("{\"template\":");
  format::append_json_string(out, event.message_template);
  out.append(",\"level\":");
  format::append_json_string(out, to_string(event.level));
  out.append(",\"id\":\"");
  append_id(out, event.event_id);
  out.append(event.form == CatalogForm::macro ? "\",\"form\":\"macro\"" : "\",\"form\":\"function\"");
  out.append(",\"properties\":[");
  for (const CatalogProperty& property : event.properties) {
    out.append(&property == event.properties.data() ? "{\"name\":" : ",{\"name\":");
    format::append_json_string(out, property.name);
    out.append(",\"type\":");
    format::append_json_string(out, property.type);
    out.append('}');
  }
  out.append("],\"file\":");
  format::append_json_string(out, event.file);
  out.append(",\"line\":");
  out.append_number(std::uint64_t{event.line});
  out.append(",\"function\":");
  format::append_json_string(out, event.function);
  out.append('}');
}

}  // namespace

std::string to_text(const CatalogEvent& event) {
  OutputBuffer out;
  append_id(out, event.event_id);
  out.append(' ');
  out.append(to_short_string(event.level));
  out.append("  ");
  format::append_text_escaped(out, event.message_template);
  out.append("  ");
  for (const CatalogProperty& property : event.properties) {
    out.append(&property == event.properties.data() ? "(" : ", ");
    format::append_text_escaped(out, property.name);
    out.append(": ");
    format::append_text_escaped(out, property.type);
  }
  if (!event.properties.empty()) out.append(")  ");
  format::append_text_escaped(out, event.file);
  out.append(':');
  out.append_number(std::uint64_t{event.line});
  return std::string(out.view());
}

std::string to_json(const CatalogEvent& event) {
  OutputBuffer out;
  append_json(out, event);
  return std::string(out.view());
}

std::string to_json(std::span<const CatalogEvent> events) {
  OutputBuffer out;
  out.append('[');
  for (const CatalogEvent& event : events) {
    out.append(&event == events.data() ? "\n" : ",\n");
    append_json(out, event);
  }
  out.append("\n]");
  return std::string(out.view());
}

}  // namespace cairn
