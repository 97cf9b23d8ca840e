// Rolled files as .zst. Link `cairn::zstd` and call this once, before the configuration that asks for it.
//
//   cairn::use_zstd();
//   config.write_to_file("app.log", {.rolling = cairn::Rolling::day, .compress = cairn::Compress::zstd});
#pragma once

namespace cairn {

/// Makes `Compress::zstd` available to every file of the process. Calling it again does nothing; safe from every
/// thread.
void use_zstd() noexcept;

}  // namespace cairn
