// Memory for what comes in many sizes and goes in another thread than it came: large pieces straight from the system,
// and back to it at once. From an allocator's arenas they would leave holes, and the process would take far more than
// is used.
#pragma once

#include <cstddef>
#include <memory>

namespace cairn::detail {

struct MemoryPieceEnd {
  std::size_t bytes = 0;  // of the piece
  void operator()(std::byte* piece) const noexcept;
};
/// Aligned to 16 at least, not initialised.
using MemoryPiece = std::unique_ptr<std::byte[], MemoryPieceEnd>;

/// Throws std::bad_alloc.
[[nodiscard]] MemoryPiece make_memory_piece(std::size_t bytes);

}  // namespace cairn::detail
