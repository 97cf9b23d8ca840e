#include "platform/memory_piece.hpp"

#include <sys/mman.h>

#include <new>

namespace cairn::detail {

namespace {
constexpr std::size_t large = 32 << 10;
}

void MemoryPieceEnd::operator()(std::byte* piece) const noexcept {
  if (bytes >= large) {
    munmap(piece, bytes);
  } else {
    ::operator delete[](piece);
  }
}

MemoryPiece make_memory_piece(std::size_t bytes) {
  if (bytes < large) return {static_cast<std::byte*>(::operator new[](bytes)), {bytes}};
  void* mapped = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) throw std::bad_alloc();
  return {static_cast<std::byte*>(mapped), {bytes}};
}

}  // namespace cairn::detail
