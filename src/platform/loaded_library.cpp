#include "cairn/detail/loaded_library.hpp"

#include <dlfcn.h>
#include <link.h>

// In a program without shared libraries they are missing, and a linker would warn of them.
#pragma weak dladdr1
#pragma weak dlopen

namespace cairn::detail {

void keep_loaded(const void* address) noexcept {
  if (&dladdr1 == nullptr || &dlopen == nullptr) return;
  Dl_info info{};
  link_map* library = nullptr;
  if (dladdr1(address, &info, reinterpret_cast<void**>(&library), RTLD_DL_LINKMAP) == 0 || library == nullptr) return;
  if (library->l_prev == nullptr) return;  // the program
  // The handle is never closed, and with RTLD_NODELETE no other close counts.
  (void)dlopen(library->l_name, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
}

}  // namespace cairn::detail
