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

/// What stands where a macro's template does.
struct TheTemplate {
  template <std::size_t N>
  static constexpr std::string_view text(const char (&literal)[N]) {
    return {literal, N - 1};
  }
};
/// What stands in the other place: an exception, a value, or a pack of values. In the branch not taken.
struct NotTheTemplate {
  template <class... T>
  static constexpr std::string_view text(const T&...) {
    return {};
  }
};

/// The types of a macro's values, which follow the template.
template <bool HasException, class... A>
struct MacroArguments {
  static constexpr bool has_exception = HasException;
  using First = std::conditional_t<HasException, NotTheTemplate, TheTemplate>;
  using Second = std::conditional_t<HasException, TheTemplate, NotTheTemplate>;
  /// `spelled`: all that the macro was given but its first.
  static constexpr ExtendedCallSite site(std::string_view text, std::string_view spelled, Level level,
                                         SourcePlace place) {
    if (HasException) (void)next_expression(spelled);  // the template
    const CheckedTemplate checked = check_template<A...>(text, spelled, true);
    return {CallSite::of(text, type_pack<A...>, level, place), checked.names_by_expression ? spelled.data() : "",
            checked.structure_mask};
  }
};

/// The call site that is used, and listed in the catalogue's section: as much as there is to `Site`, which only the
/// compiler sees. Hidden, so that its address is known when linking, which that of a variable in an inline function of
/// a shared library is not.
template <const ExtendedCallSite* Site, class = void>
struct ListedSite {
  static const CallSite site;  // of a template with a mistake, which has been told
};
template <const ExtendedCallSite* Site>
struct ListedSite<Site, std::enable_if_t<Site->is_extended == 0>> {
  [[gnu::visibility("hidden")]] alignas(8) static constexpr CallSite site = *Site;
};
template <const ExtendedCallSite* Site>
struct ListedSite<Site, std::enable_if_t<Site->is_extended != 0>> {
  [[gnu::visibility("hidden")]] static constexpr ExtendedCallSite site = *Site;
};

template <std::size_t N, class... A>
MacroArguments<false, PassedType<A>...> macro_arguments(const char (&)[N], A&&...);
template <std::size_t N, class... A>
MacroArguments<true, PassedType<A>...> macro_arguments(const std::exception&, const char (&)[N], A&&...);
template <std::size_t N, class... A>
MacroArguments<true, PassedType<A>...> macro_arguments(const std::exception_ptr&, const char (&)[N], A&&...);

template <std::size_t N, class... A>
void submit_macro(const Logger& logger, const CallSite& site, const char (&)[N], A&&... values) noexcept {
  logger.submit_site(site, values...);
}
template <std::size_t N, class... A>
void submit_macro(const Logger& logger, const CallSite& site, const std::exception& exception, const char (&)[N],
                  A&&... values) noexcept {
  logger.submit_site(site, ThrownException{.reference = &exception}, values...);
}
template <std::size_t N, class... A>
void submit_macro(const Logger& logger, const CallSite& site, const std::exception_ptr& exception, const char (&)[N],
                  A&&... values) noexcept {
  logger.submit_site(site, ThrownException{.pointer = &exception}, values...);
}

}  // namespace cairn::detail

#define CAIRN_DETAIL_FIRST(first, ...) first
#define CAIRN_DETAIL_SECOND(first, second, ...) second
#define CAIRN_DETAIL_SPELLED_REST(first, ...) #__VA_ARGS__

// Lists a site in the section cairn_sites, four bytes each, for the catalogue (docs/catalog.md); no instruction comes
// of it. The note says where the section is in a loaded program, once in each; its type is the version of this layout.
#define CAIRN_DETAIL_LIST_SITE(listed)                                      \
  asm inline volatile(                                                      \
      ".pushsection cairn_sites,\"aR\"\n\t.long %c0 - .\n\t.popsection\n\t" \
      ".ifndef cairn_sites_noted\n\t.set cairn_sites_noted, 1\n\t"          \
      ".pushsection .note.cairn,\"aGR\",@note,cairn_sites_note,comdat\n\t"  \
      ".balign 4\n\t.long 6, 8, 3\n\t.asciz \"cairn\"\n\t.balign 4\n\t"     \
      ".hidden __start_cairn_sites\n\t.hidden __stop_cairn_sites\n\t"       \
      ".long __start_cairn_sites - .\n\t.long __stop_cairn_sites - .\n\t"   \
      ".popsection\n\t.endif"                                               \
      :                                                                     \
      : "i"(&(listed)))

// Levels that are mostly on have their calls in line, the others out of the way. g++ would put all out of the way, and
// the test of the next call twice.
#define CAIRN_DETAIL_EXPECT(condition, log_level) \
  __builtin_expect((condition), (log_level) >= cairn::Level::information)

#define CAIRN_DETAIL_LOG(logger, log_level, ...)                                                                 \
  do {                                                                                                           \
    const cairn::Logger& cairn_logger = (logger);                                                                \
    if (CAIRN_DETAIL_EXPECT(cairn_logger.admits(log_level), log_level)) {                                        \
      using CairnArguments = decltype(cairn::detail::macro_arguments(__VA_ARGS__));                              \
      static constexpr cairn::detail::ExtendedCallSite cairn_site = CairnArguments::site(                        \
          CairnArguments::has_exception ? CairnArguments::Second::text(CAIRN_DETAIL_SECOND(__VA_ARGS__, "", "")) \
                                        : CairnArguments::First::text(CAIRN_DETAIL_FIRST(__VA_ARGS__, "")),      \
          CAIRN_DETAIL_SPELLED_REST(__VA_ARGS__), log_level,                                                     \
          cairn::detail::SourcePlace::of(std::source_location::current()));                                      \
      using CairnSite = cairn::detail::ListedSite<&cairn_site>;                                                  \
      CAIRN_DETAIL_LIST_SITE(CairnSite::site);                                                                   \
      cairn::detail::submit_macro(cairn_logger, CairnSite::site, __VA_ARGS__);                                   \
    }                                                                                                            \
  } while (false)

#define CAIRN_VERBOSE(logger, ...) CAIRN_DETAIL_LOG(logger, cairn::Level::verbose, __VA_ARGS__)
#define CAIRN_DEBUG(logger, ...) CAIRN_DETAIL_LOG(logger, cairn::Level::debug, __VA_ARGS__)
#define CAIRN_INFORMATION(logger, ...) CAIRN_DETAIL_LOG(logger, cairn::Level::information, __VA_ARGS__)
#define CAIRN_WARNING(logger, ...) CAIRN_DETAIL_LOG(logger, cairn::Level::warning, __VA_ARGS__)
#define CAIRN_ERROR(logger, ...) CAIRN_DETAIL_LOG(logger, cairn::Level::error, __VA_ARGS__)
#define CAIRN_FATAL(logger, ...) CAIRN_DETAIL_LOG(logger, cairn::Level::fatal, __VA_ARGS__)
