#include "platform/crc32c.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace cairn::detail {

namespace {

constexpr auto table = [] {
  std::array<std::uint32_t, 256> made{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1U) ^ ((value & 1U) != 0 ? 0x82F63B78U : 0U);
    made[i] = value;
  }
  return made;
}();

[[gnu::target("sse4.2")]] std::uint32_t by_instruction(const void* bytes, std::size_t size,
                                                       std::uint32_t before) noexcept {
  const auto* at = static_cast<const unsigned char*>(bytes);
  std::uint64_t value = ~before;
  for (; size >= 8; size -= 8, at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, at, sizeof(word));
    value = __builtin_ia32_crc32di(value, word);
  }
  auto narrow = static_cast<std::uint32_t>(value);
  for (; size != 0; --size, ++at) narrow = __builtin_ia32_crc32qi(narrow, *at);
  return ~narrow;
}

[[gnu::target("sse4.2")]] std::uint32_t copy_by_instruction(std::byte* to, std::span<const std::byte> first,
                                                            std::span<const std::byte> second,
                                                            std::uint32_t before) noexcept {
  std::uint64_t value = ~before;
  for (const std::span<const std::byte> part : {first, second}) {
    for (std::size_t at = 0; at < part.size(); at += 8, to += 8) {
      std::uint64_t word = 0;
      std::memcpy(&word, part.data() + at, sizeof(word));
      std::memcpy(to, &word, sizeof(word));
      value = __builtin_ia32_crc32di(value, word);
    }
  }
  return ~static_cast<std::uint32_t>(value);
}

}  // namespace

std::uint32_t crc32c_by_table(const void* bytes, std::size_t size, std::uint32_t before) noexcept {
  const auto* at = static_cast<const unsigned char*>(bytes);
  std::uint32_t value = ~before;
  for (; size != 0; --size, ++at) value = (value >> 8U) ^ table[(value ^ *at) & 0xFFU];
  return ~value;
}

std::uint32_t crc32c(const void* bytes, std::size_t size, std::uint32_t before) noexcept {
  return __builtin_cpu_supports("sse4.2") != 0 ? by_instruction(bytes, size, before)
                                               : crc32c_by_table(bytes, size, before);
}

std::uint32_t crc32c_copy(std::byte* to, std::span<const std::byte> first, std::span<const std::byte> second,
                          std::uint32_t before) noexcept {
  if (__builtin_cpu_supports("sse4.2") != 0) [[likely]]
    return copy_by_instruction(to, first, second, before);
  std::ranges::copy(second, std::ranges::copy(first, to).out);
  return crc32c_by_table(to, first.size() + second.size(), before);
}

}  // namespace cairn::detail
