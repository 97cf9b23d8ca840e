// The record: a self-contained run of plain bytes that holds what one call knew. Everything else (names, texts,
// outputs) is found later through its call site.
//
//   header (24 bytes)  size and flags, logger, time, call site
//   [function form]    source location, argument types (16 bytes more; the site is then the template's text)
//   [dynamic form]     the same 16 bytes, then the template's text (length 4, bytes)
//   [exception]        its parts, innermost last (length 4, count 4; type and message as strings)
//   arguments          each as its type says
#pragma once

#include <cstddef>
#include <cstdint>
#include <source_location>
#include <string_view>

#include "cairn/detail/codec.hpp"
#include "cairn/detail/source_place.hpp"
#include "cairn/level.hpp"

namespace cairn::detail {

/// Everything fixed about a call in the macro form. A program has one for each: no byte more than it needs.
struct CallSite {
  const char* text;               // ended by a NUL
  const ValueType* const* types;  // ended by a null
  const char* file;
  const char* function;
  std::uint32_t text_size : 31;
  std::uint32_t is_extended : 1;  // it is an ExtendedCallSite
  std::uint32_t line : 24;
  Level level;

  /// `text` ends with a NUL.
  [[nodiscard]] static constexpr CallSite of(std::string_view text, const ValueType* const* types, Level level,
                                             const SourcePlace& place) {
    return {text.data(),
            types,
            place.file,
            place.function,
            static_cast<std::uint32_t>(text.size()) & 0x7FFFFFFFU,
            0,
            place.line & 0xFFFFFFU,
            level};
  }
  [[nodiscard]] constexpr SourcePlace place() const noexcept { return {file, function, line}; }
  /// Where the template has a `{}`: the arguments as written; else empty. Ended by a NUL.
  [[nodiscard]] constexpr const char* expressions() const noexcept;
  /// The arguments that `@` stands before.
  [[nodiscard]] constexpr std::uint64_t structure_mask() const noexcept;
};
static_assert(sizeof(CallSite) == 40);

/// What few sites have.
struct ExtendedCallSite : CallSite {
  const char* its_expressions = "";
  std::uint64_t its_structure_mask = 0;

  constexpr ExtendedCallSite(const CallSite& site, const char* expressions, std::uint64_t structure_mask) noexcept
      : CallSite(site), its_expressions(expressions), its_structure_mask(structure_mask) {
    is_extended = *expressions != '\0' || structure_mask != 0;
  }
};
static_assert(sizeof(ExtendedCallSite) == 56);

constexpr const char* CallSite::expressions() const noexcept {
  return is_extended != 0 ? static_cast<const ExtendedCallSite*>(this)->its_expressions : "";
}
constexpr std::uint64_t CallSite::structure_mask() const noexcept {
  return is_extended != 0 ? static_cast<const ExtendedCallSite*>(this)->its_structure_mask : 0;
}

struct RecordHeader {
  static constexpr std::uint32_t level_mask = 0x7;
  static constexpr std::uint32_t function_form = 0x8;
  static constexpr std::uint32_t dynamic_form = 0x10;
  static constexpr std::uint32_t has_exception = 0x20;
  static constexpr std::uint32_t truncated = 0x40;
  static constexpr std::uint32_t side_entry = 0x80;  // no event: something that events after it in the lane need
  static constexpr std::uint32_t tsc_time = 0x100;   // the time is the processor's time stamp counter
  static constexpr unsigned size_shift = 12;

  std::uint32_t size_and_flags = 0;  // the size in units of 8 bytes, over 12 bits of flags
  std::uint32_t logger = 0;
  std::int64_t time = 0;       // nanoseconds since 1970, UTC
  const void* site = nullptr;  // macro form: CallSite; function form: the text, ended by a NUL

  [[nodiscard]] Level level() const noexcept { return static_cast<Level>(size_and_flags & level_mask); }
  [[nodiscard]] bool is(std::uint32_t flag) const noexcept { return (size_and_flags & flag) != 0; }
  [[nodiscard]] std::size_t size() const noexcept { return std::size_t{size_and_flags >> size_shift} * 8; }
};
static_assert(sizeof(RecordHeader) == 24);

/// What stands between the events of a lane, with the flag side_entry.
struct SideEntryHeader {
  enum class Kind : std::uint32_t { context, enrichments, context_again = 3 };
  std::uint32_t size_and_flags = 0;
  Kind kind = Kind::context;  // context: of the thread from here on; enrichments: of the next event
  std::uint32_t bytes = 0;    // of the properties that follow; context_again: how far from its block's begin it stands
  std::uint32_t traced = 0;   // 1: trace ids follow the properties (PropertyBlock::trace_size)
};

struct FunctionFormHeader {
  std::source_location location;
  const ValueType* const* types;
};
static_assert(sizeof(FunctionFormHeader) == 16);

/// The types of a call's arguments, ended by a null.
template <class... A>
inline constexpr const ValueType* type_pack[sizeof...(A) + 1] = {&value_type<A>..., nullptr};

}  // namespace cairn::detail
