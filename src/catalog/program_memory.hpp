// What a program has at an address, be it this process or a file that is not running. The two are read alike, and with
// the same mistrust: every read is checked, nothing is followed blindly.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace cairn::detail {

/// A range of addresses.
struct AddressRange {
  std::uint64_t begin = 0;
  std::uint64_t size = 0;

  [[nodiscard]] bool contains(std::uint64_t address, std::uint64_t bytes) const noexcept {
    return address >= begin && address - begin <= size && bytes <= size - (address - begin);
  }
};

class ProgramMemory {
 public:
  ProgramMemory() = default;
  ProgramMemory(const ProgramMemory&) = delete;
  ProgramMemory& operator=(const ProgramMemory&) = delete;
  virtual ~ProgramMemory() = default;

  /// Copies the bytes from `address` on, pointers among them as they are once the program is loaded. False when not all
  /// of them are there; `out` is then unspecified.
  [[nodiscard]] virtual bool read(std::uint64_t address, void* out, std::size_t size) const noexcept = 0;

  /// An object as it lies there; its pointers are addresses of the program.
  template <class T>
  [[nodiscard]] std::optional<T> read_as(std::uint64_t address) const noexcept {
    std::array<std::byte, sizeof(T)> bytes;
    if (!read(address, bytes.data(), sizeof(T))) return std::nullopt;
    return std::bit_cast<T>(bytes);
  }
};

/// Where a program has notes: a segment PT_NOTE.
struct NoteRange {
  AddressRange memory;
  std::uint64_t alignment = 4;  // of the parts of a note
};

}  // namespace cairn::detail
