#include "catalog/elf_image.hpp"

#include <elf.h>

#include <algorithm>
#include <cstring>

namespace cairn::detail {

namespace {

constexpr std::size_t max_segments = 128;

/// False when the file ends before.
template <class T>
bool copy_at(std::span<const std::byte> file, std::uint64_t offset, T& out) noexcept {
  if (offset > file.size() || sizeof(T) > file.size() - offset) return false;
  std::memcpy(&out, file.data() + offset, sizeof(T));
  return true;
}

}  // namespace

ElfImage::ElfImage(std::span<const std::byte> file, std::string& problem) : file_(file) { problem = load(); }

std::string ElfImage::load() {
  Elf64_Ehdr header;
  if (file_.size() < SELFMAG || std::memcmp(file_.data(), ELFMAG, SELFMAG) != 0) return "not an ELF file";
  if (!copy_at(file_, 0, header)) return "truncated: it ends within the ELF header";
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB || header.e_machine != EM_X86_64)
    return "not for x86-64";
  if (header.e_type == ET_REL) return "an object file: link it first";
  if (header.e_type != ET_EXEC && header.e_type != ET_DYN) return "neither a program nor a shared library";
  if (header.e_phnum == 0) return "it has no program headers";
  if (header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phnum > max_segments)
    return "its program headers are malformed";

  AddressRange dynamic;
  for (std::size_t i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr part;
    if (header.e_phoff > file_.size() || !copy_at(file_, header.e_phoff + i * sizeof(part), part))
      return "truncated: it ends within its program headers";
    if (part.p_type == PT_NOTE) notes_.push_back({{part.p_vaddr, part.p_memsz}, part.p_align});
    if (part.p_type == PT_DYNAMIC) dynamic = {part.p_vaddr, part.p_memsz};
    if (part.p_type != PT_LOAD) continue;
    if (part.p_offset > file_.size() || part.p_filesz > file_.size() - part.p_offset)
      return "truncated: it ends within what is to be loaded";
    if (part.p_memsz < part.p_filesz || part.p_vaddr > UINT64_MAX - part.p_memsz)
      return "a segment of it has an impossible size";
    segments_.push_back({{part.p_vaddr, part.p_memsz}, file_.subspan(part.p_offset, part.p_filesz)});
  }
  return relocate(dynamic);
}

std::string ElfImage::relocate(AddressRange dynamic) {
  std::uint64_t table = 0, table_size = 0, symbols = 0;
  for (std::uint64_t offset = 0; offset + sizeof(Elf64_Dyn) <= dynamic.size; offset += sizeof(Elf64_Dyn)) {
    Elf64_Dyn entry;
    if (!read_unrelocated(dynamic.begin + offset, &entry, sizeof(entry))) return "its dynamic section is not in it";
    if (entry.d_tag == DT_NULL) break;
    if (entry.d_tag == DT_RELA) table = entry.d_un.d_ptr;
    if (entry.d_tag == DT_RELASZ) table_size = entry.d_un.d_val;
    if (entry.d_tag == DT_SYMTAB) symbols = entry.d_un.d_ptr;
    // DT_RELR needs nothing: what those entries point to has its addend, which is its address, in place.
  }
  if (table_size > file_.size()) return "its relocations are not in it";
  relocations_.reserve(table_size / sizeof(Elf64_Rela));
  for (std::uint64_t i = 0; i < table_size / sizeof(Elf64_Rela); ++i) {
    Elf64_Rela entry;
    if (!read_unrelocated(table + i * sizeof(entry), &entry, sizeof(entry))) return "its relocations are not in it";
    const auto addend = static_cast<std::uint64_t>(entry.r_addend);
    if (ELF64_R_TYPE(entry.r_info) == R_X86_64_RELATIVE) {
      relocations_.push_back({entry.r_offset, addend});
    } else if (ELF64_R_TYPE(entry.r_info) == R_X86_64_64) {
      // What is defined here but could be replaced by another library's; if it is not defined here, nothing is known.
      Elf64_Sym symbol;
      const std::uint64_t at = symbols + ELF64_R_SYM(entry.r_info) * sizeof(symbol);
      if (!read_unrelocated(at, &symbol, sizeof(symbol))) return "its symbols are not in it";
      relocations_.push_back({entry.r_offset, symbol.st_shndx == SHN_UNDEF ? UINT64_MAX : symbol.st_value + addend});
    }
  }
  std::stable_sort(relocations_.begin(), relocations_.end(),
                   [](const Relocation& a, const Relocation& b) { return a.address < b.address; });
  return {};
}

bool ElfImage::read_unrelocated(std::uint64_t address, void* out, std::size_t size) const noexcept {
  for (const Segment& segment : segments_) {
    if (!segment.memory.contains(address, size)) continue;
    const std::uint64_t from = address - segment.memory.begin;
    const std::size_t have =
        from >= segment.contents.size() ? 0 : std::min<std::size_t>(size, segment.contents.size() - from);
    if (have != 0) std::memcpy(out, segment.contents.data() + from, have);
    if (have != size) std::memset(static_cast<std::byte*>(out) + have, 0, size - have);
    return true;
  }
  return false;
}

bool ElfImage::read(std::uint64_t address, void* out, std::size_t size) const noexcept {
  if (!read_unrelocated(address, out, size)) return false;
  auto next = std::lower_bound(relocations_.begin(), relocations_.end(), address,
                               [](const Relocation& a, std::uint64_t from) { return a.address < from; });
  for (; next != relocations_.end() && next->address - address < size; ++next) {
    const std::uint64_t at = next->address - address;
    if (size - at < sizeof(next->value)) break;  // it reaches beyond what was asked for: no pointer was
    std::memcpy(static_cast<std::byte*>(out) + at, &next->value, sizeof(next->value));
  }
  return true;
}

}  // namespace cairn::detail
