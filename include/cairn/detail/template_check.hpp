// The compile-time check of a literal template against the types of its arguments: rules 11, 12 and 14 of
// docs/templates.md. Only the entry is consteval; everything below is constexpr (g++ 12 is weak at consteval within
// consteval).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "cairn/detail/codec.hpp"
#include "cairn/detail/format_spec.hpp"
#include "cairn/detail/mistakes.hpp"
#include "cairn/detail/plain_template.hpp"
#include "cairn/detail/scan.hpp"
#include "cairn/detail/template_parser.hpp"

namespace cairn::detail {

/// What a hole may ask of an argument of some type.
struct ArgumentTraits {
  FormatClass format = FormatClass::any;
  bool structured = false;  // `@` means something
  bool string_form = true;  // may stand without `@`
};

template <class T>
constexpr ArgumentTraits argument_traits() {
  using enum Category;
  constexpr Category c = category_of<T>;
  if constexpr (is_dual<T>)
    return {FormatClass::any, true, true};
  else if constexpr (c == custom)
    return {FormatClass::any, true, true};
  else if constexpr (c == structure)
    return {FormatClass::any, true, lacks_string_form<T>};  // one that lacks it is another mistake: CAIRN017
  else if constexpr (c == sequence) {
    constexpr ArgumentTraits of_element = argument_traits<RangeValue<T>>();
    return {of_element.format, true, of_element.string_form};
  } else if constexpr (c == dictionary) {
    constexpr ArgumentTraits of_element = argument_traits<typename T::mapped_type>();
    return {of_element.format, true, of_element.string_form};
  } else if constexpr (c == tuple || c == variant)
    return {FormatClass::any, true, true};
  else if constexpr (c == optional) {
    if constexpr (std::is_void_v<decltype(*std::declval<const T&>())>)
      return {};
    else
      return argument_traits<std::remove_cvref_t<decltype(*std::declval<const T&>())>>();
  } else if constexpr (c == wrapper)
    return argument_traits<std::remove_cv_t<typename T::type>>();
  else if constexpr (c == atomic)
    return argument_traits<std::remove_cvref_t<decltype(std::declval<const T&>().load())>>();
  else if constexpr (c == boolean)
    return {FormatClass::boolean};
  else if constexpr (c == character)
    return {FormatClass::character};
  else if constexpr (c == enumeration)
    return {HasEnumNames<T> ? FormatClass::string : FormatClass::integer};
  else if constexpr (c == signed_integer || c == unsigned_integer || c == signed_128 || c == unsigned_128 || c == byte)
    return {FormatClass::integer};
  else if constexpr (c == float_32 || c == float_64 || c == float_extended)
    return {FormatClass::floating};
  else if constexpr (c == time_point) {
    return {value_type<T>.kind == ValueKind::time_point ? FormatClass::time_point : FormatClass::duration};
  } else if constexpr (c == duration)
    return {FormatClass::duration};
  else if constexpr (c == pointer)
    return {FormatClass::pointer};
  else if constexpr (c == secret)
    return {FormatClass::secret};
  else if constexpr (c == unsupported)
    return {FormatClass::any, true, true};  // another mistake, whatever the hole asks for: CAIRN014
  else
    return {FormatClass::string};  // strings, paths, bytes, error codes, locations, exceptions, null, string forms
}

/// What holes may ask of a call's arguments, and one more, that no array is empty.
template <class... A>
inline constexpr ArgumentTraits argument_traits_of[sizeof...(A) + 1] = {argument_traits<A>()..., ArgumentTraits{}};
template <class... A>
inline constexpr bool all_have_string_form = (argument_traits<A>().string_form && ...);

/// The name rule 14 gives an argument's expression: an identifier, or the last member of an access; empty: it has none.
constexpr std::string_view name_of_expression(std::string_view expression) {
  while (!expression.empty() && (expression.front() == ' ' || expression.front() == '\n' || expression.front() == '\t'))
    expression.remove_prefix(1);
  while (!expression.empty() && (expression.back() == ' ' || expression.back() == '\n' || expression.back() == '\t'))
    expression.remove_suffix(1);
  if (expression.starts_with("this->")) expression.remove_prefix(6);
  std::size_t segment = 0;
  for (std::size_t i = 0; i < expression.size();) {
    const bool dot = expression[i] == '.';
    const bool arrow = expression[i] == '-' && i + 1 < expression.size() && expression[i + 1] == '>';
    const bool scope = expression[i] == ':' && i + 1 < expression.size() && expression[i + 1] == ':';
    if (dot || arrow || scope) {
      bool positional = false;
      const std::string_view before = expression.substr(segment, i - segment);
      if (!(scope && before.empty() && i == 0) && (!is_hole_name(before, positional) || positional)) return {};
      i += dot ? 1 : 2;
      segment = i;
    } else {
      ++i;
    }
  }
  const std::string_view name = expression.substr(segment);
  bool positional = false;
  return is_hole_name(name, positional) && !positional && name != "this" && name != "true" && name != "false" &&
                 name != "nullptr"
             ? name
             : std::string_view();
}

/// A `'` in an expression: does it stand in a number (`1'000`, `0xFF'FF`), or begin a character (`u8'a'`)?
constexpr bool separates_digits(const char* begin, const char* quote) {
  const char* word = quote;
  for (; word != begin; --word) {
    const char c = word[-1];
    const bool goes_on = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '\'';
    if (!goes_on) break;
  }
  return word != quote && *word >= '0' && *word <= '9';
}

/// The last quote of the raw string whose first one is at `quote`; `end` where it has none.
constexpr const char* end_of_raw_string(const char* quote, const char* end) {
  const char* open = quote + 1;
  while (open != end && *open != '(') ++open;
  const std::string_view delimiter(quote + 1, static_cast<std::size_t>(open - quote - 1));
  for (const char* at = open; at != end; ++at) {
    if (*at != ')') continue;
    const std::string_view rest(at + 1, static_cast<std::size_t>(end - at - 1));
    if (rest.starts_with(delimiter) && rest.substr(delimiter.size()).starts_with('"')) return at + 1 + delimiter.size();
  }
  return end;
}

/// Splits the text of a macro's arguments at commas outside brackets and quotes.
constexpr std::string_view next_expression(std::string_view& rest) {
  const char* const begin = rest.data();
  const char* const end = begin + rest.size();
  int depth = 0;
  char quote = '\0';
  for (const char* at = begin; at != end; ++at) {
    at = quote != '\0' ? skip_to(at, end, quote == '"' ? "\"\\" : "'\\") : skip_to(at, end, ",()[]{}\"'");
    if (at == end) break;
    const char c = *at;
    if (quote != '\0') {
      if (c == quote) quote = '\0';
      if (c == '\\' && ++at == end) break;
      continue;
    }
    if (c == '"' && at != begin && at[-1] == 'R') {
      at = end_of_raw_string(at, end);
      if (at == end) break;
      continue;
    }
    if (c == '"' || (c == '\'' && !separates_digits(begin, at))) quote = c;
    if (c == '(' || c == '[' || c == '{') ++depth;
    if (c == ')' || c == ']' || c == '}') --depth;
    if (c == ',' && depth == 0) {
      rest = std::string_view(at + 1, static_cast<std::size_t>(end - at - 1));
      return {begin, static_cast<std::size_t>(at - begin)};
    }
  }
  const std::string_view last = rest;
  rest = {};
  return last;
}

/// Splits all of them, into `spelled` as many as there is room for; gives how many there are.
template <std::size_t Room>
constexpr std::size_t split_expressions(std::string_view text, std::string_view (&spelled)[Room]) {
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at != end && (*at == ' ' || *at == '\n' || *at == '\t')) ++at;
  if (at == end) return 0;
  std::size_t count = 0;
  do {
    const std::string_view expression = next_expression(text);
    if (count < Room) spelled[count] = expression;
    ++count;
  } while (!text.empty());
  return count;
}

