// Every call site seen so far, bound once. Lookups are lock-free; literal sites live for ever (a program has so many
// and no more), those of dynamic templates in a bounded cache.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
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

/// A site in the function form. What it points to is gone if its library was unloaded since, but for the text.
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
