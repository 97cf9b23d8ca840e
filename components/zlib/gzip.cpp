#include "cairn/compression/gzip.hpp"

#include <zlib.h>

#include <algorithm>

#include "cairn/detail/compressor.hpp"

namespace cairn {

namespace {
class Gzip final : public detail::CompressorStream {
 public:
  Gzip() noexcept {
    // 15 bits of window, 16 more for a gzip header in place of zlib's.
    ready_ = deflateInit2(&stream_, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK;
  }
  ~Gzip() override {
    if (ready_) deflateEnd(&stream_);
  }

  bool add(std::string_view input, OutputBuffer& out) override {
    while (!input.empty()) {
      const std::size_t piece = std::min(input.size(), std::size_t{1} << 20);  // zlib counts in 32 bits
      if (!run(input.substr(0, piece), Z_NO_FLUSH, out)) return false;
      input.remove_prefix(piece);
    }
    return ready_;
  }
  bool finish(OutputBuffer& out) override { return run({}, Z_FINISH, out); }

 private:
  bool run(std::string_view input, int mode, OutputBuffer& out) {
    if (!ready_) return false;
    // zlib takes a pointer to non-const for history's sake; it does not write there.
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(input.data()));
    stream_.avail_in = static_cast<uInt>(input.size());
    for (;;) {
      constexpr uInt room = 64 * 1024;
      stream_.next_out = reinterpret_cast<Bytef*>(out.prepare(room));
      stream_.avail_out = room;
      const int status = deflate(&stream_, mode);
      out.commit(room - stream_.avail_out);
      if (status == Z_STREAM_END) return true;
      if (status != Z_OK && status != Z_BUF_ERROR) return false;
      if (mode == Z_NO_FLUSH && stream_.avail_out != 0) return stream_.avail_in == 0;
    }
  }

  z_stream stream_{};
  bool ready_ = false;
};
}  // namespace

void use_gzip() noexcept {
  detail::register_compressor(Compress::gzip,
                              []() -> std::unique_ptr<detail::CompressorStream> { return std::make_unique<Gzip>(); });
}

}  // namespace cairn
