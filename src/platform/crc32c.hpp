// CRC-32C (Castagnoli), by the processor's own instruction where it has one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace cairn::detail {

/// Of `size` bytes behind those that gave `before`; 0 at the beginning.
[[nodiscard]] std::uint32_t crc32c(const void* bytes, std::size_t size, std::uint32_t before = 0) noexcept;
/// The same of two runs of bytes, one behind the other, of a multiple of 8 each, which it copies to `to` on the way.
[[nodiscard]] std::uint32_t crc32c_copy(std::byte* to, std::span<const std::byte> first,
                                        std::span<const std::byte> second, std::uint32_t before = 0) noexcept;
/// The same without the instruction: for processors that lack it, and to compare with.
[[nodiscard]] std::uint32_t crc32c_by_table(const void* bytes, std::size_t size, std::uint32_t before = 0) noexcept;

}  // namespace cairn::detail
