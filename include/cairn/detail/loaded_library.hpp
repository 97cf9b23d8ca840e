// A library that logs stays in memory. What it logged points into it (its call sites, the types of its values), and is
// read later by other threads, by sinks that keep events, by the catalogue.
#pragma once

namespace cairn::detail {

/// From now on dlclose() does not unload the library that this address is in. Nothing for the program itself.
void keep_loaded(const void* address) noexcept;

struct LibraryKeeper {
  LibraryKeeper() noexcept { keep_loaded(this); }
};
/// One for each source file, made when what it is in is loaded. (One for each library, by way of a hidden symbol, is
/// lost by linkers that optimise some of the files.)
static const LibraryKeeper library_keeper;

}  // namespace cairn::detail
