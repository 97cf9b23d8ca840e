// Where a reader of a ring gets its bytes: a part at a time, so that nobody holds a whole ring.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>

namespace cairn::detail {

class RingBytes {
 public:
  RingBytes(const RingBytes&) = delete;
  RingBytes& operator=(const RingBytes&) = delete;
  [[nodiscard]] virtual std::size_t size() const noexcept = 0;
  /// `size` bytes from `at` on, or so many as there are; valid until the next call. Throws std::bad_alloc.
  [[nodiscard]] virtual std::span<const std::byte> read(std::size_t at, std::size_t size) = 0;

 protected:
  RingBytes() = default;
  ~RingBytes() = default;
};

/// Of a ring that is in memory.
class RingBytesInMemory final : public RingBytes {
 public:
  explicit RingBytesInMemory(std::span<const std::byte> bytes) noexcept : bytes_(bytes) {}
  [[nodiscard]] std::size_t size() const noexcept override { return bytes_.size(); }
  [[nodiscard]] std::span<const std::byte> read(std::size_t at, std::size_t size) override {
    return at > bytes_.size() ? std::span<const std::byte>()
                              : bytes_.subspan(at).first(std::min(size, bytes_.size() - at));
  }

 private:
  std::span<const std::byte> bytes_;
};

}  // namespace cairn::detail