/// Equal but for case and `_`.
constexpr bool same_but_for_style(std::string_view first, std::string_view second) {
  const char* a = first.data();
  const char* b = second.data();
  const char* const a_end = a + first.size();
  const char* const b_end = b + second.size();
  while (true) {
    while (a != a_end && *a == '_') ++a;
    while (b != b_end && *b == '_') ++b;
    if (a == a_end || b == b_end) return a == a_end && b == b_end;
    const char lower_a = *a >= 'A' && *a <= 'Z' ? static_cast<char>(*a + 32) : *a;
    const char lower_b = *b >= 'A' && *b <= 'Z' ? static_cast<char>(*b + 32) : *b;
    if (lower_a != lower_b) return false;
    ++a;
    ++b;
  }
}

/// The expression without the blanks around it where it is a plain identifier; else empty.
constexpr std::string_view identifier_in(std::string_view expression) {
  const char* begin = expression.data();
  const char* end = begin + expression.size();
  while (begin != end && (*begin == ' ' || *begin == '\n' || *begin == '\t')) ++begin;
  while (begin != end && (end[-1] == ' ' || end[-1] == '\n' || end[-1] == '\t')) --end;
  if (begin == end || (*begin >= '0' && *begin <= '9')) return {};
  const char* at = skip_over(begin, end, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789");
  for (; at != end; ++at) {
    const char c = *at;
    const bool ascii = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c >= '0' && c <= '9');
    if (!ascii && static_cast<unsigned char>(c) < 0x80) return {};
  }
  return {begin, static_cast<std::size_t>(end - begin)};
}

