// Contexts that a block of a lane holds. A thread that goes from one task to another comes back to contexts that it
// had: one that its block holds already is named there by its place (SideEntryKind::context_again), and is taken out
// of the block once.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "capture/property_block.hpp"

namespace cairn::detail {

/// The newest that the thread's present block holds, by their versions.
class WrittenContexts {
 public:
  static constexpr std::size_t most = 16;

  struct Place {
    std::uint32_t offset = 0;  // from the block's begin
    bool is_empty = false;     // the context
  };

  /// Null: that block is not known to have it.
  [[nodiscard]] const Place* find(std::uint64_t block, std::uint64_t version) const noexcept {
    if (block != block_) return nullptr;
    for (std::size_t i = 0; i < std::min(count_, most); ++i)
      if (versions_[i] == version) return &places_[i];
    return nullptr;
  }
  void add(std::uint64_t block, std::uint64_t version, std::size_t offset, bool is_empty) noexcept {
    if (block != block_) count_ = 0;
    block_ = block;
    versions_[count_ % most] = version;
    places_[count_ % most] = {static_cast<std::uint32_t>(offset), is_empty};
    ++count_;
  }

 private:
  std::uint64_t block_ = 0;
  std::size_t count_ = 0;  // since the block was begun
  std::array<std::uint64_t, most> versions_{};
  std::array<Place, most> places_{};
};

/// The newest that were taken out of the block that the reader is in.
class ReadContexts {
 public:
  static constexpr std::size_t most = 16;

  /// That of the side entry at `at` of that block, or null; valid until the next call. Throws std::bad_alloc.
  template <class Make>
  [[nodiscard]] const std::shared_ptr<const PropertyBlock>& get(const std::byte* at, std::uint64_t block, Make make) {
    if (at == latest_at_ && block == block_) [[likely]]
      return latest_;
    if (block != block_) {
      for (Read& read : read_) read = {};
      block_ = block;
    }
    latest_at_ = nullptr;
    latest_ = nullptr;
    if (at == nullptr) return latest_;
    auto found = std::find_if(read_.begin(), read_.end(), [&](const Read& read) { return read.at == at; });
    if (found == read_.end()) {
      found = read_.begin() + static_cast<std::ptrdiff_t>(next_++ % most);
      *found = {};
      found->context = make(at);
      found->at = at;
    }
    latest_at_ = at;
    latest_ = found->context;
    return latest_;
  }

 private:
  struct Read {
    const std::byte* at = nullptr;
    std::shared_ptr<const PropertyBlock> context{};
  };
  std::uint64_t block_ = 0;
  const std::byte* latest_at_ = nullptr;
  std::shared_ptr<const PropertyBlock> latest_;
  std::size_t next_ = 0;
  std::array<Read, most> read_{};
};

}  // namespace cairn::detail
