// Every call site seen so far, bound once. Lookups are lock-free; literal sites live for ever (a program has so many
// and no more), those of dynamic templates in a bounded cache.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <source_location>
#include <string_view>

#include "cairn/detail/record.hpp"
#include "template/bound_template.hpp"

namespace cairn::detail {

/// Macro form.
[[nodiscard]] const BoundTemplate& bound_site(const CallSite& site);
/// Function form. `level` is kept at the first call.
[[nodiscard]] const BoundTemplate& bound_site(const char* text, const FunctionFormHeader& function, Level level);
/// Dynamic form: at most 1 000 templates of at most 1 KiB are kept; the others are bound each time.
[[nodiscard]] std::shared_ptr<const BoundTemplate> bound_dynamic(std::string_view text,
                                                                 const FunctionFormHeader& function);

/// Whichever form the record has; `dynamic` keeps what does not live for ever.
[[nodiscard]] const BoundTemplate& bound_template(const RecordHeader& record,
                                                  std::shared_ptr<const BoundTemplate>& dynamic);

/// The sites of events that follow each other: mostly the same few. For one thread.
class RecentSites {
 public:
  /// As bound_template().
  [[nodiscard]] const BoundTemplate& of(const RecordHeader& record, std::shared_ptr<const BoundTemplate>& dynamic) {
    if (record.is(RecordHeader::dynamic_form)) [[unlikely]]
      return bound_template(record, dynamic);
    static_assert(sizeof(std::source_location) == sizeof(const void*));
    Entry key{.site = record.site};
    if (record.is(RecordHeader::function_form)) {
      const auto* function = reinterpret_cast<const FunctionFormHeader*>(&record + 1);
      std::memcpy(&key.location, &function->location, sizeof(key.location));
      key.types = function->types;
    }
    Entry& entry = entries_[reinterpret_cast<std::uintptr_t>(key.site) / 8 % entries_.size()];
    if (entry.site != key.site || entry.location != key.location || entry.types != key.types) {
      key.bound = &bound_template(record, dynamic);
      entry = key;
    }
    return *entry.bound;
  }

 private:
  struct Entry {
    const void* site = nullptr;
    const void* location = nullptr;  // of the function form, as are the types
    const void* types = nullptr;
    const BoundTemplate* bound = nullptr;
  };
  std::array<Entry, 16> entries_{};
};

/// A site in the function form.
struct FunctionSite {
  std::string_view text;
  const ValueType* const* types;
  Level level;  // of its first event
  SourcePlace place;
};
/// Each that was bound so far, once. Thread-safe.
void for_each_function_site(const std::function<void(const FunctionSite&)>& visit);

inline constexpr std::size_t max_cached_templates = 1000;
inline constexpr std::size_t max_cached_template_size = 1024;

}  // namespace cairn::detail