/// The checker of one call with `N` arguments.
template <std::size_t N>
struct TemplateChecker {
  const ArgumentTraits (&traits)[N + 1];
  bool macro_form;

  std::string_view names[N + 1]{};    // of the holes, in order, as far as there are arguments
  std::string_view spelled[N + 1]{};  // the arguments in the macro form
  bool all_spelled = false;           // each argument has its expression
  bool used[N + 1]{};
  std::size_t holes = 0;
  std::size_t highest = 0;  // one over the highest index
  bool any_positional = false;
  bool any_named = false;
  bool names_by_expression = false;
  std::uint64_t structure_mask = 0;

  constexpr void text(std::string_view) {}

  constexpr void malformed(std::string_view raw, Malformed why) {
    const HoleText hole = hole_text(raw);
    if (why == Malformed::empty) {
      if (macro_form) return named_by_expression(raw);
      CAIRN010_hole_without_name(
          "CAIRN010: a hole without a name: {} is named after its argument in the macros only; write {Name}. The "
          "template, and where the hole begins in it: ",
          raw.data(), hole);
    } else if (why == Malformed::alignment_over_cap) {
      CAIRN009_alignment_over_cap(
          "CAIRN009: an alignment over 4096 columns. The template, and where the hole begins in it: ", raw.data(),
          hole);
    } else {
      CAIRN001_malformed_hole(
          "CAIRN001: a malformed hole: it takes {[@|$]Name[,alignment][:format]}, a name being letters, digits, _ and "
          "dots; a brace itself is written {{ or }}. The template, and where the hole begins in it: ",
          raw.data(), hole);
    }
  }

  constexpr void named_by_expression(std::string_view raw) {
    names_by_expression = true;
    std::string_view name;
    if (holes < N && all_spelled) name = name_of_expression(spelled[holes]);
    if (name.empty() && holes < N) {
      const HoleText hole = hole_text(raw);
      CAIRN010_hole_without_name(
          "CAIRN010: {} takes its name from an argument that is an identifier or a member access; this one is neither "
          "(or holds a comma outside brackets: add parentheses): write {Name}. The template, and where the hole begins "
          "in it: ",
          raw.data(), hole);
    }
    Hole named;
    named.raw = raw;
    named.name = name;
    hole(named);
  }

  constexpr void hole(const Hole& h) {
    if (h.positional) {
      any_positional = true;
    } else {
      any_named = true;
    }
    if (any_positional && any_named) {
      CAIRN005_positional_and_named(
          "CAIRN005: positional and named holes in one template: use one kind. The template, and where the second kind "
          "begins in it: ",
          h.raw.data(), hole_text(h.raw));
    }
    if (h.name.size() >= 2 && h.name[0] == '_' && h.name[1] == '_') {
      CAIRN006_reserved_name(
          "CAIRN006: names that begin with __ are reserved for surplus arguments. The template, and where the hole "
          "begins in it: ",
          h.raw.data(), hole_text(h.raw));
    }
    const std::size_t argument = h.positional ? h.index : holes;
    if (!h.positional) {
      for (std::size_t i = 0; i < holes && i < N; ++i) {
        if (same_text(names[i], h.name)) {
          CAIRN003_duplicate_name(
              "CAIRN003: a name that the template has already: each property needs a name of its own. The template, "
              "and where the hole begins in it: ",
              h.raw.data(), hole_text(h.raw));
        }
      }
      if (holes < N) names[holes] = h.name;
    }
    ++holes;
    if (argument + 1 > highest) highest = argument + 1;
    if (argument >= N) {
      if (!h.positional) {
        CAIRN002_wrong_argument_count(
            "CAIRN002: more holes than arguments. The template, and where the first hole without an argument begins in "
            "it: ",
            h.raw.data(), hole_text(h.raw));
      }
      return;
    }
    used[argument] = true;
    const ArgumentTraits& takes = traits[argument];
    if (h.capture == '@') {
      if (argument < 64) structure_mask |= std::uint64_t{1} << argument;
      if (!takes.structured) {
        CAIRN008_no_structure(
            "CAIRN008: @ on an argument whose type has no structure: leave the @ out. The template, and where the hole "
            "begins in it: ",
            h.raw.data(), hole_text(h.raw));
      }
    } else if (!takes.string_form && h.capture != '$') {
      CAIRN012_no_string_form(
          "CAIRN012: the argument's type has a structure and no string form: write {@Name} to capture its structure. "
          "The template, and where the hole begins in it: ",
          h.raw.data(), hole_text(h.raw));
    }
    if (!h.format.empty() && takes.format != FormatClass::any && !parse_format_spec(h.format, takes.format)) {
      CAIRN007_format_not_taken(
          "CAIRN007: a format that the argument's type does not take. The template, and where the hole begins in it: ",
          h.raw.data(), hole_text(h.raw));
    }
  }

