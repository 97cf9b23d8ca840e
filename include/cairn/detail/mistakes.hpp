// How a wrong template becomes a compile error that names the mistake, the template and the hole.
//
// g++ prints the evaluated arguments of a builtin that is no constant: the message, and the template with the offset of
// the hole. clang prints the arguments of a function called in a constant expression: the hole's text, and the
// function's own name. Every code is listed in docs/compile-errors.md.
#pragma once

#include <cstddef>
#include <string_view>

namespace cairn::detail {

/// The start of a hole, padded with blanks, for clang to print.
struct HoleText {
  char text[31];
};

constexpr HoleText hole_text(std::string_view hole) {
  HoleText out{};
  for (std::size_t i = 0; i < 30; ++i) out.text[i] = i < hole.size() ? hole[i] : ' ';
  return out;
}

void the_template_is_wrong();  // never defined: calling it is the error

#if !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#endif

#if defined(__clang__)
#define CAIRN_DETAIL_STOP()   \
  (void)message, (void)where; \
  the_template_is_wrong();    \
  return hole.text[0]
#else
#define CAIRN_DETAIL_STOP() return __builtin_printf(message, where) + hole.text[0]
#endif
// One function a mistake, so that its name stands in what the compiler prints. They are templates, so that a body that
// can never be constant is accepted.
#define CAIRN_DETAIL_MISTAKE(name)                                                             \
  template <class = void>                                                                      \
  constexpr int name(const char* message, const char* where, [[maybe_unused]] HoleText hole) { \
    CAIRN_DETAIL_STOP();                                                                       \
  }

CAIRN_DETAIL_MISTAKE(CAIRN001_malformed_hole)
CAIRN_DETAIL_MISTAKE(CAIRN002_wrong_argument_count)
CAIRN_DETAIL_MISTAKE(CAIRN003_duplicate_name)
CAIRN_DETAIL_MISTAKE(CAIRN004_positional_gap)
CAIRN_DETAIL_MISTAKE(CAIRN005_positional_and_named)
CAIRN_DETAIL_MISTAKE(CAIRN006_reserved_name)
CAIRN_DETAIL_MISTAKE(CAIRN007_format_not_taken)
CAIRN_DETAIL_MISTAKE(CAIRN008_no_structure)
CAIRN_DETAIL_MISTAKE(CAIRN009_alignment_over_cap)
CAIRN_DETAIL_MISTAKE(CAIRN010_hole_without_name)
CAIRN_DETAIL_MISTAKE(CAIRN011_swapped_arguments)
CAIRN_DETAIL_MISTAKE(CAIRN012_no_string_form)
CAIRN_DETAIL_MISTAKE(CAIRN013_nul_in_template)

#undef CAIRN_DETAIL_MISTAKE
#undef CAIRN_DETAIL_STOP

#if !defined(__clang__)
#pragma GCC diagnostic pop
#endif

}  // namespace cairn::detail
