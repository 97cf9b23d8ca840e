// An ELF file as the memory of a program that is not running: its loadable segments, with the relocations applied that
// the loader would apply for it alone. The file may be anything; offsets and counts in it are never believed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "catalog/program_memory.hpp"

namespace cairn::detail {

class ElfImage final : public ProgramMemory {
 public:
  /// `file` has to outlive the image. `problem` says what is wrong with the file; empty if nothing is.
  ElfImage(std::span<const std::byte> file, std::string& problem);

  [[nodiscard]] bool read(std::uint64_t address, void* out, std::size_t size) const noexcept override;
  [[nodiscard]] const std::vector<NoteRange>& notes() const noexcept { return notes_; }

 private:
  struct Segment {
    AddressRange memory;
    std::span<const std::byte> contents;  // as far as the file has them; zeros follow
  };
  struct Relocation {
    std::uint64_t address;
    std::uint64_t value;
  };

  [[nodiscard]] std::string load();
  [[nodiscard]] std::string relocate(AddressRange dynamic);
  [[nodiscard]] bool read_unrelocated(std::uint64_t address, void* out, std::size_t size) const noexcept;

  std::span<const std::byte> file_;
  std::vector<Segment> segments_;
  std::vector<Relocation> relocations_;  // by address
  std::vector<NoteRange> notes_;
};

}  // namespace cairn::detail
