// Rolled files as .gz. Link `cairn::zlib` and call this once, before the configuration that asks for it.
//
//   cairn::use_gzip();
//   config.write_to_file("app.log", {.rolling = cairn::Rolling::day, .compress = cairn::Compress::gzip});
#pragma once

namespace cairn {

/// Makes `Compress::gzip` available to every file of the process. Calling it again does nothing; safe from every
/// thread.
void use_gzip() noexcept;

}  // namespace cairn
