// Where an object lives: what is in static storage stays readable after its destructor, until the process is gone.
#pragma once

namespace cairn::detail {

/// Is that address inside the program or a library of it (a global, a static)? No lock, no allocation, some 20 ns.
[[nodiscard]] bool in_static_storage(const void* address) noexcept;

}  // namespace cairn::detail
