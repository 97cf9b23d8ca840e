#include "cairn/detail/compressor.hpp"

#include <atomic>

namespace cairn::detail {

namespace {
constinit std::atomic<MakeCompressor> makers[3] = {};
std::atomic<MakeCompressor>* slot(Compress kind) noexcept {
  return kind == Compress::gzip || kind == Compress::zstd ? &makers[static_cast<unsigned>(kind)] : nullptr;
}
}  // namespace

void register_compressor(Compress kind, MakeCompressor make) noexcept {
  if (auto* const place = slot(kind)) place->store(make, std::memory_order_release);  // with the loads below
}

bool compressor_available(Compress kind) noexcept {
  if (kind == Compress::none) return true;
  const auto* const place = slot(kind);
  return place != nullptr && place->load(std::memory_order_acquire) != nullptr;  // with register_compressor
}

std::unique_ptr<CompressorStream> make_compressor(Compress kind) noexcept {
  const auto* const place = slot(kind);
  const MakeCompressor make = place == nullptr ? nullptr : place->load(std::memory_order_acquire);
  if (make == nullptr) return nullptr;
  try {
    return make();
  } catch (...) {
    return nullptr;
  }
}

}  // namespace cairn::detail
