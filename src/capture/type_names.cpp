#include "capture/type_names.hpp"

#include <cxxabi.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <new>
#include <string>

namespace cairn::detail {

namespace {

struct Entry {
  std::string mangled;  // a copy: the library that owns the type may be unloaded
  std::string name;
  Entry* next = nullptr;
};

constexpr std::size_t buckets = 256;
std::atomic<Entry*> table[buckets];  // each a stack that only grows: a program has few exception types

std::string demangle(const char* mangled) {
  int status = 0;
  // Freed where there is no memory for a copy, too.
  const std::unique_ptr<char, decltype(&std::free)> text(abi::__cxa_demangle(mangled, nullptr, nullptr, &status),
                                                         &std::free);
  std::string name = status == 0 && text ? text.get() : mangled;
  // libstdc++'s inline namespace is an accident of the implementation
  for (std::size_t at = 0; (at = name.find("__cxx11::", at)) != std::string::npos;) name.erase(at, 9);
  return name;
}

}  // namespace

std::string_view type_name(const std::type_info& type) noexcept {
  const char* mangled = type.name();
  const std::size_t bucket = std::hash<std::string_view>{}(mangled) % buckets;
  Entry* head = table[bucket].load(std::memory_order_acquire);  // pairs with the compare-exchange below
  for (const Entry* entry = head; entry != nullptr; entry = entry->next) {
    if (entry->mangled == mangled) return entry->name;
  }
  try {
    auto* entry = new Entry{mangled, demangle(mangled), head};
    // release: the entry's strings before its address; a name found twice is kept twice, which harms nobody
    while (!table[bucket].compare_exchange_weak(entry->next, entry, std::memory_order_release,
                                                std::memory_order_relaxed)) {
    }
    return entry->name;
  } catch (const std::bad_alloc&) {
    return "exception";
  }
}

std::string_view current_exception_type_name() noexcept {
  const std::type_info* type = abi::__cxa_current_exception_type();
  return type != nullptr ? type_name(*type) : std::string_view("unknown");
}

std::string_view thrown_name(std::string_view type) noexcept {
  constexpr std::string_view wrapper = "std::_Nested_exception<";
  if (!type.starts_with(wrapper) || !type.ends_with('>')) return type;
  type = type.substr(wrapper.size(), type.size() - wrapper.size() - 1);
  while (type.ends_with(' ')) type.remove_suffix(1);
  return type;
}

}  // namespace cairn::detail
