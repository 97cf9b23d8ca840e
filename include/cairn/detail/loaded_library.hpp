// A library that logs stays in memory. What it logged points into it (its call sites, the types of its values), and is
// read later by other threads, by sinks that keep events, by the catalogue.
#pragma once

namespace cairn::detail {

/// From now on dlclose() does not unload the library that this address is in. Nothing for the program itself.
void keep_loaded(const void* address) noexcept;

struct LibraryKeeper {
  LibraryKeeper() noexcept { keep_loaded(this); }
};
/// Hidden: each library, and the program, has one of its own, made when it is loaded.
[[gnu::visibility("hidden")]] inline const LibraryKeeper library_keeper;

}  // namespace cairn::detail