  constexpr void finish(std::string_view whole) {
    if (any_positional) {
      for (std::size_t i = 0; i < highest && i < N; ++i) {
        if (!used[i]) {
          CAIRN004_positional_gap("CAIRN004: a positional gap: an index below the highest has no hole. The template: ",
                                  whole.data(), hole_text(whole));
        }
      }
      if (highest > N + 1)
        CAIRN004_positional_gap("CAIRN004: a positional gap: an index below the highest has no hole. The template: ",
                                whole.data(), hole_text(whole));
    }
    if (highest > N)
      CAIRN002_wrong_argument_count("CAIRN002: more holes than arguments. The template: ", whole.data(),
                                    hole_text(whole));
    if (highest < N)
      CAIRN002_wrong_argument_count("CAIRN002: more arguments than holes. The template: ", whole.data(),
                                    hole_text(whole));
    if (macro_form && any_named && all_spelled) check_swaps(whole);
  }

  /// Rule 12: an argument that is a plain identifier equal to another hole's name.
  constexpr void check_swaps(std::string_view whole) {
    for (std::size_t i = 0; i < N; ++i) {
      const std::string_view expression = identifier_in(spelled[i]);
      if (expression.empty() || same_but_for_style(expression, names[i])) continue;
      for (std::size_t other = 0; other < N; ++other) {
        if (other != i && same_but_for_style(expression, names[other])) {
          CAIRN011_swapped_arguments(
              "CAIRN011: an argument that is named like another hole: are two arguments swapped? The template: ",
              whole.data(), hole_text(whole));
        }
      }
    }
  }
};

struct CheckedTemplate {
  std::uint64_t structure_mask;  // the arguments that `@` stands before
  bool names_by_expression;      // it has a `{}`
};

/// Checks `text` against the types of its arguments. One character follows it in its array: the NUL of a literal.
template <class... A>
constexpr CheckedTemplate check_template(std::string_view text, std::string_view expressions, bool macro_form) {
  const char* const end = text.data() + text.size();
  if (*end != '\0') {  // an array of characters that is no literal: what reads the text later looks for its end
    CAIRN013_nul_in_template("CAIRN013: no NUL character at the end of a template. The template: ", text.data(),
                             hole_text(text));
  }
#if !defined(__clang__)
  if (std::is_constant_evaluated() && all_have_string_form<A...> && __builtin_strlen(text.data()) == text.size() &&
      is_plain_template<sizeof...(A)>(text.data(), macro_form ? expressions.data() : nullptr))
    return {0, false};
#endif
  for (const char* at = text.data(); at != end; ++at) {
    at = skip_to(at, end, "");
    if (at == end) break;
    if (*at == '\0')
      CAIRN013_nul_in_template("CAIRN013: a NUL character in a template. The template: ", text.data(), hole_text(text));
  }
  TemplateChecker<sizeof...(A)> checker{argument_traits_of<A...>, macro_form};
  if (macro_form) checker.all_spelled = split_expressions(expressions, checker.spelled) == sizeof...(A);
  parse_template(text, checker);
  checker.finish(text);
  return {checker.structure_mask, checker.names_by_expression};
}

}  // namespace cairn::detail
