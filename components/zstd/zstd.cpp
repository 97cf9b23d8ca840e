#include "cairn/compression/zstd.hpp"

#include <zstd.h>

#include "cairn/detail/compressor.hpp"

namespace cairn {

namespace {
class Zstd final : public detail::CompressorStream {
 public:
  Zstd() noexcept : stream_(ZSTD_createCCtx()) {
    if (stream_ != nullptr) ZSTD_CCtx_setParameter(stream_, ZSTD_c_checksumFlag, 1);
  }
  ~Zstd() override { ZSTD_freeCCtx(stream_); }
  Zstd(const Zstd&) = delete;
  Zstd& operator=(const Zstd&) = delete;

  bool add(std::string_view input, OutputBuffer& out) override { return run(input, ZSTD_e_continue, out); }
  bool finish(OutputBuffer& out) override { return run({}, ZSTD_e_end, out); }

 private:
  bool run(std::string_view input, ZSTD_EndDirective mode, OutputBuffer& out) {
    if (stream_ == nullptr) return false;
    ZSTD_inBuffer in{input.data(), input.size(), 0};
    for (;;) {
      constexpr std::size_t room = 128 * 1024;
      ZSTD_outBuffer to{out.prepare(room), room, 0};
      const std::size_t left = ZSTD_compressStream2(stream_, &to, &in, mode);
      out.commit(to.pos);
      if (ZSTD_isError(left) != 0) return false;
      if (mode == ZSTD_e_end ? left == 0 : in.pos == in.size) return true;
    }
  }

  ZSTD_CCtx* stream_;
};
}  // namespace

void use_zstd() noexcept {
  detail::register_compressor(Compress::zstd,
                              []() -> std::unique_ptr<detail::CompressorStream> { return std::make_unique<Zstd>(); });
}

}  // namespace cairn
