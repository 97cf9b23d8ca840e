// The seam between rolled files and what compresses them, so that the core links no compression library. A component
// registers itself once, on request of the program (`cairn::use_gzip()`); the core only ever sees this interface.
#pragma once

#include <memory>
#include <string_view>

#include "cairn/file_options.hpp"
#include "cairn/output_buffer.hpp"

namespace cairn::detail {

/// One file's compression, fed piece by piece. Used by one thread.
class CompressorStream {
 public:
  virtual ~CompressorStream() = default;
  /// Takes more of the input and appends what is ready to `out`. False: it failed, the stream is of no more use.
  [[nodiscard]] virtual bool add(std::string_view input, OutputBuffer& out) = 0;
  /// The end of the input; appends all that is left. Called once, last.
  [[nodiscard]] virtual bool finish(OutputBuffer& out) = 0;
};

using MakeCompressor = std::unique_ptr<CompressorStream> (*)();

/// From now on `kind` is compressed by what `make` makes. `none` is ignored; a second registration replaces the first.
/// Safe from every thread.
void register_compressor(Compress kind, MakeCompressor make) noexcept;

/// True for `none` and for every kind that was registered. Safe from every thread.
[[nodiscard]] bool compressor_available(Compress kind) noexcept;

/// A new stream, or null if `kind` was not registered or memory is out.
[[nodiscard]] std::unique_ptr<CompressorStream> make_compressor(Compress kind) noexcept;

}  // namespace cairn::detail
