#include "cairn/detail/loaded_library.hpp"

#include <dlfcn.h>
#include <link.h>

// In a program without shared libraries they are missing, and a linker would warn of them.
#pragma weak dladdr1
#pragma weak dlopen
#pragma weak _dl_find_object

namespace cairn::detail {

namespace {

/// Of the library, or the program, that `address` stands in; null where it is not known.
link_map* library_of(const void* address) noexcept {
#ifdef DLFO_STRUCT_HAS_EH_DBASE  // glibc 2.35: a search among the libraries, where dladdr1 goes through a library's
                                 // symbols
  dl_find_object found{};
  if (&_dl_find_object != nullptr && _dl_find_object(const_cast<void*>(address), &found) == 0)
    return found.dlfo_link_map;
#endif
  Dl_info info{};
  link_map* library = nullptr;
  if (&dladdr1 == nullptr || dladdr1(address, &info, reinterpret_cast<void**>(&library), RTLD_DL_LINKMAP) == 0)
    return nullptr;
  return library;
}

}  // namespace

void keep_loaded(const void* address) noexcept {
  const link_map* const library = library_of(address);
  if (library == nullptr || library->l_prev == nullptr || &dlopen == nullptr) return;  // l_prev: null for the program
  // The handle is never closed, and with RTLD_NODELETE no other close counts.
  (void)dlopen(library->l_name, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
}

}  // namespace cairn::detail
