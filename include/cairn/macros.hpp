// The six call-site macros. What they have over the functions: arguments are not evaluated when the level is off, `{}`
// takes its name from the argument, and two swapped arguments are a compile error.
//
//   CAIRN_WARNING(log, "Slow {} took {Elapsed:.1f} ms", order.id, ms);        // {} is named `id`
//   CAIRN_ERROR(log, e, "Could not ship {OrderId}", order.id);                // an exception may stand before the
//   template
//
// The first value is read by the preprocessor, too: one with a comma outside round brackets (`Point{1, 2}`,
// `f<int, int>(1)`) has to stand in parentheses.
//
// The template is a literal: `cairn::dynamic_template` belongs to the functions.
#pragma once

#include "cairn/logger.hpp"

namespace cairn::detail {

template <class T>
inline constexpr bool is_exception_argument = std::is_base_of_v<std::exception, std::remove_cvref_t<T>> ||
                                              std::is_same_v<std::remove_cvref_t<T>, std::exception_ptr>;

template <std::size_t N>
consteval std::string_view literal(const char (&text)[N]) {
  return {text, N - 1};
}
template <class T>
std::string_view literal(const T&) {  // what is no template, in the branch not taken
  return {};
}

/// The types of a macro's values, which follow the template.
template <bool HasException, class... A>
struct MacroArguments {
  /// The spelling of the values alone.
  static constexpr std::string_view values(std::string_view spelled) {
    if (HasException) (void)next_expression(spelled);
    (void)next_expression(spelled);
    return spelled;
  }
  static constexpr std::uint64_t check(std::string_view text, std::string_view spelled) {
    return check_template<A...>(text, values(spelled), true);
  }
  static constexpr CallSite site(std::string_view text, std::string_view spelled, Level level,
                                 std::source_location location = std::source_location::current()) {
    return {text, values(spelled), type_pack<A...>, level, location};
  }
};

/// Points to a call site, and is what the catalogue's section lists: hidden, so that its address is known when linking,
/// which that of a variable in an inline function of a shared library is not.
template <const CallSite* Site>
struct [[gnu::visibility("hidden")]] ListedSite {
  static constexpr const CallSite* site = Site;
};

template <std::size_t N, class... A>
MacroArguments<false, PassedType<A>...> macro_arguments(const char (&)[N], A&&...);
template <std::size_t N, class... A>
MacroArguments<true, PassedType<A>...> macro_arguments(const std::exception&, const char (&)[N], A&&...);
template <std::size_t N, class... A>
MacroArguments<true, PassedType<A>...> macro_arguments(const std::exception_ptr&, const char (&)[N], A&&...);

template <std::size_t N, class... A>
void submit_macro(const Logger& logger, const CallSite& site, std::uint64_t mask, const char (&)[N],
                  A&&... values) noexcept {
  logger.submit_site(site, mask, values...);
}
template <std::size_t N, class... A>
void submit_macro(const Logger& logger, const CallSite& site, std::uint64_t mask, const std::exception& exception,
                  const char (&)[N], A&&... values) noexcept {
  logger.submit_site(site, mask, {.reference = &exception}, values...);
}
template <std::size_t N, class... A>
void submit_macro(const Logger& logger, const CallSite& site, std::uint64_t mask, const std::exception_ptr& exception,
                  const char (&)[N], A&&... values) noexcept {
  logger.submit_site(site, mask, {.pointer = &exception}, values...);
}

}  // namespace cairn::detail

#define CAIRN_DETAIL_FIRST(first, ...) first
#define CAIRN_DETAIL_SECOND(first, second, ...) second

// Lists a site in the section cairn_sites, four bytes each, for the catalogue (docs/catalog.md); no instruction comes
// of it. The note says where the section is in a loaded program, once in each; its type is the version of this layout.
#define CAIRN_DETAIL_LIST_SITE(listed)                                      \
  asm inline volatile(                                                      \
      ".pushsection cairn_sites,\"aR\"\n\t.long %c0 - .\n\t.popsection\n\t" \
      ".ifndef cairn_sites_noted\n\t.set cairn_sites_noted, 1\n\t"          \
      ".pushsection .note.cairn,\"aGR\",@note,cairn_sites_note,comdat\n\t"  \
      ".balign 4\n\t.long 6, 8, 1\n\t.asciz \"cairn\"\n\t.balign 4\n\t"     \
      ".hidden __start_cairn_sites\n\t.hidden __stop_cairn_sites\n\t"       \
      ".long __start_cairn_sites - .\n\t.long __stop_cairn_sites - .\n\t"   \
      ".popsection\n\t.endif"                                               \
      :                                                                     \
      : "i"(&(listed)))

#define CAIRN_DETAIL_LOG(logger, log_level, ...)                                                                       \
  do {                                                                                                                 \
    const cairn::Logger& cairn_logger = (logger);                                                                      \
    if (cairn_logger.admits(log_level)) {                                                                              \
      using CairnArguments = decltype(cairn::detail::macro_arguments(__VA_ARGS__));                                    \
      static constexpr std::string_view cairn_text =                                                                   \
          cairn::detail::is_exception_argument<decltype((CAIRN_DETAIL_FIRST(__VA_ARGS__, 0)))>                         \
              ? cairn::detail::literal(CAIRN_DETAIL_SECOND(__VA_ARGS__, "", ""))                                       \
              : cairn::detail::literal(CAIRN_DETAIL_FIRST(__VA_ARGS__, ""));                                           \
      static constexpr std::uint64_t cairn_mask = CairnArguments::check(cairn_text, #__VA_ARGS__);                     \
      static constexpr cairn::detail::CallSite cairn_site = CairnArguments::site(cairn_text, #__VA_ARGS__, log_level); \
      CAIRN_DETAIL_LIST_SITE(cairn::detail::ListedSite<&cairn_site>::site);                                            \
      cairn::detail::submit_macro(cairn_logger, cairn_site, cairn_mask, __VA_ARGS__);                                  \
    }                                                                                                                  \
  } while (false)

#define CAIRN_VERBOSE(logger, ...) CAIRN_DETAIL_LOG(logger, cairn::Level::verbose, __VA_ARGS__)
#define CAIRN_DEBUG(logger, ...) CAIRN_DETAIL_LOG(logger, cairn::Level::debug, __VA_ARGS__)
#define CAIRN_INFORMATION(logger, ...) CAIRN_DETAIL_LOG(logger, cairn::Level::information, __VA_ARGS__)
#define CAIRN_WARNING(logger, ...) CAIRN_DETAIL_LOG(logger, cairn::Level::warning, __VA_ARGS__)
#define CAIRN_ERROR(logger, ...) CAIRN_DETAIL_LOG(logger, cairn::Level::error, __VA_ARGS__)
#define CAIRN_FATAL(logger, ...) CAIRN_DETAIL_LOG(logger, cairn::Level::fatal, __VA_ARGS__)
