#include "platform/static_storage.hpp"

#include <dlfcn.h>

namespace cairn::detail {

bool in_static_storage(const void* address) noexcept {
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 35)
  dl_find_object found{};
  return ::_dl_find_object(const_cast<void*>(address), &found) == 0;
#else
  Dl_info found{};
  return ::dladdr(address, &found) != 0;
#endif
}

}  // namespace cairn::detail
