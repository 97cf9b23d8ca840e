// Types with a fmt::formatter that Cairn could not capture otherwise: their string form. Include this wherever such a
// type is logged; a file that does not is a compile error (CAIRN014). A type with an `operator<<` has the string form
// of cairn/types/ostream.hpp. Needs {fmt}'s headers, which nothing else of Cairn's does.
//
// An aggregate is a structure, and its formatter is not looked at: a file without this header could not know of it. It
// has a string form beside its structure where that is said, beside the type:
//   template <> struct cairn::StringForm<Order> : cairn::FmtForm<Order> {};
#pragma once

#include <fmt/format.h>

#include <iterator>
#include <string>
#include <type_traits>

#include "cairn/capture.hpp"
#include "cairn/detail/own_stream_operator.hpp"
#include "cairn/types/ostream.hpp"

namespace cairn {

/// The string form of `T` by its formatter, to derive a StringForm from.
template <class T>
struct FmtForm {
  static void write(const T& value, std::string& out) { fmt::format_to(std::back_inserter(out), "{}", value); }
};

namespace detail {
/// One of its own: {fmt} alone would take what converts to a number for that number.
template <class T>
concept HasFormatter = fmt::is_formattable<T>::value && std::is_default_constructible_v<fmt::formatter<T>>;
}  // namespace detail

template <class T>
requires(std::is_class_v<T> && !std::is_aggregate_v<T> && !detail::HasCapture<T> &&
         !detail::stream_operator::OtherWithOperator<T> && detail::HasFormatter<T>) struct StringForm<T> : FmtForm<T> {
};

}  // namespace cairn
